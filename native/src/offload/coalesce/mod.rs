//! TCP segments and UDP datagrams of one flow put together again before they are written to the TUN.
//!
//! Comes in: a batch of IP packets in one buffer, chosen freely by an authenticated peer. Goes out: frames, each a
//! `virtio_net_hdr` and parts of packets, to be written with one writev; the kernel then takes up to 64 KiB in one
//! walk. Rules kept: cutting a frame up again gives the packets it was made of, the order within a flow stays as
//! it was, and nothing is merged whose checksums were not verified, because the kernel does not look at them
//! again (`linux/virtio_net.h`, `NEEDS_CSUM`). Not kept, because it means nothing: the ID of packets that must not
//! be fragmented (RFC 6864), and a TCP checksum of 0xFFFF, which becomes the 0 that it equals.

mod headers;
mod merge;
#[cfg(test)]
mod tests;

use super::Span;
use super::virtio::VNET_HDR;
use headers::{Class, Packet, classify, continues};

/// What the length field of IPv4 can say; IPv6 could say 40 more.
const MOST_BYTES: usize = 65_535;

/// Datagrams in one frame: `UDP_MAX_SEGMENTS` of kernels before 6.9. Of TCP only the size is bounded.
const MOST_DATAGRAMS: u32 = 64;

/// Flows that are open at once: one for each value of the hash. One that meets another's place takes it, which
/// costs a frame more and nothing else; so the work per packet is the same whatever a peer sends.
const PLACES: usize = 256;

/// One packet that is complete.
const PLAIN: [u8; VNET_HDR] = [0; VNET_HDR];

/// No packet follows.
const NONE: u32 = u32::MAX;

/// Packets that continue each other, as far as their headers say.
#[derive(Clone, Copy)]
struct Group {
    /// Number in the batch of the first packet and of the last one.
    first: u32,
    last: u32,
    packets: u32,
    /// The first one's headers.
    of: Packet,
    /// Sequence number of the next (TCP).
    sequence: u32,
    /// Payload that still has room.
    room: usize,
}

/// A group that may grow, if it was opened in this generation.
#[derive(Clone, Copy, Default)]
struct Place {
    generation: u64,
    group: u32,
}

/// What `frames` returns, as ranges of `heads` and `parts`.
struct Record {
    /// 0: a plain packet.
    head: usize,
    head_end: usize,
    part: usize,
    part_end: usize,
}

/// One write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `virtio_net_hdr`, for a merged frame followed by the IP and TCP or UDP headers.
    pub head: &'a [u8],
    /// The rest, in the buffer, in this order: one part for each packet.
    pub parts: &'a [Span],
    /// Packets in the frame.
    pub packets: usize,
}

/// Makes the frames of one batch after the other. Owns storage that is used again.
pub struct Coalescer {
    tcp: bool,
    udp: bool,
    places: Box<[Place; PLACES]>,
    /// Counted up to close every open group at once.
    generation: u64,
    groups: Vec<Group>,
    /// For each packet the number of the next in its group.
    following: Vec<u32>,
    heads: Vec<u8>,
    parts: Vec<Span>,
    records: Vec<Record>,
}

impl Coalescer {
    /// `tcp`, `udp`: which kinds the TUN takes (TSO, USO). With neither every packet is a frame.
    #[must_use]
    pub fn new(tcp: bool, udp: bool) -> Self {
        Self {
            tcp,
            udp,
            places: Box::new([Place::default(); PLACES]),
            generation: 0,
            groups: Vec::new(),
            following: Vec::new(),
            heads: Vec::new(),
            parts: Vec::new(),
            records: Vec::new(),
        }
    }

    /// Take a batch; `frames` then has what is to be written instead of it. A span outside of the buffer counts
    /// as an empty packet and comes out as it is.
    pub fn coalesce(&mut self, buffer: &[u8], packets: &[Span]) {
        self.heads.clear();
        self.parts.clear();
        self.records.clear();
        if !self.tcp && !self.udp {
            for packet in packets {
                self.plain(*packet);
            }
            return;
        }
        self.group(buffer, packets);
        for number in 0..self.groups.len() {
            let group = self.groups[number];
            if group.packets > 1 && self.merge(buffer, packets, &group) {
                continue;
            }
            let mut next = group.first;
            while let Some(packet) = packets.get(next as usize) {
                self.plain(*packet);
                next = self.following[next as usize];
            }
        }
    }

    /// Frames to write in this order.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.records.iter().map(|record| {
            let parts = &self.parts[record.part..record.part_end];
            let head = &self.heads[record.head..record.head_end];
            Frame { head: if head.is_empty() { &PLAIN } else { head }, parts, packets: parts.len() }
        })
    }

    fn plain(&mut self, packet: Span) {
        let part = self.parts.len();
        self.parts.push(packet);
        self.records.push(Record { head: 0, head_end: 0, part, part_end: part + 1 });
    }

    /// Put next to each other what may become one, by the headers alone.
    fn group(&mut self, buffer: &[u8], packets: &[Span]) {
        self.groups.clear();
        self.following.clear();
        self.following.resize(packets.len(), NONE);
        self.generation += 1;
        for (number, span) in (0..NONE).zip(packets) {
            let bytes = buffer.get(span.range()).unwrap_or_default();
            let packet = match classify(bytes, self.tcp, self.udp) {
                Class::Candidate(packet) => packet,
                Class::Elsewhere => {
                    self.open(number, Packet::default());
                    continue;
                }
                Class::Barrier => {
                    self.generation += 1;
                    self.open(number, Packet::default());
                    continue;
                }
            };
            let place = packet.place(bytes);
            let Place { generation, group } = self.places[place];
            if generation == self.generation
                && self.append(group, number, &packet, bytes, buffer, packets, place)
            {
                continue;
            }
            let group = self.open(number, packet);
            // Whatever was there before is closed: it is this flow's, or gives way.
            let generation = if packet.opens { self.generation } else { 0 };
            self.places[place] = Place { generation, group };
        }
    }

    /// A new group. Returns its number.
    fn open(&mut self, number: u32, of: Packet) -> u32 {
        let group = u32::try_from(self.groups.len()).unwrap_or(NONE);
        let room = MOST_BYTES.saturating_sub(of.header + of.payload);
        let sequence = of.sequence.wrapping_add(of.payload_u32());
        self.groups.push(Group { first: number, last: number, packets: 1, of, sequence, room });
        group
    }

    /// Whether the packet continues the group; if so, it is in it now.
    #[allow(clippy::too_many_arguments)]
    fn append(
        &mut self,
        group: u32,
        number: u32,
        packet: &Packet,
        bytes: &[u8],
        buffer: &[u8],
        packets: &[Span],
        place: usize,
    ) -> bool {
        let Some(group) = self.groups.get_mut(group as usize) else { return false };
        let first = packets.get(group.first as usize).and_then(|span| buffer.get(span.range()));
        let fits = packet.is_sound
            && packet.payload > 0
            && packet.payload <= group.of.payload
            && packet.payload <= group.room
            && packet.header == group.of.header
            && (!packet.is_tcp || packet.sequence == group.sequence);
        if !fits || !first.is_some_and(|first| continues(first, bytes, packet)) {
            return false;
        }
        self.following[group.last as usize] = number;
        group.last = number;
        group.packets += 1;
        group.sequence = group.sequence.wrapping_add(packet.payload_u32());
        group.room -= packet.payload;
        let is_full = !packet.is_tcp && group.packets == MOST_DATAGRAMS;
        if packet.payload < group.of.payload || packet.pushes || is_full {
            self.places[place].generation = 0;
        }
        true
    }
}

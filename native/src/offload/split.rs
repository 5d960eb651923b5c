//! One frame, as the kernel leaves it in the TUN, made into the IP packets it stands for.
//!
//! Comes in: a `virtio_net_hdr` and up to 64 KiB of packet. Goes out: packets as the kernel's own segmentation
//! makes them (`tcp_gso_segment`, `__udp_gso_segment`, `inet_gso_segment`). Rule kept: where headers end and what
//! they are is read from the packet; what the `virtio_net_hdr` says must agree with it, or there is no packet at
//! all. `hdr_len` is not looked at, because the kernel puts the size of its linear part there.

use super::checksum::{complement, copy, minus, words};
use super::virtio::{GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, VirtioNetHdr};

/// More packets than this are no frame: 8 bytes each is the least TCP sends (`TCP_MIN_SND_MSS`).
const MOST_PACKETS: usize = 65_535 / 8;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

const TCP: u8 = 6;
const TCP_HEADER: usize = 20;
const TCP_CHECKSUM: usize = 16;
const FIN_PSH: u8 = 0x09;
const CWR: u8 = 0x80;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const UDP_CHECKSUM: usize = 6;

const MOST_EXTENSION_HEADERS: usize = 8;

/// What a frame stands for. Borrows its bytes; packets are made one by one.
pub struct Split<'a> {
    packet: &'a [u8],
    kind: Kind,
}

enum Kind {
    /// As it is.
    Whole,
    /// One packet; the checksum counts from `start` and belongs `at`.
    Checksum {
        start: usize,
        at: usize,
    },
    Segments(Segments),
}

/// What the headers of all packets have in common.
struct Segments {
    is_v4: bool,
    is_tcp: bool,
    /// Where TCP or UDP starts.
    transport: usize,
    /// Where the payload starts.
    header: usize,
    /// Payload in all packets but the last.
    payload: usize,
    count: usize,
    /// IPv4: words of the header without length, ID and checksum.
    ip_sum: u64,
    ident: u16,
    /// Words of pseudo-header and TCP or UDP header without length, sequence number, flags and checksum.
    sum: u64,
    sequence: u32,
    /// Data offset and flags.
    flags: [u8; 2],
}

impl<'a> Split<'a> {
    /// `packet`: what follows the header. `None` if it is malformed: empty, or something in it is a lie.
    #[must_use]
    pub fn new(header: VirtioNetHdr, packet: &'a [u8]) -> Option<Self> {
        packet.first()?;
        let kind = if header.gso_type != GSO_NONE {
            Kind::Segments(Segments::new(header, packet)?)
        } else if header.flags & NEEDS_CSUM != 0 {
            unfinished(header, packet)?
        } else {
            Kind::Whole
        };
        Some(Self { packet, kind })
    }

    /// Number of packets, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.kind {
            Kind::Segments(segments) => segments.count,
            _ => 1,
        }
    }

    /// Bytes in packet `n`, headers included. All but the last are equal. 0 from `count` on.
    #[must_use]
    pub fn size(&self, n: usize) -> usize {
        match &self.kind {
            _ if n >= self.count() => 0,
            Kind::Segments(segments) => segments.header + segments.part(self.packet, n).len(),
            _ => self.packet.len(),
        }
    }

    /// Write packet `n` to `out`, which has `size(n)` bytes. Into anything else nothing is written.
    pub fn write(&self, n: usize, out: &mut [u8]) {
        if n >= self.count() || out.len() != self.size(n) {
            debug_assert!(false, "packet {n} of {} does not go into {} bytes", self.count(), out.len());
            return;
        }
        match &self.kind {
            Kind::Whole => out.copy_from_slice(self.packet),
            Kind::Checksum { start, at } => {
                let (head, rest) = self.packet.split_at(*start);
                out[..*start].copy_from_slice(head);
                let sum = copy(rest, &mut out[*start..]);
                put(out, *at, not_zero(complement(sum.into())));
            }
            Kind::Segments(segments) => segments.write(self.packet, n, out),
        }
    }
}

/// One packet whose checksum field holds the pseudo-header's sum: any protocol, and one inside a tunnel too.
fn unfinished(header: VirtioNetHdr, packet: &[u8]) -> Option<Kind> {
    let least = match packet.first()? >> 4 {
        4 => IPV4_HEADER,
        6 => IPV6_HEADER,
        _ => return None,
    };
    let start = usize::from(header.csum_start);
    let at = start + usize::from(header.csum_offset);
    (start >= least && at + 2 <= packet.len()).then_some(Kind::Checksum { start, at })
}

impl Segments {
    fn new(header: VirtioNetHdr, packet: &[u8]) -> Option<Self> {
        let is_v4 = packet.first()? >> 4 == 4;
        let protocol = match (header.gso_type, header.gso_type & !GSO_ECN) {
            (_, GSO_TCPV4) if is_v4 => TCP,
            (_, GSO_TCPV6) if !is_v4 => TCP,
            (GSO_UDP_L4, _) => UDP,
            _ => return None,
        };
        let is_tcp = protocol == TCP;
        let (transport, is_plain) = if is_v4 { ipv4(packet, protocol)? } else { ipv6(packet, protocol)? };
        let (size, checksum_at) = if is_tcp {
            (usize::from(packet.get(transport + 12)? >> 4) * 4, TCP_CHECKSUM)
        } else {
            (UDP_HEADER, UDP_CHECKSUM)
        };
        if size < if is_tcp { TCP_HEADER } else { UDP_HEADER } {
            return None;
        }
        let of_transport = packet.get(transport..transport + size)?;
        // What counts in the pseudo-header.
        let length = u16::try_from(packet.len() - transport).ok()?;
        if !is_tcp && word(of_transport, 4) != length {
            return None;
        }
        let needs_csum = header.flags & NEEDS_CSUM != 0;
        let places = (usize::from(header.csum_start), usize::from(header.csum_offset));
        if needs_csum && places != (transport, checksum_at) {
            return None;
        }
        let checksum = word(of_transport, checksum_at);
        let pseudo = if is_plain {
            let addresses = if is_v4 { packet.get(12..20) } else { packet.get(8..40) };
            u64::from(words(addresses?)) + u64::from(protocol)
        } else if needs_csum {
            // Options and extension headers may put other addresses in the place of those (source routes,
            // RFC 8200, 4.4): the kernel's own sum has the right ones.
            u64::from(checksum) + minus(length)
        } else {
            return None;
        };
        let header_size = transport + size;
        let payload = usize::from(header.gso_size);
        let count =
            (packet.len() - header_size).div_ceil(if payload == 0 { return None } else { payload }).max(1);
        if count > MOST_PACKETS {
            return None;
        }
        let mut sum = pseudo + u64::from(words(of_transport)) + minus(checksum);
        let (mut sequence, mut flags) = (0, [0; 2]);
        if is_tcp {
            sequence = u32::from_be_bytes(*of_transport.get(4..)?.first_chunk()?);
            flags = *of_transport.get(12..)?.first_chunk()?;
            sum +=
                minus(word(of_transport, 4)) + minus(word(of_transport, 6)) + minus(word(of_transport, 12));
        } else {
            sum += minus(length);
        }
        let (mut ip_sum, mut ident) = (0, 0);
        if is_v4 {
            ident = word(packet, 4);
            ip_sum = u64::from(words(packet.get(..transport)?));
            ip_sum += minus(word(packet, 2)) + minus(ident) + minus(word(packet, 10));
        }
        Some(Self {
            is_v4,
            is_tcp,
            transport,
            header: header_size,
            payload,
            count,
            ip_sum,
            ident,
            sum,
            sequence,
            flags,
        })
    }

    /// Payload of packet `n`.
    #[inline]
    fn part<'a>(&self, packet: &'a [u8], n: usize) -> &'a [u8] {
        let start = self.header + n * self.payload;
        packet.get(start..packet.len().min(start + self.payload)).unwrap_or_default()
    }

    /// `out` has the right size, and `n` is below `count`: nothing here is larger than a frame.
    #[allow(clippy::cast_possible_truncation)]
    fn write(&self, packet: &[u8], n: usize, out: &mut [u8]) {
        let size = out.len();
        let (head, body) = out.split_at_mut(self.header);
        head.copy_from_slice(&packet[..self.header]);
        let mut sum = self.sum + u64::from(copy(self.part(packet, n), body));
        if self.is_v4 {
            let (length, ident) = (size as u16, self.ident.wrapping_add(n as u16));
            put(head, 2, length);
            put(head, 4, ident);
            put(head, 10, complement(self.ip_sum + u64::from(length) + u64::from(ident)));
        } else {
            put(head, 4, (size - IPV6_HEADER) as u16);
        }
        let length = (size - self.transport) as u16;
        let head = &mut head[self.transport..];
        if self.is_tcp {
            let sequence = self.sequence.wrapping_add((n * self.payload) as u32);
            let [offset, mut flags] = self.flags;
            if n > 0 {
                flags &= !CWR;
            }
            if n + 1 < self.count {
                flags &= !FIN_PSH;
            }
            head[4..8].copy_from_slice(&sequence.to_be_bytes());
            head[13] = flags;
            sum += u64::from(sequence) + u64::from(u16::from_be_bytes([offset, flags])) + u64::from(length);
            put(head, TCP_CHECKSUM, complement(sum));
        } else {
            put(head, 4, length);
            // Once in the pseudo-header and once in UDP's own.
            sum += 2 * u64::from(length);
            put(head, UDP_CHECKSUM, not_zero(complement(sum)));
        }
    }
}

/// Where the transport header is, and whether nothing is between. `None` if it is not this protocol's, or only
/// a fragment, or the length is not the frame's.
fn ipv4(packet: &[u8], protocol: u8) -> Option<(usize, bool)> {
    let header = packet.first_chunk::<IPV4_HEADER>()?;
    let start = usize::from(header[0] & 15) * 4;
    let is_whole = header[6] & !0xC0 == 0 && header[7] == 0;
    let is_right = start >= IPV4_HEADER
        && start <= packet.len()
        && usize::from(word(header, 2)) == packet.len()
        && header[9] == protocol;
    (is_whole && is_right).then_some((start, start == IPV4_HEADER))
}

/// As `ipv4`. A fragment header, and what nobody knows, ends the search.
fn ipv6(packet: &[u8], protocol: u8) -> Option<(usize, bool)> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const DESTINATION_OPTIONS: u8 = 60;
    let header = packet.first_chunk::<IPV6_HEADER>()?;
    if header[0] >> 4 != 6 || usize::from(word(header, 4)) + IPV6_HEADER != packet.len() {
        return None;
    }
    let (mut following, mut start) = (header[6], IPV6_HEADER);
    for _ in 0..=MOST_EXTENSION_HEADERS {
        if following == protocol {
            return Some((start, start == IPV6_HEADER));
        }
        if !matches!(following, HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS) {
            return None;
        }
        let &[next, length] = packet.get(start..)?.first_chunk::<2>()?;
        following = next;
        start += (usize::from(length) + 1) * 8;
    }
    None
}

/// A big-endian word that is known to be there (0 otherwise).
#[inline]
fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u16::from_be_bytes(*word))
}

/// Nothing if there is no room.
#[inline]
fn put(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(room) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *room = word.to_be_bytes();
    }
}

/// UDP's checksum of 0 would mean "none" (RFC 768); the kernel does the same for every protocol.
#[inline]
const fn not_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xFFFF } else { checksum }
}

#[cfg(test)]
mod tests;

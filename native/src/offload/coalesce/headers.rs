//! What the headers of a packet say about whether it may be merged.
//!
//! Comes in: one packet, any bytes. Goes out: what is needed to compare it with others of its flow. Rules kept:
//! those of the kernel's GRO (`tcp_gro_receive`, `udp_gro_receive`): all headers must be equal but for what
//! cutting makes again; IPv4 without options, IPv6 without extension headers, no fragments.

use super::PLACES;

/// Bytes of TCP payload. Merging less gains nothing, and drivers need not see segments of a few bytes.
pub const LEAST_SEGMENT: usize = 128;

pub const IPV4_HEADER: usize = 20;
pub const IPV6_HEADER: usize = 40;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;

pub const TCP_HEADER: usize = 20;
pub const UDP_HEADER: usize = 8;

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// What a packet is here.
pub enum Class {
    /// Of a kind that is merged.
    Candidate(Packet),
    /// Of no flow that is merged.
    Elsewhere,
    /// It may belong to any flow: nothing may go past it.
    Barrier,
}

/// Headers of a candidate.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools)] // facts that are independent of each other, no states
pub struct Packet {
    pub is_v4: bool,
    pub is_tcp: bool,
    /// Size of all headers.
    pub header: usize,
    /// The rest of the packet.
    pub payload: usize,
    pub sequence: u32,
    /// PSH: nothing may follow in its frame.
    pub pushes: bool,
    /// The lengths agree with the packet's size, and there is a checksum.
    pub is_sound: bool,
    /// Others may continue it.
    pub opens: bool,
}

impl Packet {
    /// Size of the IP header.
    pub fn ip(&self) -> usize {
        if self.is_v4 { IPV4_HEADER } else { IPV6_HEADER }
    }

    /// For sequence numbers: no payload has more than 32 bits.
    pub fn payload_u32(&self) -> u32 {
        u32::try_from(self.payload).unwrap_or(0)
    }

    /// Where an open group of this flow is, if there is one: a hash of protocol, addresses and ports.
    pub fn place(&self, bytes: &[u8]) -> usize {
        let flow = if self.is_v4 { bytes.get(12..24) } else { bytes.get(8..44) }.unwrap_or_default();
        let mut hash = u64::from(self.is_tcp);
        for word in flow.chunks_exact(4) {
            let word = word.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
            hash = (hash.rotate_left(23) ^ u64::from(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        usize::from(hash.to_be_bytes()[0]) % PLACES
    }
}

/// `tcp`, `udp`: which kinds are merged at all.
#[inline]
pub fn classify(bytes: &[u8], tcp: bool, udp: bool) -> Class {
    let (is_v4, ip, protocol, length) = match bytes.first() {
        Some(0x45) => match bytes.first_chunk::<IPV4_HEADER>() {
            Some(header) => (true, IPV4_HEADER, header[9], be16(header[2], header[3])),
            None => return Class::Barrier,
        },
        Some(0x60..=0x6F) => match bytes.first_chunk::<IPV6_HEADER>() {
            Some(header) => (false, IPV6_HEADER, header[6], IPV6_HEADER + be16(header[4], header[5])),
            None => return Class::Barrier,
        },
        _ => return Class::Barrier,
    };
    match protocol {
        TCP if tcp => {}
        UDP if udp => {}
        TCP | UDP | ICMP | ICMPV6 => return Class::Elsewhere,
        // Behind any other protocol TCP or UDP may hide.
        _ => return Class::Barrier,
    }
    if is_v4 && (bytes[6] & 0xBF != 0 || bytes[7] != 0) {
        // A fragment: the ports may be none.
        return Class::Barrier;
    }
    let is_whole = length == bytes.len();
    let transport = &bytes[ip..];
    let packet = if protocol == TCP { segment(transport, is_whole) } else { datagram(transport, is_whole) };
    match packet {
        Some(packet) => Class::Candidate(Packet { is_v4, header: ip + packet.header, ..packet }),
        None => Class::Barrier,
    }
}

/// TCP, or `None` if there is no header such as it has.
#[inline]
fn segment(bytes: &[u8], is_whole: bool) -> Option<Packet> {
    let header = bytes.first_chunk::<TCP_HEADER>()?;
    let size = usize::from(header[12] >> 4) * 4;
    if size < TCP_HEADER || header[12] & 15 != 0 {
        return None;
    }
    // Options that are not all there: nothing is left.
    let payload = bytes.len().saturating_sub(size);
    Some(Packet {
        is_tcp: true,
        header: size,
        payload,
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        pushes: header[13] & PSH != 0,
        is_sound: is_whole,
        opens: is_whole && header[13] == ACK && payload >= LEAST_SEGMENT,
        ..Packet::default()
    })
}

/// UDP, or `None` if there is no header.
#[inline]
fn datagram(bytes: &[u8], is_whole: bool) -> Option<Packet> {
    let header = bytes.first_chunk::<UDP_HEADER>()?;
    let payload = bytes.len() - UDP_HEADER;
    // A checksum of 0 is none: the kernel would make one.
    let has_checksum = header[6] != 0 || header[7] != 0;
    let is_sound = is_whole && has_checksum && be16(header[4], header[5]) == bytes.len();
    Some(Packet {
        header: UDP_HEADER,
        payload,
        is_sound,
        opens: is_sound && payload > 0,
        ..Packet::default()
    })
}

/// Whether two packets of the same kind and size of headers agree in all that cutting does not make again.
///
/// Lengths, ID, sequence number and checksums are not compared, nor PSH.
#[inline]
pub fn continues(first: &[u8], next: &[u8], of: &Packet) -> bool {
    let ip = of.ip();
    let (Some((a, rest_a)), Some((b, rest_b))) = (first.split_at_checked(ip), next.split_at_checked(ip))
    else {
        return false;
    };
    let is_same_ip = if of.is_v4 {
        same::<0, 2>(a, b) && same::<6, 10>(a, b) && same::<12, 20>(a, b)
    } else {
        same::<0, 4>(a, b) && same::<6, 8>(a, b) && same::<8, 24>(a, b) && same::<24, 40>(a, b)
    };
    if !is_same_ip || !same::<0, 4>(rest_a, rest_b) {
        return false;
    }
    if !of.is_tcp {
        return true;
    }
    let options = TCP_HEADER..of.header - ip;
    same::<8, 13>(rest_a, rest_b)
        && (rest_a[13] ^ rest_b[13]) & !PSH == 0
        && same::<14, 16>(rest_a, rest_b)
        && same::<18, 20>(rest_a, rest_b)
        && rest_a.get(options.clone()) == rest_b.get(options)
}

/// Whether both have the same bytes from A to B. Constants, so that it becomes a comparison of numbers.
#[inline]
fn same<const A: usize, const B: usize>(one: &[u8], other: &[u8]) -> bool {
    matches!((one.get(A..B), other.get(A..B)), (Some(one), Some(other)) if one == other)
}

#[inline]
fn be16(high: u8, low: u8) -> usize {
    usize::from(high) << 8 | usize::from(low)
}

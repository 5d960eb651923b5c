//! The IP header of the packets inside the tunnel: whom they are from and for, how long they are, their ECN.
//!
//! Comes in: packets from the TUN, and opened payloads, which a peer chose freely. Goes out: addresses, lengths
//! without padding, the ECN bits to send outside, packets with the congestion mark they met outside.
//! Rules kept: the length checks of the kernel's receive.c, ECN as the kernel's `inet_ecn.h` (RFC 6040).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Size of an IPv4 header without options.
pub const IPV4_HEADER: usize = 20;
/// Size of the IPv6 header.
pub const IPV6_HEADER: usize = 40;

const UDP: u8 = 17;

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// 4 or 6, if the header of that version is all there.
fn version(packet: &[u8]) -> Option<u8> {
    match packet.first()? >> 4 {
        4 if packet.len() >= IPV4_HEADER => Some(4),
        6 if packet.len() >= IPV6_HEADER => Some(6),
        _ => None,
    }
}

fn address(packet: &[u8], v4_at: usize, v6_at: usize) -> Option<IpAddr> {
    if version(packet)? == 4 {
        packet.get(v4_at..)?.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)))
    } else {
        packet.get(v6_at..)?.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)))
    }
}

/// Address the packet is for, or `None` if it is no IP packet.
#[must_use]
pub fn destination(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 16, 24)
}

/// Address the packet is from, or `None` if it is no IP packet.
#[must_use]
pub fn source(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 12, 8)
}

/// Source and destination port of a packet that starts a UDP datagram, `None` of any other.
///
/// IPv6 extension headers are not followed.
#[must_use]
pub fn udp_ports(packet: &[u8]) -> Option<(u16, u16)> {
    let (is_udp, start) = if version(packet)? == 6 {
        (packet[6] == UDP, IPV6_HEADER)
    } else {
        let is_first = packet[6] & !0xE0 == 0 && packet[7] == 0;
        (packet[9] == UDP && is_first, usize::from(packet[0] & 15) * 4)
    };
    if !is_udp {
        return None;
    }
    let &[a, b, c, d] = packet.get(start..)?.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// Length of the IP packet in an opened payload, or `None` if its header and length do not allow one.
#[must_use]
pub fn length_without_padding(payload: &[u8]) -> Option<usize> {
    let length = if version(payload)? == 4 {
        let length = usize::from(u16::from_be_bytes([payload[2], payload[3]]));
        (length >= IPV4_HEADER).then_some(length)?
    } else {
        usize::from(u16::from_be_bytes([payload[4], payload[5]])) + IPV6_HEADER
    };
    (length <= payload.len()).then_some(length)
}

/// The two ECN bits of an IP packet; of an empty one (a keepalive) none.
fn ecn(packet: &[u8]) -> u8 {
    match packet {
        [first, second, ..] if first >> 4 == 4 => second & 3,
        [_, second, ..] => second >> 4 & 3,
        _ => NOT_ECT,
    }
}

/// ECN bits of the datagram that carries `packet`: the same, but a mark stays inside (RFC 6040, 4.1).
#[must_use]
pub fn outer_ecn(packet: &[u8]) -> u8 {
    match ecn(packet) {
        CE => ECT_0,
        bits => bits,
    }
}

/// Give the packet the mark its datagram met on the way (RFC 6040, 4.2). `outer`: the two ECN bits.
///
/// A packet that cannot carry marks is left as it is: the kernel does not drop it either.
pub fn apply_outer_ecn(packet: &mut [u8], outer: u8) {
    match (outer, ecn(packet)) {
        (CE, ECT_0 | ECT_1) => set_ecn(packet, CE),
        (ECT_1, ECT_0) => set_ecn(packet, ECT_1),
        _ => {}
    }
}

fn set_ecn(packet: &mut [u8], bits: u8) {
    if packet[0] >> 4 == 6 {
        packet[1] = packet[1] & !0x30 | bits << 4;
        return;
    }
    let Some(header) = packet.first_chunk_mut::<IPV4_HEADER>() else { return };
    let before = u16::from_be_bytes([header[0], header[1]]);
    header[1] = header[1] & !3 | bits;
    let after = u16::from_be_bytes([header[0], header[1]]);
    // RFC 1624: the checksum follows from the one word that changed.
    let checksum = u16::from_be_bytes([header[10], header[11]]);
    let mut total = u32::from(!checksum) + u32::from(!before) + u32::from(after);
    total = (total & 0xFFFF) + (total >> 16);
    total = (total & 0xFFFF) + (total >> 16);
    let [.., high, low] = (!total).to_be_bytes();
    (header[10], header[11]) = (high, low);
}

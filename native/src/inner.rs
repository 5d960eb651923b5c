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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::offload::checksum::naive;
    use crate::offload::testing::{Packet, TCP4, UDP4, UDP6};

    fn packet(kind: crate::offload::testing::Kind, payload: usize) -> Vec<u8> {
        Packet { kind, payload: vec![7; payload], ..Packet::default() }.bytes()
    }

    #[test]
    fn whom_it_is_for_and_from() {
        let v4 = packet(UDP4, 0);
        assert_eq!(destination(&v4), Some("10.9.0.1".parse().unwrap()));
        assert_eq!(source(&v4), Some("10.9.0.2".parse().unwrap()));
        let v6 = packet(UDP6, 0);
        assert_eq!(destination(&v6), Some("fd00:9::1".parse().unwrap()));
        assert_eq!(source(&v6), Some("fd00:9::2".parse().unwrap()));
        assert!(destination(&v4[..20]).is_some());
        assert!(destination(&v6[..40]).is_some());
        for cut in [&v4[..19], &v4[..1], &v6[..39], &v6[..20], &[]] {
            assert_eq!((destination(cut), source(cut), length_without_padding(cut)), (None, None, None));
        }
        for version in (0..16).filter(|version| ![4, 6].contains(version)) {
            let mut other = v6.clone();
            other[0] = version << 4 | 5;
            assert_eq!(
                (destination(&other), source(&other), length_without_padding(&other)),
                (None, None, None)
            );
        }
    }

    #[test]
    fn length_of_ipv4() {
        // What is claimed of 64 bytes, and what is delivered (tests/engine/test_inbound.py).
        for (claimed, delivered) in [
            (0, None),
            (19, None),
            (20, Some(20)),
            (63, Some(63)),
            (64, Some(64)),
            (65, None),
            (65_535, None),
        ] {
            let mut payload = packet(UDP4, 36);
            payload[2..4].copy_from_slice(&u16::to_be_bytes(claimed));
            assert_eq!((payload.len(), length_without_padding(&payload)), (64, delivered));
        }
    }

    #[test]
    fn length_of_ipv6() {
        for (claimed, delivered) in [
            (0, Some(40)),
            (23, Some(63)),
            (24, Some(64)),
            (25, None),
            (65_495, None),
            (65_496, None),
            (65_535, None),
        ] {
            let mut payload = packet(UDP6, 16);
            payload[4..6].copy_from_slice(&u16::to_be_bytes(claimed));
            assert_eq!((payload.len(), length_without_padding(&payload)), (64, delivered));
        }
    }

    #[test]
    fn ports() {
        for kind in [UDP4, UDP6] {
            let udp = packet(kind, 0);
            assert_eq!(udp_ports(&udp), Some((40_000, 5201)));
            assert_eq!(udp_ports(&udp[..kind.ip() + 4]), Some((40_000, 5201)));
            assert_eq!(udp_ports(&udp[..kind.ip() + 3]), None);
        }
        assert_eq!(udp_ports(&packet(TCP4, 0)), None);
        assert_eq!(udp_ports(&[]), None);
        let mut udp = packet(UDP4, 20);
        for (flags, is_first) in [(0x20, true), (0x40, true), (0x01, false), (0x1F, false)] {
            udp[6] = flags;
            assert_eq!(udp_ports(&udp).is_some(), is_first, "{flags}");
        }
        (udp[6], udp[7]) = (0, 1);
        assert_eq!(udp_ports(&udp), None);
        udp[7] = 0;
        udp[0] = 0x47;
        assert_eq!(udp_ports(&udp), Some((0x0707, 0x0707)), "behind the options");
        udp[0] = 0x4F;
        assert_eq!(udp_ports(&udp), None);
    }

    #[test]
    fn ecn_goes_out_without_marks() {
        for (inside, outside) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
            for kind in [UDP4, UDP6] {
                let packet = Packet { kind, tos: 0xB8 | inside, ..Packet::default() }.bytes();
                assert_eq!(outer_ecn(&packet), outside);
            }
        }
        assert_eq!((outer_ecn(&[]), outer_ecn(&[0x45])), (0, 0));
    }

    #[test]
    fn marks_of_the_way_come_in() {
        // RFC 6040 as the kernel does it: a row for each mark inside, a column for each outside.
        let table = [[0, 0, 0, 0], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]];
        for (inside, row) in (0..).zip(table) {
            for (outside, delivered) in (0..).zip(row) {
                for (kind, dscp) in [(UDP4, 0xB8), (UDP6, 0xB8), (UDP4, 0), (UDP6, 0xFC)] {
                    let with = |ecn: u8| Packet { kind, tos: dscp | ecn, ..Packet::default() }.bytes();
                    let mut packet = with(inside);
                    apply_outer_ecn(&mut packet, outside);
                    assert_eq!(packet, with(delivered), "{kind:?} {inside} {outside}");
                }
            }
        }
        apply_outer_ecn(&mut [], 3);
        apply_outer_ecn(&mut [0x45, 2], 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Also where the sum is next to a carry.
        #[test]
        fn the_header_checksum_stays_right(
            ident: u16, flow_label: u16, tos: u8, ttl: u8, outside in 0..4_u8,
        ) {
            let mut packet = Packet { kind: UDP4, ident, flow_label, tos, ttl, ..Packet::default() }.bytes();
            apply_outer_ecn(&mut packet, outside);
            prop_assert_eq!(naive::words(&packet[..20]), 0xFFFF);
        }

        #[test]
        fn any_bytes(start in 0..3_usize, outside: u8, mut packet in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(first) = packet.first_mut() {
                *first = [0x45, 0x60, *first][start];
            }
            prop_assert_eq!(destination(&packet).is_some(), source(&packet).is_some());
            prop_assert!(length_without_padding(&packet).is_none_or(|length| length <= packet.len()));
            prop_assert!(outer_ecn(&packet) < 3);
            let _ = udp_ports(&packet);
            let size = packet.len();
            apply_outer_ecn(&mut packet, outside);
            prop_assert_eq!(packet.len(), size);
        }
    }
}

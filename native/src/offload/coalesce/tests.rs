//! What is merged and what is not, rule by rule; cutting it up again gives what went in.

mod any_batch;

use super::headers::LEAST_SEGMENT;
use super::{Coalescer, Frame};
use crate::offload::Span;
use crate::offload::checksum::naive;
use crate::offload::split::Split;
use crate::offload::testing::{ACK, FIN, PSH, Packet, TCP4, TCP6, UDP4, UDP6, run, with_checksums};
use crate::offload::virtio::{VNET_HDR, VirtioNetHdr};

/// A frame as it is written.
struct Written {
    header: VirtioNetHdr,
    packet: Vec<u8>,
    packets: usize,
}

fn frames_of(coalescer: &mut Coalescer, packets: &[Vec<u8>]) -> Vec<Written> {
    // Something before and between, as after decryption in place.
    let (mut buffer, mut spans) = (vec![0xEE; 16], Vec::new());
    for packet in packets {
        spans.push(Span {
            start: u32::try_from(buffer.len()).unwrap(),
            len: u32::try_from(packet.len()).unwrap(),
        });
        buffer.extend(packet);
        buffer.extend([0xEE; 48]);
    }
    coalescer.coalesce(&buffer, &spans);
    let frames = coalescer.frames().map(|Frame { head, parts, packets }| {
        let mut packet = head[VNET_HDR..].to_vec();
        assert_eq!(parts.len(), packets);
        for part in parts {
            packet.extend(&buffer[part.range()]);
        }
        Written { header: VirtioNetHdr::parse(head).unwrap(), packet, packets }
    });
    frames.collect()
}

fn frames(packets: &[Vec<u8>]) -> Vec<Written> {
    frames_of(&mut Coalescer::new(true, true), packets)
}

/// The packets the kernel would make of it; also checks what it checks (`virtio_net_hdr_to_skb`).
fn cut(frame: &Written) -> Vec<Vec<u8>> {
    let Written { header, packet, packets } = frame;
    if *packets == 1 {
        assert_eq!(*header, VirtioNetHdr::default());
        return vec![packet.clone()];
    }
    let is_v4 = packet[0] >> 4 == 4;
    let (ip, pseudo) = if is_v4 { (20, 12..20) } else { (40, 8..40) };
    let protocol = if header.csum_offset == 16 { 6 } else { 17 };
    let size = if protocol == 6 { usize::from(packet[ip + 12] >> 4) * 4 } else { 8 };
    assert_eq!(
        (header.flags, usize::from(header.csum_start), usize::from(header.hdr_len)),
        (1, ip, ip + size)
    );
    assert_eq!(
        header.gso_type,
        if protocol == 17 {
            5
        } else if is_v4 {
            1
        } else {
            4
        }
    );
    assert!(packet.len() <= 65_535);
    let payload = packet.len() - ip - size;
    assert!(payload > usize::from(header.gso_size) && header.gso_size > 0);
    assert!(protocol == 6 || payload <= usize::from(header.gso_size) * 64);
    // The field has the pseudo-header's sum.
    let mut sum = packet[pseudo].to_vec();
    sum.extend(u32::try_from(packet.len() - ip).unwrap().to_be_bytes());
    sum.extend([0, protocol]);
    let at = ip + usize::from(header.csum_offset);
    let field = u16::from_be_bytes([packet[at], packet[at + 1]]);
    assert_eq!(field % 0xFFFF, naive::words(&sum) % 0xFFFF);
    assert!(!is_v4 || naive::words(&packet[..20]) == 0xFFFF);
    let split = Split::new(*header, packet).expect("what was merged can be cut");
    assert_eq!(split.count(), *packets);
    let pieces = (0..split.count()).map(|n| {
        let mut piece = vec![0; split.size(n)];
        split.write(n, &mut piece);
        piece
    });
    pieces.collect()
}

/// Packets in each frame, after a check that cutting gives back the packets in their order.
fn sizes(packets: &[Vec<u8>]) -> Vec<usize> {
    let frames = frames(packets);
    assert!(frames.iter().flat_map(cut).eq(packets.iter().cloned()));
    frames.iter().map(|frame| frame.packets).collect()
}

#[test]
fn a_run_is_one_frame() {
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        for options in [0, 12, 40] {
            for size in [LEAST_SEGMENT, 999, 1348] {
                let first = Packet {
                    kind,
                    payload: vec![0; size],
                    options: vec![1; if kind.is_tcp() { options } else { 0 }],
                    sequence: u32::MAX - 3000,
                    ident: 65_530,
                    ..Packet::default()
                };
                assert_eq!(sizes(&run(40, &first, size)), [40]);
            }
        }
    }
}

#[test]
fn the_header_in_full() {
    let first = Packet { payload: vec![9; 1000], options: vec![0; 12], ..Packet::default() };
    let merged = &frames(&run(3, &first, 500))[0];
    let expected =
        VirtioNetHdr { flags: 1, gso_type: 1, hdr_len: 52, gso_size: 1000, csum_start: 20, csum_offset: 16 };
    assert_eq!(merged.header, expected);
    assert_eq!(merged.packet[2..4], 2552_u16.to_be_bytes());
    let first = Packet { kind: UDP6, payload: vec![9; 700], ..Packet::default() };
    let merged = &frames(&run(3, &first, 1))[0];
    let expected =
        VirtioNetHdr { flags: 1, gso_type: 5, hdr_len: 48, gso_size: 700, csum_start: 40, csum_offset: 6 };
    assert_eq!(merged.header, expected);
    assert_eq!(merged.packet[4..6], 1409_u16.to_be_bytes());
    assert_eq!(merged.packet[44..46], 1409_u16.to_be_bytes());
}

#[test]
fn what_differs_is_not_merged() {
    type Change = (&'static str, fn(&mut Packet));
    let any: &[Change] = &[
        ("TTL", |p| p.ttl = 63),
        ("TOS", |p| p.tos = 1),
        ("port", |p| p.port += 1),
        ("longer", |p| p.payload.push(0)),
        ("empty", |p| p.payload.clear()),
    ];
    let tcp: &[Change] = &[
        ("ack", |p| p.ack = 78),
        ("window", |p| p.window = 501),
        ("options", |p| p.options = vec![1, 1, 1, 0]),
        ("longer options", |p| p.options = vec![1; 8]),
        ("urgent", |p| p.urgent = 1),
        ("gap", |p| p.sequence += 1),
        ("again", |p| p.sequence -= 1000),
        ("FIN", |p| p.flags = ACK | FIN),
        ("SYN", |p| p.flags = ACK | 0x02),
        ("RST", |p| p.flags = ACK | 0x04),
        ("URG", |p| p.flags = ACK | 0x20),
        ("ECE", |p| p.flags = ACK | 0x40),
        ("CWR", |p| p.flags = ACK | 0x80),
        ("no ACK", |p| p.flags = 0),
    ];
    let v4: &[Change] = &[
        ("no DF", |p| p.fragment = 0),
        ("reserved bit", |p| p.fragment = 0xC000),
        ("more fragments", |p| p.fragment = 0x6000),
        ("later fragment", |p| p.fragment = 0x4001),
    ];
    let v6: &[Change] = &[("flow label", |p| p.flow_label = 1)];
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        let of_kind = if kind.is_tcp() { tcp } else { &[] };
        for (name, change) in any.iter().chain(of_kind).chain(if kind.is_v4() { v4 } else { v6 }) {
            let options = vec![1; if kind.is_tcp() { 4 } else { 0 }];
            let base = Packet { kind, options, ..Packet::default() };
            let mut other = Packet { sequence: 2000, ident: 2, ..base.clone() };
            change(&mut other);
            let mut packets = run(2, &base, 1000);
            packets.push(other.bytes());
            assert_eq!(sizes(&packets), [2, 1], "{name} {kind:?}");
            // And nothing goes past it: what would have fitted comes after.
            let later = Packet { sequence: 2000, ident: 3, payload: vec![0; 300], ..base };
            packets.push(later.bytes());
            let frames = frames(&packets);
            assert!(*name == "port" || frames[0].packets == 2, "{name} {kind:?}");
        }
    }
}

#[test]
fn runs_of_other_flags_are_left_alone() {
    for flags in [0, ACK | FIN, ACK | 0x80, ACK | 0x20, 0x02, ACK | PSH] {
        assert_eq!(sizes(&run(3, &Packet { flags, ..Packet::default() }, 1000)), [1, 1, 1]);
    }
}

#[test]
fn push_and_a_shorter_one_end_a_run() {
    let mut packets = run(6, &Packet::default(), 1000);
    packets[2] = Packet { sequence: 2000, ident: 2, flags: ACK | PSH, ..Packet::default() }.bytes();
    assert_eq!(sizes(&packets), [3, 3]);
    assert_eq!(frames(&packets)[0].packet[33], ACK | PSH, "on the last segment it will be seen again");
    let mut packets = run(3, &Packet::default(), 10);
    packets.extend(run(2, &Packet { sequence: 2010, ident: 3, ..Packet::default() }, 1000));
    assert_eq!(sizes(&packets), [3, 2]);
    let short = Packet { payload: vec![7; LEAST_SEGMENT - 1], ..Packet::default() };
    assert_eq!(sizes(&run(3, &short, 10)), [1, 1, 1]);
    let short = Packet { kind: UDP4, payload: vec![7], ..Packet::default() };
    assert_eq!(sizes(&run(3, &short, 1)), [3]);
}

#[test]
fn no_frame_is_longer_than_65535() {
    for (kind, most) in [(TCP4, 65_535 - 40), (TCP6, 65_535 - 60), (UDP4, 65_535 - 28), (UDP6, 65_535 - 48)] {
        let full = most / 1348;
        let packet = |payload| Packet { kind, payload: vec![0; payload], ..Packet::default() };
        assert_eq!(sizes(&run(100, &packet(1348), 1348)), [full, full, 100 - 2 * full]);
        // To the very byte.
        let half = most / 2 + 1;
        assert_eq!(sizes(&run(2, &packet(half), most - half)), [2]);
        assert_eq!(sizes(&run(2, &packet(half), most - half + 1)), [1, 1]);
    }
    let packet = Packet { kind: UDP6, payload: vec![1, 2], ..Packet::default() };
    assert_eq!(sizes(&run(130, &packet, 2)), [64, 64, 2]);
}

#[test]
fn flows_that_alternate_are_merged_each() {
    let mut flows = Vec::new();
    for port in [1, 2] {
        for kind in [TCP4, TCP6, UDP4, UDP6] {
            flows.push(run(8, &Packet { kind, port, ident: port, ..Packet::default() }, 1000));
        }
    }
    let packets: Vec<_> = (0..8).flat_map(|n| flows.iter().map(move |flow| flow[n].clone())).collect();
    assert!(frames(&packets).iter().map(cut).eq(flows));
}

#[test]
fn what_the_tun_does_not_take_is_left_alone() {
    let mut packets = run(3, &Packet::default(), 1000);
    packets.extend(run(3, &Packet { kind: UDP4, ..Packet::default() }, 1000));
    for (tcp, udp, expected) in [
        (false, false, vec![1; 6]),
        (true, false, vec![3, 1, 1, 1]),
        (false, true, vec![1, 1, 1, 3]),
        (true, true, vec![3, 3]),
    ] {
        let frames = frames_of(&mut Coalescer::new(tcp, udp), &packets);
        assert_eq!(frames.iter().map(|frame| frame.packets).collect::<Vec<_>>(), expected);
        assert!(frames.iter().flat_map(cut).eq(packets.iter().cloned()));
    }
}

#[test]
fn a_wrong_checksum_passes_unchanged_and_alone() {
    for (kind, places) in [
        (TCP4, &[8, 10, 36, 100, 1039][..]),
        (TCP6, &[7, 56, 1059]),
        (UDP4, &[8, 10, 26, 1027]),
        (UDP6, &[46, 1047]),
    ] {
        for at in places {
            let mut packets = run(5, &Packet { kind, ..Packet::default() }, 1000);
            packets[2][*at] ^= 1;
            let frames = frames(&packets);
            assert!(frames.iter().any(|frame| frame.packets == 1 && frame.packet == packets[2]));
            assert!(frames.iter().flat_map(cut).eq(packets.iter().cloned()));
        }
    }
    // Two errors that cancel each other out over the run are two errors.
    let mut packets = run(4, &Packet::default(), 1000);
    packets[0][1039] += 1;
    packets[1][1039] -= 1;
    assert_eq!(sizes(&packets), [1; 4]);
}

#[test]
fn udp_without_checksum_is_left_alone() {
    let mut packets = run(3, &Packet { kind: UDP4, ..Packet::default() }, 1000);
    for packet in &mut packets {
        packet[26..28].fill(0);
    }
    assert_eq!(sizes(&packets), [1; 3]);
}

#[test]
fn a_udp_checksum_of_ffff_stays() {
    let mut packets = Vec::new();
    for ident in 0..3 {
        let mut packet = Packet { kind: UDP4, ident, payload: vec![0, 0, 1, 1], ..Packet::default() }.bytes();
        let checksum = [packet[26], packet[27]];
        packet[28..30].copy_from_slice(&checksum);
        packets.push(with_checksums(packet));
        assert_eq!(packets.last().unwrap()[26..28], [0xFF, 0xFF]);
    }
    assert_eq!(sizes(&packets), [3]);
}

#[test]
fn ids_matter_only_where_fragments_can_be() {
    for kind in [TCP4, UDP4] {
        let with = |fragment, ident| {
            let numbered =
                |n: u32| Packet { kind, sequence: n * 1000, ident, fragment, ..Packet::default() }.bytes();
            (0..3).map(numbered).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&with(0, 7)), [1, 1, 1]);
        let first = Packet { kind, fragment: 0, ident: 65_535, ..Packet::default() };
        assert_eq!(sizes(&run(3, &first, 1000)), [3]);
        let merged = frames(&with(0x4000, 0));
        assert_eq!(merged[0].packets, 3, "such as macOS sends");
    }
}

#[test]
fn what_is_of_no_flow_passes_and_keeps_its_place() {
    let packets = run(4, &Packet::default(), 1000);
    let mut icmp = packets[0].clone();
    icmp[9] = 1;
    let udp = Packet { kind: UDP4, ..Packet::default() }.bytes();
    for between in [icmp, udp] {
        let merged = frames(&[packets[0].clone(), between, packets[1].clone()]);
        assert_eq!(merged.iter().map(|frame| frame.packets).collect::<Vec<_>>(), [2, 1]);
    }
    let changed = |at: usize, byte: u8| {
        let mut packet = packets[0].clone();
        packet[at] = byte;
        packet
    };
    let mut v6 = Packet { kind: TCP6, ..Packet::default() }.bytes();
    v6[6] = 0x2C;
    let mut fragment = Packet { kind: UDP4, ..Packet::default() }.bytes();
    fragment[7] = 1;
    for barrier in [
        vec![],
        vec![0x45],
        vec![0; 20],
        vec![0; 60],
        changed(0, 0x46),  // with IP options
        changed(9, 0x33),  // AH
        changed(32, 0x40), // a data offset of 16
        changed(32, 0x51), // a bit beside it
        v6,
        fragment,
    ] {
        let (first, last) = packets.split_at(2);
        let batch = [first, &[barrier], last].concat();
        assert_eq!(sizes(&batch), [2, 1, 2]);
    }
}

#[test]
fn a_length_that_is_not_the_packets() {
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        let mut packets = run(3, &Packet { kind, ..Packet::default() }, 1000);
        packets[1].push(0);
        assert_eq!(sizes(&packets), [1, 1, 1]);
        packets[0].push(0);
        packets[2].push(0);
        assert_eq!(sizes(&packets), [1, 1, 1]);
    }
    let mut packets = run(3, &Packet { kind: UDP6, ..Packet::default() }, 1000);
    packets[1][45] ^= 1;
    assert_eq!(sizes(&packets), [1, 1, 1]);
}

#[test]
fn spans_outside_of_the_buffer_harm_nobody() {
    let mut coalescer = Coalescer::new(true, true);
    let spans = [Span { start: u32::MAX, len: u32::MAX }, Span { start: 1, len: 10 }];
    coalescer.coalesce(&[0; 10], &spans);
    assert_eq!(coalescer.frames().map(|frame| frame.parts[0]).collect::<Vec<_>>(), spans);
}

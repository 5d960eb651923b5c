//! Any batch, hostile ones too: each flow comes out as it went in.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::{Coalescer, cut, frames_of};
use crate::offload::checksum::naive;
use crate::offload::testing::{ACK, FIN, Kind, PSH, Packet, TCP4, TCP6, UDP4, UDP6, run, with_checksums};

#[test]
fn many_flows_in_one_batch() {
    // More than there are places: those that meet are merged less, and stay right.
    let flow =
        |n: u16| run(2, &Packet { port: n, ident: n, payload: vec![1; 200], ..Packet::default() }, 200);
    let flows: Vec<_> = (0..1000).map(flow).collect();
    let packets: Vec<_> = (0..2).flat_map(|n| flows.iter().map(move |flow| flow[n].clone())).collect();
    check(&mut Coalescer::new(true, true), &packets);
    let merged = check(
        &mut Coalescer::new(true, true),
        &packets[0..64].iter().chain(&packets[1000..1064]).cloned().collect::<Vec<_>>(),
    );
    assert!(merged > 40, "{merged}");
}

/// The packet without what means nothing: the ID beside DF (RFC 6864), and which zero a TCP checksum is.
fn normal(packet: &[u8]) -> Vec<u8> {
    let mut changed = packet.to_vec();
    let (start, protocol) = match packet.first() {
        Some(0x45) if packet.len() >= 20 => (20, packet[9]),
        Some(0x60..=0x6F) if packet.len() >= 40 => (40, packet[6]),
        _ => return changed,
    };
    if protocol == 6 && packet.get(start + 16..start + 18) == Some(&[0xFF, 0xFF]) {
        changed[start + 16..start + 18].fill(0);
    }
    if start == 20 && naive::words(&packet[..20]) == 0xFFFF {
        if packet[6] & 0x40 != 0 {
            changed[4..6].fill(0);
        }
        changed[10..12].fill(0);
    }
    changed
}

/// Addresses, protocol and ports where there is no doubt of them. None: it may belong to any.
fn flow(packet: &[u8]) -> Option<Vec<u8>> {
    let is_whole = |protocol, size| match protocol {
        6 => size >= 20,
        17 => size >= 8,
        1 | 58 => size >= 4,
        _ => false,
    };
    let size = packet.len();
    if size >= 20
        && packet[0] == 0x45
        && packet[6] & !0xC0 == 0
        && packet[7] == 0
        && is_whole(packet[9], size - 20)
    {
        return Some([&packet[9..10], &packet[12..24]].concat());
    }
    if size >= 40 && packet[0] >> 4 == 6 && is_whole(packet[6], size - 40) {
        return Some([&packet[6..7], &packet[8..44]].concat());
    }
    None
}

/// Packets of each flow in order, with those that may belong to any.
fn by_flow(packets: &[Vec<u8>]) -> HashMap<Option<Vec<u8>>, Vec<Vec<u8>>> {
    let mut flows: HashMap<_, Vec<_>> = packets.iter().map(|packet| (flow(packet), Vec::new())).collect();
    for packet in packets {
        let of = flow(packet);
        for (one, list) in &mut flows {
            // An ICMP fragment cannot be one of TCP or UDP.
            if of.is_none() || *one == of {
                list.push(normal(packet));
            }
        }
    }
    flows
}

/// Cut up again, nothing has changed. Returns how many packets were merged into others.
fn check(coalescer: &mut Coalescer, packets: &[Vec<u8>]) -> usize {
    let frames = frames_of(coalescer, packets);
    assert_eq!(frames.iter().map(|frame| frame.packets).sum::<usize>(), packets.len());
    let pieces: Vec<_> = frames.iter().flat_map(cut).collect();
    let (before, after) = (by_flow(packets), by_flow(&pieces));
    assert_eq!(after.len(), before.len());
    for (flow, list) in &before {
        let differs = list.iter().zip(&after[flow]).position(|(one, other)| one != other);
        assert_eq!((differs, after[flow].len()), (None, list.len()), "{flow:?}");
    }
    packets.len() - frames.len()
}

/// One packet of a batch: the packet, what is missing before it, and what is done to it.
type Step = (Packet, u32, Vec<(usize, u8)>, bool);

fn step() -> impl Strategy<Value = Step> {
    let packet = (
        prop::sample::select(vec![TCP4, TCP4, TCP6, UDP4, UDP6]),
        prop::sample::select(vec![0_usize, 1, 127, 128, 128, 128, 129, 300]),
        1..3_u16,
        prop::sample::select(vec![ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN]),
        prop::sample::select(vec![0x4000_u16, 0x4000, 0x4000, 0, 0, 0x2000]),
        prop::sample::select(vec![0_usize, 0, 12]),
    )
        .prop_map(|(kind, payload, port, flags, fragment, options)| Packet {
            kind,
            payload: vec![3; payload],
            port,
            flags,
            fragment,
            options: vec![1; if kind.is_tcp() { options } else { 0 }],
            ..Packet::default()
        });
    let gap = prop::sample::select(vec![0, 0, 0, 0, 1, 1000]);
    let flips = prop_oneof![
        6 => Just(Vec::new()),
        1 => prop::collection::vec((0..80_usize, any::<u8>()), 1..3),
    ];
    (packet, gap, flips, any::<bool>())
}

fn batch(steps: Vec<Step>) -> Vec<Vec<u8>> {
    let mut following: HashMap<(Kind, u16), u32> = HashMap::new();
    let mut packets = Vec::new();
    for (number, (mut packet, gap, flips, with_right_checksums)) in (0..).zip(steps) {
        let sequence = following.entry((packet.kind, packet.port)).or_insert(u32::MAX - 1000);
        packet.sequence = sequence.wrapping_add(gap);
        packet.ident = number;
        *sequence = packet.sequence.wrapping_add(u32::try_from(packet.payload.len()).unwrap());
        let mut bytes = packet.bytes();
        for (at, with) in &flips {
            if let Some(byte) = bytes.get_mut(*at) {
                *byte ^= with;
            }
        }
        packets.push(if with_right_checksums { with_checksums(bytes) } else { bytes });
    }
    packets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batch(steps in prop::collection::vec(step(), 0..40)) {
        check(&mut Coalescer::new(true, true), &batch(steps));
    }

    #[test]
    fn any_bytes(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..10)) {
        check(&mut Coalescer::new(true, true), &packets);
    }

    #[test]
    fn one_batch_after_the_other(
        one in prop::collection::vec(step(), 0..10),
        other in prop::collection::vec(step(), 0..10),
    ) {
        let mut coalescer = Coalescer::new(true, true);
        check(&mut coalescer, &batch(one));
        let again = batch(other);
        let merged = check(&mut coalescer, &again);
        prop_assert_eq!(merged, check(&mut Coalescer::new(true, true), &again), "nothing is remembered");
    }
}

#[test]
fn the_strategy_reaches_what_it_is_for() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut merged, mut all) = (0, 0);
    for _ in 0..300 {
        let steps = prop::collection::vec(step(), 40).new_tree(&mut runner).unwrap().current();
        let packets = batch(steps);
        all += packets.len();
        merged += check(&mut Coalescer::new(true, true), &packets);
    }
    assert!(merged > all / 20, "{merged} of {all}");
}

//! Frames such as the kernel leaves them, and lies about them.

use proptest::prelude::*;

use super::{MOST_PACKETS, Split};
use crate::offload::checksum::naive;
use crate::offload::testing::{
    ACK, FIN, PSH, Packet, TCP4, TCP6, UDP4, UDP6, is_right, unfinished, with_checksums,
};
use crate::offload::virtio::{NEEDS_CSUM, VirtioNetHdr};

const CWR: u8 = 0x80;

fn pieces(header: VirtioNetHdr, packet: &[u8]) -> Option<Vec<Vec<u8>>> {
    let split = Split::new(header, packet)?;
    let piece = |n| {
        let mut out = vec![0xEE; split.size(n)];
        split.write(n, &mut out);
        out
    };
    Some((0..split.count()).map(piece).collect())
}

/// `virtio_net_hdr` and packet of one frame, as the kernel makes them of this.
fn frame(whole: &Packet, gso_size: u16) -> (VirtioNetHdr, Vec<u8>) {
    let ip = whole.kind.ip();
    let (gso_type, csum_offset) = match whole.kind {
        TCP4 => (1, 16),
        TCP6 => (4, 16),
        _ => (5, 6),
    };
    let header = VirtioNetHdr {
        flags: NEEDS_CSUM,
        gso_type: if whole.flags & CWR != 0 && csum_offset == 16 { gso_type | 0x80 } else { gso_type },
        hdr_len: 0,
        gso_size,
        csum_start: u16::try_from(ip).unwrap(),
        csum_offset,
    };
    (header, unfinished(whole.bytes(), ip, usize::from(csum_offset)))
}

/// What it is to be cut to, made one by one.
fn expected(whole: &Packet, gso_size: usize) -> Vec<Vec<u8>> {
    let parts: Vec<_> = whole.payload.chunks(gso_size).collect();
    let last = parts.len().max(1) - 1;
    let one = |n: usize| {
        let mut flags = whole.flags;
        if n > 0 {
            flags &= !CWR;
        }
        if n < last {
            flags &= !(FIN | PSH);
        }
        let small = u16::try_from(n).unwrap();
        Packet {
            payload: parts.get(n).copied().unwrap_or_default().to_vec(),
            sequence: whole.sequence.wrapping_add(u32::try_from(n * gso_size).unwrap()),
            ident: whole.ident.wrapping_add(small),
            flags,
            ..whole.clone()
        }
    };
    (0..=last).map(|n| one(n).bytes()).collect()
}

#[derive(Clone, Debug)]
struct Case {
    whole: Packet,
    gso_size: u16,
}

fn case() -> impl Strategy<Value = Case> {
    let numbers = (any::<u32>(), any::<u32>(), any::<u16>(), any::<u16>());
    let rest = (any::<u8>(), any::<u8>(), prop::sample::select(vec![0x4000_u16, 0]), 0..4_usize);
    let sizes = (1..1500_u16, 0..6000_usize, any::<u8>());
    (prop::sample::select(vec![TCP4, TCP6, UDP4, UDP6]), numbers, rest, sizes).prop_map(
        |(kind, (sequence, ack, ident, flow_label), (flags, tos, fragment, options), (gso, size, fill))| {
            let payload = (0..size).map(|n| (n % 253).to_le_bytes()[0] ^ fill).collect();
            let options = vec![1; if kind.is_tcp() { options * 4 } else { 0 }];
            let gso_size = if size / usize::from(gso) > 500 { gso + 100 } else { gso };
            let whole = Packet {
                kind,
                payload,
                sequence,
                ack,
                flags,
                options,
                ident,
                fragment,
                tos,
                flow_label,
                ..Packet::default()
            };
            Case { whole, gso_size }
        },
    )
}

#[test]
fn the_kernels_flags() {
    let whole = Packet { flags: ACK | PSH | FIN | CWR, payload: vec![1; 2500], ..Packet::default() };
    let (header, packet) = frame(&whole, 1000);
    assert_eq!(header.gso_type, 0x81);
    let pieces = pieces(header, &packet).unwrap();
    assert_eq!(pieces.iter().map(|piece| piece[33]).collect::<Vec<_>>(), [ACK | CWR, ACK, ACK | PSH | FIN]);
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1040, 1040, 540]);
    assert_eq!(pieces, expected(&whole, 1000));
}

#[test]
fn the_largest() {
    for (kind, most) in [(TCP4, 65_535 - 40), (TCP6, 65_535 - 20), (UDP4, 65_535 - 28), (UDP6, 65_535 - 8)] {
        for gso_size in [8, 1368, 32_767, 65_535] {
            let whole = Packet { kind, payload: vec![0xFF; most], ident: 65_500, ..Packet::default() };
            let (header, packet) = frame(&whole, gso_size);
            assert_eq!(pieces(header, &packet), Some(expected(&whole, gso_size.into())));
        }
        let (header, packet) = frame(&Packet { kind, payload: vec![0; most], ..Packet::default() }, 7);
        assert_eq!(pieces(header, &packet), None, "more than {MOST_PACKETS}");
    }
}

#[test]
fn a_udp_checksum_of_zero_is_ffff() {
    let mut whole = Packet { kind: UDP4, payload: vec![0, 0, 0, 1, 0, 0], ..Packet::default() };
    let bytes = Packet { payload: vec![0, 0], ..whole.clone() }.bytes();
    whole.payload[0..2].copy_from_slice(&bytes[26..28]);
    let (header, packet) = frame(&whole, 2);
    assert_eq!(pieces(header, &packet).unwrap()[0][26..28], [0xFF, 0xFF]);
    whole.payload.truncate(2);
    let (header, packet) = frame(&whole, 0);
    let single = VirtioNetHdr { gso_type: 0, ..header };
    assert_eq!(pieces(single, &packet).unwrap()[0][26..28], [0xFF, 0xFF]);
}

#[test]
fn one_packet() {
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        let whole = Packet { kind, payload: b"odd".to_vec(), ..Packet::default() };
        let (header, packet) = frame(&whole, 0);
        let plain = VirtioNetHdr { gso_type: 0, ..header };
        assert_eq!(pieces(plain, &packet), Some(vec![whole.bytes()]), "completed");
        assert_eq!(pieces(VirtioNetHdr::default(), &packet), Some(vec![packet.clone()]), "as it is");
        let valid = VirtioNetHdr { flags: 2, ..VirtioNetHdr::default() };
        assert_eq!(pieces(valid, &packet), Some(vec![packet.clone()]), "DATA_VALID");
        // Without GSO any place will do that is behind the IP header and in the packet.
        let size = u16::try_from(packet.len()).unwrap();
        let ip = u16::try_from(kind.ip()).unwrap();
        let at = |csum_start, csum_offset| VirtioNetHdr { csum_start, csum_offset, ..plain };
        assert!(pieces(at(size - 2, 0), &packet).is_some());
        for lie in [at(size - 1, 0), at(ip - 1, 6), at(0, 0), at(ip, 65_535), at(65_535, 65_535), at(size, 0)]
        {
            assert_eq!(pieces(lie, &packet), None, "{lie:?}");
        }
    }
    assert_eq!(pieces(VirtioNetHdr::default(), &[]), None);
    let rubbish = VirtioNetHdr { flags: NEEDS_CSUM, csum_start: 20, ..VirtioNetHdr::default() };
    assert_eq!(pieces(rubbish, &[0x50; 60]), None);
}

#[test]
fn lies() {
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        let whole = Packet { kind, payload: vec![3; 5000], ..Packet::default() };
        let (header, packet) = frame(&whole, 1000);
        assert_eq!(pieces(header, &packet), Some(expected(&whole, 1000)));
        // hdr_len is not looked at: the kernel itself puts there what it likes.
        assert!(pieces(VirtioNetHdr { hdr_len: 65_535, ..header }, &packet).is_some());
        // It was complete already, and is made again.
        assert_eq!(pieces(VirtioNetHdr { flags: 0, ..header }, &packet), Some(expected(&whole, 1000)));
        let lies = [
            VirtioNetHdr { gso_size: 0, ..header },
            VirtioNetHdr { csum_start: header.csum_start + 2, ..header },
            VirtioNetHdr { csum_start: 0, ..header },
            VirtioNetHdr { csum_start: 65_535, ..header },
            VirtioNetHdr { csum_offset: 22 - header.csum_offset, ..header },
            VirtioNetHdr { csum_offset: 65_535, ..header },
        ];
        for lie in lies {
            assert_eq!(pieces(lie, &packet), None, "{kind:?} {lie:?}");
        }
        for gso_type in (0..=255).filter(|gso_type| ![0, header.gso_type].contains(gso_type)) {
            let is_ecn = kind.is_tcp() && gso_type == header.gso_type | 0x80;
            assert_eq!(pieces(VirtioNetHdr { gso_type, ..header }, &packet).is_some(), is_ecn, "{gso_type}");
        }
        for size in 0..packet.len() {
            assert_eq!(pieces(header, &packet[..size]), None, "cut to {size}");
        }
        let ip = kind.ip();
        let length_at = if kind.is_v4() { 2 } else { 4 };
        let v4: &[_] = &[(0, 0x44), (0, 0x4F), (0, 0x65), (6, 0x20), (6, 0x80), (7, 1), (9, 1)];
        let v6: &[_] = &[(0, 0x45), (6, 44), (6, 59), (6, 0), (6, 50)];
        let tcp: &[_] = &[(ip + 12, 0x40), (ip + 12, 0)];
        let udp: &[_] = &[(ip + 4, 0), (ip + 5, 0)];
        let of_ip = if kind.is_v4() { v4 } else { v6 };
        let of_transport = if kind.is_tcp() { tcp } else { udp };
        for (at, byte) in of_ip.iter().chain(of_transport).chain(&[(length_at, 0), (length_at + 1, 1)]) {
            let mut lie = packet.clone();
            lie[*at] = if *at == 6 && kind.is_v4() { lie[6] | byte } else { *byte };
            let is_reserved_bit = kind.is_v4() && (*at, *byte) == (6, 0x80);
            assert_eq!(pieces(header, &lie).is_some(), is_reserved_bit, "{kind:?} {at} {byte}");
        }
    }
}

/// Options, or extension headers, between: the kernel's sum counts, whatever addresses it was made with.
#[test]
fn what_stands_between() {
    for kind in [TCP4, TCP6, UDP4, UDP6] {
        let whole = Packet { kind, payload: vec![5; 3333], ..Packet::default() };
        let between: &[u8] = if kind.is_v4() {
            &[1, 1, 1, 0]
        } else {
            // Hop-by-hop, then routing, then destination options.
            &[43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0xAA, 0, 1, 4, 0, 0, 0, 0]
        };
        let widen = |packet: &[u8]| {
            let (head, rest) = packet.split_at(kind.ip());
            let mut wide = [head, between, rest].concat();
            if kind.is_v4() {
                wide[0] = 0x46;
                let length = u16::try_from(wide.len()).unwrap();
                wide[2..4].copy_from_slice(&length.to_be_bytes());
                wide[10..12].fill(0);
                let sum = !naive::words(&wide[..24]);
                wide[10..12].copy_from_slice(&sum.to_be_bytes());
            } else {
                wide[6] = 0;
                let length = u16::try_from(wide.len() - 40).unwrap();
                wide[4..6].copy_from_slice(&length.to_be_bytes());
                wide[56] = kind.1;
            }
            wide
        };
        let (header, packet) = frame(&whole, 1111);
        let mut wide = widen(&packet);
        let csum_start = u16::try_from(kind.ip() + between.len()).unwrap();
        let header = VirtioNetHdr { csum_start, ..header };
        let wanted: Vec<_> = expected(&whole, 1111).iter().map(|piece| widen(piece)).collect();
        assert_eq!(pieces(header, &wide), Some(wanted.clone()));
        // Another destination on the way than at its end.
        let last_of_destination = if kind.is_v4() { 19 } else { 39 };
        wide[last_of_destination] = 99;
        for (piece, wanted) in pieces(header, &wide).unwrap().iter().zip(&wanted) {
            assert_eq!(piece[usize::from(csum_start)..], wanted[usize::from(csum_start)..]);
        }
        // Not known without it.
        assert_eq!(pieces(VirtioNetHdr { flags: 0, ..header }, &wide), None);
        if !kind.is_v4() {
            let mut endless = wide.clone();
            endless[40..].fill(0);
            assert_eq!(pieces(header, &endless), None);
        }
    }
}

#[test]
fn what_is_out_of_range_is_empty() {
    let (header, packet) = frame(&Packet::default(), 300);
    let split = Split::new(header, &packet).unwrap();
    assert_eq!((split.count(), split.size(3), split.size(4), split.size(usize::MAX)), (4, 140, 0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_the_kernel_cuts(Case { whole, gso_size } in case()) {
        let (header, packet) = frame(&whole, gso_size);
        let pieces = pieces(header, &packet).unwrap();
        prop_assert!(pieces.iter().all(|piece| is_right(piece)));
        prop_assert_eq!(pieces, expected(&whole, gso_size.into()));
    }

    /// Lies built on what is right: no panic, and what comes out is right or nothing.
    #[test]
    fn lies_built_on_frames(
        Case { whole, gso_size } in case(),
        flips in prop::collection::vec((0..110_usize, any::<u8>()), 0..4),
        size in prop::option::weighted(0.2, 0..2000_usize),
        field in 0..12_usize,
        value in prop_oneof![any::<u16>(), 0..100_u16],
        with_right_checksums: bool,
    ) {
        let (mut header, mut packet) = frame(&whole, gso_size);
        for (at, with) in flips {
            if let Some(byte) = packet.get_mut(at) {
                *byte ^= with;
            }
        }
        packet.truncate(size.unwrap_or(usize::MAX));
        if with_right_checksums {
            packet = with_checksums(packet);
        }
        match field {
            0 => header.flags = value.to_le_bytes()[0],
            1 => header.gso_type = value.to_le_bytes()[0],
            2 => header.hdr_len = value,
            3 => header.gso_size = value,
            4 => header.csum_start = value,
            5 => header.csum_offset = value,
            6 => header.gso_type = 0,
            _ => {}
        }
        if let Some(pieces) = pieces(header, &packet) {
            prop_assert!(!pieces.is_empty());
            let size = pieces[0].len();
            prop_assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.len() == size));
            prop_assert!(header.gso_type == 0 || pieces.iter().all(|piece| is_right(piece)));
        }
    }

    #[test]
    fn any_bytes(
        head in any::<[u8; 10]>(),
        gso_type in prop::sample::select(vec![0_u8, 1, 4, 5, 0x81]),
        start in prop::sample::select(vec![0x45_u8, 0x60, 0x4F, 0]),
        mut packet in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut header = VirtioNetHdr::parse(&head).unwrap();
        pieces(header, &packet);
        header.gso_type = gso_type;
        if let Some(first) = packet.first_mut() {
            *first = start;
        }
        pieces(header, &packet);
    }
}

/// Not a test: `cargo test --release -- --ignored --nocapture speed`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    use crate::offload::coalesce::Coalescer;
    use crate::offload::{Span, checksum};
    use std::hint::black_box;
    use std::time::Instant;

    fn best(mut run: impl FnMut()) -> f64 {
        let once = |run: &mut dyn FnMut()| {
            let start = Instant::now();
            for _ in 0..200 {
                run();
            }
            start.elapsed().as_secs_f64() / 200.0 * 1e6
        };
        (0..40).map(|_| once(&mut run)).fold(f64::INFINITY, f64::min)
    }

    for kind in [TCP4, TCP6, UDP4] {
        let options = vec![1; if kind.is_tcp() { 12 } else { 0 }];
        let whole = Packet { kind, options, payload: vec![7; 47 * 1368], ..Packet::default() };
        let (header, packet) = frame(&whole, 1368);
        let bytes = f64::from(u32::try_from(packet.len()).unwrap());
        let mut out = vec![0; 47 * 1500];
        let split = best(|| {
            let split = Split::new(header, black_box(&packet)).unwrap();
            for (n, room) in out.chunks_exact_mut(1500).enumerate() {
                split.write(n, &mut room[..split.size(n)]);
            }
            black_box(&mut out);
        });
        let start = packet.len() - 47 * 1368;
        let copied = best(|| {
            let packet = black_box(&packet);
            for (payload, room) in packet[start..].chunks_exact(1368).zip(out.chunks_exact_mut(1500)) {
                room[..start].copy_from_slice(&packet[..start]);
                room[start..start + 1368].copy_from_slice(payload);
            }
            black_box(&mut out);
        });
        let two_passes = best(|| {
            let packet = black_box(&packet);
            for (payload, room) in packet[start..].chunks_exact(1368).zip(out.chunks_exact_mut(1500)) {
                room[..start].copy_from_slice(&packet[..start]);
                room[start..start + 1368].copy_from_slice(payload);
                black_box(checksum::words(&room[start..start + 1368]));
            }
            black_box(&mut out);
        });
        let fused = best(|| {
            let packet = black_box(&packet);
            for (payload, room) in packet[start..].chunks_exact(1368).zip(out.chunks_exact_mut(1500)) {
                black_box(checksum::copy(payload, &mut room[start..start + 1368]));
            }
            black_box(&mut out);
        });
        let mut spans = Vec::new();
        let mut buffer = Vec::new();
        for piece in pieces(header, &packet).unwrap() {
            spans.push(Span {
                start: u32::try_from(buffer.len()).unwrap(),
                len: u32::try_from(piece.len()).unwrap(),
            });
            buffer.extend(piece);
        }
        let mut coalescer = Coalescer::new(true, true);
        let merged = best(|| {
            coalescer.coalesce(black_box(&buffer), &spans);
            assert_eq!(coalescer.frames().count(), 1);
        });
        let summed = best(|| {
            for span in &spans {
                black_box(checksum::words(&black_box(&buffer)[span.range()]));
            }
        });
        let gb = |us: f64| bytes / us / 1000.0;
        println!(
            "{kind:?}: memcpy {copied:.2} us ({:.0} GB/s), split {split:.2} us ({:.0} GB/s, {:.2} x memcpy), memcpy+sum {two_passes:.2} us, copy() {fused:.2} us; \
             sum {summed:.2} us ({:.0} GB/s), coalesce {merged:.2} us ({:.2} x sum, {:.0} ns a packet)",
            gb(copied),
            gb(split),
            split / copied,
            gb(summed),
            merged / summed,
            merged * 1000.0 / 47.0
        );
    }
}

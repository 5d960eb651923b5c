//! Against the kernel: it takes the frames that are made here, and what it leaves in the TUN is cut right.
//!
//! Comes in, as standard input: a TUN with `IFF_VNET_HDR` and all offloads, 10.9.0.1/24 and `fd00:9::1/64`, in a network
//! namespace of its own; somebody there sends datagrams with `UDP_SEGMENT` to port 7777 of 10.9.0.2 and
//! `fd00:9::2` all the time. We are that other host. `tests/native/test_offload_kernel.py` makes all this and runs it.

use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use super::Span;
use super::coalesce::Coalescer;
use super::split::Split;
use super::testing::{ACK, Kind, PSH, Packet, TCP4, TCP6, UDP4, UDP6, is_right, run};
use super::virtio::{VNET_HDR, VirtioNetHdr};

const SYN: u8 = 0x02;
const MSS: usize = 1380;

struct Tun(File);

impl Tun {
    /// Merge and write. Returns the number of packets in each frame.
    fn send(&mut self, packets: &[Vec<u8>]) -> Vec<usize> {
        let (mut buffer, mut spans) = (Vec::new(), Vec::new());
        for packet in packets {
            let start = u32::try_from(buffer.len()).unwrap();
            spans.push(Span { start, len: u32::try_from(packet.len()).unwrap() });
            buffer.extend(packet);
        }
        let mut coalescer = Coalescer::new(true, true);
        coalescer.coalesce(&buffer, &spans);
        let mut sizes = Vec::new();
        for frame in coalescer.frames() {
            let mut slices = vec![IoSlice::new(frame.head)];
            slices.extend(frame.parts.iter().map(|part| IoSlice::new(&buffer[part.range()])));
            let written = self.0.write_vectored(&slices).expect("the kernel takes it");
            assert_eq!(written, slices.iter().map(|slice| slice.len()).sum::<usize>());
            sizes.push(frame.packets);
        }
        sizes
    }

    /// The next frame: its header and the packets it stands for, each with right lengths and checksums.
    fn receive(&mut self) -> (VirtioNetHdr, Vec<Vec<u8>>) {
        let mut buffer = vec![0; 70_000];
        let size = self.0.read(&mut buffer).unwrap();
        let header = VirtioNetHdr::parse(&buffer).unwrap();
        let packet = &buffer[VNET_HDR..size];
        let split = Split::new(header, packet).unwrap_or_else(|| panic!("{header:?} {packet:x?}"));
        let mut packets = Vec::new();
        for n in 0..split.count() {
            let mut out = vec![0; split.size(n)];
            split.write(n, &mut out);
            let protocol = if out[0] >> 4 == 4 { out[9] } else { out[6] };
            assert!(!matches!(protocol, 6 | 17) || is_right(&out), "{header:?}");
            packets.push(out);
        }
        (header, packets)
    }

    /// The next frame with TCP or UDP from or to this port.
    fn receive_of(&mut self, kind: Kind, port: u16) -> (VirtioNetHdr, Vec<Vec<u8>>) {
        loop {
            let (header, packets) = self.receive();
            let packet = &packets[0];
            let ip = kind.ip();
            let protocol = if kind.is_v4() { packet[9] } else { packet[6] };
            if packet[0] >> 4 == kind.0 && protocol == kind.1 && packet[ip + 2..ip + 4] == port.to_be_bytes()
            {
                return (header, packets);
            }
        }
    }
}

fn host(kind: Kind, number: u8) -> String {
    if kind.is_v4() { format!("10.9.0.{number}") } else { format!("[fd00:9::{number}]") }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().unwrap())
}

fn datagrams_arrive(tun: &mut Tun, kind: Kind) {
    let socket = UdpSocket::bind(format!("{}:5201", host(kind, 1))).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    for (count, size, tail) in [(45, 1368, 7), (64, 1, 1), (20, 1200, 1200)] {
        let packets = run(count, &Packet { kind, payload: vec![0; size], ..Packet::default() }, tail);
        assert_eq!(tun.send(&packets), [usize::from(count)]);
        for packet in packets {
            let mut buffer = [0; 2000];
            let received = socket.recv(&mut buffer).expect("every datagram arrives");
            assert_eq!(buffer[..received], packet[kind.ip() + 8..]);
        }
    }
}

fn datagrams_are_cut(tun: &mut Tun, kind: Kind) {
    let mut most = 0;
    for _ in 0..5 {
        let (header, packets) = tun.receive_of(kind, 7777);
        if header.gso_type != 0 {
            assert_eq!(header.gso_type, 5);
            let payload: Vec<u8> =
                packets.iter().flat_map(|packet| packet[kind.ip() + 8..].to_vec()).collect();
            assert!(payload.iter().zip((0..=250).cycle()).all(|(byte, expected)| *byte == expected));
            assert_eq!(packets[0].len(), kind.ip() + 8 + usize::from(header.gso_size));
            most = most.max(packets.len());
        }
    }
    assert!(most > 10, "{kind:?}: the kernel left {most} to be cut");
}

/// A connection from the kernel's TCP to ours, and data both ways.
fn tcp(tun: &mut Tun, kind: Kind) {
    let data: Vec<u8> = (0..=252).cycle().take(300_000).collect();
    let there = {
        let (to, data) = (format!("{}:80", host(kind, 2)), data.clone());
        thread::spawn(move || {
            let mut stream = TcpStream::connect(to).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            stream.write_all(&data).unwrap();
            let mut received = vec![0; 30 * MSS - 1];
            stream.read_exact(&mut received).expect("all segments arrive");
            received
        })
    };
    let ip = kind.ip();
    let (_, syn) = tun.receive_of(kind, 80);
    assert_eq!(syn[0][ip + 13] & 0x3F, SYN);
    let port = u16::from_be_bytes(*syn[0][ip..].first_chunk().unwrap());
    let theirs = number(&syn[0][ip + 4..]).wrapping_add(1);
    let base = Packet { kind, source_port: 80, port, ack: theirs, window: 65_535, ..Packet::default() };
    let [high, low] = u16::try_from(MSS).unwrap().to_be_bytes();
    let answer =
        Packet { options: vec![2, 4, high, low], flags: SYN | ACK, payload: Vec::new(), ..base.clone() };
    tun.send(&[answer.bytes()]);
    let (mut received, mut most) = (Vec::<u8>::new(), 0);
    while received.len() < data.len() {
        let (_, packets) = tun.receive_of(kind, 80);
        most = most.max(packets.len());
        for packet in packets {
            let at = number(&packet[ip + 4..]).wrapping_sub(theirs) as usize;
            let payload = &packet[ip + usize::from(packet[ip + 12] >> 4) * 4..];
            assert!(payload.len() <= MSS);
            if at == received.len() {
                received.extend(payload);
            }
        }
        let ack = theirs.wrapping_add(u32::try_from(received.len()).unwrap());
        tun.send(&[Packet { ack, sequence: 1, payload: Vec::new(), ..base.clone() }.bytes()]);
    }
    assert_eq!(received, data);
    assert!(most > 5, "{kind:?}: the kernel left {most} to be cut");
    let ack = theirs.wrapping_add(u32::try_from(received.len()).unwrap());
    let first = Packet { sequence: 1, ack, payload: vec![0; MSS], ..base };
    let mut packets = run(30, &first, MSS - 1);
    let expected: Vec<u8> = packets.iter().flat_map(|packet| packet[ip + 20..].to_vec()).collect();
    // The last one pushes.
    let sequence = 1 + u32::try_from(29 * MSS).unwrap();
    packets[29] =
        Packet { flags: ACK | PSH, sequence, payload: vec![29; MSS - 1], ident: 29, ..first }.bytes();
    assert_eq!(tun.send(&packets), [30]);
    assert_eq!(there.join().unwrap(), expected);
}

#[test]
#[ignore = "needs a TUN as standard input"]
fn against_the_kernel() {
    let mut tun = Tun(File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap()));
    for kind in [UDP4, UDP6] {
        datagrams_arrive(&mut tun, kind);
        datagrams_are_cut(&mut tun, kind);
    }
    for kind in [TCP4, TCP6] {
        tcp(&mut tun, kind);
    }
}

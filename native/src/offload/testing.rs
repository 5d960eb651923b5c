//! Packets for tests. They share no code with what is tested.

use super::checksum::naive;

pub const FIN: u8 = 0x01;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// IP version and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8, pub u8);

pub const TCP4: Kind = Kind(4, 6);
pub const TCP6: Kind = Kind(6, 6);
pub const UDP4: Kind = Kind(4, 17);
pub const UDP6: Kind = Kind(6, 17);

impl Kind {
    pub fn is_v4(self) -> bool {
        self.0 == 4
    }

    pub fn is_tcp(self) -> bool {
        self.1 == 6
    }

    /// Size of the IP header.
    pub fn ip(self) -> usize {
        if self.is_v4() { 20 } else { 40 }
    }
}

/// One segment or datagram; `bytes` of it has right checksums.
#[derive(Clone, Debug)]
pub struct Packet {
    pub kind: Kind,
    pub payload: Vec<u8>,
    pub sequence: u32,
    pub port: u16,
    pub source_port: u16,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub ident: u16,
    pub fragment: u16,
    pub ttl: u8,
    pub tos: u8,
    pub flow_label: u16,
    pub source: u8,
    pub destination: u8,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            kind: TCP4,
            payload: vec![b'x'; 1000],
            sequence: 0,
            port: 5201,
            source_port: 40_000,
            ack: 77,
            flags: ACK,
            window: 500,
            urgent: 0,
            options: Vec::new(),
            ident: 0,
            fragment: 0x4000,
            ttl: 64,
            tos: 0,
            flow_label: 0,
            source: 2,
            destination: 1,
        }
    }
}

impl Packet {
    pub fn bytes(&self) -> Vec<u8> {
        let mut transport = Vec::new();
        transport.extend(self.source_port.to_be_bytes());
        transport.extend(self.port.to_be_bytes());
        if self.kind.is_tcp() {
            transport.extend(self.sequence.to_be_bytes());
            transport.extend(self.ack.to_be_bytes());
            transport.extend([u8::try_from((20 + self.options.len()) / 4 * 16).unwrap(), self.flags]);
            transport.extend(self.window.to_be_bytes());
            transport.extend([0, 0]);
            transport.extend(self.urgent.to_be_bytes());
            transport.extend(&self.options);
        } else {
            transport.extend(length(8 + self.payload.len()));
            transport.extend([0, 0]);
        }
        transport.extend(&self.payload);
        let mut packet = Vec::new();
        if self.kind.is_v4() {
            packet.extend([0x45, self.tos]);
            packet.extend(length(20 + transport.len()));
            packet.extend(self.ident.to_be_bytes());
            packet.extend(self.fragment.to_be_bytes());
            packet.extend([self.ttl, self.kind.1, 0, 0, 10, 9, 0, self.source, 10, 9, 0, self.destination]);
        } else {
            packet.extend([0x60 | self.tos >> 4, self.tos << 4]);
            packet.extend(self.flow_label.to_be_bytes());
            packet.extend(length(transport.len()));
            packet.extend([self.kind.1, self.ttl]);
            packet.extend([0xFD, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.source]);
            packet.extend([0xFD, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.destination]);
        }
        packet.extend(transport);
        with_checksums(packet)
    }
}

fn length(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap().to_be_bytes()
}

/// Packets that continue each other, of the size of the first; the last has a payload of `tail` bytes.
pub fn run(count: u16, first: &Packet, tail: usize) -> Vec<Vec<u8>> {
    let size = first.payload.len();
    let one = |n: u16| {
        let payload = vec![u8::try_from(n % 251).unwrap(); if n + 1 < count { size } else { tail }];
        let sequence = first.sequence.wrapping_add(u32::from(n) * u32::try_from(size).unwrap());
        Packet { sequence, ident: first.ident.wrapping_add(n), payload, ..first.clone() }.bytes()
    };
    (0..count).map(one).collect()
}

/// Where the transport header is, its protocol, and what the pseudo-header has of addresses.
fn transport(packet: &[u8]) -> Option<(usize, u8, &[u8])> {
    match packet.first()? >> 4 {
        4 if packet.len() >= 20 => Some((usize::from(packet[0] & 15) * 4, packet[9], &packet[12..20])),
        6 if packet.len() >= 40 => Some((40, packet[6], &packet[8..40])),
        _ => None,
    }
}

/// Sum of the transport header and everything after it, with the pseudo-header.
pub fn transport_sum(packet: &[u8]) -> Option<u16> {
    let (start, protocol, addresses) = transport(packet)?;
    let counted = packet.get(start..)?;
    let mut data = addresses.to_vec();
    data.extend(u32::try_from(counted.len()).unwrap().to_be_bytes());
    data.extend([0, 0, 0, protocol]);
    data.extend(counted);
    Some(naive::words(&data))
}

/// The packet with the checksums of IPv4 and TCP or UDP made right, as far as it has the room for them.
pub fn with_checksums(mut packet: Vec<u8>) -> Vec<u8> {
    let Some((start, protocol, _)) = transport(&packet) else { return packet };
    if packet[0] >> 4 == 4 && (20..=packet.len()).contains(&start) {
        packet[10..12].fill(0);
        let sum = !naive::words(&packet[..start]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let at = start + if protocol == 17 { 6 } else { 16 };
    if start >= 20 && matches!(protocol, 6 | 17) && at + 2 <= packet.len() {
        packet[at..at + 2].fill(0);
        let mut sum = !transport_sum(&packet).unwrap();
        if protocol == 17 && sum == 0 {
            sum = 0xFFFF;
        }
        packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The packet with nothing but the pseudo-header's sum in the checksum field, as the kernel leaves it.
pub fn unfinished(mut packet: Vec<u8>, start: usize, offset: usize) -> Vec<u8> {
    let (_, protocol, addresses) = transport(&packet).unwrap();
    let mut pseudo = addresses.to_vec();
    pseudo.extend(u32::try_from(packet.len() - start).unwrap().to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    let sum = naive::words(&pseudo);
    packet[start + offset..start + offset + 2].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Lengths and checksums of a packet that was cut.
pub fn is_right(packet: &[u8]) -> bool {
    if packet[0] >> 4 == 4 {
        let header = usize::from(packet[0] & 15) * 4;
        let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let is_plain = header == 20;
        length == packet.len()
            && naive::words(&packet[..header]) == 0xFFFF
            && (!is_plain || transport_sum(packet) == Some(0xFFFF))
            && (packet[9] != 17
                || usize::from(u16::from_be_bytes([packet[header + 4], packet[header + 5]]))
                    == length - header)
    } else {
        let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        let is_plain = matches!(packet[6], 6 | 17);
        length + 40 == packet.len() && (!is_plain || transport_sum(packet) == Some(0xFFFF))
    }
}

//! Socket addresses and control messages of UDP sockets as bytes, without any system call.
//!
//! Comes in: an endpoint, a source, a TOS byte; or what recvmsg wrote. Goes out: what sendmsg takes, or what
//! it meant. Rule kept: any bytes may come in; a message that is cut short or says it is longer than it is
//! ends the reading (cmsg(3), ip(7), ipv6(7), udp(7), linux/in.h, in6.h, udp.h, errqueue.h).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::udp::{Endpoint, IcmpError, Source};

const SOL_IP: i32 = 0;
const SOL_UDP: i32 = 17;
const SOL_IPV6: i32 = 41;

const IP_TOS: i32 = 1;
const IP_PKTINFO: i32 = 8;
const IP_RECVERR: i32 = 11;
const IPV6_RECVERR: i32 = 25;
const IPV6_PKTINFO: i32 = 50;
const IPV6_TCLASS: i32 = 67;
const UDP_SEGMENT: i32 = 103;
const UDP_GRO: i32 = 104;

const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Bytes of a `sockaddr_in6`, the longest name that occurs here.
pub const NAME_SIZE: usize = 28;
/// Bytes of a `sockaddr_in`.
const NAME4_SIZE: usize = 16;

/// Room for what comes with a datagram: `in6_pktinfo` (40 bytes with its header), traffic class (24), segment
/// size (24), and some for options that another process may have set on the socket.
pub const RECEIVE_SIZE: usize = 128;
/// Room for the same and a `sock_extended_err` with its `sockaddr_in6`.
pub const ERROR_SIZE: usize = 256;
/// Room for what goes out with a datagram.
const SEND_SIZE: usize = 88;

/// Bytes of a `cmsghdr`: the kernel's size, then two ints.
const HEADER: usize = size_of::<usize>() + 8;

/// Bytes as aligned as the kernel's structures want to be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Aligned<const N: usize>(pub [u8; N]);

/// What a datagram's control messages meant, in the order of `Source` and `Arrival`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// The address of ours that it reached.
    pub local: Option<IpAddr>,
    /// The interface it reached us by, or 0.
    pub ifindex: u32,
    /// The two ECN bits of its header.
    pub ecn: u8,
    /// Bytes of each but the last of the datagrams that the kernel merged, or 0.
    pub segment: usize,
}

/// The control messages for one sendmsg.
pub struct Outgoing {
    bytes: Aligned<SEND_SIZE>,
    size: usize,
}

impl Outgoing {
    /// Send from `source.local` through `source.ifindex` where they are known, with `tos` if it is not 0, cut
    /// by the kernel into datagrams of `segment` bytes if that is not 0.
    #[inline]
    pub fn new(source: &Source, tos: u8, segment: u16) -> Self {
        let mut out = Self { bytes: Aligned([0; SEND_SIZE]), size: 0 };
        let is_ipv6 = source.endpoint.address.is_ipv6();
        if source.local.is_some() || source.ifindex != 0 {
            let index = source.ifindex.to_ne_bytes();
            if is_ipv6 {
                let mut info = [0; 20]; // in6_pktinfo: addr, ifindex
                if let Some(IpAddr::V6(local)) = source.local {
                    info[..16].copy_from_slice(&local.octets());
                }
                info[16..].copy_from_slice(&index);
                out.push(SOL_IPV6, IPV6_PKTINFO, info);
            } else {
                let mut info = [0; 12]; // in_pktinfo: ifindex, spec_dst, addr
                info[..4].copy_from_slice(&index);
                if let Some(IpAddr::V4(local)) = source.local {
                    info[4..8].copy_from_slice(&local.octets());
                }
                out.push(SOL_IP, IP_PKTINFO, info);
            }
        }
        if tos != 0 {
            let (level, kind) = if is_ipv6 { (SOL_IPV6, IPV6_TCLASS) } else { (SOL_IP, IP_TOS) };
            out.push(level, kind, i32::from(tos).to_ne_bytes());
        }
        if segment != 0 {
            out.push(SOL_UDP, UDP_SEGMENT, segment.to_ne_bytes());
        }
        out
    }

    /// The messages one after the other; none is an empty slice.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.0.get(..self.size).unwrap_or_default()
    }

    /// Does nothing where there is no room, which the three messages above never come to.
    #[inline]
    fn push<const N: usize>(&mut self, level: i32, kind: i32, data: [u8; N]) {
        let Some(room) = self.bytes.0.get_mut(self.size..self.size + aligned(HEADER + N)) else { return };
        let (header, rest) = room.split_at_mut(HEADER);
        header[..HEADER - 8].copy_from_slice(&(HEADER + N).to_ne_bytes());
        header[HEADER - 8..HEADER - 4].copy_from_slice(&level.to_ne_bytes());
        header[HEADER - 4..].copy_from_slice(&kind.to_ne_bytes());
        rest[..N].copy_from_slice(&data);
        self.size += aligned(HEADER + N);
    }
}

/// One control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// The messages in what recvmsg wrote.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (header, _) = self.0.split_at_checked(HEADER)?;
        let (size, ids) = header.split_first_chunk()?;
        let (level, kind) = ids.split_first_chunk()?;
        let size = usize::from_ne_bytes(*size);
        // None: it is longer than what there is, or shorter than its own header.
        let data = self.0.get(HEADER..size)?;
        // The last one need not be padded.
        self.0 = size
            .checked_next_multiple_of(size_of::<usize>())
            .and_then(|next| self.0.get(next..))
            .unwrap_or(&[]);
        Some(Message {
            level: i32::from_ne_bytes(*level),
            kind: i32::from_ne_bytes(*kind.first_chunk()?),
            data,
        })
    }
}

/// Read the control messages of a received datagram. What is missing or malformed keeps its default.
#[inline]
pub fn meaning(control: &[u8]) -> Meaning {
    let mut meaning = Meaning::default();
    for Message { level, kind, data } in Messages(control) {
        match (level, kind) {
            (SOL_IP, IP_PKTINFO) => {
                if let Some(info) = data.first_chunk::<12>() {
                    let [a, b, c, d, spec_dst @ .., _, _, _, _] = *info;
                    meaning.ifindex = u32::from_ne_bytes([a, b, c, d]);
                    // spec_dst and not addr: for a broadcast it is our address on that interface.
                    meaning.local = Some(Ipv4Addr::from(spec_dst).into());
                }
            }
            (SOL_IPV6, IPV6_PKTINFO) => {
                if let Some(info) = data.first_chunk::<20>() {
                    let [local @ .., a, b, c, d] = *info;
                    meaning.ifindex = u32::from_ne_bytes([a, b, c, d]);
                    meaning.local = Some(Ipv6Addr::from(local).into());
                }
            }
            // One byte, where the traffic class is an int.
            (SOL_IP, IP_TOS) => meaning.ecn = data.first().map_or(0, |tos| tos & 3),
            (SOL_IPV6, IPV6_TCLASS) => meaning.ecn = int(data).map_or(0, |class| class.to_le_bytes()[0] & 3),
            (SOL_UDP, UDP_GRO) => {
                // No datagram is longer than 65,535 bytes.
                let segment = int(data).and_then(|segment| u16::try_from(segment).ok());
                meaning.segment = segment.map_or(0, usize::from);
            }
            _ => {}
        }
    }
    meaning
}

/// Read an entry of the error queue: the control messages and the name, which is where our datagram was
/// going. None if it was not the network that sent it.
pub fn icmp_error(control: &[u8], name: &[u8]) -> Option<IcmpError> {
    let told = |message: Message| {
        if !matches!((message.level, message.kind), (SOL_IP, IP_RECVERR) | (SOL_IPV6, IPV6_RECVERR)) {
            return None;
        }
        // sock_extended_err: errno (4 bytes), origin, type, code, padding, info, data
        let (errno, rest) = message.data.first_chunk::<16>()?.split_first_chunk()?;
        matches!(rest.first(), Some(&(ORIGIN_ICMP | ORIGIN_ICMP6))).then_some(i32::from_ne_bytes(*errno))
    };
    let errno = Messages(control).find_map(told)?;
    Some(IcmpError { endpoint: endpoint(name)?, errno })
}

/// The `sockaddr` of `endpoint`, and how many of its bytes count.
#[inline]
pub fn name(endpoint: &Endpoint) -> (Aligned<NAME_SIZE>, usize) {
    let mut name = Aligned([0; NAME_SIZE]);
    let bytes = &mut name.0;
    bytes[2..4].copy_from_slice(&endpoint.port.to_be_bytes());
    match endpoint.address {
        IpAddr::V4(address) => {
            bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.octets());
            (name, NAME4_SIZE)
        }
        IpAddr::V6(address) => {
            bytes[..2].copy_from_slice(&AF_INET6.to_ne_bytes());
            // 4..8 is the flow label, which we leave to the kernel.
            bytes[8..24].copy_from_slice(&address.octets());
            bytes[24..28].copy_from_slice(&endpoint.scope.to_ne_bytes());
            (name, NAME_SIZE)
        }
    }
}

/// Read a `sockaddr`. None if it is of another family or cut short.
#[inline]
pub fn endpoint(name: &[u8]) -> Option<Endpoint> {
    let (family, rest) = name.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match u16::from_ne_bytes(*family) {
        AF_INET => {
            let address = Ipv4Addr::from(*rest.first_chunk::<4>()?);
            Some(Endpoint { address: address.into(), port, scope: 0 })
        }
        AF_INET6 => {
            let (address, rest) = rest.get(4..)?.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk()?);
            Some(Endpoint { address: Ipv6Addr::from(*address).into(), port, scope })
        }
        _ => None,
    }
}

fn int(data: &[u8]) -> Option<i32> {
    data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

/// `size` with its padding to the next message.
const fn aligned(size: usize) -> usize {
    size.next_multiple_of(size_of::<usize>())
}

#[cfg(test)]
mod tests;

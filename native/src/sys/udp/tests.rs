//! Real sockets on the loopback, set up as pywg/udp/linux.py does.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, FromRawFd};

use super::super::poll::Poll;
use super::super::tun::tests::{in_namespace, set_link};
use super::*;

const LOOPBACK: u32 = 1;
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const LOCALHOST4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn set(fd: RawFd, level: i32, option: i32, value: i32) {
    // SAFETY: `value` is 4 readable bytes that live through the call.
    let answer = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), 4) };
    assert_eq!(answer, 0, "{level} {option}: {}", io::Error::last_os_error());
}

/// A socket on any port of every address. None where the machine has no IPv6.
pub fn open(is_ipv6: bool, gro: bool) -> Option<(Udp, u16)> {
    let family = if is_ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: integers in, a descriptor out.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
    if fd < 0 {
        return None;
    }
    // SAFETY: just made, and nobody else's.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let options: &[(i32, i32)] = if is_ipv6 {
        &[
            (libc::IPV6_V6ONLY, 1),
            (libc::IPV6_RECVPKTINFO, 1),
            (libc::IPV6_RECVTCLASS, 1),
            (libc::IPV6_RECVERR, 1),
            (libc::IPV6_MTU_DISCOVER, 0),
        ]
    } else {
        &[(libc::IP_PKTINFO, 1), (libc::IP_RECVTOS, 1), (libc::IP_RECVERR, 1), (libc::IP_MTU_DISCOVER, 0)]
    };
    for (option, value) in options {
        set(fd, if is_ipv6 { libc::SOL_IPV6 } else { libc::SOL_IP }, *option, *value);
    }
    if gro {
        set(fd, libc::SOL_UDP, 104, 1); // UDP_GRO
    }
    let everywhere: IpAddr =
        if is_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let (name, size) = control::name(&at(everywhere, 0).endpoint);
    // SAFETY: `name` has at least `size` bytes and lives through the call.
    let bound = unsafe { libc::bind(fd, (&raw const name).cast(), length(size)) };
    if bound != 0 {
        return None;
    }
    let port = UdpSocket::from(owned.try_clone().unwrap()).local_addr().unwrap().port();
    // The copy outlives what it was made from.
    Some((Udp::new(owned.as_raw_fd(), is_ipv6).unwrap(), port))
}

pub fn at(address: IpAddr, port: u16) -> Source {
    Source { endpoint: Endpoint { address, port, scope: 0 }, local: None, ifindex: 0 }
}

/// Both families that the machine has, with the address of the loopback.
fn families() -> impl Iterator<Item = (bool, IpAddr)> {
    let all = [(false, LOCALHOST4), (true, LOCALHOST6)];
    all.into_iter().filter(|(is_ipv6, address)| {
        let here = UdpSocket::bind(SocketAddr::new(*address, 0)).is_ok();
        assert!(here || *is_ipv6, "the loopback is down");
        here
    })
}

/// Wait until something is there, then receive it.
pub fn receive(udp: &Udp, buffer: &mut [u8]) -> Arrival {
    let poll = Poll::new().unwrap();
    poll.add(udp.fd(), 0).unwrap();
    assert!(poll.wait(2000).unwrap().contains(0), "nothing came");
    udp.receive(buffer).unwrap()
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

fn pattern(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

#[test]
fn an_answer_leaves_by_the_address_that_was_reached() {
    let ((near, near_port), (far, far_port)) = (open(false, true).unwrap(), open(false, false).unwrap());
    let mut buffer = [0; 2048];
    assert_eq!(near.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

    let from_other = Source { local: Some(OTHER.into()), ..at(LOCALHOST4, near_port) };
    far.send(&from_other, 0, b"hello", 0).unwrap();
    let arrival = receive(&near, &mut buffer);
    let expected = Source { local: Some(LOCALHOST4), ifindex: LOOPBACK, ..at(OTHER.into(), far_port) };
    assert_eq!(arrival, Arrival { size: 5, segment: 0, source: expected, ecn: 0 });
    assert_eq!(&buffer[..5], b"hello");

    // To the second address; the answer to what came must leave by it.
    far.send(&at(OTHER.into(), near_port), 0, b"again", 0).unwrap();
    let arrival = receive(&near, &mut buffer);
    assert_eq!(arrival.source.local, Some(OTHER.into()));
    near.send(&arrival.source, 0, b"answer", 0).unwrap();
    let answer = receive(&far, &mut buffer);
    assert_eq!(answer.source.endpoint, at(OTHER.into(), near_port).endpoint);
    assert_eq!(answer.size, 6);

    // An address that is not ours: the caller forgets it and sends again.
    let foreign = Source { local: Some(Ipv4Addr::new(192, 0, 2, 1).into()), ..at(LOCALHOST4, near_port) };
    assert!([libc::EINVAL, libc::ENETUNREACH].contains(&errno(far.send(&foreign, 0, b"x", 0))));
}

#[test]
fn an_answer_leaves_by_the_address_that_was_reached_over_ipv6() {
    for (is_ipv6, address) in families().filter(|(is_ipv6, _)| *is_ipv6) {
        let ((near, near_port), (far, far_port)) =
            (open(is_ipv6, true).unwrap(), open(is_ipv6, true).unwrap());
        let mut buffer = [0; 2048];
        far.send(&at(address, near_port), 0, b"hello", 0).unwrap();
        let arrival = receive(&near, &mut buffer);
        assert_eq!(
            arrival.source,
            Source { local: Some(address), ifindex: LOOPBACK, ..at(address, far_port) }
        );
        near.send(&arrival.source, 0x02, b"answer", 0).unwrap();
        let answer = receive(&far, &mut buffer);
        assert_eq!((answer.source.endpoint, answer.ecn), (at(address, near_port).endpoint, 2));
    }
}

#[test]
fn congestion_marks_arrive() {
    for (is_ipv6, address) in families() {
        let ((near, near_port), (far, _)) = (open(is_ipv6, true).unwrap(), open(is_ipv6, true).unwrap());
        for (tos, ecn) in [(0, 0), (1, 1), (2, 2), (3, 3), (0xfd, 1), (0xfc, 0)] {
            far.send(&at(address, near_port), tos, b"data", 0).unwrap();
            assert_eq!(receive(&near, &mut [0; 64]).ecn, ecn, "{tos:#x}");
            // Merged ones tell it too.
            far.send(&at(address, near_port), tos, &[0; 300], 100).unwrap();
            let arrival = receive(&near, &mut [0; 512]);
            assert_eq!((arrival.size, arrival.segment, arrival.ecn), (300, 100, ecn), "{tos:#x}");
        }
    }
}

#[test]
fn what_is_sent_in_one_piece_is_cut_and_merged_again() {
    for (is_ipv6, address) in families() {
        let ((near, near_port), (far, far_port)) =
            (open(is_ipv6, true).unwrap(), open(is_ipv6, false).unwrap());
        let mut buffer = vec![0; 65535];
        let data = pattern(45 * 1452 - 500);
        let source = Source { local: Some(address), ifindex: LOOPBACK, ..at(address, near_port) };
        far.send(&source, 1, &data, 1452).unwrap();
        let arrival = receive(&near, &mut buffer);
        assert_eq!((arrival.size, arrival.segment), (data.len(), 1452));
        assert_eq!(arrival.source.local, Some(address));
        assert_eq!(buffer[..data.len()], data);
        assert!(near.receive(&mut buffer).is_err());

        // Without UDP_GRO each comes alone.
        near.send(&at(address, far_port), 0, &data, 1452).unwrap();
        for datagram in data.chunks(1452) {
            let arrival = receive(&far, &mut buffer);
            assert_eq!((arrival.size, arrival.segment), (datagram.len(), 0));
            assert_eq!(&buffer[..arrival.size], datagram);
        }
        assert!(far.receive(&mut buffer).is_err());

        // A segment as long as the data is no segment.
        for segment in [1000, 1001, 65535, usize::MAX] {
            far.send(&at(address, near_port), 0, &data[..1000], segment).unwrap();
            let arrival = receive(&near, &mut buffer);
            assert_eq!((arrival.size, arrival.segment), (1000, 0));
        }
    }
}

#[test]
fn what_is_too_long_is_refused() {
    for (is_ipv6, address) in families() {
        let ((_near, port), (far, _)) = (open(is_ipv6, true).unwrap(), open(is_ipv6, true).unwrap());
        let most = if is_ipv6 { 65527 } else { 65507 };
        assert_eq!(errno(far.send(&at(address, port), 0, &vec![0; most + 1], 0)), libc::EMSGSIZE);
        assert_eq!(errno(far.send(&at(address, port), 0, &vec![0; 200_000], 0)), libc::EMSGSIZE);
        assert_eq!(errno(far.send(&at(address, port), 0, &vec![0; 200_000], 100_000)), libc::EMSGSIZE);
        // More segments than the kernel takes, old or new.
        assert_eq!(errno(far.send(&at(address, port), 0, &[0; 1000], 1)), libc::EINVAL);
        // The kernel queues the first of these as an error of its own, which is none of the network.
        assert_eq!(far.take_error(), None);
    }
}

#[test]
fn only_the_socket_of_the_family_sends() {
    let (udp, port) = open(false, false).unwrap();
    assert_eq!(errno(udp.send(&at(LOCALHOST6, port), 0, b"x", 0)), libc::EAFNOSUPPORT);
}

#[test]
fn a_closed_port_is_told_by_the_error_queue() {
    for (is_ipv6, address) in families() {
        // Not one that another test may be given.
        let ((near, _), closed_port) = (open(is_ipv6, true).unwrap(), 1);
        assert_eq!(near.take_error(), None);
        let poll = Poll::new().unwrap();
        poll.add(near.fd(), 5).unwrap();
        near.send(&at(address, closed_port), 0, b"anybody?", 0).unwrap();
        assert!(poll.wait(2000).unwrap().contains(5));
        // Once in place of a datagram, and the queue keeps the descriptor ready.
        assert_eq!(errno(near.receive(&mut [0; 64])), libc::ECONNREFUSED);
        assert!(poll.wait(0).unwrap().contains(5));
        let expected = IcmpError { endpoint: at(address, closed_port).endpoint, errno: libc::ECONNREFUSED };
        assert_eq!(near.take_error(), Some(expected));
        assert_eq!(near.take_error(), None);
        assert!(poll.wait(0).unwrap().is_empty());
        assert_eq!(near.receive(&mut [0; 64]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_datagram_that_does_not_fit_is_cut() {
    let ((near, port), (far, _)) = (open(false, true).unwrap(), open(false, true).unwrap());
    far.send(&at(LOCALHOST4, port), 0, &[7; 300], 100).unwrap();
    let mut buffer = [0; 80];
    let arrival = receive(&near, &mut buffer);
    // 100 bytes a datagram, of which 80 came: no segments to cut there.
    assert_eq!((arrival.size, arrival.segment), (80, 0));
    // One without any byte is a datagram too.
    far.send(&at(LOCALHOST4, port), 0, &[], 0).unwrap();
    assert_eq!(receive(&near, &mut buffer).size, 0);
}

#[test]
fn what_is_no_socket_any_more_is_dead() {
    let (udp, port) = open(false, true).unwrap();
    let busy = udp.receive(&mut [0; 8]).unwrap_err();
    assert!(!is_dead(&busy));
    let event = super::super::eventfd::Eventfd::new().unwrap();
    // SAFETY: dup2 puts another open file behind the number, which `udp` goes on owning.
    assert!(unsafe { libc::dup2(event.fd(), udp.fd()) } >= 0);
    assert!(is_dead(&udp.receive(&mut [0; 8]).unwrap_err()));
    assert!(is_dead(&udp.send(&at(LOCALHOST4, port), 0, b"x", 0).unwrap_err()));
    assert!(is_dead(&udp.set_mark(1).unwrap_err()));
    assert_eq!(udp.take_error(), None);
    assert!(is_dead(&Udp::new(-1, false).unwrap_err()));
    for code in [libc::EAGAIN, libc::ECONNREFUSED, libc::EINVAL, libc::EPERM, libc::ENOBUFS, libc::ENETDOWN] {
        assert!(!is_dead(&io::Error::from_raw_os_error(code)));
    }
}

#[test]
fn the_mark_is_set() {
    let (udp, _) = open(false, true).unwrap();
    if let Err(error) = udp.set_mark(0x1234) {
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        return;
    }
    let (mut mark, mut size) = (0_u32, 4);
    // SAFETY: `mark` is 4 writable bytes, as `size` says, and both live through the call.
    let answer = unsafe {
        libc::getsockopt(udp.fd(), libc::SOL_SOCKET, libc::SO_MARK, (&raw mut mark).cast(), &raw mut size)
    };
    assert_eq!((answer, mark), (0, 0x1234));
}

#[test]
fn the_copy_is_closed_on_exec() {
    let (udp, _) = open(false, false).unwrap();
    // SAFETY: F_GETFD takes integers only.
    assert_eq!(unsafe { libc::fcntl(udp.fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
    let copy = Udp::new(udp.fd.as_fd().as_raw_fd(), false).unwrap();
    assert_ne!(copy.fd(), udp.fd());
}

#[test]
fn waiting_for_room_ends() {
    let (udp, _) = open(false, false).unwrap();
    udp.wait_writable(10_000);
}

/// Give the loopback of this namespace another address, without duplicate address detection.
fn add_address6(address: Ipv6Addr) {
    const SIOCSIFADDR: libc::c_ulong = 0x8916;
    let socket = UdpSocket::bind("[::]:0").unwrap();
    let mut request = [0; 24]; // in6_ifreq: address, prefix length, interface
    request[..16].copy_from_slice(&address.octets());
    request[16..20].copy_from_slice(&128_u32.to_ne_bytes());
    request[20..].copy_from_slice(&LOOPBACK.to_ne_bytes());
    // SAFETY: the request reads an in6_ifreq, which `request` is.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCSIFADDR as _, request.as_mut_ptr()) };
    assert_eq!(answer, 0, "{}", io::Error::last_os_error());
    // It is tentative for a moment.
    let there = std::net::SocketAddrV6::new(address, 0, 0, LOOPBACK);
    while UdpSocket::bind(there).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn ipv6_answers_leave_by_the_address_and_the_scope_that_were_reached() {
    in_namespace(|| {
        set_link("lo", 1);
        let Some((near, near_port)) = open(true, true) else { return };
        let (far, far_port) = open(true, true).unwrap();
        let mut buffer = [0; 2048];

        let [global, local]: [Ipv6Addr; 2] = ["2001:db8::2", "fe80::2"].map(|text| text.parse().unwrap());
        add_address6(global);
        add_address6(local);
        far.send(&at(global.into(), near_port), 0, &[1; 900], 300).unwrap();
        let arrival = receive(&near, &mut buffer);
        assert_eq!((arrival.source.local, arrival.segment), (Some(global.into()), 300));
        near.send(&arrival.source, 0, &[1; 900], 300).unwrap();
        let answer = receive(&far, &mut buffer);
        assert_eq!((answer.source.endpoint, answer.segment), (at(global.into(), near_port).endpoint, 300));

        // A link-local address is one of an interface.
        let mut there = at(local.into(), near_port);
        there.endpoint.scope = LOOPBACK;
        far.send(&Source { local: Some(local.into()), ..there }, 0, b"x", 0).unwrap();
        let source = receive(&near, &mut buffer).source;
        let endpoint = Endpoint { address: local.into(), port: far_port, scope: LOOPBACK };
        assert_eq!(source, Source { endpoint, local: Some(local.into()), ifindex: LOOPBACK });
        near.send(&source, 0, b"answer", 0).unwrap();
        assert_eq!(receive(&far, &mut buffer).source.endpoint, there.endpoint);
    });
}

//! A SEQPACKET socketpair, and where we are root a real TUN in a network namespace of its own.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::FromRawFd;

use super::super::poll::Poll;
use super::super::udp;
use super::*;

const IFF_TUN: u16 = 0x0001;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const IFF_UP: u16 = 0x0001;
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const TUNSETVNETHDRSZ: libc::c_ulong = 0x4004_54d8;
const SIOCSIFFLAGS: libc::c_ulong = 0x8914;
const SIOCSIFADDR: libc::c_ulong = 0x8916;
const SIOCSIFNETMASK: libc::c_ulong = 0x891c;
const HEAD: [u8; 10] = [0; 10];
const HERE: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 2);

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

fn pair() -> (Tun, Tun) {
    let mut fds = [-1; 2];
    // SAFETY: `fds` has room for the two descriptors that it is given.
    let answer = unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr())
    };
    assert_eq!(answer, 0);
    // SAFETY: just made, and nobody else's.
    let owned = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let [near, far] = owned.map(|fd| Tun::new(fd.as_raw_fd(), false).unwrap());
    (near, far)
}

fn span(start: u32, len: u32) -> Span {
    Span { start, len }
}

#[test]
fn frames_keep_their_boundaries() {
    let (near, far) = pair();
    let mut room = [0; 64];
    assert_eq!(far.read(&mut room).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let buffer: Vec<u8> = (0..100).collect();
    near.write(&[], &buffer, &[span(10, 5)]).unwrap();
    near.write(&[200, 201], &buffer, &[span(90, 10), span(0, 2), span(50, 0), span(3, 1)]).unwrap();
    near.write(&[7], &[], &[]).unwrap();
    assert_eq!(far.read(&mut room).unwrap(), 5);
    assert_eq!(room[..5], [10, 11, 12, 13, 14]);
    assert_eq!(far.read(&mut room).unwrap(), 15);
    assert_eq!(room[..15], [200, 201, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 0, 1, 3]);
    assert_eq!(far.read(&mut room).unwrap(), 1);
    assert!(!near.vnet_hdr());
    assert_eq!(near.enable_offload(), Offload::default());
    near.disable_offload();
}

#[test]
fn as_many_pieces_as_the_kernel_takes() {
    let (near, far) = pair();
    let buffer: Vec<u8> = (0..=255).cycle().take(3 * MOST_PIECES).collect();
    let parts: Vec<_> = (0..u32::try_from(MOST_PIECES).unwrap()).map(|n| span(3 * n, 3)).collect();
    near.write(&[], &buffer, &parts).unwrap();
    near.write(&[1, 2, 3], &buffer, &parts[..MOST_PIECES - 1]).unwrap();
    assert_eq!(errno(near.write(&[1], &buffer, &parts)), libc::EINVAL);
    let mut room = vec![0; 65536];
    assert_eq!(far.read(&mut room).unwrap(), buffer.len());
    assert_eq!(room[..buffer.len()], buffer);
    assert_eq!(far.read(&mut room).unwrap(), buffer.len());
    assert_eq!(room[3..buffer.len()], buffer[..buffer.len() - 3]);
    assert!(far.read(&mut room).is_err());
}

#[test]
fn parts_outside_of_the_buffer_are_refused() {
    let (near, far) = pair();
    let buffer = [0; 100];
    for part in [span(0, 101), span(100, 1), span(101, 0), span(u32::MAX, 0), span(50, u32::MAX)] {
        assert_eq!(errno(near.write(&[], &buffer, &[span(0, 1), part])), libc::EINVAL);
    }
    assert!(far.read(&mut [0; 8]).is_err());
    near.write(&[1], &buffer, &[span(100, 0)]).unwrap();
}

#[test]
fn a_closed_other_end_is_dead() {
    let (near, far) = pair();
    drop(far);
    for _ in 0..2 {
        let closed = near.read(&mut [0; 8]).unwrap_err();
        assert_eq!(closed.kind(), io::ErrorKind::BrokenPipe);
        assert!(is_dead(&closed));
        assert!(is_dead(&near.write(&[1], &[], &[]).unwrap_err()));
    }
    let (near, far) = pair();
    near.write(&[1], &[], &[]).unwrap();
    drop(far); // with a frame that nobody read
    assert!(is_dead(&near.read(&mut [0; 8]).unwrap_err()));
    assert!(is_dead(&Tun::new(-1, false).unwrap_err()));
    for code in [libc::EIO, libc::EAGAIN, libc::EINVAL, libc::ENOBUFS, libc::ENOMEM, libc::EMSGSIZE] {
        assert!(!is_dead(&io::Error::from_raw_os_error(code)));
    }
}

#[test]
fn a_full_queue_is_not_dead() {
    let (near, _far) = pair();
    let frame = vec![0; 60_000];
    let refused = (0..1000).find_map(|_| near.write(&frame, &[], &[]).err()).unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    assert!(!is_dead(&refused));
}

/// Run `test` in a thread with an empty network namespace; only where we may.
pub fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: takes an integer, and changes the namespace of this thread alone.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 || !std::path::Path::new("/dev/net/tun").exists()
        {
            eprintln!("skipped: needs root and /dev/net/tun");
            return;
        }
        test();
    });
    thread.join().unwrap();
}

/// An `ifreq` whose union starts with `data`.
fn ifreq(name: &str, data: &[u8]) -> [u8; 40] {
    let mut request = [0; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..16 + data.len()].copy_from_slice(data);
    request
}

fn ioctl(fd: RawFd, request: libc::c_ulong, argument: &mut [u8; 40]) -> io::Result<()> {
    // SAFETY: the requests used here read and write an ifreq, which is 40 bytes, or an int.
    super::super::check(unsafe { libc::ioctl(fd, request as _, argument.as_mut_ptr()) })?;
    Ok(())
}

/// Set the flags of an interface: up or down.
pub fn set_link(name: &str, flags: u16) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    ioctl(socket.as_raw_fd(), SIOCSIFFLAGS, &mut ifreq(name, &flags.to_ne_bytes())).unwrap();
}

fn set_address(name: &str, request: libc::c_ulong, address: [u8; 4]) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut sockaddr = [0; 16];
    sockaddr[..2].copy_from_slice(&2_u16.to_ne_bytes());
    sockaddr[4..8].copy_from_slice(&address);
    ioctl(socket.as_raw_fd(), request, &mut ifreq(name, &sockaddr)).unwrap();
}

/// A TUN that is up and has an address, as pywg/tun/linux.py makes it.
fn real(name: &str) -> Tun {
    let file = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
    let flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    ioctl(file.as_raw_fd(), TUNSETIFF, &mut ifreq(name, &flags.to_ne_bytes())).unwrap();
    let mut size = [0; 40];
    size[..4].copy_from_slice(&10_i32.to_ne_bytes());
    ioctl(file.as_raw_fd(), TUNSETVNETHDRSZ, &mut size).unwrap();
    set_address(name, SIOCSIFADDR, HERE.octets());
    set_address(name, SIOCSIFNETMASK, [255, 255, 255, 0]);
    set_link(name, IFF_UP);
    // The copy keeps the device when `file` is closed.
    Tun::new(file.as_raw_fd(), true).unwrap()
}

/// `RTM_DELLINK` (rtnetlink(7)).
fn delete(name: &str) {
    let name = std::ffi::CString::new(name).unwrap();
    // SAFETY: `name` ends with a zero byte.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let mut request = [0_u8; 32]; // nlmsghdr, ifinfomsg
    request[..4].copy_from_slice(&32_u32.to_ne_bytes());
    request[4..6].copy_from_slice(&libc::RTM_DELLINK.to_ne_bytes());
    request[6..8].copy_from_slice(&5_u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_ACK
    request[20..24].copy_from_slice(&index.to_ne_bytes());
    // SAFETY: integers in, a descriptor out.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0);
    // SAFETY: just made, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut answer = [0_u8; 64];
    // SAFETY: both arrays have the lengths given and live through the calls.
    let size = unsafe {
        assert_eq!(libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0), 32);
        libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
    };
    assert!(size >= 20 && answer[16..20] == [0; 4], "RTM_DELLINK: {answer:?}");
}

/// An IPv4 UDP datagram from `THERE` without UDP checksum.
fn datagram(port: u16, data: &[u8]) -> Vec<u8> {
    let total = u16::try_from(28 + data.len()).unwrap();
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet.extend(THERE.octets());
    packet.extend(HERE.octets());
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    for field in [9, port, total - 20, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(data);
    packet
}

/// The next frame that is IPv4 UDP to `port`: its header, and its UDP payload. Others are the kernel's own.
fn next_datagram(tun: &Tun, port: u16) -> ([u8; 10], Vec<u8>) {
    let poll = Poll::new().unwrap();
    poll.add(tun.fd(), 0).unwrap();
    let mut buffer = vec![0; 65545];
    for _ in 0..100 {
        assert!(poll.wait(2000).unwrap().contains(0), "nothing came");
        let size = tun.read(&mut buffer).unwrap();
        let (header, packet) = buffer[..size].split_first_chunk().unwrap();
        if packet[0] == 0x45 && packet[9] == 17 && packet[22..24] == port.to_be_bytes() {
            return (*header, packet[28..].to_vec());
        }
    }
    panic!("only other frames came");
}

#[test]
fn a_real_tun_takes_and_gives_frames() {
    in_namespace(|| {
        let tun = real("sys0");
        assert!(tun.vnet_hdr());
        // What came before the offload was on may be a frame of its own kind.
        let offload = tun.enable_offload();
        assert!(offload.tcp);

        let (socket, port) = udp::tests::open(false, true).unwrap();
        let frame = datagram(port, b"hello");
        let all = span(0, u32::try_from(frame.len()).unwrap());
        tun.write(&HEAD, &frame, &[all]).unwrap();
        let mut buffer = [0; 64];
        let arrival = udp::tests::receive(&socket, &mut buffer);
        assert_eq!(&buffer[..arrival.size], b"hello");
        assert_eq!(arrival.source.endpoint.address, IpAddr::V4(THERE));
        assert_eq!(arrival.source.local, Some(IpAddr::V4(HERE)));

        // In pieces, and what is malformed.
        tun.write(&HEAD, &frame, &[span(0, 20), span(20, 8), span(28, all.len - 28)]).unwrap();
        assert_eq!(udp::tests::receive(&socket, &mut buffer).size, 5);
        assert_eq!(errno(tun.write(&HEAD[..9], &frame, &[])), libc::EINVAL);
        let mut lie = HEAD;
        lie[1] = 0x7f; // gso_type
        assert_eq!(errno(tun.write(&lie, &frame, &[all])), libc::EINVAL);

        // What is to be cut comes whole with USO, and cut without.
        let data = [5; 2100];
        let target = udp::tests::at(THERE.into(), 4242);
        socket.send(&target, 0, &data, 500).unwrap();
        let cut = |head: &[u8; 10], payload: &[u8], size: usize| {
            assert_eq!((head[1], payload.len()), (0, size));
        };
        if offload.udp {
            let (head, payload) = next_datagram(&tun, 4242);
            assert_eq!(head[1], 5); // VIRTIO_NET_HDR_GSO_UDP_L4
            assert_eq!(u16::from_ne_bytes([head[4], head[5]]), 500);
            assert_eq!(payload, data);
            tun.disable_offload();
            socket.send(&target, 0, &data, 500).unwrap();
        }
        for size in [500, 500, 500, 500, 100] {
            let (head, payload) = next_datagram(&tun, 4242);
            cut(&head, &payload, size);
        }
    });
}

#[test]
fn linux_since_6_2_cuts_nothing_itself() {
    in_namespace(|| {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split('.').map_while(|number| number.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version >= (6, 2) {
            assert_eq!(real("sys1").enable_offload(), Offload { tcp: true, udp: true });
        }
    });
}

#[test]
fn a_link_that_is_down_is_not_dead_and_a_deleted_one_is() {
    in_namespace(|| {
        let tun = real("sys2");
        let frame = datagram(1, b"data");
        let all = [span(0, u32::try_from(frame.len()).unwrap())];
        tun.write(&HEAD, &frame, &all).unwrap();

        set_link("sys2", 0);
        let down = tun.write(&HEAD, &frame, &all).unwrap_err();
        assert_eq!(down.raw_os_error(), Some(libc::EIO));
        assert!(!is_dead(&down));
        let mut buffer = vec![0; 65545];
        while let Ok(size) = tun.read(&mut buffer) {
            assert!(size > 10);
        }
        let empty = tun.read(&mut buffer).unwrap_err();
        assert!(!is_dead(&empty), "{empty}");
        set_link("sys2", IFF_UP);
        tun.write(&HEAD, &frame, &all).unwrap();

        let poll = Poll::new().unwrap();
        poll.add(tun.fd(), 4).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                // Frames of the kernel's own may come first.
                let mut buffer = vec![0; 65545];
                loop {
                    assert!(poll.wait(5000).unwrap().contains(4), "nobody told");
                    match tun.read(&mut buffer) {
                        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return error,
                        _ => {}
                    }
                }
            });
            std::thread::sleep(std::time::Duration::from_millis(50));
            delete("sys2");
            let gone = waiter.join().unwrap();
            assert_eq!(gone.raw_os_error(), Some(libc::EBADFD));
            assert!(is_dead(&gone));
        });
        assert!(is_dead(&tun.write(&HEAD, &frame, &all).unwrap_err()));
        tun.disable_offload();
        assert_eq!(tun.enable_offload(), Offload::default());
    });
}

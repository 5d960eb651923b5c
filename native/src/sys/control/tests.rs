//! The layout against libc's own macros, and any bytes at all.

use proptest::prelude::*;

use super::*;

const PORT: u16 = 51820;

fn v4(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, host)
}

fn v6(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)
}

fn source(address: IpAddr, local: Option<IpAddr>, ifindex: u32) -> Source {
    Source { endpoint: Endpoint { address, port: PORT, scope: 0 }, local, ifindex }
}

/// One message as the kernel writes it, padding after it included.
fn raw(size: usize, level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut bytes = size.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

fn well_formed(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    raw(HEADER + data.len(), level, kind, data)
}

/// A `sock_extended_err` with this origin and errno.
fn extended_error(errno: i32, origin: u8) -> Vec<u8> {
    let mut data = errno.to_ne_bytes().to_vec();
    data.extend([origin, 3, 3, 0]);
    data.resize(16 + 16, 0);
    data
}

#[test]
fn numbers_and_sizes_are_those_of_libc() {
    assert_eq!((SOL_IP, SOL_UDP, SOL_IPV6), (libc::SOL_IP, libc::SOL_UDP, libc::SOL_IPV6));
    assert_eq!((IP_TOS, IP_PKTINFO, IP_RECVERR), (libc::IP_TOS, libc::IP_PKTINFO, libc::IP_RECVERR));
    assert_eq!(
        (IPV6_RECVERR, IPV6_PKTINFO, IPV6_TCLASS),
        (libc::IPV6_RECVERR, libc::IPV6_PKTINFO, libc::IPV6_TCLASS)
    );
    assert_eq!((i32::from(AF_INET), i32::from(AF_INET6)), (libc::AF_INET, libc::AF_INET6));
    assert_eq!(NAME4_SIZE, size_of::<libc::sockaddr_in>());
    assert_eq!(NAME_SIZE, size_of::<libc::sockaddr_in6>());
    assert_eq!(HEADER, size_of::<libc::cmsghdr>());
    for (data, size) in [(20, 40), (12, 32), (4, 24), (2, 24)] {
        // SAFETY: CMSG_SPACE and CMSG_LEN are arithmetic.
        let (space, length) = unsafe { (libc::CMSG_SPACE(data), libc::CMSG_LEN(data)) };
        assert_eq!(aligned(HEADER + data as usize), space as usize);
        assert_eq!(HEADER + data as usize, length as usize);
        if cfg!(target_pointer_width = "64") {
            assert_eq!(space, size);
        }
    }
}

#[test]
fn what_goes_out_is_what_the_kernel_expects() {
    let info = [&7_u32.to_ne_bytes()[..], &v4(1).octets(), &[0; 4]].concat();
    let expected = [
        well_formed(SOL_IP, IP_PKTINFO, &info),
        well_formed(SOL_IP, IP_TOS, &0x2e_i32.to_ne_bytes()),
        well_formed(SOL_UDP, UDP_SEGMENT, &1452_u16.to_ne_bytes()),
    ]
    .concat();
    let out = Outgoing::new(&source(v4(9).into(), Some(v4(1).into()), 7), 0x2e, 1452);
    assert_eq!(out.bytes(), expected);

    let info = [&v6(1).octets()[..], &7_u32.to_ne_bytes()].concat();
    let expected = [
        well_formed(SOL_IPV6, IPV6_PKTINFO, &info),
        well_formed(SOL_IPV6, IPV6_TCLASS, &0xff_i32.to_ne_bytes()),
        well_formed(SOL_UDP, UDP_SEGMENT, &65535_u16.to_ne_bytes()),
    ]
    .concat();
    let out = Outgoing::new(&source(v6(9).into(), Some(v6(1).into()), 7), 0xff, 65535);
    assert_eq!(out.bytes(), expected);
}

#[test]
fn only_what_is_known_goes_out() {
    assert!(Outgoing::new(&source(v4(9).into(), None, 0), 0, 0).bytes().is_empty());
    assert!(Outgoing::new(&source(v6(9).into(), None, 0), 0, 0).bytes().is_empty());
    let out = Outgoing::new(&source(v6(9).into(), None, 3), 0, 0);
    let info = [&[0; 16][..], &3_u32.to_ne_bytes()].concat();
    assert_eq!(out.bytes(), well_formed(SOL_IPV6, IPV6_PKTINFO, &info));
    // An address of the other family is as good as none.
    let out = Outgoing::new(&source(v4(9).into(), Some(v6(1).into()), 0), 0, 0);
    assert_eq!(out.bytes(), well_formed(SOL_IP, IP_PKTINFO, &[0; 12]));
}

#[test]
fn what_comes_in_is_understood() {
    let info = [&5_u32.to_ne_bytes()[..], &v4(1).octets(), &v4(255).octets()].concat();
    let control = [
        well_formed(libc::SOL_SOCKET, libc::SO_TIMESTAMP, &[1; 16]),
        well_formed(SOL_IP, IP_PKTINFO, &info),
        well_formed(SOL_IP, IP_TOS, &[0xfe]),
        well_formed(SOL_UDP, UDP_GRO, &1452_i32.to_ne_bytes()),
    ]
    .concat();
    let all = Meaning { local: Some(v4(1).into()), ifindex: 5, ecn: 2, segment: 1452 };
    assert_eq!(meaning(&control), all);
    // The kernel does not count the padding after the last one.
    assert_eq!(meaning(&control[..control.len() - 4]), all);
    // Cut at any other place, what is whole counts.
    for end in 0..control.len() {
        let cut = meaning(&control[..end]);
        assert!(cut.local.is_none() || cut.local == all.local);
        assert!(cut.segment == 0 || end >= control.len() - 4);
    }
    let info = [&v6(1).octets()[..], &6_u32.to_ne_bytes()].concat();
    let control = [
        well_formed(SOL_IPV6, IPV6_PKTINFO, &info),
        well_formed(SOL_IPV6, IPV6_TCLASS, &0xfd_i32.to_ne_bytes()),
    ]
    .concat();
    assert_eq!(meaning(&control), Meaning { local: Some(v6(1).into()), ifindex: 6, ecn: 1, segment: 0 });
}

#[test]
fn a_segment_that_cannot_be_is_none() {
    for size in [0, -1, 65536, i32::MIN, i32::MAX] {
        assert_eq!(meaning(&well_formed(SOL_UDP, UDP_GRO, &size.to_ne_bytes())).segment, 0);
    }
    assert_eq!(meaning(&well_formed(SOL_UDP, UDP_GRO, &[1, 1])).segment, 0);
}

#[test]
fn a_length_that_lies_ends_the_reading() {
    let good = well_formed(SOL_IP, IP_TOS, &[1]);
    for size in [0, 1, HEADER - 1, HEADER + 9, usize::MAX, usize::MAX - 7, usize::MAX / 2] {
        let control = [raw(size, SOL_IP, IP_TOS, &[3; 8]), good.clone()].concat();
        let told = Messages(&control).count();
        // HEADER + 9 takes a piece of the next, whose rest is too short for a header.
        assert_eq!(told, usize::from(size == HEADER + 9), "{size}");
        assert_eq!(meaning(&control).ecn, if told == 1 { 3 } else { 0 });
    }
}

#[test]
fn only_icmp_counts_among_the_errors() {
    let endpoint = Endpoint { address: v4(9).into(), port: PORT, scope: 0 };
    let (name, size) = name(&endpoint);
    let name = &name.0[..size];
    let refused = IcmpError { endpoint, errno: libc::ECONNREFUSED };
    for (origin, expected) in
        [(0, None), (1, None), (2, Some(refused)), (3, Some(refused)), (4, None), (5, None)]
    {
        for (level, kind) in [(SOL_IP, IP_RECVERR), (SOL_IPV6, IPV6_RECVERR)] {
            let error = well_formed(level, kind, &extended_error(libc::ECONNREFUSED, origin));
            let control = [well_formed(SOL_IP, IP_PKTINFO, &[0; 12]), error].concat();
            assert_eq!(icmp_error(&control, name), expected);
            assert_eq!(icmp_error(&control, &name[..7]), None);
        }
    }
    let short = well_formed(SOL_IP, IP_RECVERR, &extended_error(1, ORIGIN_ICMP)[..15]);
    assert_eq!(icmp_error(&short, name), None);
    assert_eq!(icmp_error(&[], name), None);
}

#[test]
fn a_name_of_another_family_is_none() {
    for family in [0_u16, 1, 16, 17] {
        let mut name = [7_u8; NAME_SIZE];
        name[..2].copy_from_slice(&family.to_ne_bytes());
        assert_eq!(endpoint(&name), None);
    }
}

fn any_source() -> impl Strategy<Value = Source> {
    let v4 = (any::<[u8; 4]>(), proptest::option::of(any::<[u8; 4]>()))
        .prop_map(|(there, here)| (IpAddr::from(there), here.map(IpAddr::from), 0));
    let v6 = (any::<[u8; 16]>(), proptest::option::of(any::<[u8; 16]>()), any::<u32>())
        .prop_map(|(there, here, scope)| (IpAddr::from(there), here.map(IpAddr::from), scope));
    (prop_oneof![v4, v6], any::<u16>(), any::<u32>()).prop_map(|((address, local, scope), port, ifindex)| {
        Source { endpoint: Endpoint { address, port, scope }, local, ifindex }
    })
}

proptest! {
    #[test]
    fn any_bytes_are_safe(
        control in proptest::collection::vec(any::<u8>(), 0..300),
        name in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        prop_assert!(Messages(&control).count() <= control.len() / HEADER);
        let _ = meaning(&control);
        let _ = endpoint(&name);
        prop_assert!(icmp_error(&control, &name).is_none() || endpoint(&name).is_some());
    }

    /// Mostly right, so that the reading gets past the first header.
    #[test]
    fn almost_well_formed_messages_are_safe(
        messages in proptest::collection::vec(
            (
                prop_oneof![Just(SOL_IP), Just(SOL_IPV6), Just(SOL_UDP), any::<i32>()],
                prop_oneof![
                    Just(IP_TOS), Just(IP_PKTINFO), Just(IP_RECVERR), Just(IPV6_RECVERR), Just(IPV6_PKTINFO),
                    Just(IPV6_TCLASS), Just(UDP_GRO), any::<i32>()
                ],
                proptest::collection::vec(any::<u8>(), 0..40),
                prop_oneof![9 => Just(0_isize), 1 => -40_isize..40, 1 => any::<isize>()],
            ),
            0..6,
        ),
        cut in 0_usize..64,
        address in any::<[u8; 16]>(),
    ) {
        let lengths_are_true = cut == 0 && messages.iter().all(|(.., lie)| *lie == 0);
        let mut control = Vec::new();
        for (level, kind, data, lie) in &messages {
            control.extend(raw((HEADER + data.len()).wrapping_add_signed(*lie), *level, *kind, data));
        }
        control.truncate(control.len().saturating_sub(cut));
        let read: Vec<_> = Messages(&control).collect();
        if lengths_are_true {
            prop_assert_eq!(read.len(), messages.len());
            for (Message { level, kind, data }, written) in read.iter().zip(&messages) {
                prop_assert_eq!((level, kind, *data), (&written.0, &written.1, &written.2[..]));
            }
        }
        let meant = meaning(&control);
        prop_assert!(meant.ecn < 4);
        prop_assert!(meant.segment <= 65535);
        let (name, size) = name(&Endpoint { address: address.into(), port: 1, scope: 0 });
        let _ = icmp_error(&control, &name.0[..size]);
    }

    #[test]
    fn names_and_messages_come_back(source in any_source(), tos in any::<u8>(), segment in any::<u16>()) {
        let (name, size) = name(&source.endpoint);
        prop_assert_eq!(endpoint(&name.0[..size]), Some(source.endpoint));
        for end in 0..size {
            // All that is cut off but the zeros behind a sockaddr_in is missed.
            prop_assert_eq!(endpoint(&name.0[..end]).is_some(), size == NAME4_SIZE && end >= 8);
        }
        let out = Outgoing::new(&source, tos, segment);
        let read = meaning(out.bytes());
        prop_assert_eq!(read.ifindex, source.ifindex);
        prop_assert_eq!(read.ecn, tos & 3);
        if source.local.is_some() {
            prop_assert_eq!(read.local, source.local);
        }
        let known = [source.local.is_some() || source.ifindex != 0, tos != 0, segment != 0];
        prop_assert_eq!(Messages(out.bytes()).count(), known.map(usize::from).iter().sum::<usize>());
    }
}

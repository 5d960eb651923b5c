//! A socket that refuses as told, and what goes out in spite of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use super::*;

const SIZE: usize = 10;

/// Answers each send with the next errno of its script (0: it goes out), then lets everything through.
#[derive(Default)]
struct Scripted {
    script: RefCell<VecDeque<i32>>,
    /// Bytes, segment size and whether the source was named, of what went out.
    went: RefCell<Vec<(usize, usize, bool)>>,
    drained: Cell<usize>,
}

impl Port for Scripted {
    fn send(&self, source: &Source, _: u8, data: &[u8], segment: usize) -> io::Result<()> {
        match self.script.borrow_mut().pop_front().unwrap_or_default() {
            0 => {
                self.went.borrow_mut().push((data.len(), segment, source.local.is_some()));
                Ok(())
            }
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn drain_errors(&self) {
        self.drained.set(self.drained.get() + 1);
    }
}

fn peer() -> Source {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let endpoint = Endpoint { address, port: 51820, scope: 0 };
    Source { endpoint, local: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))), ifindex: 1 }
}

fn send(script: &[i32], segmentation: &mut Segmentation, bytes: usize) -> (Sent, Scripted) {
    let port = Scripted { script: RefCell::new(script.iter().copied().collect()), ..Scripted::default() };
    let batch = Batch { port: &port, segmentation, source: peer(), tos: 0, size: SIZE, now: 5 };
    let sent = batch.send(&vec![0; bytes]);
    (sent, port)
}

/// Sizes of what went out.
fn sizes(port: &Scripted) -> Vec<usize> {
    port.went.borrow().iter().map(|(bytes, ..)| *bytes).collect()
}

#[test]
fn a_batch_is_one_call() {
    let (sent, port) = send(&[], &mut Segmentation::new(), 35);
    assert_eq!((sent.bytes, sent.refused), (35, 0));
    assert_eq!(*port.went.borrow(), [(35, SIZE, true)]);
}

#[test]
fn one_datagram_is_never_segmented() {
    let (_, port) = send(&[], &mut Segmentation::new(), SIZE);
    assert_eq!(*port.went.borrow(), [(SIZE, 0, true)]);
}

#[test]
fn a_route_that_refuses_segments_is_remembered_until_it_changes() {
    for errno in [libc::EMSGSIZE, libc::EINVAL] {
        let mut segmentation = Segmentation::new();
        let (sent, port) = send(&[errno], &mut segmentation, 35);
        // EMSGSIZE may also be an ICMP error about an earlier one; either way all of it goes out, singly.
        assert_eq!((sent.bytes, sent.refused, sent.source_is_gone), (35, 0, false), "errno {errno}");
        if errno == libc::EINVAL {
            assert_eq!(sizes(&port), [10, 10, 10, 5]);
            assert_eq!(segmentation.status(), ([true; 2], 1));
            assert_eq!(sizes(&send(&[], &mut segmentation, 20).1), [10, 10]);
            segmentation.forget();
            assert_eq!(sizes(&send(&[], &mut segmentation, 20).1), [20]);
        }
    }
    let mut segmentation = Segmentation::new();
    let always_too_long = [libc::EMSGSIZE; ATTEMPTS as usize];
    let (sent, port) = send(&always_too_long, &mut segmentation, 20);
    assert_eq!((sent.bytes, sizes(&port)), (20, vec![10, 10]));
    assert_eq!(segmentation.status(), ([true; 2], 1));
}

#[test]
fn a_refusal_is_forgotten_after_a_minute() {
    let mut segmentation = Segmentation::new();
    segmentation.remember(peer().endpoint, 5);
    assert!(!segmentation.allows(&peer().endpoint, 5 + REFUSED_FOR - 1));
    assert!(segmentation.allows(&peer().endpoint, 5 + REFUSED_FOR));
    assert_eq!(segmentation.status(), ([true; 2], 0));
}

#[test]
fn a_machine_that_cannot_segment_is_asked_once() {
    let mut segmentation = Segmentation::new();
    let (sent, port) = send(&[libc::EIO], &mut segmentation, 35);
    assert_eq!((sent.bytes, sizes(&port)), (35, vec![10, 10, 10, 5]));
    assert_eq!(segmentation.status(), ([false, true], 0));
    assert_eq!(sizes(&send(&[], &mut segmentation, 20).1), [10, 10]);
}

#[test]
fn an_old_kernel_gets_64_segments_a_call() {
    let mut segmentation = Segmentation::new();
    let (sent, port) = send(&[libc::EINVAL], &mut segmentation, 1000);
    assert_eq!((sent.bytes, sizes(&port)), (1000, vec![640, 360]));
    assert_eq!((segmentation.most, segmentation.status()), (64, ([true; 2], 0)));
}

#[test]
fn a_source_that_is_gone_is_forgotten_and_the_packet_sent() {
    for errno in SOURCE_GONE {
        // How often it is tried before the source is doubted: EINVAL once, what ICMP may have said once more.
        let rounds = usize::from(errno != libc::EINVAL) + usize::from(REPORTED_BY_ICMP.contains(&errno));
        let script = vec![errno; (rounds * ATTEMPTS as usize).max(1)];
        let (sent, port) = send(&script, &mut Segmentation::new(), SIZE);
        assert_eq!((sent.bytes, sent.refused, sent.source_is_gone), (SIZE, 0, true), "errno {errno}");
        assert_eq!(*port.went.borrow(), [(SIZE, 0, false)]);
    }
}

#[test]
fn a_gone_source_is_no_refusal_of_segments() {
    // IPv6 answers EINVAL to a batch whose source address is no longer ours.
    let mut segmentation = Segmentation::new();
    let (sent, port) = send(&[libc::EINVAL; 3], &mut segmentation, 1000);
    assert_eq!((sent.bytes, sent.refused, sent.source_is_gone), (1000, 0, true));
    assert_eq!(*port.went.borrow(), [(1000, SIZE, false)]);
    assert_eq!((segmentation.most, segmentation.status()), (128, ([true; 2], 0)));
}

#[test]
fn an_error_about_an_earlier_datagram_costs_nothing() {
    let (sent, port) = send(&[libc::ECONNREFUSED], &mut Segmentation::new(), 20);
    assert_eq!((sent.bytes, sent.refused, port.drained.get()), (20, 0, 0));
    let (sent, port) = send(&[libc::ECONNREFUSED; ATTEMPTS as usize], &mut Segmentation::new(), 20);
    assert_eq!((sent.bytes, sent.refused, port.drained.get()), (20, 0, 1));
    let (sent, _) = send(&[libc::EHOSTUNREACH; 100], &mut Segmentation::new(), 20);
    assert_eq!((sent.bytes, sent.refused), (0, 2));
}

#[test]
fn one_that_a_filter_refuses_does_not_take_the_others_with_it() {
    // The batch, then the first alone, each as often as it is tried; the others pass.
    let script = [libc::EPERM; 2 * ATTEMPTS as usize];
    let (sent, port) = send(&script, &mut Segmentation::new(), 35);
    assert_eq!((sent.bytes, sent.refused), (25, 1));
    assert_eq!(sizes(&port), [10, 10, 5]);
}

#[test]
fn a_full_buffer_is_told_and_takes_the_rest_of_the_batch() {
    let (sent, _) = send(&[libc::EAGAIN], &mut Segmentation::new(), 20);
    assert_eq!((sent.bytes, sent.refused, sent.is_full), (0, 2, true));
}

#[test]
fn a_drop_of_the_queue_below_is_no_error() {
    let (sent, _) = send(&[libc::ENOBUFS], &mut Segmentation::new(), SIZE);
    assert_eq!((sent.bytes, sent.refused), (SIZE, 0));
}

#[test]
fn a_dead_socket_is_told_of() {
    let (sent, _) = send(&[libc::EBADF], &mut Segmentation::new(), 20);
    assert_eq!((sent.refused, sent.died), (2, Some(libc::EBADF)));
}

//! The last step out: datagrams to a peer's endpoint, and what to do when the kernel refuses them.
//!
//! Comes in: one or more sealed datagrams that lie one after another, all but the last of one size. Goes out: the
//! same, as few system calls as the kernel allows. Rules kept: no error escapes; a cached source the kernel no longer
//! takes is forgotten and the rest sent once more; a datagram that was refused in a segmented batch is sent alone
//! before it counts as refused; an ICMP error that waited on the socket is counted at the peer it is about.

use std::collections::HashMap;
use std::io;

use crate::plane::{Plane, Sockets};
use crate::sys::udp::{self, Endpoint, Source, Udp};

/// How often a send is repeated that failed for what ICMP said of an earlier datagram.
const ATTEMPTS: u32 = 3;
/// Milliseconds to wait for room in the socket's buffer before the rest of a batch is dropped.
const PATIENCE_MS: i32 = 20;
/// For how long an endpoint gets no segmented batches after its route refused one, in nanoseconds.
const REFUSED_FOR: u64 = 60_000_000_000;
/// Most endpoints remembered for that; at the limit all are forgotten.
const MOST_REFUSALS: usize = 4096;
/// `UDP_MAX_SEGMENTS` of kernels before 6.8; newer ones take twice as many.
const SEGMENTS_OF_OLD: usize = 64;

/// With a cached source: its address or interface may be gone.
const SOURCE_GONE: [i32; 4] = [libc::EINVAL, libc::ENETUNREACH, libc::EADDRNOTAVAIL, libc::ENODEV];
/// May be about an earlier datagram, perhaps to somebody else (ip(7), `IP_RECVERR`): not a reason to fail.
const REPORTED_BY_ICMP: [i32; 10] = [
    libc::ECONNREFUSED,
    libc::EHOSTUNREACH,
    libc::ENETUNREACH,
    libc::EHOSTDOWN,
    libc::ENOPROTOOPT,
    libc::EACCES,
    libc::EPROTO,
    libc::EMSGSIZE,
    libc::EOPNOTSUPP,
    libc::ENONET,
];
/// Refused for what it is (too long, or by a filter): the others of its batch may pass.
const ABOUT_ONE: [i32; 2] = [libc::EMSGSIZE, libc::EPERM];

/// What a send came to.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Bytes that went out.
    pub bytes: usize,
    /// Datagrams that did not.
    pub refused: usize,
    /// Whether the source given was refused and the packets went, or go from now on, without it.
    pub source_is_gone: bool,
}

/// What is remembered of routes that take no segmented batches.
pub struct Segmentation {
    /// Most datagrams a batch may have.
    pub most: usize,
    refused_until: HashMap<Endpoint, u64>,
    /// Cleared where the kernel said EIO: no segmentation on any route.
    is_on: bool,
}

impl Segmentation {
    /// All routes take them until one refuses.
    pub fn new() -> Self {
        Self { most: 2 * SEGMENTS_OF_OLD, refused_until: HashMap::new(), is_on: true }
    }

    /// A route or an MTU changed: what was refused may pass again.
    pub fn forget(&mut self) {
        self.refused_until.clear();
    }

    /// New sockets: ask the kernel anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// `on`, `off`, and of how many endpoints it is known that they take none.
    pub fn status(&self) -> (bool, usize) {
        (self.is_on, self.refused_until.len())
    }

    fn allows(&mut self, endpoint: &Endpoint, now: u64) -> bool {
        if self.refused_until.is_empty() || !self.is_on {
            return self.is_on;
        }
        match self.refused_until.get(endpoint) {
            None => true,
            Some(&until) if now < until => false,
            Some(_) => {
                self.refused_until.remove(endpoint);
                true
            }
        }
    }

    fn remember(&mut self, endpoint: Endpoint, now: u64) {
        if self.refused_until.len() >= MOST_REFUSALS {
            self.refused_until.clear();
        }
        self.refused_until.insert(endpoint, now.saturating_add(REFUSED_FOR));
    }
}

/// Send one datagram: a handshake or a cookie reply.
pub fn one(plane: &Plane, source: &Source, tos: u8, datagram: &[u8]) -> Sent {
    batch(plane, &mut Segmentation::new(), source, tos, datagram, datagram.len())
}

/// Send datagrams of `size` bytes, the last of which may be shorter, in order.
pub fn batch(
    plane: &Plane,
    segmentation: &mut Segmentation,
    source: &Source,
    tos: u8,
    data: &[u8],
    size: usize,
) -> Sent {
    let sockets = plane.sockets();
    let sent = Sent { bytes: 0, refused: data.len().div_ceil(size.max(1)), source_is_gone: false };
    match sockets.as_deref().and_then(|sockets: &Sockets| sockets.to(&source.endpoint)) {
        None => sent,
        Some(udp) => Batch { plane, udp, segmentation, source: *source, tos, size: size.max(1) }.send(data),
    }
}

struct Batch<'a> {
    plane: &'a Plane,
    udp: &'a Udp,
    segmentation: &'a mut Segmentation,
    source: Source,
    tos: u8,
    size: usize,
}

impl Batch<'_> {
    fn send(mut self, mut data: &[u8]) -> Sent {
        let mut sent = Sent { bytes: 0, refused: 0, source_is_gone: false };
        let mut now = None;
        let mut segmenting = data.len() > self.size && {
            let present = self.plane.clock.now();
            now = Some(present);
            self.segmentation.allows(&self.source.endpoint, present)
        };
        let (mut drained, mut segments_refused) = (false, false);
        while !data.is_empty() {
            let most = if segmenting { self.segmentation.most } else { 1 };
            let end = data.len().min(self.size.saturating_mul(most));
            let (head, rest) = data.split_at(end);
            let segment = if end > self.size { self.size } else { 0 };
            let Err(error) = self.attempt(head, segment) else {
                sent.bytes += end;
                data = rest;
                drained = false;
                if segments_refused {
                    // Alone it passed, so it was the segmentation and not the source that was refused.
                    segments_refused = false;
                    self.segmentation.remember(self.source.endpoint, now.unwrap_or_default());
                }
                continue;
            };
            let errno = error.raw_os_error().unwrap_or_default();
            if segment != 0 && self.is_about_segments(errno, end.div_ceil(segment)) {
                if errno != libc::EIO && self.segmentation.most == most {
                    segments_refused = true;
                }
                segmenting = self.segmentation.most != most;
            } else if REPORTED_BY_ICMP.contains(&errno) && !drained {
                drained = true;
                self.plane.drain_errors(self.udp);
            } else if SOURCE_GONE.contains(&errno)
                && (self.source.local.is_some() || self.source.ifindex != 0)
            {
                self.source = Source { local: None, ifindex: 0, ..self.source };
                sent.source_is_gone = true;
            } else if ABOUT_ONE.contains(&errno) && segment != 0 {
                segmenting = false;
            } else if ABOUT_ONE.contains(&errno) && !rest.is_empty() {
                sent.refused += 1;
                data = rest;
                drained = false;
            } else {
                if udp::is_dead(&error) {
                    let part = if self.source.endpoint.address.is_ipv6() { "udp6" } else { "udp4" };
                    self.plane.mailbox.fail(part, errno);
                }
                sent.refused += data.len().div_ceil(self.size);
                break;
            }
        }
        sent
    }

    /// Whether a segmented batch of `count` was refused for being one; what is remembered of it is changed then.
    fn is_about_segments(&mut self, errno: i32, count: usize) -> bool {
        match errno {
            libc::EIO => self.segmentation.is_on = false,
            libc::EINVAL if count > SEGMENTS_OF_OLD => self.segmentation.most = SEGMENTS_OF_OLD,
            libc::EINVAL | libc::EMSGSIZE => {}
            _ => return false,
        }
        true
    }

    /// One sendmsg. Repeated where it failed for what ICMP said of an earlier datagram: the kernel reports such an
    /// error once, in place of the next send, and it cannot be told apart from one of this send but by trying again.
    fn attempt(&self, data: &[u8], segment: usize) -> io::Result<()> {
        let mut attempt = 1;
        let mut waited = false;
        loop {
            let Err(error) = self.udp.send(&self.source, self.tos, data, segment) else { return Ok(()) };
            match error.raw_os_error().unwrap_or_default() {
                // A queueing discipline dropped it. Without IP_RECVERR the kernel calls this a success.
                libc::ENOBUFS => return Ok(()),
                libc::EAGAIN if !waited => {
                    waited = true;
                    self.udp.wait_writable(PATIENCE_MS);
                }
                libc::EAGAIN | libc::EINVAL | libc::EIO | libc::EBADF | libc::ENOTSOCK => return Err(error),
                _ if attempt == ATTEMPTS => return Err(error),
                _ => attempt += 1,
            }
        }
    }
}

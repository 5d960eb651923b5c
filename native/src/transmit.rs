//! The last step out: datagrams to a peer's endpoint, and what to do when the kernel refuses them.
//!
//! Comes in: one or more sealed datagrams that lie one after another, all but the last of one size. Goes out: the
//! same, as few system calls as the kernel allows. Rules kept: no error escapes; a cached source the kernel no longer
//! takes is forgotten and the rest sent once more; a datagram that was refused in a segmented batch is sent alone
//! before it counts as refused; an ICMP error that waited on the socket is counted at the peer it is about.

use std::collections::HashMap;
use std::io;

use crate::plane::Plane;
use crate::sys::udp::{self, Endpoint, Source, Udp};

/// How often a send is repeated that failed for what ICMP said of an earlier datagram.
const ATTEMPTS: u32 = 3;
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
/// Of a segmented batch: this route, or (EIO) this machine, cannot do it. EINVAL is also what more than the kernel's
/// most segments gives.
const SEGMENTS_REFUSED: [i32; 3] = [libc::EIO, libc::EMSGSIZE, libc::EINVAL];
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
    /// The kernel cannot segment on this socket: said once.
    gave_up_segments: bool,
    /// The socket's buffer is full.
    pub is_full: bool,
    /// The socket itself is gone, and why.
    died: Option<i32>,
}

impl Sent {
    /// That many datagrams did not go.
    pub fn nothing(refused: usize) -> Self {
        Self { bytes: 0, refused, source_is_gone: false, gave_up_segments: false, is_full: false, died: None }
    }
}

/// What a batch needs of a socket.
trait Port {
    /// As `Udp::send`.
    fn send(&self, source: &Source, tos: u8, data: &[u8], segment: usize) -> io::Result<()>;
    /// Count the errors that wait on the socket.
    fn drain_errors(&self);
}

struct Socket<'a> {
    plane: &'a Plane,
    udp: &'a Udp,
}

impl Port for Socket<'_> {
    fn send(&self, source: &Source, tos: u8, data: &[u8], segment: usize) -> io::Result<()> {
        self.udp.send(source, tos, data, segment)
    }

    fn drain_errors(&self) {
        self.plane.drain_errors(self.udp);
    }
}

/// What is remembered of routes that take no segmented batches.
pub struct Segmentation {
    /// Most datagrams a batch may have.
    pub most: usize,
    refused_until: HashMap<Endpoint, u64>,
    /// IPv4 and IPv6. Cleared where the kernel said EIO: no segmentation on that socket.
    is_on: [bool; 2],
}

impl Segmentation {
    /// All routes take them until one refuses.
    pub fn new() -> Self {
        Self { most: 2 * SEGMENTS_OF_OLD, refused_until: HashMap::new(), is_on: [true; 2] }
    }

    /// A route or an MTU changed: what was refused may pass again.
    pub fn forget(&mut self) {
        self.refused_until.clear();
    }

    /// New sockets: ask the kernel anew.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Whether the sockets take segmented batches at all, and how many endpoints are known not to.
    pub fn status(&self) -> ([bool; 2], usize) {
        (self.is_on, self.refused_until.len())
    }

    fn allows(&mut self, endpoint: &Endpoint, now: u64) -> bool {
        let is_on = self.is_on[family(endpoint)];
        if self.refused_until.is_empty() || !is_on {
            return is_on;
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
    let size = size.max(1);
    let Some(sockets) = plane.sockets() else { return Sent::nothing(data.len().div_ceil(size)) };
    let Some(udp) = sockets.to(&source.endpoint) else { return Sent::nothing(data.len().div_ceil(size)) };
    let port = Socket { plane, udp };
    let batch = Batch { port: &port, segmentation, source: *source, tos, size, now: plane.clock.now() };
    let sent = batch.send(data);
    if let Some(errno) = sent.died {
        plane.mailbox.fail(["udp4", "udp6"][family(&source.endpoint)], errno);
    }
    if sent.gave_up_segments {
        plane.mailbox.fail(["udp4_segments", "udp6_segments"][family(&source.endpoint)], libc::EIO);
    }
    sent
}

fn family(endpoint: &Endpoint) -> usize {
    usize::from(endpoint.address.is_ipv6())
}

struct Batch<'a, P> {
    port: &'a P,
    segmentation: &'a mut Segmentation,
    source: Source,
    tos: u8,
    size: usize,
    now: u64,
}

impl<P: Port> Batch<'_, P> {
    fn send(mut self, mut data: &[u8]) -> Sent {
        let mut sent = Sent::nothing(0);
        let most_before = self.segmentation.most;
        let mut segmenting = self.segmentation.allows(&self.source.endpoint, self.now);
        let (mut drained, mut segments_refused) = (false, false);
        while !data.is_empty() {
            let most = if segmenting { self.segmentation.most } else { 1 };
            let (head, rest) = data.split_at(data.len().min(self.size.saturating_mul(most)));
            let segment = if head.len() > self.size { self.size } else { 0 };
            let Err(error) = self.attempt(head, segment) else {
                sent.bytes += head.len();
                data = rest;
                drained = false;
                if segments_refused {
                    // Alone it passed, so it was the segmentation and not the source that was refused.
                    segments_refused = false;
                    self.segmentation.remember(self.source.endpoint, self.now);
                }
                continue;
            };
            let errno = error.raw_os_error().unwrap_or_default();
            if segment != 0 && SEGMENTS_REFUSED.contains(&errno) {
                if errno == libc::EINVAL && most > SEGMENTS_OF_OLD && head.len() > SEGMENTS_OF_OLD * segment {
                    self.segmentation.most = SEGMENTS_OF_OLD;
                } else {
                    segmenting = false;
                    segments_refused = errno != libc::EIO;
                    self.segmentation.is_on[family(&self.source.endpoint)] &= segments_refused;
                    sent.gave_up_segments |= !segments_refused;
                }
            } else if REPORTED_BY_ICMP.contains(&errno) && !drained {
                drained = true;
                self.port.drain_errors();
            } else if SOURCE_GONE.contains(&errno) && self.forget_source() {
                sent.source_is_gone = true;
                // So that was what EINVAL meant, and not the segments.
                segments_refused = false;
                self.segmentation.most = most_before;
                segmenting = self.segmentation.allows(&self.source.endpoint, self.now);
            } else if ABOUT_ONE.contains(&errno) && segment != 0 {
                segmenting = false;
            } else if ABOUT_ONE.contains(&errno) && !rest.is_empty() {
                sent.refused += 1;
                data = rest;
                drained = false;
            } else {
                sent.is_full = errno == libc::EAGAIN;
                sent.died = udp::is_dead(&error).then_some(errno);
                sent.refused += data.len().div_ceil(self.size);
                break;
            }
        }
        sent
    }

    /// Returns whether there was one.
    fn forget_source(&mut self) -> bool {
        let before = self.source;
        self.source = Source { local: None, ifindex: 0, ..before };
        self.source != before
    }

    /// One sendmsg. Repeated where it failed for what ICMP said of an earlier datagram: the kernel reports such
    /// an error once, in place of the next send, and it cannot be told apart from one of this send but by
    /// trying again.
    fn attempt(&self, data: &[u8], segment: usize) -> io::Result<()> {
        let mut attempt = 1;
        loop {
            let Err(error) = self.port.send(&self.source, self.tos, data, segment) else { return Ok(()) };
            match error.raw_os_error().unwrap_or_default() {
                // A queueing discipline dropped it. Without IP_RECVERR the kernel calls this a success.
                libc::ENOBUFS => return Ok(()),
                libc::EAGAIN | libc::EINVAL | libc::EIO | libc::EBADF | libc::ENOTSOCK => return Err(error),
                _ if attempt == ATTEMPTS => return Err(error),
                _ => attempt += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests;

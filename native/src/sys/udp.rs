//! A UDP socket of one family: datagrams with the way they came and go, and what ICMP said of them.
//!
//! Comes in: a socket that Python opened and set up (pywg/udp/linux.py). Goes out: datagrams, merged where
//! the kernel merged them (`UDP_GRO`), and its errors as they are. Rules kept: answers leave by the address
//! and interface the peer reached (whitepaper 2.1); nothing blocks and nothing is allocated per call (ip(7),
//! ipv6(7), udp(7)).

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::control::{self, Aligned, ERROR_SIZE, NAME_SIZE, Outgoing, RECEIVE_SIZE};

/// Entries of the error queue that one call looks at.
const MOST_ERRORS: usize = 256;

/// Where a peer is. `scope` is the interface of a link-local IPv6 address, else 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    /// Its outer address.
    pub address: IpAddr,
    /// Its UDP port.
    pub port: u16,
    /// `sin6_scope_id`.
    pub scope: u32,
}

/// Where a datagram came from, and what it reached: the address of ours and the interface (0: unknown).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// The peer.
    pub endpoint: Endpoint,
    /// Our address, of the same family.
    pub local: Option<IpAddr>,
    /// Our interface.
    pub ifindex: u32,
}

/// What one receive brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Bytes in the buffer.
    pub size: usize,
    /// Where several datagrams were merged, the bytes of each; the last may have fewer. 0: it is one.
    pub segment: usize,
    /// The way it came.
    pub source: Source,
    /// The two ECN bits of the outer header (RFC 6040).
    pub ecn: u8,
}

/// What ICMP said of a datagram sent to `endpoint`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// Where it was going.
    pub endpoint: Endpoint,
    /// Such as `ECONNREFUSED`.
    pub errno: i32,
}

/// A bound, non-blocking socket. Any number of threads may use it at once.
#[derive(Debug)]
pub struct Udp {
    fd: OwnedFd,
    is_ipv6: bool,
}

impl Udp {
    /// Over a duplicate of `fd`, which is a UDP socket of the family that `is_ipv6` says.
    ///
    /// # Errors
    /// EBADF where `fd` is none, EMFILE.
    pub fn new(fd: RawFd, is_ipv6: bool) -> io::Result<Self> {
        Ok(Self { fd: super::duplicate(fd)?, is_ipv6 })
    }

    /// For `poll::Poll::add`.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// One datagram, or several that the kernel merged, into the start of `buffer`. What does not fit is
    /// lost, so give 65,535 bytes.
    ///
    /// # Errors
    /// `WouldBlock` where none waits. An ICMP error is told once in place of a datagram (ECONNREFUSED,
    /// EHOSTUNREACH and such): go on. See `is_dead` for the rest.
    #[inline]
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let mut name = Aligned([0; NAME_SIZE]);
        let mut messages = Aligned([0; RECEIVE_SIZE]);
        let (size, named, told) = self.receive_message(buffer, &mut name.0, &mut messages.0, 0)?;
        Ok(self.arrival(size, named, told))
    }

    /// Send `data` to `source.endpoint`, from `source.local` through `source.ifindex` where they are known.
    /// `tos` is the whole TOS or traffic class byte. The kernel cuts `data` into datagrams of `segment`
    /// bytes, the last possibly shorter, unless `segment` is 0 or all of it.
    ///
    /// # Errors
    /// EMSGSIZE, EINVAL and EIO may mean that the route cannot do the cutting. An ICMP error about an earlier
    /// datagram is told once in place of sending. ENOBUFS is a drop of the queue below, which others count as
    /// sent. EAFNOSUPPORT where the endpoint is of the other family. See `is_dead` for the rest.
    #[inline]
    pub fn send(&self, source: &Source, tos: u8, data: &[u8], segment: usize) -> io::Result<()> {
        if source.endpoint.address.is_ipv6() != self.is_ipv6 {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        let segment = if segment < data.len() { segment } else { 0 };
        let Ok(segment) = u16::try_from(segment) else {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        };
        let (name, name_size) = control::name(&source.endpoint);
        let messages = Outgoing::new(source, tos, segment);
        let mut vector = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
        let mut header = no_message();
        header.msg_name = (&raw const name).cast_mut().cast();
        header.msg_namelen = length(name_size);
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        let told = messages.bytes();
        if !told.is_empty() {
            header.msg_control = told.as_ptr().cast_mut().cast();
            header.msg_controllen = length(told.len());
        }
        // SAFETY: `header` names `name`, `vector`, `data` and `messages` with their true lengths (`name_size`
        // is at most that of `name`); all outlive the call, which reads them only, whence the casts to
        // mutable pointers. The descriptor is ours and open.
        super::check_size(unsafe {
            libc::sendmsg(self.fd.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT)
        })?;
        Ok(())
    }

    /// Block until there is room to send, or the error queue has an entry, or `timeout_ms` milliseconds have
    /// passed, or a signal came. For what `send` refused as `WouldBlock`.
    pub fn wait_writable(&self, timeout_ms: i32) {
        let mut waiting = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: `waiting` is the one element that the call is told of, ours, and lives through it.
        // The answer does not matter: the caller tries again, and that tells.
        unsafe { libc::poll(&raw mut waiting, 1, timeout_ms) };
    }

    /// The next entry of the error queue (`IP_RECVERR`) that ICMP sent. Others are dropped, at most 256 a
    /// call. None: the queue is empty, or the socket dead, which `receive` tells.
    pub fn take_error(&self) -> Option<IcmpError> {
        let mut name = Aligned([0; NAME_SIZE]);
        let mut messages = Aligned([0; ERROR_SIZE]);
        for _ in 0..MOST_ERRORS {
            let taken = self.receive_message(&mut [], &mut name.0, &mut messages.0, libc::MSG_ERRQUEUE);
            let (_, named, told) = taken.ok()?;
            if let Some(error) = control::icmp_error(told, named) {
                return Some(error);
            }
        }
        None
    }

    /// `SO_MARK`; 0 is none.
    ///
    /// # Errors
    /// EPERM without `CAP_NET_ADMIN`.
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        let size = length(size_of::<u32>());
        // SAFETY: `mark` is `size` readable bytes that live through the call; the descriptor is ours and
        // open.
        super::check(unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MARK,
                (&raw const mark).cast(),
                size,
            )
        })?;
        Ok(())
    }

    /// One recvmsg: the bytes of data, and the parts of `name` and `messages` that were written.
    #[inline]
    fn receive_message<'a>(
        &self,
        buffer: &mut [u8],
        name: &'a mut [u8],
        messages: &'a mut [u8],
        flags: libc::c_int,
    ) -> io::Result<(usize, &'a [u8], &'a [u8])> {
        let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut header = message(&raw mut vector, name, messages);
        // SAFETY: `header` names `vector` and with it `buffer`, `name` and `messages` with their true
        // lengths; all are borrowed mutably by us and outlive the call. The descriptor is ours and open.
        let size = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut header, flags | libc::MSG_DONTWAIT) };
        let size = super::check_size(size)?.min(buffer.len());
        Ok((size, written(name, header.msg_namelen), written(messages, header.msg_controllen)))
    }

    #[inline]
    fn arrival(&self, size: usize, name: &[u8], messages: &[u8]) -> Arrival {
        let meaning = control::meaning(messages);
        // A UDP datagram always has a source; one without would be answered to nowhere.
        let endpoint = control::endpoint(name).unwrap_or_else(|| self.nowhere());
        Arrival {
            size,
            segment: if meaning.segment < size { meaning.segment } else { 0 },
            source: Source { endpoint, local: meaning.local, ifindex: meaning.ifindex },
            ecn: meaning.ecn,
        }
    }

    fn nowhere(&self) -> Endpoint {
        let address = if self.is_ipv6 {
            IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
        } else {
            IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
        };
        Endpoint { address, port: 0, scope: 0 }
    }
}

/// Errors by which the socket itself is gone, as DEAD in `pywg/udp/port.py`.
#[must_use]
pub fn is_dead(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK))
}

/// A header that names nothing.
#[inline]
fn no_message() -> libc::msghdr {
    // SAFETY: msghdr is integers and raw pointers, for which zeros are values: 0 and null. (Its fields cannot
    // all be named here, as musl has padding among them.)
    unsafe { std::mem::zeroed() }
}

/// A header for receiving into `vector` (one), `name` and `messages`.
#[inline]
fn message(vector: *mut libc::iovec, name: &mut [u8], messages: &mut [u8]) -> libc::msghdr {
    let mut header = no_message();
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = length(name.len());
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = messages.as_mut_ptr().cast();
    header.msg_controllen = length(messages.len());
    header
}

/// The length of something of ours in the type that a field has: `size_t` with one C library, `socklen_t`
/// with another.
#[inline]
fn length<T: TryFrom<usize> + Default>(size: usize) -> T {
    // None of them is longer than what fits anywhere. If one were, the kernel would be told that there is
    // nothing.
    T::try_from(size).unwrap_or_default()
}

/// The part of `bytes` that the kernel says it wrote.
#[inline]
fn written(bytes: &[u8], size: impl TryInto<usize>) -> &[u8] {
    size.try_into().ok().and_then(|size| bytes.get(..size)).unwrap_or(bytes)
}

#[cfg(test)]
pub mod tests;

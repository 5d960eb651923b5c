//! A TUN descriptor, or one end of a SEQPACKET socketpair: one read and one write is one frame.
//!
//! Comes in: a descriptor that Python opened (pywg/tun/linux.py), frames in pieces. Goes out: frames as the
//! kernel gives them, the `virtio_net_hdr` first where there is one. Rules kept: nothing is copied or
//! allocated here; a dead descriptor is told from a refused frame (`linux/if_tun.h`, drivers/net/tun.c).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::offload::Span;

/// Most pieces of one frame, the head among them (`IOV_MAX` of the kernel).
pub const MOST_PIECES: usize = 1024;

// linux/if_tun.h
const TUN_F_CSUM: libc::c_ulong = 0x01;
const TUN_F_TSO4: libc::c_ulong = 0x02;
const TUN_F_TSO6: libc::c_ulong = 0x04;
const TUN_F_TSO_ECN: libc::c_ulong = 0x08;
const TUN_F_USO4: libc::c_ulong = 0x20;
const TUN_F_USO6: libc::c_ulong = 0x40;

/// What the kernel leaves for us to cut when it hands over a frame, and so what it takes merged as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// TCP over both IP versions, and checksums.
    pub tcp: bool,
    /// UDP over both IP versions (USO; Linux 6.2).
    pub udp: bool,
}

/// A non-blocking packet descriptor. Reading and writing may go on in two threads at once.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    vnet_hdr: bool,
}

impl Tun {
    /// Over a duplicate of `fd`; `vnet_hdr` says whether each frame starts with a `virtio_net_hdr` of 10
    /// bytes.
    ///
    /// # Errors
    /// EBADF where `fd` is none, EMFILE.
    pub fn new(fd: RawFd, vnet_hdr: bool) -> io::Result<Self> {
        let fd = super::duplicate(fd)?;
        let number = fd.as_raw_fd();
        // SAFETY: F_GETFL and F_SETFL take integers only, and the descriptor is ours and open.
        let flags = super::check(unsafe { libc::fcntl(number, libc::F_GETFL) })?;
        // SAFETY: as above.
        super::check(unsafe { libc::fcntl(number, libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
        Ok(Self { fd, vnet_hdr })
    }

    /// For `poll::Poll::add`.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Whether frames start with a `virtio_net_hdr`.
    #[must_use]
    pub fn vnet_hdr(&self) -> bool {
        self.vnet_hdr
    }

    /// Have the kernel hand over TCP and UDP in frames of up to 64 KiB, as far as it can. Without `vnet_hdr`,
    /// and where it refuses, nothing is changed or left on.
    pub fn enable_offload(&self) -> Offload {
        const TCP: libc::c_ulong = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
        if !self.vnet_hdr {
            return Offload::default();
        }
        if self.set_offload(TCP | TUN_F_USO4 | TUN_F_USO6).is_ok() {
            return Offload { tcp: true, udp: true };
        }
        if self.set_offload(TCP).is_ok() {
            return Offload { tcp: true, udp: false };
        }
        self.disable_offload();
        Offload::default()
    }

    /// Have the kernel hand over finished packets only, as whoever gets the descriptor next expects.
    pub fn disable_offload(&self) {
        if self.vnet_hdr {
            // Fails only where the device is gone, and its settings with it.
            let _ = self.set_offload(0);
        }
    }

    /// One frame into the start of `buffer`; how many bytes it has. What does not fit is lost, so give
    /// 65,545.
    ///
    /// # Errors
    /// `WouldBlock` where none waits; see `is_dead` for the rest. A closed socketpair, which reads as empty
    /// for ever, is EPIPE.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: `buffer` is writable for its whole length and borrowed by us alone until the call returns;
        // the descriptor is ours and open.
        let size = unsafe { libc::read(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match super::check_size(size)? {
            0 => Err(io::Error::from_raw_os_error(libc::EPIPE)),
            size => Ok(size),
        }
    }

    /// One frame: `head`, then `parts` of `buffer` in their order. `head` is empty without `vnet_hdr`.
    ///
    /// # Errors
    /// EINVAL for a malformed frame, for a part that lies outside of `buffer`, or for more than
    /// `MOST_PIECES`; EIO where the link is down, `WouldBlock` where a queue is full; see `is_dead` for the
    /// rest.
    pub fn write(&self, head: &[u8], buffer: &[u8], parts: &[Span]) -> io::Result<()> {
        // Not zeroed, as 16 KiB would cost more than the call: only what was written below is read.
        let mut pieces = [const { MaybeUninit::<libc::iovec>::uninit() }; MOST_PIECES];
        let mut count = 0;
        let parts = parts.iter().map(|part| buffer.get(part.range()));
        for piece in (!head.is_empty()).then_some(Some(head)).into_iter().chain(parts) {
            let (Some(piece), Some(slot)) = (piece, pieces.get_mut(count)) else {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            };
            slot.write(libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() });
            count += 1;
        }
        let number = libc::c_int::try_from(count).unwrap_or(0);
        // SAFETY: the first `count` elements were written above, one after the other, and MaybeUninit has the
        // layout of what it holds. Each names bytes of `head` or `buffer`, which are borrowed until the call
        // returns; writev only reads them, whence the cast to a mutable pointer. The descriptor is ours and
        // open.
        let size = unsafe { libc::writev(self.fd.as_raw_fd(), pieces.as_ptr().cast(), number) };
        super::check_size(size)?;
        Ok(())
    }

    fn set_offload(&self, flags: libc::c_ulong) -> io::Result<()> {
        // SAFETY: TUNSETOFFLOAD takes its argument as an integer and not as a pointer; another kind of
        // descriptor answers ENOTTY. The descriptor is ours and open.
        super::check(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETOFFLOAD, flags) })?;
        Ok(())
    }
}

/// Errors after which nothing will ever be read or written again, as DEAD in `pywg/tun/descriptor.py`. EIO is
/// not among them: that is a TUN whose link is down.
#[must_use]
pub fn is_dead(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EBADF
                | libc::EBADFD // the TUN was deleted
                | libc::ENODEV
                | libc::ENXIO
                | libc::EPIPE
                | libc::ENOTCONN
                | libc::ECONNREFUSED // these two: the other end of a socketpair was closed
                | libc::ECONNRESET
        )
    )
}

#[cfg(test)]
pub mod tests;

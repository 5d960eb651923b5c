//! What talks to the system: the only place where `unsafe` is allowed.
//!
//! Comes in: descriptors that Python opened and set up. Goes out: packets, datagrams, readiness, and the
//! error the kernel gave. Rules kept: each function owns what it hands to the kernel for as long as the call
//! lasts, none blocks but `poll::Poll::wait`, and no byte the kernel wrote is taken for a length before it
//! was checked.
#![allow(unsafe_code)] // System calls. Everything around them takes slices and gives results.

pub mod clock;
pub mod control;
pub mod eventfd;
pub mod poll;
pub mod tun;
pub mod udp;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A descriptor of our own for what `fd` names, close-on-exec.
///
/// # Errors
/// EBADF where `fd` is none, EMFILE.
fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes integers only and touches no memory of ours. Any `fd` is allowed: a wrong
    // one is EBADF. 3 keeps the copy off the standard streams.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel has just made `copy`, so it is open and nobody else can own or close it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The answer of a system call that says -1 for an error.
fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// The same for one that answers with a number of bytes.
fn check_size(answer: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

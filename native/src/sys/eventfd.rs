//! A descriptor that one thread sets to wake another out of `poll::Poll::wait`.
//!
//! Comes in: `set` from any thread, as often as it likes. Goes out: readiness until `clear`. Rule kept: a
//! wake-up is never lost, since the kernel adds what is written (eventfd(2)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An eventfd(2), non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Eventfd {
    fd: OwnedFd,
}

impl Eventfd {
    /// A new one that is not set.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub fn new() -> io::Result<Self> {
        // SAFETY: integers in, a descriptor out; no memory of ours is touched.
        let fd = super::check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: the kernel has just made `fd`, so it is open and nobody else can own or close it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// For `poll::Poll::add`.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Make it readable. Does nothing where it is already.
    pub fn set(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: `one` is 8 readable bytes that live through the call, and the descriptor is ours and open.
        // The only failure is EAGAIN with the counter full, and then it is set.
        unsafe { libc::write(self.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Make it not readable until the next `set`.
    pub fn clear(&self) {
        let mut count = [0_u8; 8];
        // SAFETY: `count` is 8 writable bytes that live through the call, and the descriptor is ours and
        // open. The only failure is EAGAIN, where it was not set.
        unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll::Poll;
    use super::*;

    #[test]
    fn is_readable_from_set_to_clear() {
        let event = Eventfd::new().unwrap();
        let poll = Poll::new().unwrap();
        poll.add(event.fd(), 3).unwrap();
        event.clear();
        assert!(poll.wait(0).unwrap().is_empty());
        event.set();
        event.set();
        assert!(poll.wait(-1).unwrap().contains(3));
        assert!(poll.wait(-1).unwrap().contains(3));
        event.clear();
        assert!(poll.wait(0).unwrap().is_empty());
    }

    #[test]
    fn wakes_a_thread_that_waits() {
        let event = Eventfd::new().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let poll = Poll::new().unwrap();
                poll.add(event.fd(), 0).unwrap();
                poll.wait(10_000).unwrap().contains(0)
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            event.set();
            assert!(waiter.join().unwrap());
        });
    }
}

//! Waiting for a few descriptors at once.
//!
//! Comes in: descriptors, each with a small number (its token). Goes out: the tokens of those with something
//! to read, with an error queue that is not empty, or with their other end gone. Rules kept: level-triggered,
//! so what is left unread is told again; a signal is no error (epoll(7)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Something to read. EPOLLERR and EPOLLHUP need not be asked for.
#[allow(clippy::cast_sign_loss)] // A bit.
const READABLE: u32 = libc::EPOLLIN as u32;

/// Tokens are smaller than this.
pub const MOST_TOKENS: usize = 32;

/// Most descriptors that one wait tells of. The kernel takes turns where more are ready.
const EVENTS: usize = 8;

/// The tokens that are ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready(u32);

impl Ready {
    /// Nothing is.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the descriptor with `token` is.
    #[must_use]
    pub fn contains(self, token: usize) -> bool {
        token < MOST_TOKENS && self.0 & (1 << token) != 0
    }
}

/// An epoll(7) instance. Descriptors may be added and removed while another thread waits.
#[derive(Debug)]
pub struct Poll {
    fd: OwnedFd,
}

impl Poll {
    /// One without descriptors.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub fn new() -> io::Result<Self> {
        // SAFETY: an integer in, a descriptor out; no memory of ours is touched.
        let fd = super::check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made `fd`, so it is open and nobody else can own or close it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Wait for `fd` too. Readiness is something to read, an error (a UDP error queue counts until it is
    /// empty, so does a deleted TUN for ever), or a closed other end.
    ///
    /// # Errors
    /// EEXIST where it was added before, EBADF, EPERM for what cannot be waited for (a file), EINVAL for a
    /// token that is too large.
    pub fn add(&self, fd: RawFd, token: usize) -> io::Result<()> {
        if token >= MOST_TOKENS {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        self.control(libc::EPOLL_CTL_ADD, fd, token as u64)
    }

    /// Wait for `fd` no more. Must come before `fd` is closed: while a duplicate of it lives, the kernel
    /// would go on telling of it, with nothing left to remove it by.
    ///
    /// # Errors
    /// ENOENT where it was not added, EBADF.
    pub fn remove(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0)
    }

    /// Block until a descriptor is ready or `timeout_ms` milliseconds have passed: 0 does not block, -1 does
    /// so for ever. Empty means the time is over, or a signal came.
    ///
    /// # Errors
    /// None in an instance that lives; the kernel's own otherwise.
    pub fn wait(&self, timeout_ms: i32) -> io::Result<Ready> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let most = libc::c_int::try_from(EVENTS).unwrap_or(1);
        // SAFETY: `events` has room for `most` events and lives through the call; the descriptor is ours and
        // open.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events.as_mut_ptr(), most, timeout_ms) };
        match super::check(count) {
            Ok(count) => {
                let count = usize::try_from(count).unwrap_or(0);
                // The mask keeps the shift in range; tokens that large are never added.
                let bit = |event: &libc::epoll_event| 1 << (event.u64 & (MOST_TOKENS as u64 - 1));
                Ok(Ready(events.iter().take(count).map(bit).fold(0, |all, one: u32| all | one)))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Ready::default()),
            Err(error) => Err(error),
        }
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: READABLE, u64: token };
        // SAFETY: `event` is ours and lives through the call, which copies it. A wrong `fd` is EBADF.
        super::check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn tells_each_that_is_ready_until_it_was_read() {
        let poll = Poll::new().unwrap();
        let pairs: Vec<_> = (0..3).map(|_| UnixDatagram::pair().unwrap()).collect();
        for (token, (near, _)) in pairs.iter().enumerate() {
            poll.add(near.as_raw_fd(), token).unwrap();
        }
        assert!(poll.wait(0).unwrap().is_empty());
        pairs[0].1.send(b"a").unwrap();
        pairs[2].1.send(b"b").unwrap();
        for _ in 0..2 {
            let ready = poll.wait(-1).unwrap();
            assert_eq!([0, 1, 2].map(|token| ready.contains(token)), [true, false, true]);
        }
        pairs[0].0.recv(&mut [0; 8]).unwrap();
        poll.remove(pairs[2].0.as_raw_fd()).unwrap();
        assert!(poll.wait(1).unwrap().is_empty());
    }

    #[test]
    fn a_closed_other_end_is_ready() {
        let poll = Poll::new().unwrap();
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        poll.add(near.as_raw_fd(), 31).unwrap();
        drop(far);
        assert!(poll.wait(1000).unwrap().contains(31));
    }

    #[test]
    fn refuses_what_it_cannot_tell_of() {
        let poll = Poll::new().unwrap();
        let (near, _far) = UnixDatagram::pair().unwrap();
        assert_eq!(poll.add(near.as_raw_fd(), MOST_TOKENS).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        assert_eq!(poll.remove(near.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(poll.add(-1, 0).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(!Ready(u32::MAX).contains(MOST_TOKENS));
    }

    #[test]
    fn a_signal_is_not_an_error() {
        extern "C" fn nothing(_: libc::c_int) {}
        // SAFETY: the handler does nothing, so it is safe at any point of any thread; SIGUSR2 has no other
        // use here.
        unsafe { libc::signal(libc::SIGUSR2, nothing as *const () as libc::sighandler_t) };
        let (thread_sends, thread) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn(move || {
            // SAFETY: takes nothing, and gives this thread's own name.
            thread_sends.send(unsafe { libc::pthread_self() }).unwrap();
            Poll::new().unwrap().wait(10_000)
        });
        let thread = thread.recv().unwrap();
        while !waiter.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(5));
            // SAFETY: the thread is not joined yet, so its name is still valid.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
        }
        assert!(waiter.join().unwrap().unwrap().is_empty());
    }
}

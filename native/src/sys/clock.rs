//! Time for the protocol: nanoseconds since boot, time in suspend included.
//!
//! Comes in: nothing. Goes out: the clock that `pywg/clock.py` reads too. Rule kept: a session is as old
//! after a suspend as the peer thinks it is (whitepaper 6.1, timers; `clock_gettime(2)`, `CLOCK_BOOTTIME`).

/// Nanoseconds since boot by `CLOCK_BOOTTIME`. The vDSO answers: no system call.
#[must_use]
pub fn boottime() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec of ours, and lives through the call.
    // It cannot fail: the clock exists since Linux 2.6.39. If it did, `now` would still be the zeros it was.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back_and_is_in_nanoseconds() {
        let first = boottime();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let passed = boottime() - first;
        assert!((5_000_000..5_000_000_000).contains(&passed), "{passed} ns");
    }
}

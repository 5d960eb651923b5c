//! Faults of our own: where the last one was.
//!
//! In: a panic. Out: file and line, for `get_status`. Rule kept: its message goes nowhere, for it may hold values; and
//! nothing is printed, for the daemon has a log.

use std::panic;

use parking_lot::Mutex;

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Take over what a panic of this library says. The rest of the process has a panic hook of its own, if any.
pub fn keep_quiet() {
    panic::set_hook(Box::new(|info| {
        *LAST.lock() = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
    }));
}

/// File and line of the last fault, if there was one.
pub fn last() -> Option<String> {
    LAST.lock().clone()
}

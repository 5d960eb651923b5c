//! The two threads, and how the control plane speaks to them.
//!
//! Comes in: readiness of the TUN and of the sockets, and orders. Goes out: batches to `outbound` and `inbound`. Rules
//! kept: a thread holds a socket only until it was told of another, so that a port is free when `swap` returns; a
//! fault in a batch costs that batch and a word to the control plane, never the thread.

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::aead;
use crate::inbound::Inbound;
use crate::offload::virtio::VNET_HDR;
use crate::outbound::Outbound;
use crate::plane::{Plane, Sockets};
use crate::sys::eventfd::Eventfd;
use crate::sys::poll::{Poll, Ready};
use crate::sys::tun;
use crate::sys::udp::{self, Udp};

/// Frames, or receives, between two looks at the orders.
const BATCH: usize = 64;
/// Milliseconds to wait for room in a socket's buffer before more is read from the TUN.
const PATIENCE_MS: i32 = 20;
/// Longest datagram, or several merged.
const MOST_RECEIVED: usize = 65_536;
/// Longest frame: what the length field of IPv6 can say, its header, and the `virtio_net_hdr`.
const MOST_READ: usize = VNET_HDR + 40 + 65_535;

const ORDERS: usize = 0;
const TUN: usize = 1;
const UDP4: usize = 1;
const UDP6: usize = 2;

/// Where the control plane leaves orders for one thread.
pub struct Desk {
    event: Eventfd,
    orders: Mutex<Orders>,
    done: Condvar,
}

#[derive(Default)]
struct Orders {
    stop: bool,
    /// How often sockets were swapped, and up to where the thread has followed.
    swaps: (u64, u64),
    /// How often somebody asked for a moment of rest, and up to where there was one.
    rests: (u64, u64),
    /// For tests: the next batch meets a fault.
    fault: bool,
    /// The thread is no more.
    gone: bool,
}

impl Desk {
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self { event: Eventfd::new()?, orders: Mutex::default(), done: Condvar::new() })
    }

    /// End the thread after its batch.
    pub fn stop(&self) {
        drop(self.order(|orders| orders.stop = true));
    }

    /// For tests: let the next batch meet a fault.
    pub fn fault(&self) {
        drop(self.order(|orders| orders.fault = true));
    }

    /// Tell of other sockets, and wait until the thread has let go of the old ones.
    pub fn swap(&self) {
        let mut orders = self.order(|orders| orders.swaps.0 += 1);
        while orders.swaps.1 < orders.swaps.0 && !orders.gone {
            self.done.wait(&mut orders);
        }
    }

    /// Wait until the thread finds nothing to do. Returns whether it did in time.
    pub fn rest(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut orders = self.order(|orders| orders.rests.0 += 1);
        while orders.rests.1 < orders.rests.0 && !orders.gone {
            if self.done.wait_until(&mut orders, until).timed_out() {
                return false;
            }
        }
        true
    }

    fn order(&self, give: impl FnOnce(&mut Orders)) -> parking_lot::MutexGuard<'_, Orders> {
        let mut orders = self.orders.lock();
        give(&mut orders);
        self.event.set();
        orders
    }

    /// The thread's side: what is new.
    fn read(&self) -> New {
        self.event.clear();
        let mut orders = self.orders.lock();
        New {
            stop: orders.stop,
            swapped: orders.swaps.1 < orders.swaps.0,
            rest: orders.rests.1 < orders.rests.0,
            fault: std::mem::take(&mut orders.fault),
        }
    }

    fn answer(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders.lock());
        self.done.notify_all();
    }
}

#[expect(clippy::struct_excessive_bools, reason = "four orders that may come together")]
struct New {
    stop: bool,
    swapped: bool,
    rest: bool,
    fault: bool,
}

/// What differs between the two threads.
trait Worker {
    /// Watch the sockets there are now.
    fn adopt(&mut self, plane: &Plane);
    fn poll(&self) -> &Poll;
    /// Move a batch from what is ready.
    fn work(&mut self, plane: &Plane, ready: Ready);
    /// After a fault in `work`: nothing of the batch may be left.
    fn recover(&mut self, plane: &Plane);
}

/// The life of one thread: wait, work, obey.
fn serve(plane: &Plane, desk: &Desk, worker: &mut impl Worker) {
    let (mut rest, mut fault) = (false, false);
    worker.adopt(plane);
    loop {
        let ready = match worker.poll().wait(if rest { 0 } else { -1 }) {
            Ok(ready) => ready,
            Err(error) => {
                plane.mailbox.fail("engine", error.raw_os_error().unwrap_or_default());
                break;
            }
        };
        if ready.contains(ORDERS) {
            let new = desk.read();
            if new.stop {
                break;
            }
            if new.swapped {
                worker.adopt(plane);
                desk.answer(|orders| orders.swaps.1 = orders.swaps.0);
            }
            rest |= new.rest;
            fault |= new.fault;
        } else if ready.is_empty() && rest {
            rest = false;
            desk.answer(|orders| orders.rests.1 = orders.rests.0);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            assert!(!(std::mem::take(&mut fault)), "a test asked for this fault");
            worker.work(plane, ready);
        }));
        if outcome.is_err() {
            worker.recover(plane);
            plane.mailbox.fail("engine", 0);
        }
        // While it waits nothing else would write over what sealing and opening have left there.
        aead::erase_stack();
    }
    desk.answer(|orders| orders.gone = true);
}

struct FromTun {
    poll: Poll,
    frame: Box<[u8]>,
}

/// The outbound thread.
///
/// # Errors
/// No descriptor is left.
pub fn outbound(plane: &Arc<Plane>, desk: &Arc<Desk>) -> io::Result<impl FnOnce() + Send + use<>> {
    let poll = Poll::new()?;
    poll.add(desk.event.fd(), ORDERS)?;
    poll.add(plane.tun.fd(), TUN)?;
    let mut worker = FromTun { poll, frame: vec![0; MOST_READ].into_boxed_slice() };
    let (plane, desk) = (Arc::clone(plane), Arc::clone(desk));
    Ok(move || serve(&plane, &desk, &mut worker))
}

impl Worker for FromTun {
    fn adopt(&mut self, _: &Plane) {}

    fn poll(&self) -> &Poll {
        &self.poll
    }

    fn work(&mut self, plane: &Plane, ready: Ready) {
        if !ready.contains(TUN) {
            return;
        }
        for _ in 0..BATCH {
            match plane.tun.read(&mut self.frame) {
                Ok(size) => plane.outbound.lock().forward(plane, &self.frame[..size]),
                Err(error) => {
                    if tun::is_dead(&error) {
                        unwatch(&self.poll, plane.tun.fd());
                        plane.mailbox.fail("tun", error.raw_os_error().unwrap_or_default());
                    }
                    break;
                }
            }
        }
        let is_full = {
            let mut outbound = plane.outbound.lock();
            outbound.flush_run(plane);
            outbound.take_full()
        };
        if is_full && let Some(sockets) = plane.sockets() {
            // Without the send lock: a slow uplink holds up the TUN, as it should, and nobody else.
            for udp in sockets.all() {
                udp.wait_writable(PATIENCE_MS);
            }
        }
    }

    fn recover(&mut self, plane: &Plane) {
        *plane.outbound.lock() = Outbound::new();
    }
}

struct FromUdp {
    poll: Poll,
    sockets: Option<Arc<Sockets>>,
    buffer: Box<[u8]>,
    inbound: Inbound,
}

/// The inbound thread.
///
/// # Errors
/// No descriptor is left.
pub fn inbound(plane: &Arc<Plane>, desk: &Arc<Desk>) -> io::Result<impl FnOnce() + Send + use<>> {
    let poll = Poll::new()?;
    poll.add(desk.event.fd(), ORDERS)?;
    let buffer = vec![0; MOST_RECEIVED].into_boxed_slice();
    let mut worker = FromUdp { poll, sockets: None, buffer, inbound: Inbound::new(*plane.offload.lock()) };
    let (plane, desk) = (Arc::clone(plane), Arc::clone(desk));
    Ok(move || serve(&plane, &desk, &mut worker))
}

impl Worker for FromUdp {
    fn adopt(&mut self, plane: &Plane) {
        if let Some(old) = &self.sockets {
            for udp in old.all() {
                unwatch(&self.poll, udp.fd());
            }
        }
        self.sockets = plane.sockets();
        let Some(new) = &self.sockets else { return };
        for (udp, token, part) in [(&new.v4, UDP4, "udp4"), (&new.v6, UDP6, "udp6")] {
            if let Some(udp) = udp
                && let Err(error) = self.poll.add(udp.fd(), token)
            {
                plane.mailbox.fail(part, error.raw_os_error().unwrap_or_default());
            }
        }
    }

    fn poll(&self) -> &Poll {
        &self.poll
    }

    fn work(&mut self, plane: &Plane, ready: Ready) {
        let Some(sockets) = self.sockets.clone() else { return };
        for (udp, token, part) in [(&sockets.v4, UDP4, "udp4"), (&sockets.v6, UDP6, "udp6")] {
            if let Some(udp) = udp
                && ready.contains(token)
                && let Err(error) = self.receive(plane, udp)
            {
                unwatch(&self.poll, udp.fd());
                plane.mailbox.fail(part, error.raw_os_error().unwrap_or_default());
            }
        }
    }

    fn recover(&mut self, plane: &Plane) {
        self.inbound = Inbound::new(*plane.offload.lock());
    }
}

/// One that was never added, or has died, cannot be removed and need not be.
fn unwatch(poll: &Poll, fd: RawFd) {
    let _ = poll.remove(fd);
}

impl FromUdp {
    /// # Errors
    /// The socket died.
    fn receive(&mut self, plane: &Plane, udp: &Udp) -> io::Result<()> {
        let (mut arrived, mut refused) = (false, false);
        for _ in 0..BATCH {
            match udp.receive(&mut self.buffer) {
                Ok(arrival) => {
                    arrived = true;
                    self.inbound.receive(plane, &mut self.buffer, &arrival);
                }
                Err(error) if udp::is_dead(&error) => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error is told of in place of a datagram; the datagrams are still there.
                Err(_) => refused = true,
            }
        }
        // Readable without a datagram: an ICMP error waits, and would wake us for ever.
        if refused || !arrived {
            plane.drain_errors(udp);
        }
        Ok(())
    }
}

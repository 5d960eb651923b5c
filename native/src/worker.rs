//! The two threads, and how the control plane speaks to them.
//!
//! Comes in: readiness of the TUN and of the sockets, and orders. Goes out: batches to `outbound` and `inbound`. Rules
//! kept: one thread moves both ways until that is too much for it, and then a second takes over the TUN; a thread holds a
//! socket only until it was told of another, so that a port is free when `swap` returns; a fault in a batch costs that
//! batch and a word to the control plane, never the thread.
//!
//! One thread for both ways, because most traffic is one way and its answers the other: an answer that finds the thread
//! awake costs no wake-up (docs/performance.md has what that is worth).

use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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

/// Packets that are moved one way before the other has its turn, about.
const TURN: usize = 512;
/// So many turns in a row that left nothing in the TUN make the helper give it back.
const CALM: usize = 1024;
/// Milliseconds to wait for room in a socket's buffer before more is read from the TUN.
const PATIENCE_MS: i32 = 20;
/// Longest datagram, or several merged.
const MOST_RECEIVED: usize = 65_536;
/// Longest frame: what the length field of IPv6 can say, its header, and the `virtio_net_hdr`.
const MOST_READ: usize = VNET_HDR + 40 + 65_535;

const ORDERS: usize = 0;
const TUN: usize = 1;
const UDP4: usize = 2;
const UDP6: usize = 3;

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

/// Reads the TUN, for whichever thread watches it.
struct Reader {
    frame: Box<[u8]>,
    is_dead: bool,
}

/// What a turn at the TUN or at a socket came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing is left there.
    Emptied,
    /// The turn was over before that.
    Over,
    /// The kernel takes no more datagrams for now.
    Full,
}

impl Reader {
    fn new() -> Self {
        Self { frame: vec![0; MOST_READ].into_boxed_slice(), is_dead: false }
    }

    /// Move about `TURN` packets from the TUN. A dead one is told of, once, and no longer watched.
    fn read(&mut self, plane: &Plane, poll: &Poll) -> Turn {
        let mut turn = Turn::Over;
        let mut moved = 0;
        while moved < TURN && !self.is_dead {
            match plane.tun.read(&mut self.frame) {
                Ok(size) => moved += plane.outbound.lock().forward(plane, &self.frame[..size]),
                Err(error) => {
                    turn = Turn::Emptied;
                    if tun::is_dead(&error) {
                        self.is_dead = true;
                        unwatch(poll, plane.tun.fd());
                        plane.mailbox.fail("tun", error.raw_os_error().unwrap_or_default());
                    }
                    break;
                }
            }
        }
        if moved == 0 {
            return Turn::Emptied;
        }
        let mut outbound = plane.outbound.lock();
        outbound.flush_run(plane);
        if outbound.take_full() { Turn::Full } else { turn }
    }
}

/// Who watches the TUN: the first thread, or the helper while both ways are busy.
struct Watch {
    first: Poll,
    helper: Poll,
}

impl Watch {
    /// The first thread cannot keep up with both ways, or a slow uplink holds it up: let the helper read the TUN.
    fn hand_over(&self, plane: &Plane) {
        plane.tun_is_helped.store(pass_on(plane.tun.fd(), &self.first, &self.helper), Relaxed);
    }

    fn give_back(&self, plane: &Plane) {
        plane.tun_is_helped.store(!pass_on(plane.tun.fd(), &self.helper, &self.first), Relaxed);
    }
}

/// Returns whether it went over; if the system has no room for that, everything stays as it was.
fn pass_on(tun: RawFd, from: &Poll, to: &Poll) -> bool {
    let passed = to.add(tun, TUN).is_ok();
    if passed {
        unwatch(from, tun);
    }
    passed
}

/// The two threads: the first moves packets both ways, the helper takes over the TUN where that is too much for one.
///
/// # Errors
/// No descriptor is left.
pub fn threads(
    plane: &Arc<Plane>,
    first: &Arc<Desk>,
    helper: &Arc<Desk>,
) -> io::Result<(impl FnOnce() + Send + use<>, impl FnOnce() + Send + use<>)> {
    let watch = Arc::new(Watch { first: Poll::new()?, helper: Poll::new()? });
    watch.first.add(first.event.fd(), ORDERS)?;
    watch.first.add(plane.tun.fd(), TUN)?;
    watch.helper.add(helper.event.fd(), ORDERS)?;
    let mut both = BothWays {
        watch: Arc::clone(&watch),
        reader: Reader::new(),
        sockets: None,
        buffer: vec![0; MOST_RECEIVED].into_boxed_slice(),
        inbound: Inbound::new(*plane.offload.lock()),
    };
    let mut out = OutOnly { watch, reader: Reader::new(), calm: 0 };
    let (first, helper) = (Arc::clone(first), Arc::clone(helper));
    let (its, plane) = (Arc::clone(plane), Arc::clone(plane));
    Ok((move || serve(&plane, &first, &mut both), move || serve(&its, &helper, &mut out)))
}

/// The helper.
struct OutOnly {
    watch: Arc<Watch>,
    reader: Reader,
    /// Turns in a row that left nothing in the TUN.
    calm: usize,
}

impl Worker for OutOnly {
    fn adopt(&mut self, _: &Plane) {}

    fn poll(&self) -> &Poll {
        &self.watch.helper
    }

    fn work(&mut self, plane: &Plane, ready: Ready) {
        if !ready.contains(TUN) {
            return;
        }
        match self.reader.read(plane, &self.watch.helper) {
            Turn::Emptied => self.calm += 1,
            Turn::Over => self.calm = 0,
            Turn::Full => {
                self.calm = 0;
                // Without the send lock: a slow uplink holds up the TUN, as it should, and nobody else.
                for udp in plane.sockets().iter().flat_map(|sockets| sockets.all()) {
                    udp.wait_writable(PATIENCE_MS);
                }
            }
        }
        if self.calm >= CALM {
            self.calm = 0;
            self.watch.give_back(plane);
        }
    }

    fn recover(&mut self, plane: &Plane) {
        *plane.outbound.lock() = Outbound::new();
    }
}

/// The first thread. On its way to sleep it looks into the TUN once more: what a packet it has just delivered made the
/// machine answer goes out without another thread being woken.
struct BothWays {
    watch: Arc<Watch>,
    reader: Reader,
    sockets: Option<Arc<Sockets>>,
    buffer: Box<[u8]>,
    inbound: Inbound,
}

impl Worker for BothWays {
    fn adopt(&mut self, plane: &Plane) {
        let poll = &self.watch.first;
        if let Some(old) = &self.sockets {
            for udp in old.all() {
                unwatch(poll, udp.fd());
            }
        }
        self.sockets = plane.sockets();
        let Some(new) = &self.sockets else { return };
        for (udp, token, part) in [(&new.v4, UDP4, "udp4"), (&new.v6, UDP6, "udp6")] {
            if let Some(udp) = udp
                && let Err(error) = poll.add(udp.fd(), token)
            {
                plane.mailbox.fail(part, error.raw_os_error().unwrap_or_default());
            }
        }
    }

    fn poll(&self) -> &Poll {
        &self.watch.first
    }

    fn work(&mut self, plane: &Plane, ready: Ready) {
        let mut received = None;
        if let Some(sockets) = self.sockets.clone() {
            for (udp, token, part) in [(&sockets.v4, UDP4, "udp4"), (&sockets.v6, UDP6, "udp6")] {
                let Some(udp) = udp.as_ref().filter(|_| ready.contains(token)) else { continue };
                match self.receive(plane, udp) {
                    Ok(turn) => received = received.max(Some(turn == Turn::Over)),
                    Err(error) => {
                        unwatch(&self.watch.first, udp.fd());
                        plane.mailbox.fail(part, error.raw_os_error().unwrap_or_default());
                    }
                }
            }
        }
        let looks = ready.contains(TUN) || received.is_some();
        if !looks || plane.tun_is_helped.load(Relaxed) {
            return;
        }
        let turn = self.reader.read(plane, &self.watch.first);
        if turn == Turn::Full || (turn == Turn::Over && received == Some(true)) {
            self.watch.hand_over(plane);
        }
    }

    fn recover(&mut self, plane: &Plane) {
        self.inbound = Inbound::new(*plane.offload.lock());
        *plane.outbound.lock() = Outbound::new();
    }
}

impl BothWays {
    /// Move about `TURN` packets from a socket.
    ///
    /// # Errors
    /// The socket died.
    fn receive(&mut self, plane: &Plane, udp: &Udp) -> io::Result<Turn> {
        let mut turn = Turn::Over;
        let (mut moved, mut refused) = (0, 0);
        while moved + refused < TURN {
            match udp.receive(&mut self.buffer) {
                Ok(arrival) => moved += self.inbound.receive(plane, &mut self.buffer, &arrival),
                Err(error) if udp::is_dead(&error) => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    turn = Turn::Emptied;
                    break;
                }
                // An ICMP error is told of in place of a datagram; the datagrams are still there.
                Err(_) => refused += 1,
            }
        }
        // Readable without a datagram: an ICMP error waits, and would wake us for ever.
        if refused > 0 || moved == 0 {
            plane.drain_errors(udp);
        }
        Ok(turn)
    }
}

/// One that was never added, or has died, cannot be removed and need not be.
fn unwatch(poll: &Poll, fd: RawFd) {
    let _ = poll.remove(fd);
}

//! One device's engine: what the control plane calls, and the life of the two threads.
//!
//! Comes in: peers, prefixes, keys, endpoints and descriptors. Goes out: what the mailbox holds, counts and facts. The
//! meaning of each method is that of the method of the same name in `pywg/engine/contract.py`. Rules kept: calls come
//! from one thread; what a call does is done when it returns, so whoever calls sees one order of events.

use std::collections::HashMap;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::drops::Cause;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::peer::Peer;
use crate::plane::{Clock, Plane, Sockets};
use crate::sys::tun::Tun;
use crate::sys::udp::Udp;
use crate::worker::{self, Desk};

pub mod peers;
mod state;

/// The peer id is unknown: a mistake of the caller.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownPeer(pub u64);

/// What a method that names a peer returns.
pub type Result<T> = std::result::Result<T, UnknownPeer>;

/// See the file's head.
pub struct Engine {
    plane: Arc<Plane>,
    peers: HashMap<u64, Arc<Peer>>,
    first: Arc<Desk>,
    helper: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Over a duplicate of the descriptor `tun`, at rest.
    ///
    /// # Errors
    /// No descriptor is left, or `tun` is none.
    pub fn new(limits: Limits, clock: Clock, mtu: usize, tun: RawFd, vnet_hdr: bool) -> io::Result<Self> {
        let mailbox = Mailbox::new(limits.handshake_queue)?;
        let plane = Plane::new(limits, clock, mtu, Tun::new(tun, vnet_hdr)?, mailbox);
        Ok(Self {
            plane: Arc::new(plane),
            peers: HashMap::new(),
            first: Arc::new(Desk::new()?),
            helper: Arc::new(Desk::new()?),
            threads: Vec::new(),
        })
    }

    // The device.

    /// Readable while something waits for the control plane.
    pub fn fd(&self) -> RawFd {
        self.plane.mailbox.fd()
    }

    /// Begin. May be called twice.
    ///
    /// # Errors
    /// No descriptor or no thread is left.
    pub fn start(&mut self) -> io::Result<()> {
        if !self.threads.is_empty() {
            return Ok(());
        }
        if self.plane.tun.vnet_hdr() {
            *self.plane.offload.lock() = self.plane.tun.enable_offload();
        }
        let (first, helper) = worker::threads(&self.plane, &self.first, &self.helper)?;
        self.threads.push(thread::Builder::new().name("pywg-packets".into()).spawn(first)?);
        match thread::Builder::new().name("pywg-outbound".into()).spawn(helper) {
            Ok(thread) => self.threads.push(thread),
            Err(error) => {
                self.close();
                return Err(error);
            }
        }
        Ok(())
    }

    /// End the threads and forget all keys. The TUN goes with the engine.
    pub fn close(&mut self) {
        self.helper.stop();
        self.first.stop();
        for thread in self.threads.drain(..) {
            // A thread ends with an error only by a fault outside of its batches; there is nobody left to tell.
            let _ = thread.join();
        }
        *self.plane.sockets.write() = None;
        self.plane.keypairs.write().clear();
        for (_, peer) in self.peers.drain() {
            let mut state = peer.state.lock();
            state.removed = true;
            state.slots.drop_all();
            state.staged.clear();
        }
        if self.plane.tun.vnet_hdr() {
            self.plane.tun.disable_offload();
        }
    }

    /// Use these from now on. The old ones are let go of when this returns.
    pub fn swap_sockets(&self, sockets: Option<Sockets>) {
        {
            // Whoever sends has the send lock, so nobody holds the old ones after this but the inbound thread.
            let mut outbound = self.plane.outbound.lock();
            outbound.flush_run(&self.plane);
            outbound.segmentation.reset();
            *self.plane.sockets.write() = sockets.map(Arc::new);
        }
        if !self.threads.is_empty() {
            self.first.swap();
        }
        // Now, for until then a batch from the old ones may have set them again.
        self.clear_all_sources();
    }

    /// Handshakes queued under another key are dropped.
    pub fn set_mac1_key(&self, key: Option<[u8; 32]>) {
        let outdated = self.plane.mailbox.set_mac1_key(key);
        if outdated > 0 {
            self.plane.count_drop(Cause::BadMac1, outdated);
        }
    }

    /// Let messages 2 and 3 with this receiver index through, or no longer.
    pub fn set_pending(&self, index: u32, pending: bool) {
        let mut indices = self.plane.pending.write();
        if pending {
            indices.insert(index);
        } else {
            indices.remove(&index);
        }
    }

    /// Mark outer packets (`SO_MARK`); clears cached sources.
    ///
    /// # Errors
    /// EPERM.
    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        self.clear_all_sources();
        let sockets = self.plane.sockets();
        sockets.iter().flat_map(|sockets| sockets.all()).try_for_each(|udp| udp.set_mark(mark))
    }

    /// Bytes.
    pub fn set_mtu(&self, mtu: usize) {
        self.plane.mtu.store(mtu, Relaxed);
    }

    /// What is known of routes counts no more.
    pub fn route_changed(&self) {
        self.plane.outbound.lock().segmentation.forget();
    }

    /// Forget those of all peers.
    pub fn clear_all_sources(&self) {
        self.peers.values().for_each(|peer| peer.state.lock().clear_source());
    }

    // For tests.

    /// Move the clock, if it is a manual one.
    pub fn set_time(&self, now: u64) {
        if let Clock::Manual(clock) = &self.plane.clock {
            clock.store(now, Relaxed);
        }
    }

    /// Wait until both threads have found nothing to do. Returns whether they did in time.
    pub fn settle(&self, patience: Duration) -> bool {
        self.threads.is_empty() || (self.first.rest(patience) && self.helper.rest(patience))
    }

    /// Let the next batch of a thread meet a fault.
    pub fn fault(&self, of_first: bool) {
        if of_first { &self.first } else { &self.helper }.fault();
    }

    fn peer(&self, id: u64) -> Result<&Arc<Peer>> {
        self.peers.get(&id).ok_or(UnknownPeer(id))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

/// Both sockets over duplicates of these descriptors.
///
/// # Errors
/// No descriptor is left, or one given is none.
pub fn sockets(v4: Option<RawFd>, v6: Option<RawFd>, port: u16) -> io::Result<Sockets> {
    let open = |fd: Option<RawFd>, is_ipv6| fd.map(|fd| Udp::new(fd, is_ipv6)).transpose();
    Ok(Sockets { v4: open(v4, false)?, v6: open(v6, true)?, port })
}

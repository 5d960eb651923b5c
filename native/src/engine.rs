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

use parking_lot::MutexGuard;

use crate::allowed_ips::Prefix;
use crate::drops::Cause;
use crate::keypair::{Keypair, Session};
use crate::limits::Limits;
use crate::mailbox::{Mailbox, notice};
use crate::outbound::Outbound;
use crate::peer::{Facts, Peer};
use crate::plane::{Clock, Plane, Sockets};
use crate::sys::tun::Tun;
use crate::sys::udp::{Endpoint, Source, Udp};
use crate::transmit::{self, Sent};
use crate::worker::{self, Desk};

/// TOS byte of outer packets with messages 1 and 2: DSCP AF41 (kernel messages.h, `HANDSHAKE_DSCP`).
const HANDSHAKE_TOS: u8 = 0x88;

/// The peer id is unknown: a mistake of the caller.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownPeer(pub u64);

/// What a method that names a peer returns.
pub type Result<T> = std::result::Result<T, UnknownPeer>;

/// One step in a change of the routing table.
pub struct AllowedIpChange {
    /// Whose.
    pub peer: u64,
    /// None, with `remove`: every prefix of the peer.
    pub prefix: Option<Prefix>,
    /// Or add.
    pub remove: bool,
}

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

    // Peers.

    /// Returns whether the id was free.
    pub fn add_peer(&mut self, id: u64) -> bool {
        let is_free = !self.peers.contains_key(&id);
        if is_free {
            self.peers.insert(id, Arc::new(Peer::new(id)));
        }
        is_free
    }

    /// Returns the local indices freed.
    ///
    /// # Errors
    /// The id is unknown, here and below.
    pub fn remove_peer(&mut self, id: u64) -> Result<Vec<u32>> {
        let peer = self.peers.remove(&id).ok_or(UnknownPeer(id))?;
        let sending = self.nothing_sealed();
        self.plane.routes.write().remove_owner(id);
        let mut state = peer.state.lock();
        self.plane.relocate(&peer, &mut state, None);
        state.removed = true;
        state.staged.clear();
        let gone = state.slots.drop_all();
        drop(state);
        drop(sending);
        let mut freed = self.plane.mailbox.forget(id);
        freed.extend(self.plane.release(&gone));
        Ok(freed)
    }

    /// By configuration: the cached source is cleared.
    pub fn set_endpoint(&self, id: u64, endpoint: Option<Endpoint>) -> Result<()> {
        let peer = self.peer(id)?;
        let source = endpoint.map(|endpoint| Source { endpoint, local: None, ifindex: 0 });
        let _sending = self.nothing_sealed();
        self.plane.relocate(peer, &mut peer.state.lock(), source);
        Ok(())
    }

    /// The peer's present endpoint and, where it is sticky, the local address and interface.
    pub fn source(&self, id: u64) -> Result<Option<Source>> {
        Ok(self.peer(id)?.state.lock().source)
    }

    /// All of one UAPI set, in order, seen by the packets as one step. Returns false for an addition without prefix.
    pub fn change_allowed_ips(&self, changes: &[AllowedIpChange]) -> Result<bool> {
        let mut routes = self.plane.routes.write();
        for change in changes {
            let owner = self.peer(change.peer)?;
            match (change.prefix, change.remove) {
                (Some(prefix), false) => routes.insert(prefix, owner.id, Arc::clone(owner)),
                (Some(prefix), true) => {
                    routes.remove(prefix, owner.id);
                }
                (None, true) => routes.remove_owner(owner.id),
                (None, false) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// IPv4 first, then IPv6, each in the order of insertion.
    pub fn allowed_ips(&self, id: u64) -> Result<Vec<Prefix>> {
        self.peer(id)?;
        Ok(self.plane.routes.read().prefixes(id))
    }

    // Keys.

    /// As *current*, or as *next*. Returns the local indices freed.
    pub fn install(&self, id: u64, session: Session, as_current: bool) -> Result<Vec<u32>> {
        let peer = self.peer(id)?;
        let index = session.local_index;
        let keypair = Arc::new(Keypair::new(Arc::clone(peer), session, &self.plane.limits));
        // What was sealed under the old key leaves before what is sealed under this.
        let mut outbound = self.plane.outbound.lock();
        self.plane.keypairs.write().insert(index, Arc::clone(&keypair));
        let mut state = peer.state.lock();
        let gone =
            if as_current { state.slots.install_current(keypair) } else { state.slots.install_next(keypair) };
        drop(state);
        let freed = self.plane.release(&gone);
        if as_current {
            outbound.send_keepalive(&self.plane, peer);
        }
        Ok(freed)
    }

    /// Forget all three. Returns the local indices freed.
    pub fn drop_keypairs(&self, id: u64) -> Result<Vec<u32>> {
        let peer = self.peer(id)?;
        let _sending = self.nothing_sealed();
        let gone = peer.state.lock().slots.drop_all();
        Ok(self.plane.release(&gone))
    }

    /// Our private key changed: receive under the keypairs, send under none, promote none of them.
    pub fn expire_sending(&self, id: u64) -> Result<()> {
        let peer = self.peer(id)?;
        let _sending = self.nothing_sealed();
        peer.state.lock().slots.expire_sending();
        Ok(())
    }

    /// Tell when the next packet is staged.
    pub fn arm_keys_needed(&self, id: u64) -> Result<()> {
        self.peer(id)?.state.lock().keys_needed_armed = true;
        Ok(())
    }

    /// Tell when one of these facts is set; at once if one is.
    pub fn arm_stirred(&self, id: u64, sent: bool, received: bool) -> Result<()> {
        if self.peer(id)?.state.lock().watch(sent, received) {
            self.plane.mailbox.notify(id, notice::STIRRED);
        }
        Ok(())
    }

    // Sending.

    /// To the peer's present endpoint.
    pub fn send_handshake(&self, id: u64, datagram: &[u8]) -> Result<()> {
        let peer = self.peer(id)?;
        let source = peer.state.lock().source;
        let sent = source
            .map_or(Sent::nothing(1), |source| transmit::one(&self.plane, &source, HANDSHAKE_TOS, datagram));
        let mut state = peer.state.lock();
        state.tx_bytes += sent.bytes as u64;
        if sent.refused > 0 {
            let cause = if source.is_some() { Cause::SendError } else { Cause::NoEndpoint };
            state.drops.add(cause, sent.refused);
        }
        if let Some(source) = source
            && sent.source_is_gone
            && state.source == Some(source)
        {
            state.source = Some(Source { local: None, ifindex: 0, ..source });
        }
        if state.authenticated_sent(self.plane.clock.now(), false) {
            self.plane.mailbox.notify(id, notice::STIRRED);
        }
        Ok(())
    }

    /// An authentic message 1 or 2 of `size` bytes: moves the endpoint.
    pub fn handshake_accepted(&self, id: u64, source: Source, size: u64) -> Result<()> {
        let peer = self.peer(id)?;
        let mut state = peer.state.lock();
        self.plane.relocate(peer, &mut state, Some(source));
        state.rx_bytes += size;
        if state.authenticated_received(self.plane.clock.now(), 0) {
            self.plane.mailbox.notify(id, notice::STIRRED);
        }
        Ok(())
    }

    /// A cookie reply. Touches no peer.
    pub fn send_reply(&self, source: &Source, datagram: &[u8]) {
        let sent = transmit::one(&self.plane, source, 0, datagram);
        if sent.refused > 0 {
            self.plane.count_drop(Cause::SendError, sent.refused);
        }
    }

    /// Flush staged packets or send an empty one; without a usable key it is staged, and keys are asked for.
    pub fn send_keepalive(&self, id: u64) -> Result<()> {
        let peer = self.peer(id)?;
        self.plane.outbound.lock().send_keepalive(&self.plane, peer);
        Ok(())
    }

    /// Forget the sticky source of a peer.
    pub fn clear_source(&self, id: u64) -> Result<()> {
        clear_source(self.peer(id)?);
        Ok(())
    }

    /// Forget those of all peers.
    pub fn clear_all_sources(&self) {
        self.peers.values().for_each(|peer| clear_source(peer));
    }

    /// Counted as having had no key.
    pub fn drop_staged(&self, id: u64) -> Result<()> {
        let mut state = self.peer(id)?.state.lock();
        let count = std::mem::take(&mut state.staged).len();
        if count > 0 {
            state.drops.add(Cause::NoKey, count);
        }
        Ok(())
    }

    /// Compare and clear: the new-handshake timer fired on this fact.
    pub fn clear_unanswered_sent(&self, id: u64, seen: u64) -> Result<()> {
        let mut state = self.peer(id)?.state.lock();
        if state.facts.unanswered_sent == Some(seen) {
            state.facts.unanswered_sent = None;
        }
        Ok(())
    }

    // State.

    /// What waits for the control plane.
    pub fn mailbox(&self) -> &Mailbox {
        &self.plane.mailbox
    }

    /// The facts the timers follow from, and whether packets are staged.
    pub fn traffic(&self, id: u64) -> Result<(Facts, bool)> {
        let state = self.peer(id)?.state.lock();
        Ok((state.facts, !state.staged.is_empty()))
    }

    /// UDP payload sent and received.
    pub fn counters(&self, id: u64) -> Result<(u64, u64)> {
        let state = self.peer(id)?.state.lock();
        Ok((state.tx_bytes, state.rx_bytes))
    }

    /// Of one peer, or those that could be laid to none.
    pub fn drops(&self, id: Option<u64>) -> Result<Vec<(&'static str, u64)>> {
        match id {
            None => Ok(self.plane.dropped()),
            Some(id) => Ok(self.peer(id)?.state.lock().drops.counted()),
        }
    }

    /// errno and how often.
    pub fn icmp_errors(&self, id: u64) -> Result<Vec<(i32, u64)>> {
        Ok(self.peer(id)?.state.lock().icmp_errors.clone())
    }

    /// Lines for `get_status`.
    pub fn status(&self) -> Vec<(&'static str, String)> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let sockets = self.plane.sockets().map_or_else(
            || "down".to_owned(),
            |sockets| {
                let names = [sockets.v4.as_ref().map(|_| "udp4"), sockets.v6.as_ref().map(|_| "udp6")];
                names.into_iter().flatten().collect::<Vec<_>>().join(" ")
            },
        );
        let offload = *self.plane.offload.lock();
        let (segments, refused) = self.plane.outbound.lock().segmentation.status();
        vec![
            ("sockets", sockets),
            ("cipher", crate::aead::CIPHER.to_owned()),
            ("tun_vnet_hdr", yes(self.plane.tun.vnet_hdr())),
            ("tun_read_by_helper", yes(self.plane.tun_is_helped.load(Relaxed))),
            ("tun_tcp_segments", yes(offload.tcp)),
            ("tun_udp_segments", yes(offload.udp)),
            ("udp4_segments", yes(segments[0])),
            ("udp6_segments", yes(segments[1])),
            ("routes_without_segments", refused.to_string()),
            ("handshakes_queued", self.plane.mailbox.handshakes_waiting().to_string()),
            ("keypairs", self.plane.keypairs.read().len().to_string()),
            ("last_fault", crate::fault::last().unwrap_or_else(|| "none".to_owned())),
        ]
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

    /// Send what was sealed, and seal nothing for as long as this is held: what changes now holds for every packet
    /// that leaves after the call.
    fn nothing_sealed(&self) -> MutexGuard<'_, Outbound> {
        let mut outbound = self.plane.outbound.lock();
        outbound.flush_run(&self.plane);
        outbound
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

fn clear_source(peer: &Peer) {
    let mut state = peer.state.lock();
    if let Some(source) = &mut state.source {
        source.local = None;
        source.ifindex = 0;
    }
}

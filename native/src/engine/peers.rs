//! The contract's methods about one peer: where it is, its prefixes and keys, and what is sent to it.
//!
//! Rule kept: what ends something (a peer, its keys, its endpoint) holds the send lock, so no packet leaves by it after
//! the call has returned.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::{Engine, Result, UnknownPeer};
use crate::allowed_ips::Prefix;
use crate::drops::Cause;
use crate::keypair::{Keypair, Session};
use crate::mailbox::notice;
use crate::outbound::Outbound;
use crate::peer::Peer;
use crate::sys::udp::{Endpoint, Source};
use crate::transmit;

/// TOS byte of outer packets with messages 1 and 2: DSCP AF41 (kernel messages.h, `HANDSHAKE_DSCP`).
const HANDSHAKE_TOS: u8 = 0x88;

/// One step in a change of the routing table.
pub struct AllowedIpChange {
    /// Whose.
    pub peer: u64,
    /// None, with `remove`: every prefix of the peer.
    pub prefix: Option<Prefix>,
    /// Or add.
    pub remove: bool,
}

impl Engine {
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
        let sent =
            source.map(|source| (transmit::one(&self.plane, &source, HANDSHAKE_TOS, datagram), source));
        let mut state = peer.state.lock();
        match sent {
            Some((sent, source)) => state.book(&sent, &source),
            None => state.drops.add(Cause::NoEndpoint, 1),
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
        self.peer(id)?.state.lock().clear_source();
        Ok(())
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

    /// Send what was sealed, and seal nothing for as long as this is held: what changes now holds for every packet
    /// that leaves after the call.
    fn nothing_sealed(&self) -> MutexGuard<'_, Outbound> {
        let mut outbound = self.plane.outbound.lock();
        outbound.flush_run(&self.plane);
        outbound
    }
}

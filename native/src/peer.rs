//! What the engine knows of one peer: keypairs, endpoint, staged packets, facts for the timers, counts.
//!
//! A record with few rules of its own; the packet loops read and write it under its lock, which is never held
//! across a system call. Rule kept: a fact changes in `authenticated_sent` and `authenticated_received` only (kernel
//! timers.c, the `wg_timers_any_authenticated_*` and `wg_timers_data_*` hooks).

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::drops::{Cause, Drops};
use crate::keypair::Slots;
use crate::sys::udp::Source;
use crate::transmit::Sent;

/// Found through the routes, the keypairs and the peer ids.
pub struct Peer {
    /// Never used again for another.
    pub id: u64,
    /// Everything that changes.
    pub state: Mutex<PeerState>,
}

impl Peer {
    /// Without endpoint, keys and packets.
    pub fn new(id: u64) -> Self {
        Self { id, state: Mutex::new(PeerState::default()) }
    }
}

/// See the file's head.
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of its own: armed, watched, removed")]
pub struct PeerState {
    /// The three keypairs.
    pub slots: Slots,
    /// Where the peer is and, once it was heard of, by which address of ours it reached us.
    pub source: Option<Source>,
    /// Packets that wait for keys, oldest first. Never filled while a usable keypair exists.
    pub staged: VecDeque<Box<[u8]>>,
    /// The control plane removed it; a thread may still hold it for a moment.
    pub removed: bool,
    /// Tell when the next packet is staged.
    pub keys_needed_armed: bool,
    /// The timers' facts.
    pub facts: Facts,
    /// UDP payload sent, cookie replies apart.
    pub tx_bytes: u64,
    /// UDP payload that was authentic, cookie replies apart.
    pub rx_bytes: u64,
    /// What was lost on this peer's way, by cause.
    pub drops: Drops,
    /// errno and how often the network refused a datagram with it.
    pub icmp_errors: Vec<(i32, u64)>,
    watches_sent: bool,
    watches_received: bool,
}

impl Default for PeerState {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
            source: None,
            staged: VecDeque::new(),
            removed: false,
            keys_needed_armed: true,
            facts: Facts::default(),
            tx_bytes: 0,
            rx_bytes: 0,
            drops: Drops::default(),
            icmp_errors: Vec::new(),
            watches_sent: false,
            watches_received: false,
        }
    }
}

/// `pywg.protocol.timers.Traffic` without `staged`. Times are `CLOCK_BOOTTIME` nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Last authenticated packet sent.
    pub last_sent: Option<u64>,
    /// Last authenticated packet received.
    pub last_received: Option<u64>,
    /// First data sent since when nothing authenticated was received.
    pub unanswered_sent: Option<u64>,
    /// First data received since when nothing authenticated was sent.
    pub unanswered_received: Option<u64>,
    /// More data was received after `unanswered_received`.
    pub more_received: bool,
}

impl PeerState {
    /// A send was attempted. Returns whether a fact that is watched for has become set by it; the watch ends then.
    #[must_use]
    pub fn authenticated_sent(&mut self, now: u64, data: bool) -> bool {
        let facts = &mut self.facts;
        facts.last_sent = Some(now);
        facts.unanswered_received = None;
        facts.more_received = false;
        if !data || facts.unanswered_sent.is_some() {
            return false;
        }
        facts.unanswered_sent = Some(now);
        self.watches_sent && self.stir()
    }

    /// One or more packets came. Returns whether a fact that is watched for has become set by them.
    #[must_use]
    pub fn authenticated_received(&mut self, now: u64, data_packets: usize) -> bool {
        let facts = &mut self.facts;
        facts.last_received = Some(now);
        facts.unanswered_sent = None;
        if data_packets == 0 {
            return false;
        }
        if facts.unanswered_received.is_some() {
            facts.more_received = true;
            return false;
        }
        facts.unanswered_received = Some(now);
        facts.more_received = data_packets > 1;
        self.watches_received && self.stir()
    }

    /// Watch for these facts from now on. Returns whether one of them is set already; the watch ends then.
    #[must_use]
    pub fn watch(&mut self, sent: bool, received: bool) -> bool {
        self.watches_sent = sent;
        self.watches_received = received;
        let is_set_already = (sent && self.facts.unanswered_sent.is_some())
            || (received && self.facts.unanswered_received.is_some());
        is_set_already && self.stir()
    }

    fn stir(&mut self) -> bool {
        self.watches_sent = false;
        self.watches_received = false;
        true
    }

    /// Count what a send to `source` came to; an address of ours that is gone is not tried again.
    pub fn book(&mut self, sent: &Sent, source: &Source) {
        self.tx_bytes += sent.bytes as u64;
        if sent.refused > 0 {
            self.drops.add(Cause::SendError, sent.refused);
        }
        if sent.source_is_gone && self.source == Some(*source) {
            self.clear_source();
        }
    }

    /// Leave it to the route which address of ours the next datagram is sent from.
    pub fn clear_source(&mut self) {
        if let Some(source) = &mut self.source {
            source.local = None;
            source.ifindex = 0;
        }
    }

    /// The network refused a datagram to this peer.
    pub fn count_icmp_error(&mut self, errno: i32) {
        if let Some((_, count)) = self.icmp_errors.iter_mut().find(|(known, _)| *known == errno) {
            *count += 1;
        } else {
            self.icmp_errors.push((errno, 1));
        }
    }
}

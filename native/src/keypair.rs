//! A session's keys at work, and the three slots they move through (whitepaper 6.2, 6.3; kernel noise.c).
//!
//! Comes in: what a handshake derived. Goes out: whether, and with which counter, a packet may be sealed under it,
//! and which keypairs a rotation let go of. Rules kept: nothing is sent or received under a keypair of
//! `REJECT_AFTER_TIME` or older, or with a counter of `REJECT_AFTER_MESSAGES` or more; nothing is sent under *next*.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::aead::Key;
use crate::limits::Limits;
use crate::peer::Peer;
use crate::replay::ReplayWindow;

/// One session between us and `owner`.
///
/// Its atomics need no order among themselves: `counter` changes under the send lock only, and the two flags say
/// nothing about other memory.
pub struct Keypair {
    /// Whose session it is.
    pub owner: Arc<Peer>,
    /// What we seal with.
    pub sealer: Key,
    /// What we open with.
    pub opener: Key,
    /// The counters seen; the inbound thread's alone, so the lock is never waited for.
    pub replay: Mutex<ReplayWindow>,
    /// Our name for it.
    pub local_index: u32,
    /// The peer's name for it.
    pub remote_index: u32,
    /// We sent the initiation.
    pub is_initiator: bool,
    /// When it was derived.
    pub born: u64,
    /// From when on it is of no use.
    pub expires: u64,
    counter: AtomicU64,
    may_send: AtomicBool,
    rekey_told: AtomicBool,
}

/// What `Keypair::new` is told besides owner and limits.
pub struct Session {
    /// What we seal with.
    pub sealer: Key,
    /// What we open with.
    pub opener: Key,
    /// Our name for it.
    pub local_index: u32,
    /// The peer's name for it.
    pub remote_index: u32,
    /// We sent the initiation.
    pub is_initiator: bool,
    /// When it was derived, `CLOCK_BOOTTIME` nanoseconds.
    pub born: u64,
    /// First nonce to send with.
    pub counter: u64,
}

impl Keypair {
    /// A keypair in no slot yet.
    pub fn new(owner: Arc<Peer>, session: Session, limits: &Limits) -> Self {
        Self {
            owner,
            sealer: session.sealer,
            opener: session.opener,
            replay: Mutex::new(ReplayWindow::new(limits.reject_after_messages)),
            local_index: session.local_index,
            remote_index: session.remote_index,
            is_initiator: session.is_initiator,
            born: session.born,
            expires: session.born.saturating_add(limits.reject_after_time),
            counter: AtomicU64::new(session.counter),
            may_send: AtomicBool::new(true),
            rekey_told: AtomicBool::new(false),
        }
    }

    /// How many more packets may be sealed under it now; 0: none.
    pub fn sendable(&self, now: u64, limits: &Limits) -> u64 {
        if !self.may_send() || now >= self.expires {
            return 0;
        }
        limits.reject_after_messages.saturating_sub(self.counter.load(Relaxed))
    }

    /// The nonce for the next packet, which is used up by this. Under the send lock only.
    pub fn take_counter(&self) -> u64 {
        let counter = self.counter.load(Relaxed);
        self.counter.store(counter + 1, Relaxed);
        counter
    }

    /// Cleared when our private key changes: such a session is only received under.
    pub fn may_send(&self) -> bool {
        self.may_send.load(Relaxed)
    }

    /// Whitepaper 6.2: too many messages, or the initiator's session has reached `REKEY_AFTER_TIME`. True once.
    pub fn rekey_due_after_sending(&self, now: u64, limits: &Limits) -> bool {
        let wanted = self.counter.load(Relaxed) > limits.rekey_after_messages
            || (self.is_initiator && now.saturating_sub(self.born) >= limits.rekey_after_time);
        wanted && self.tell_rekey()
    }

    /// Whitepaper 6.2: an initiator that hardly sends must still renew the session before it ends. True once.
    pub fn rekey_due_after_receiving(&self, now: u64, limits: &Limits) -> bool {
        self.is_initiator
            && now.saturating_sub(self.born) >= limits.rekey_after_time_receiving
            && self.may_send()
            && self.tell_rekey()
    }

    fn tell_rekey(&self) -> bool {
        !self.rekey_told.load(Relaxed) && !self.rekey_told.swap(true, Relaxed)
    }
}

/// Keypairs a rotation let go of.
pub type Gone = Vec<Arc<Keypair>>;

/// *previous*, *current* and *next* of one peer, rotated as the kernel does.
#[derive(Default)]
pub struct Slots {
    previous: Option<Arc<Keypair>>,
    /// What we seal under.
    pub current: Option<Arc<Keypair>>,
    next: Option<Arc<Keypair>>,
}

impl Slots {
    /// We were the initiator. A *next* the peer may have begun to use becomes *previous*, for packets under way; only
    /// without one does the old *current* stay to be received under.
    pub fn install_current(&mut self, new: Arc<Keypair>) -> Gone {
        let mut gone: Gone = self.previous.take().into_iter().collect();
        if let Some(next) = self.next.take() {
            gone.extend(self.current.take());
            self.previous = Some(next);
        } else {
            self.previous = self.current.take();
        }
        self.current = Some(new);
        gone
    }

    /// We were the responder. *previous* and an unconfirmed *next* go.
    pub fn install_next(&mut self, new: Arc<Keypair>) -> Gone {
        let gone = self.previous.take().into_iter().chain(self.next.take()).collect();
        self.next = Some(new);
        gone
    }

    /// Whether the first packet under `keypair` confirms it. One made with our former private key cannot answer: it
    /// is received under and no more.
    pub fn awaits(&self, keypair: &Arc<Keypair>) -> bool {
        self.next.as_ref().is_some_and(|next| Arc::ptr_eq(next, keypair)) && keypair.may_send()
    }

    /// The initiator has used *next*: it is *current* now.
    pub fn confirm_next(&mut self) -> Gone {
        let gone = self.previous.take().into_iter().collect();
        self.previous = self.current.take();
        self.current = self.next.take();
        gone
    }

    /// Let go of all.
    pub fn drop_all(&mut self) -> Gone {
        let all = [self.previous.take(), self.current.take(), self.next.take()];
        all.into_iter().flatten().collect()
    }

    /// Our private key changed (kernel `wg_noise_expire_current_peer_keypairs`).
    pub fn expire_sending(&self) {
        for keypair in self.current.iter().chain(&self.next) {
            keypair.may_send.store(false, Relaxed);
        }
    }
}

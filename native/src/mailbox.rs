//! What waits for the control plane: handshake datagrams, notices about peers, failures.
//!
//! Comes in: what the packet loops found. Goes out: what the control plane takes. Rules kept: the handshake queue is
//! bounded and drops the newest; what was admitted under another MAC1 key is never handed over; a peer is in the list
//! of dirty peers once, whatever happens to it; the wake-up descriptor is readable exactly while something waits.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;

use parking_lot::Mutex;

use crate::sys::eventfd::Eventfd;
use crate::sys::udp::Source;

/// Most failures that wait to be told; each ends the device or is one of many alike.
const MOST_FAILURES: usize = 8;

/// Bits of `pywg.engine.contract.Notice`, in its order.
pub mod notice {
    /// Packets are staged and no usable keypair exists.
    pub const KEYS_NEEDED: u8 = 1;
    /// The current keypair should be replaced.
    pub const REKEY_DUE: u8 = 2;
    /// First authenticated packet on *next*.
    pub const NEXT_CONFIRMED: u8 = 4;
    /// Authenticated transport data came from elsewhere.
    pub const ENDPOINT_MOVED: u8 = 8;
    /// A fact that was watched for has become set.
    pub const STIRRED: u8 = 16;
}

/// A message 1, 2 or 3 that was admitted.
pub struct Handshake {
    /// The datagram.
    pub data: Box<[u8]>,
    /// Where it came from, and how it reached us.
    pub source: Source,
    /// How many were queued before it.
    pub depth: usize,
}

/// What the control plane was not yet told of a peer.
#[derive(Default)]
pub struct Told {
    /// See `notice`.
    pub bits: u8,
    /// Local indices given back by a rotation.
    pub freed: Vec<u32>,
    /// Local index of the keypair that was promoted.
    pub confirmed: Option<u32>,
}

/// The TUN or a socket died, or a thread met a fault of its own.
pub struct Failure {
    /// `tun`, `udp4`, `udp6`, or `engine`.
    pub part: &'static str,
    /// What the system said; 0: nothing.
    pub errno: i32,
}

/// The engine's half of the seam that points upward.
pub struct Mailbox {
    inside: Mutex<Inside>,
    wakeup: Eventfd,
    most_handshakes: usize,
}

#[derive(Default)]
struct Inside {
    handshakes: VecDeque<Handshake>,
    mac1_key: Option<[u8; 32]>,
    mac1_generation: u64,
    dirty: VecDeque<u64>,
    told: HashMap<u64, Told>,
    failures: VecDeque<Failure>,
    is_set: bool,
}

impl Mailbox {
    /// # Errors
    /// No descriptor is left for the wake-up.
    pub fn new(most_handshakes: usize) -> io::Result<Self> {
        Ok(Self { inside: Mutex::default(), wakeup: Eventfd::new()?, most_handshakes })
    }

    /// Readable while something waits.
    pub fn fd(&self) -> RawFd {
        self.wakeup.fd()
    }

    /// How many handshakes wait.
    pub fn handshakes_waiting(&self) -> usize {
        self.inside.lock().handshakes.len()
    }

    /// The key MAC1 is made with, and what to show with a datagram that was checked with it.
    pub fn mac1_key(&self) -> Option<([u8; 32], u64)> {
        let inside = self.inside.lock();
        inside.mac1_key.map(|key| (key, inside.mac1_generation))
    }

    /// Returns how many queued handshakes were dropped because they were checked with another key.
    pub fn set_mac1_key(&self, key: Option<[u8; 32]>) -> usize {
        let mut inside = self.inside.lock();
        if inside.mac1_key == key {
            return 0;
        }
        inside.mac1_key = key;
        inside.mac1_generation += 1;
        let outdated = inside.handshakes.len();
        inside.handshakes.clear();
        self.settle(&mut inside);
        outdated
    }

    /// Queue a handshake that was admitted under this generation of the MAC1 key.
    pub fn put_handshake(&self, data: &[u8], source: Source, generation: u64) -> Put {
        let mut inside = self.inside.lock();
        if generation != inside.mac1_generation {
            return Put::Outdated;
        }
        let depth = inside.handshakes.len();
        if depth >= self.most_handshakes {
            return Put::Full;
        }
        inside.handshakes.push_back(Handshake { data: data.into(), source, depth });
        self.wake(&mut inside);
        Put::Queued
    }

    /// Add to what will be told of a peer.
    pub fn notify(&self, peer: u64, bits: u8) {
        self.tell(peer, |told| told.bits |= bits);
    }

    /// *next* was promoted.
    pub fn notify_confirmed(&self, peer: u64, local_index: u32, freed: &[u32]) {
        self.tell(peer, |told| {
            told.bits |= notice::NEXT_CONFIRMED;
            told.freed.extend_from_slice(freed);
            told.confirmed = Some(local_index);
        });
    }

    fn tell(&self, peer: u64, add: impl FnOnce(&mut Told)) {
        let mut guard = self.inside.lock();
        let inside = &mut *guard;
        let told = inside.told.entry(peer).or_insert_with(|| {
            inside.dirty.push_back(peer);
            Told::default()
        });
        add(told);
        self.wake(inside);
    }

    /// A descriptor died, or a thread met a fault.
    pub fn fail(&self, part: &'static str, errno: i32) {
        let mut inside = self.inside.lock();
        if inside.failures.len() == MOST_FAILURES {
            inside.failures.pop_front();
        }
        inside.failures.push_back(Failure { part, errno });
        self.wake(&mut inside);
    }

    /// The oldest, up to `most`.
    pub fn take_handshakes(&self, most: usize) -> Vec<Handshake> {
        let mut inside = self.inside.lock();
        let count = most.min(inside.handshakes.len());
        let taken = inside.handshakes.drain(..count).collect();
        self.settle(&mut inside);
        taken
    }

    /// One entry for each dirty peer, up to `most`.
    pub fn take_notices(&self, most: usize) -> Vec<(u64, Told)> {
        let mut guard = self.inside.lock();
        let inside = &mut *guard;
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(peer) = inside.dirty.pop_front()
        {
            taken.extend(inside.told.remove(&peer).map(|told| (peer, told)));
        }
        self.settle(inside);
        taken
    }

    /// The oldest not yet told.
    pub fn take_failure(&self) -> Option<Failure> {
        let mut inside = self.inside.lock();
        let failure = inside.failures.pop_front();
        self.settle(&mut inside);
        failure
    }

    /// The peer is gone. Returns the freed indices its notice would have told of.
    pub fn forget(&self, peer: u64) -> Vec<u32> {
        let mut inside = self.inside.lock();
        // Its place in the list stays, for to look for it would take long; it is passed over there.
        let Some(told) = inside.told.remove(&peer) else { return Vec::new() };
        self.settle(&mut inside);
        told.freed
    }

    fn wake(&self, inside: &mut Inside) {
        if !inside.is_set {
            inside.is_set = true;
            self.wakeup.set();
        }
    }

    fn settle(&self, inside: &mut Inside) {
        let waits = !(inside.handshakes.is_empty() && inside.told.is_empty() && inside.failures.is_empty());
        if inside.is_set && !waits {
            inside.is_set = false;
            self.wakeup.clear();
        }
    }
}

/// What became of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The control plane will be told of it.
    Queued,
    /// It was checked with a key that is ours no longer.
    Outdated,
    /// The queue is full.
    Full,
}

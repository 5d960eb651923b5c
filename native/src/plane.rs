//! What the two ways of a packet share: tables, descriptors, counts and the mailbox.
//!
//! Comes in: configuration through `engine`. Goes out: nothing by itself. Rules kept: whatever is not moved on is
//! counted by cause, at its peer where it can be laid to one; no lock is held across a system call that moves packets,
//! but the send lock, which is what keeps a flow in order. Order of locks: send lock, then a peer's state, then any of
//! the others; of those never two at once.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};

use crate::allowed_ips::AllowedIps;
use crate::drops::{Cause, Drops};
use crate::keypair::{Gone, Keypair};
use crate::limits::Limits;
use crate::mailbox::{Mailbox, notice};
use crate::offload::Span;
use crate::offload::virtio::VNET_HDR;
use crate::outbound::Outbound;
use crate::peer::{Peer, PeerState};
use crate::sys::clock;
use crate::sys::tun::{self, Offload, Tun};
use crate::sys::udp::{Endpoint, Source, Udp};

/// The pair of sockets on one port. One of them is absent where the machine lacks that family.
pub struct Sockets {
    /// IPv4.
    pub v4: Option<Udp>,
    /// IPv6 only.
    pub v6: Option<Udp>,
    /// Of both.
    pub port: u16,
}

impl Sockets {
    /// The one that reaches `endpoint`.
    pub fn to(&self, endpoint: &Endpoint) -> Option<&Udp> {
        if endpoint.address.is_ipv6() { self.v6.as_ref() } else { self.v4.as_ref() }
    }

    /// Those there are.
    pub fn all(&self) -> impl Iterator<Item = &Udp> {
        self.v4.iter().chain(&self.v6)
    }
}

/// `CLOCK_BOOTTIME`, or what a test says it is.
pub enum Clock {
    /// The machine's.
    Boottime,
    /// Moved by a call.
    Manual(AtomicU64),
}

impl Clock {
    /// Nanoseconds.
    pub fn now(&self) -> u64 {
        match self {
            Self::Boottime => clock::boottime(),
            Self::Manual(now) => now.load(Relaxed),
        }
    }
}

/// Keypairs by local index. The indices are drawn by us at random, so a multiplication spreads them well enough, and
/// nobody else can choose what is in the table.
pub type ByIndex = HashMap<u32, Arc<Keypair>, BuildHasherDefault<IndexHasher>>;

/// See `ByIndex`.
#[derive(Default)]
pub struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, index: u32) {
        // 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming, 6.4).
        self.0 = (self.0.rotate_left(32) ^ u64::from(index)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Most errors read from a socket at once: whoever can make them can make very many.
const MOST_ERRORS: usize = 256;

/// One device's data plane at rest; `outbound` and `inbound` move it.
pub struct Plane {
    /// Fixed for its life.
    pub limits: Limits,
    /// What time it is.
    pub clock: Clock,
    /// Bytes; padding never makes a packet longer.
    pub mtu: AtomicUsize,
    /// The device.
    pub tun: Tun,
    /// Which merged frames the TUN takes, as far as is known now.
    pub offload: Mutex<Offload>,
    /// The helper thread reads the TUN.
    pub tun_is_helped: AtomicBool,
    /// None: the device is down.
    pub sockets: RwLock<Option<Arc<Sockets>>>,
    /// Which peer an inner address belongs to.
    pub routes: RwLock<AllowedIps<Arc<Peer>>>,
    /// What message 4 names.
    pub keypairs: RwLock<ByIndex>,
    /// Local indices that messages 2 and 3 may name.
    pub pending: RwLock<HashSet<u32>>,
    /// What waits for the control plane.
    pub mailbox: Mailbox,
    /// The send lock: whoever seals and sends transport data holds it, so that a flow is never reordered by us.
    pub outbound: Mutex<Outbound>,
    drops: Mutex<Drops>,
    at_endpoint: Mutex<HashMap<Endpoint, Arc<Peer>>>,
}

impl Plane {
    /// At rest, down, without peers.
    pub fn new(limits: Limits, clock: Clock, mtu: usize, tun: Tun, mailbox: Mailbox) -> Self {
        Self {
            limits,
            clock,
            mtu: AtomicUsize::new(mtu),
            tun,
            offload: Mutex::default(),
            tun_is_helped: AtomicBool::new(false),
            sockets: RwLock::default(),
            routes: RwLock::new(AllowedIps::new()),
            keypairs: RwLock::default(),
            pending: RwLock::default(),
            mailbox,
            outbound: Mutex::new(Outbound::new()),
            drops: Mutex::default(),
            at_endpoint: Mutex::default(),
        }
    }

    /// The sockets of this moment.
    pub fn sockets(&self) -> Option<Arc<Sockets>> {
        self.sockets.read().clone()
    }

    /// Count packets that can be laid to no peer.
    pub fn count_drop(&self, cause: Cause, count: usize) {
        self.drops.lock().add(cause, count);
    }

    /// What was counted so, by name.
    pub fn dropped(&self) -> Vec<(&'static str, u64)> {
        self.drops.lock().counted()
    }

    /// Whose an inner address is.
    pub fn route(&self, address: IpAddr) -> Option<Arc<Peer>> {
        self.routes.read().lookup(address).cloned()
    }

    /// The peer is at `source` from now on. Returns whether that is another endpoint than before.
    pub fn relocate(&self, peer: &Arc<Peer>, state: &mut PeerState, source: Option<Source>) -> bool {
        if state.removed {
            return false;
        }
        let old = std::mem::replace(&mut state.source, source).map(|source| source.endpoint);
        let new = source.map(|source| source.endpoint);
        if old == new {
            return false;
        }
        let mut at_endpoint = self.at_endpoint.lock();
        if let Some(old) = old
            && at_endpoint.get(&old).is_some_and(|known| Arc::ptr_eq(known, peer))
        {
            at_endpoint.remove(&old);
        }
        if let Some(new) = new {
            at_endpoint.insert(new, Arc::clone(peer));
        }
        true
    }

    /// Count what the network told of earlier datagrams; a waiting one makes the socket look readable.
    pub fn drain_errors(&self, udp: &Udp) {
        for _ in 0..MOST_ERRORS {
            let Some(error) = udp.take_error() else { break };
            let peer = self.at_endpoint.lock().get(&error.endpoint).cloned();
            if let Some(peer) = peer {
                peer.state.lock().count_icmp_error(error.errno);
            }
        }
    }

    /// The receive path forgets these. Returns their local indices.
    pub fn release(&self, gone: &Gone) -> Vec<u32> {
        if gone.is_empty() {
            return Vec::new();
        }
        let mut keypairs = self.keypairs.write();
        for keypair in gone {
            // The control plane may have given the index to a newer keypair only after it got it back.
            keypairs.remove(&keypair.local_index);
        }
        gone.iter().map(|keypair| keypair.local_index).collect()
    }

    /// Hand one frame to the machine: `head`, then the parts of `buffer`. A dead TUN is told of.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn write_tun(&self, head: &[u8], buffer: &[u8], parts: &[Span]) -> io::Result<()> {
        let head = if self.tun.vnet_hdr() { head } else { &[] };
        let written = self.tun.write(head, buffer, parts);
        if let Err(error) = &written
            && tun::is_dead(error)
        {
            self.mailbox.fail("tun", error.raw_os_error().unwrap_or_default());
        }
        written
    }

    /// Hand one complete packet of our own making to the machine.
    pub fn write_answer(&self, packet: &[u8]) {
        let whole = Span { start: 0, len: u32::try_from(packet.len()).unwrap_or_default() };
        if self.write_tun(&[0; VNET_HDR], packet, &[whole]).is_err() {
            self.count_drop(Cause::TunWriteError, 1);
        }
    }

    /// A fact that was watched for is set.
    pub fn stirred(&self, peer: &Peer) {
        self.mailbox.notify(peer.id, notice::STIRRED);
    }
}

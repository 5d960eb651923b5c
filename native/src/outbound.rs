//! The way out: TUN -> split -> allowed IPs (who?) -> keypair (seal) -> UDP.
//!
//! Comes in: frames from the TUN, each of which stands for one or more IP packets. Goes out: transport data to the
//! endpoint of the peer that has the destination (whitepaper 5.4.6), an ICMP error, or a place among the peer's staged
//! packets until there are keys. Rules kept: the kernel's send.c and device.c; padding to 16 bytes but never past the
//! MTU; nothing is sealed under a keypair that is too old or used up; the oldest staged packet makes room for the
//! newest; sealed messages leave in the order of their counters.
//!
//! Messages are sealed where they are sent from: one after another in `sealed`, as one *run* for as long as they go
//! the same way and have one size, which one system call then hands to the kernel.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::aead::TAG;
use crate::drops::Cause;
use crate::inner;
use crate::keypair::Keypair;
use crate::mailbox::notice;
use crate::offload::split::Split;
use crate::offload::virtio::{VNET_HDR, VirtioNetHdr};
use crate::peer::{Peer, PeerState};
use crate::plane::{Plane, Sockets};
use crate::sys::udp::Source;
use crate::transmit::{self, Segmentation};
use crate::unreachable::Unreachable;

/// Bytes before the encrypted part of message 4.
pub const HEADER: usize = 16;
/// What message 4 adds to a packet.
pub const OVERHEAD: usize = HEADER + TAG;
const PADDING: usize = 16;
/// Most bytes one sendmsg takes: what the length field of UDP over IPv4 can say.
const MOST_BYTES: usize = 65_507;
/// Room for one run and for the longest message, which may be what ends it.
const SEALED: usize = MOST_BYTES + 65_536 + OVERHEAD + PADDING;

/// What seals. Locked for as long as messages are sealed but not sent.
pub struct Outbound {
    sealed: Box<[u8]>,
    run: Option<Run>,
    /// What is known of routes that take no segmented batches.
    pub segmentation: Segmentation,
    unreachable: Unreachable,
    is_full: bool,
}

/// Messages that lie one after another at the start of `sealed`.
struct Run {
    peer: Arc<Peer>,
    source: Source,
    tos: u8,
    /// Bytes of each but the last.
    size: usize,
    count: usize,
    bytes: usize,
    /// The last one is shorter, so nothing may follow it.
    is_closed: bool,
}

/// What is to be sealed: a frame of the TUN, a staged packet or, empty, a keepalive.
trait Packets {
    fn count(&self) -> usize;
    fn size(&self, n: usize) -> usize;
    /// Copy packet `n`, which is as long as `out`.
    fn write(&self, n: usize, out: &mut [u8]);
}

impl Packets for Split<'_> {
    fn count(&self) -> usize {
        Split::count(self)
    }

    fn size(&self, n: usize) -> usize {
        Split::size(self, n)
    }

    fn write(&self, n: usize, out: &mut [u8]) {
        Split::write(self, n, out);
    }
}

/// One packet that is complete.
struct Single<'a>(&'a [u8]);

impl Packets for Single<'_> {
    fn count(&self) -> usize {
        1
    }

    fn size(&self, _: usize) -> usize {
        self.0.len()
    }

    fn write(&self, _: usize, out: &mut [u8]) {
        out.copy_from_slice(self.0);
    }
}

impl Outbound {
    /// With nothing sealed.
    pub fn new() -> Self {
        Self {
            sealed: vec![0; SEALED].into_boxed_slice(),
            run: None,
            segmentation: Segmentation::new(),
            unreachable: Unreachable::new(),
            is_full: false,
        }
    }

    /// Move one frame as it was read from the TUN. What it stands for may be sent later: see `flush_run`. Returns how
    /// many packets it was.
    pub fn forward(&mut self, plane: &Plane, frame: &[u8]) -> usize {
        let (header, packet) = if plane.tun.vnet_hdr() {
            let Some((header, packet)) = frame.split_at_checked(VNET_HDR) else {
                plane.count_drop(Cause::MalformedInner, 1);
                return 1;
            };
            (VirtioNetHdr::parse(header).unwrap_or_default(), packet)
        } else {
            (VirtioNetHdr::default(), frame)
        };
        let split = Split::new(header, packet);
        let count = split.as_ref().map_or(1, Split::count);
        let Some(sockets) = plane.sockets() else {
            plane.count_drop(Cause::NoKey, count);
            return count;
        };
        if let Some((destination, split)) = inner::destination(packet).zip(split) {
            self.route(plane, &sockets, packet, destination, &split);
        } else {
            plane.count_drop(Cause::MalformedInner, 1);
        }
        count
    }

    /// Send to the peer that has the destination.
    fn route(
        &mut self,
        plane: &Plane,
        sockets: &Sockets,
        packet: &[u8],
        destination: IpAddr,
        split: &Split<'_>,
    ) {
        let now = plane.clock.now();
        let Some(peer) = plane.route(destination) else {
            plane.count_drop(Cause::NoRoute, split.count());
            return self.refuse(plane, packet, now);
        };
        let mut state = peer.state.lock();
        let Some(source) = state.source else {
            state.drops.add(Cause::NoEndpoint, split.count());
            drop(state);
            return self.refuse(plane, packet, now);
        };
        // Sent again it would come back for ever (kernel: ELOOP).
        if destination == source.endpoint.address
            && inner::udp_ports(packet) == Some((sockets.port, source.endpoint.port))
        {
            return state.drops.add(Cause::RoutingLoop, split.count());
        }
        drop(state);
        self.send(plane, &peer, inner::outer_ecn(packet), split, now);
    }

    /// Send the staged packets, if a usable keypair exists.
    pub fn flush_staged(&mut self, plane: &Plane, peer: &Arc<Peer>) {
        let now = plane.clock.now();
        let mut state = peer.state.lock();
        if state.slots.current.as_ref().is_some_and(|keypair| keypair.sendable(now, &plane.limits) > 0) {
            let staged = std::mem::take(&mut state.staged);
            drop(state);
            self.send_all(plane, peer, staged, now);
        }
        self.flush_run(plane);
    }

    /// Send what is staged or, if that is nothing, an empty packet; ask for keys if there are none.
    pub fn send_keepalive(&mut self, plane: &Plane, peer: &Arc<Peer>) {
        let now = plane.clock.now();
        let staged = std::mem::take(&mut peer.state.lock().staged);
        if staged.is_empty() {
            self.send(plane, peer, 0, &Single(&[]), now);
        } else {
            self.send_all(plane, peer, staged, now);
        }
        self.flush_run(plane);
    }

    /// Whether the kernel had no room for some of what was sent since this was last asked.
    pub fn take_full(&mut self) -> bool {
        std::mem::take(&mut self.is_full)
    }

    /// Hand what is sealed to the kernel.
    pub fn flush_run(&mut self, plane: &Plane) {
        let Some(run) = self.run.take() else { return };
        let data = &self.sealed[..run.bytes];
        let sent = transmit::batch(plane, &mut self.segmentation, &run.source, run.tos, data, run.size);
        self.is_full |= sent.is_full;
        run.peer.state.lock().book(&sent, &run.source);
    }

    fn send_all(
        &mut self,
        plane: &Plane,
        peer: &Arc<Peer>,
        packets: impl IntoIterator<Item = Box<[u8]>>,
        now: u64,
    ) {
        for packet in packets {
            self.send(plane, peer, inner::outer_ecn(&packet), &Single(&packet), now);
        }
    }

    /// Seal as many of the packets as the current keypair allows; stage the others.
    fn send(&mut self, plane: &Plane, peer: &Arc<Peer>, tos: u8, packets: &impl Packets, now: u64) {
        let mut state = peer.state.lock();
        let limits = &plane.limits;
        let count = packets.count();
        let current = state.slots.current.clone();
        let sendable = current.as_ref().map_or(0, |keypair| keypair.sendable(now, limits));
        let allowed = count.min(usize::try_from(sendable).unwrap_or(usize::MAX));
        if let Some(keypair) = current
            && allowed > 0
        {
            let stirred = state.authenticated_sent(now, packets.size(0) > 0);
            let source = state.source;
            drop(state);
            for n in 0..allowed {
                self.seal(plane, &keypair, source, tos, packets, n);
            }
            if stirred {
                plane.stirred(peer);
            }
            if keypair.rekey_due_after_sending(now, limits) {
                plane.mailbox.notify(peer.id, notice::REKEY_DUE);
            }
            if allowed == count {
                return;
            }
            state = peer.state.lock();
        }
        let asks = stage(plane, &mut state, packets, allowed);
        drop(state);
        if asks {
            plane.mailbox.notify(peer.id, notice::KEYS_NEEDED);
        }
    }

    /// Seal packet `n` at the end of the run, after sending a run it cannot belong to.
    fn seal(
        &mut self,
        plane: &Plane,
        keypair: &Keypair,
        source: Option<Source>,
        tos: u8,
        packets: &impl Packets,
        n: usize,
    ) {
        let counter = keypair.take_counter();
        let Some(source) = source else {
            return keypair.owner.state.lock().drops.add(Cause::NoEndpoint, 1);
        };
        let length = packets.size(n);
        let padded = length + padding(length, plane.mtu.load(Relaxed));
        let size = padded + OVERHEAD;
        let most = self.segmentation.most;
        if self.run.as_ref().is_some_and(|run| !run.takes(keypair, &source, tos, size, most)) {
            self.flush_run(plane);
        }
        let run = self.run.get_or_insert_with(|| Run {
            peer: Arc::clone(&keypair.owner),
            source,
            tos,
            size,
            count: 0,
            bytes: 0,
            is_closed: false,
        });
        let message = &mut self.sealed[run.bytes..run.bytes + size];
        let (header, body) = message.split_at_mut(HEADER);
        header[..4].copy_from_slice(&4u32.to_le_bytes());
        header[4..8].copy_from_slice(&keypair.remote_index.to_le_bytes());
        header[8..].copy_from_slice(&counter.to_le_bytes());
        packets.write(n, &mut body[..length]);
        body[length..padded].fill(0);
        keypair.sealer.seal(counter, body);
        // Last: what is not sealed is no part of the run, whatever happens before.
        run.count += 1;
        run.bytes += size;
        run.is_closed = size < run.size;
    }

    /// Tell the sender of a packet that nobody can take it.
    fn refuse(&mut self, plane: &Plane, packet: &[u8], now: u64) {
        if let Some(error) = self.unreachable.answer(packet, now) {
            plane.write_answer(&error);
        }
    }
}

impl Run {
    fn takes(&self, keypair: &Keypair, source: &Source, tos: u8, size: usize, most: usize) -> bool {
        !self.is_closed
            && size <= self.size
            && self.count < most
            && self.bytes + size <= MOST_BYTES
            && self.tos == tos
            && self.peer.id == keypair.owner.id
            && self.source == *source
    }
}

/// Keep packets from the `first` on until there are keys. Returns whether to ask for keys.
fn stage(plane: &Plane, state: &mut PeerState, packets: &impl Packets, first: usize) -> bool {
    if state.removed {
        return false;
    }
    let most = plane.limits.staged_packets;
    let total = state.staged.len() + packets.count() - first;
    let overflow = total.saturating_sub(most);
    if overflow > 0 {
        state.drops.add(Cause::StagedOverflow, overflow);
    }
    let gone = overflow.min(state.staged.len());
    state.staged.drain(..gone);
    for n in first + (overflow - gone)..packets.count() {
        let mut packet = vec![0; packets.size(n)].into_boxed_slice();
        packets.write(n, &mut packet);
        state.staged.push_back(packet);
    }
    std::mem::take(&mut state.keys_needed_armed)
}

/// Zeros to append to a packet (kernel `calculate_skb_padding`): to 16 bytes, but not past the MTU. A packet larger
/// than the MTU is padded as what would remain of it after whole MTUs.
fn padding(size: usize, mtu: usize) -> usize {
    if mtu == 0 {
        return size.wrapping_neg() % PADDING;
    }
    let last = if size > mtu { size % mtu } else { size };
    (last.wrapping_neg() % PADDING).min(mtu - last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_never_passes_the_mtu() {
        for (size, mtu, expected) in [
            (0, 1420, 0),
            (1, 1420, 15),
            (16, 1420, 0),
            (1410, 1420, 10),
            (1419, 1420, 1),
            (1420, 1420, 0),
            (1421, 1420, 15),
            (5, 0, 11),
            (16, 0, 0),
        ] {
            assert_eq!(padding(size, mtu), expected, "{size} bytes, MTU {mtu}");
        }
    }
}

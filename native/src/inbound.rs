//! The way in: UDP -> local index (whose?) -> open -> replay -> source check in allowed IPs -> coalesce -> TUN.
//!
//! Comes in: datagrams, up to 64 KiB of them put together by the kernel, chosen freely by anybody. Goes out: IP packets
//! to the TUN, handshake datagrams to `admission`. Rules kept: whitepaper 5.4.6 and 6.2 with the kernel's receive.c: the
//! keypair's age before the tag, the tag before the replay window, both before the endpoint moves, and the peer that has
//! the inner source in the whole table must be the one that sent.
//!
//! Everything happens where the datagrams were received: opened in place, and written to the TUN from there.

use std::sync::Arc;

use crate::admission;
use crate::drops::Cause;
use crate::inner;
use crate::keypair::Keypair;
use crate::mailbox::notice;
use crate::offload::Span;
use crate::offload::coalesce::{Coalescer, Frame};
use crate::offload::virtio::VNET_HDR;
use crate::outbound::{HEADER, OVERHEAD};
use crate::plane::Plane;
use crate::sys::tun::Offload;
use crate::sys::udp::Arrival;

/// First word of message 4, little-endian: its type and three zero bytes.
const TRANSPORT_DATA: u32 = 4;

/// What opens. Belongs to one thread; its storage is used again for each batch.
pub struct Inbound {
    payloads: Vec<Span>,
    packets: Vec<Span>,
    coalescer: Coalescer,
}

/// The head of message 4.
struct Header {
    kind: u32,
    index: u32,
    counter: u64,
}

impl Header {
    /// None if the datagram is shorter than any message.
    fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() < OVERHEAD {
            return None;
        }
        let (kind, rest) = datagram.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let counter = rest.first_chunk()?;
        Some(Self {
            kind: u32::from_le_bytes(*kind),
            index: u32::from_le_bytes(*index),
            counter: u64::from_le_bytes(*counter),
        })
    }
}

/// Authentic packets in a row under one keypair, not yet accounted.
struct Run {
    keypair: Arc<Keypair>,
    /// UDP payload in all.
    bytes: usize,
    /// Nothing was received under it before: *next* is to be confirmed.
    confirms: bool,
}

impl Inbound {
    /// `offload`: which merged frames the TUN takes.
    pub fn new(offload: Offload) -> Self {
        Self {
            payloads: Vec::new(),
            packets: Vec::new(),
            coalescer: Coalescer::new(offload.tcp, offload.udp),
        }
    }

    /// Move what one receive brought: `buffer` holds one datagram, or several of `arrival.segment` bytes. Returns how
    /// many.
    pub fn receive(&mut self, plane: &Plane, buffer: &mut [u8], arrival: &Arrival) -> usize {
        let now = plane.clock.now();
        let total = arrival.size.min(buffer.len());
        let size = if arrival.segment == 0 { total } else { arrival.segment };
        let mut run: Option<Run> = None;
        let mut start = 0;
        // A datagram may be empty, so at least one is looked at.
        while start < total || total == 0 {
            let end = total.min(start + size);
            self.open(plane, &mut run, buffer, start, end, arrival, now);
            start = end;
            if total == 0 {
                break;
            }
        }
        if let Some(run) = run {
            self.received(plane, &run, buffer, arrival, now);
        }
        total.div_ceil(size.max(1)).max(1)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one loop, apart so that it can be read")]
    fn open(
        &mut self,
        plane: &Plane,
        run: &mut Option<Run>,
        buffer: &mut [u8],
        start: usize,
        end: usize,
        arrival: &Arrival,
        now: u64,
    ) {
        let datagram = &mut buffer[start..end];
        let Some(header) = Header::parse(datagram) else { return plane.count_drop(Cause::BadSize, 1) };
        if header.kind != TRANSPORT_DATA {
            return admission::offer(plane, header.kind, datagram, arrival.source);
        }
        if run.as_ref().is_none_or(|run| run.keypair.local_index != header.index) {
            let Some(keypair) = plane.keypairs.read().get(&header.index).cloned() else {
                return plane.count_drop(Cause::UnknownIndex, 1);
            };
            if !authenticate(plane, &keypair, header.counter, datagram, now) {
                return;
            }
            if let Some(before) = run.take() {
                self.received(plane, &before, buffer, arrival, now);
            }
            let confirms = keypair.owner.state.lock().slots.awaits(&keypair);
            *run = Some(Run { keypair, bytes: 0, confirms });
        } else if let Some(run) = run
            && !authenticate(plane, &run.keypair, header.counter, datagram, now)
        {
            return;
        }
        let Some(present) = run else { return };
        present.bytes += end - start;
        let (at, length) = (start + HEADER, end - start - OVERHEAD);
        if length > 0 {
            self.payloads.push(span(at, length));
        }
        if present.confirms
            && let Some(first) = run.take()
        {
            // What was received must be accounted before the staged packets answer it; and confirmed before it is
            // delivered, for what it makes the machine send must go out under the new keys.
            if self.account(plane, &first, arrival, now) {
                confirm(plane, &first.keypair);
                self.deliver(plane, &first.keypair, buffer, arrival.ecn);
            }
        }
    }

    /// Account the authentic packets of a run, and deliver them.
    fn received(&mut self, plane: &Plane, run: &Run, buffer: &mut [u8], arrival: &Arrival, now: u64) {
        if self.account(plane, run, arrival, now) {
            self.deliver(plane, &run.keypair, buffer, arrival.ecn);
        }
    }

    /// Returns whether the peer is still there; if not, nothing is left to deliver.
    fn account(&mut self, plane: &Plane, run: &Run, arrival: &Arrival, now: u64) -> bool {
        let peer = &run.keypair.owner;
        let mut state = peer.state.lock();
        let mut bits = 0;
        state.rx_bytes += run.bytes as u64;
        if state.source != Some(arrival.source) && plane.relocate(peer, &mut state, Some(arrival.source)) {
            bits |= notice::ENDPOINT_MOVED;
        }
        if state.authenticated_received(now, self.payloads.len()) {
            bits |= notice::STIRRED;
        }
        let current = state.slots.current.as_ref();
        if current.is_some_and(|current| current.rekey_due_after_receiving(now, &plane.limits)) {
            bits |= notice::REKEY_DUE;
        }
        let removed = state.removed;
        drop(state);
        if removed {
            self.payloads.clear();
        } else if bits != 0 {
            plane.mailbox.notify(peer.id, bits);
        }
        !removed
    }

    /// To the TUN, what is a sound IP packet whose source belongs to the peer.
    fn deliver(&mut self, plane: &Plane, keypair: &Keypair, buffer: &mut [u8], ecn: u8) {
        if self.payloads.is_empty() {
            return;
        }
        let (mut malformed, mut foreign) = (0, 0);
        self.packets.clear();
        let routes = plane.routes.read();
        for payload in self.payloads.drain(..) {
            let bytes = &mut buffer[payload.range()];
            let Some((length, source)) = inner::length_without_padding(bytes).zip(inner::source(bytes))
            else {
                malformed += 1;
                continue;
            };
            if routes.lookup(source).is_none_or(|owner| owner.id != keypair.owner.id) {
                foreign += 1;
                continue;
            }
            if ecn != 0 {
                inner::apply_outer_ecn(&mut bytes[..length], ecn);
            }
            self.packets.push(span(payload.start as usize, length));
        }
        drop(routes);
        let refused = self.write(plane, buffer);
        if malformed + foreign + refused > 0 {
            let mut state = keypair.owner.state.lock();
            for (cause, count) in [
                (Cause::MalformedInner, malformed),
                (Cause::SourceNotAllowed, foreign),
                (Cause::TunWriteError, refused),
            ] {
                if count > 0 {
                    state.drops.add(cause, count);
                }
            }
        }
    }

    /// Write `packets` as few frames. Returns how many the kernel refused.
    fn write(&mut self, plane: &Plane, buffer: &[u8]) -> usize {
        if let [only] = self.packets[..] {
            let refused = plane.write_tun(&[0; VNET_HDR], buffer, &[only]).is_err();
            return usize::from(refused);
        }
        let mut refused = 0;
        let mut takes_merged = true;
        self.coalescer.coalesce(buffer, &self.packets);
        for frame in self.coalescer.frames() {
            let Err(error) = plane.write_tun(frame.head, buffer, frame.parts) else { continue };
            if frame.packets > 1 && error.raw_os_error() == Some(libc::EINVAL) {
                takes_merged = false;
                refused += write_one_by_one(plane, buffer, &frame);
            } else {
                refused += frame.packets;
            }
        }
        if !takes_merged {
            *plane.offload.lock() = Offload::default();
            plane.mailbox.fail("tun_segments", libc::EINVAL);
            self.coalescer = Coalescer::new(false, false);
        }
        refused
    }
}

/// A kernel that takes no merged segments: the packets as they came. Returns how many it refused as well.
fn write_one_by_one(plane: &Plane, buffer: &[u8], frame: &Frame<'_>) -> usize {
    // Each part is what follows the headers of its packet, and those are as long as what was put in their place.
    let headers = frame.head.len().saturating_sub(VNET_HDR);
    let packet =
        |part: &Span| span((part.start as usize).saturating_sub(headers), part.len as usize + headers);
    let refused = |part: &&Span| plane.write_tun(&[0; VNET_HDR], buffer, &[packet(part)]).is_err();
    frame.parts.iter().filter(refused).count()
}

/// Whether message 4 is fresh, authentic and new. If so it is opened in place; if not, it is counted.
fn authenticate(plane: &Plane, keypair: &Keypair, counter: u64, datagram: &mut [u8], now: u64) -> bool {
    let cause = if now >= keypair.expires || counter >= plane.limits.reject_after_messages {
        Cause::StaleKey
    } else if !keypair.opener.open(counter, &mut datagram[HEADER..]) {
        Cause::AeadFailure
    } else if !keypair.replay.lock().accept(counter) {
        Cause::Replay
    } else {
        return true;
    };
    keypair.owner.state.lock().drops.add(cause, 1);
    false
}

/// The initiator has the keys: *next* becomes *current*, and what waited for it may go.
fn confirm(plane: &Plane, keypair: &Arc<Keypair>) {
    let peer = &keypair.owner;
    // First the send lock: nothing newer may leave under the new key before what was staged.
    let mut outbound = plane.outbound.lock();
    let mut state = peer.state.lock();
    // The control plane may have taken it away meanwhile.
    if !state.slots.awaits(keypair) {
        return;
    }
    let freed = plane.release(&state.slots.confirm_next());
    plane.mailbox.notify_confirmed(peer.id, keypair.local_index, &freed);
    drop(state);
    outbound.flush_staged(plane, peer);
}

/// Lengths and places in a receive buffer have at most 17 bits.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
fn span(start: usize, len: usize) -> Span {
    debug_assert!(u32::try_from(start + len).is_ok());
    Span { start: start as u32, len: len as u32 }
}

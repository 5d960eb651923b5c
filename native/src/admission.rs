//! What of handshake datagrams reaches the control plane: size, type, receiver index and MAC1 come first.
//!
//! Comes in: datagrams that are not transport data. Goes out: messages 1, 2 and 3 into the mailbox. Rules kept:
//! MAC1 is checked for 1 and 2 (whitepaper 5.3), and 2 and 3 must name an index we wait for, so that a flood of
//! rubbish costs one hash each and no handshake, and no Python at all.

use crate::drops::Cause;
use crate::mac1;
use crate::mailbox::Put;
use crate::plane::Plane;
use crate::sys::udp::Source;

const INITIATION: (u32, usize) = (1, 148);
const RESPONSE: (u32, usize) = (2, 92);
const COOKIE_REPLY: (u32, usize) = (3, 64);
/// Where messages 2 and 3 name the index they answer to (whitepaper 5.4.3, 5.4.7).
const RESPONSE_RECEIVER_AT: usize = 8;
const COOKIE_REPLY_RECEIVER_AT: usize = 4;

/// Queue a datagram of type `kind` (its first four bytes, little-endian) for the control plane, or count why not.
pub fn offer(plane: &Plane, kind: u32, datagram: &[u8], source: Source) {
    if let Err(cause) = admit(plane, kind, datagram, source) {
        plane.count_drop(cause, 1);
    }
}

fn admit(plane: &Plane, kind: u32, datagram: &[u8], source: Source) -> Result<(), Cause> {
    let named = match (kind, datagram.len()) {
        INITIATION => None,
        RESPONSE => index_at(datagram, RESPONSE_RECEIVER_AT),
        COOKIE_REPLY => index_at(datagram, COOKIE_REPLY_RECEIVER_AT),
        _ => return Err(Cause::BadSize),
    };
    if named.is_some_and(|index| !plane.pending.read().contains(&index)) {
        return Err(Cause::UnknownIndex);
    }
    let (key, generation) = plane.mailbox.mac1_key().ok_or(Cause::BadMac1)?;
    if kind != COOKIE_REPLY.0 && !mac1::check(&key, datagram) {
        return Err(Cause::BadMac1);
    }
    match plane.mailbox.put_handshake(datagram, source, generation) {
        Put::Queued => Ok(()),
        Put::Outdated => Err(Cause::BadMac1),
        Put::Full => Err(Cause::HandshakeQueueFull),
    }
}

fn index_at(datagram: &[u8], at: usize) -> Option<u32> {
    let bytes = datagram.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

//! Why packets were not moved on, and how many.
//!
//! In: a cause. Out: counts. Rule kept: every packet that is not moved on is counted under one cause, at its
//! peer where it can be laid to one.

/// The causes of `pywg.engine.contract.Drop`, whose values are these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Cause {
    /// Datagram of a length or type no `WireGuard` message has.
    BadSize,
    /// Made with another key than ours, or we have none.
    BadMac1,
    /// Names no keypair, or no handshake of ours that is pending.
    UnknownIndex,
    /// Keypair older than `REJECT_AFTER_TIME`, or its counter at `REJECT_AFTER_MESSAGES`.
    StaleKey,
    /// The tag is not what the key makes of the datagram.
    AeadFailure,
    /// The counter was seen before, or is behind the window.
    Replay,
    /// The inner source is not in the allowed IPs of the peer that sent.
    SourceNotAllowed,
    /// No IP packet, or one whose length does not fit.
    MalformedInner,
    /// No peer's allowed IPs contain the destination.
    NoRoute,
    /// It is not known where the peer is.
    NoEndpoint,
    /// One of our own datagrams came back.
    RoutingLoop,
    /// Staged and given up on, or the device is down.
    NoKey,
    /// The oldest staged packet made room for the newest.
    StagedOverflow,
    /// More handshakes than the control plane takes.
    HandshakeQueueFull,
    /// The kernel refused the datagram.
    SendError,
    /// The kernel refused the packet.
    TunWriteError,
}

/// Every cause with the name the contract gives it.
pub const NAMES: [(Cause, &str); 16] = [
    (Cause::BadSize, "bad_size"),
    (Cause::BadMac1, "bad_mac1"),
    (Cause::UnknownIndex, "unknown_index"),
    (Cause::StaleKey, "stale_key"),
    (Cause::AeadFailure, "aead_failure"),
    (Cause::Replay, "replay"),
    (Cause::SourceNotAllowed, "source_not_allowed"),
    (Cause::MalformedInner, "malformed_inner"),
    (Cause::NoRoute, "no_route"),
    (Cause::NoEndpoint, "no_endpoint"),
    (Cause::RoutingLoop, "routing_loop"),
    (Cause::NoKey, "no_key"),
    (Cause::StagedOverflow, "staged_overflow"),
    (Cause::HandshakeQueueFull, "handshake_queue_full"),
    (Cause::SendError, "send_error"),
    (Cause::TunWriteError, "tun_write_error"),
];

/// Counts by cause. Takes no room until something is counted: most peers never lose a packet.
#[derive(Debug, Default)]
pub struct Drops(Option<Box<[u64; NAMES.len()]>>);

impl Drops {
    /// Count packets that are not moved on.
    pub fn add(&mut self, cause: Cause, count: usize) {
        let counts = self.0.get_or_insert_default();
        counts[cause as usize] += count as u64;
    }

    /// What was counted, by name.
    pub fn counted(&self) -> Vec<(&'static str, u64)> {
        let Some(counts) = &self.0 else { return Vec::new() };
        let all = NAMES.iter().map(|&(cause, name)| (name, counts[cause as usize]));
        all.filter(|&(_, count)| count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_the_causes() {
        for (place, (cause, _)) in NAMES.iter().enumerate() {
            assert_eq!(*cause as usize, place);
        }
    }

    #[test]
    fn only_what_was_counted_is_told() {
        let mut drops = Drops::default();
        assert!(drops.counted().is_empty());
        drops.add(Cause::Replay, 2);
        drops.add(Cause::Replay, 1);
        drops.add(Cause::TunWriteError, 1);
        assert_eq!(drops.counted(), [("replay", 3), ("tun_write_error", 1)]);
    }
}

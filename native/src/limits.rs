//! The numbers of the protocol the data plane needs. Python's `Limits` is where they are written down and explained.

/// Times are nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whitepaper 6.1.
    pub rekey_after_messages: u64,
    /// Whitepaper 6.1: the first counter that is never used.
    pub reject_after_messages: u64,
    /// Whitepaper 6.1.
    pub rekey_after_time: u64,
    /// Whitepaper 6.1.
    pub reject_after_time: u64,
    /// Age at which an initiator that only receives starts a new handshake.
    pub rekey_after_time_receiving: u64,
    /// Most packets of a peer that wait for keys.
    pub staged_packets: usize,
    /// Most handshake datagrams that wait for the control plane.
    pub handshake_queue: usize,
}

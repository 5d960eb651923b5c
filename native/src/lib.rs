//! The native data plane of pywg: TUN <-> UDP, with no Python per packet.
//!
//! A packet's way is to be read from the file names. Out: `sys/tun`, `outbound`, `offload/split`, `allowed_ips` (who?),
//! `keypair` and `aead` (nonce, seal), `transmit`, `sys/udp`. In: `sys/udp`, `inbound`, `keypair` (whose?), `aead`
//! (open), `replay`, `allowed_ips` (may it?), `offload/coalesce`, `sys/tun`. Handshakes: `inbound`, `admission`,
//! `mailbox`. What the control plane calls is in `engine`, how Python reaches it in `python`.
#![deny(unsafe_code)]
// The binding is what uses the rest; the tests and examples do without it.
#![cfg_attr(not(feature = "python"), allow(dead_code))]

mod admission;
mod aead;
mod allowed_ips;
mod drops;
mod engine;
mod fault;
mod inbound;
mod inner;
mod keypair;
mod limits;
mod mac1;
mod mailbox;
mod offload;
mod outbound;
mod peer;
mod plane;
#[cfg(feature = "python")]
mod python;
mod replay;
mod sys;
mod transmit;
mod unreachable;
mod worker;

/// For the measurement of the cipher alone (`examples/cipher.rs`).
#[doc(hidden)]
pub use aead::{CIPHER, Key, TAG};

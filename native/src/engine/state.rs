//! The contract's methods that tell: facts, counts and the lines of `get_status`.

use std::sync::atomic::Ordering::Relaxed;

use super::{Engine, Result};
use crate::mailbox::Mailbox;
use crate::peer::Facts;

impl Engine {
    /// What waits for the control plane.
    pub fn mailbox(&self) -> &Mailbox {
        &self.plane.mailbox
    }

    /// The facts the timers follow from, and whether packets are staged.
    pub fn traffic(&self, id: u64) -> Result<(Facts, bool)> {
        let state = self.peer(id)?.state.lock();
        Ok((state.facts, !state.staged.is_empty()))
    }

    /// UDP payload sent and received.
    pub fn counters(&self, id: u64) -> Result<(u64, u64)> {
        let state = self.peer(id)?.state.lock();
        Ok((state.tx_bytes, state.rx_bytes))
    }

    /// Of one peer, or those that could be laid to none.
    pub fn drops(&self, id: Option<u64>) -> Result<Vec<(&'static str, u64)>> {
        match id {
            None => Ok(self.plane.dropped()),
            Some(id) => Ok(self.peer(id)?.state.lock().drops.counted()),
        }
    }

    /// errno and how often.
    pub fn icmp_errors(&self, id: u64) -> Result<Vec<(i32, u64)>> {
        Ok(self.peer(id)?.state.lock().icmp_errors.clone())
    }

    /// Lines for `get_status`.
    pub fn status(&self) -> Vec<(&'static str, String)> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let sockets = self.plane.sockets().map_or_else(
            || "down".to_owned(),
            |sockets| {
                let names = [sockets.v4.as_ref().map(|_| "udp4"), sockets.v6.as_ref().map(|_| "udp6")];
                names.into_iter().flatten().collect::<Vec<_>>().join(" ")
            },
        );
        let offload = *self.plane.offload.lock();
        let (segments, refused) = self.plane.outbound.lock().segmentation.status();
        vec![
            ("sockets", sockets),
            ("cipher", crate::aead::CIPHER.to_owned()),
            ("tun_vnet_hdr", yes(self.plane.tun.vnet_hdr())),
            ("tun_read_by_helper", yes(self.plane.tun_is_helped.load(Relaxed))),
            ("tun_tcp_segments", yes(offload.tcp)),
            ("tun_udp_segments", yes(offload.udp)),
            ("udp4_segments", yes(segments[0])),
            ("udp6_segments", yes(segments[1])),
            ("routes_without_segments", refused.to_string()),
            ("handshakes_queued", self.plane.mailbox.handshakes_waiting().to_string()),
            ("keypairs", self.plane.keypairs.read().len().to_string()),
            ("last_fault", crate::fault::last().unwrap_or_else(|| "none".to_owned())),
        ]
    }
}

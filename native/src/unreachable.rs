//! The answer to a packet that no peer can take: host unreachable, into the TUN.
//!
//! Comes in: a packet whose destination no peer has, or whose peer has no endpoint. Goes out: an ICMP (RFC 792,
//! 3/1) or `ICMPv6` (RFC 4443, 1/3) error for its sender, or nothing. Rules kept: no error about an error, about
//! multicast, broadcast, a later fragment or an unspecified source (RFC 1122, 3.2.2; RFC 4443, 2.4e), and no
//! more of them than the token bucket has. The error comes from the packet's destination, because the kernel
//! drops what seems to come from the interface's own address.

use crate::inner::{IPV4_HEADER, IPV6_HEADER};
use crate::offload::checksum::{complement, words};

/// How many errors go into the TUN (the kernel's `icmp_msgs_per_sec` and `icmp_msgs_burst`).
const PER_SECOND: u64 = 1000;
const BURST: u64 = 50;

const SECOND: u64 = 1_000_000_000;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const ICMPV6_REDIRECT: u8 = 137;

/// RFC 1812, 4.3.2.3: as much of the packet as fits in a datagram of this size.
const MOST_BYTES_V4: usize = 576;
/// RFC 4443, 3.1: the least MTU.
const MOST_BYTES_V6: usize = 1280;

const HOP_LIMIT: u8 = 64;
const TOS_INTERNETWORK_CONTROL: u8 = 0xC0;
const ICMP_HEADER: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION_OPTIONS: u8 = 60;
const MOST_EXTENSION_HEADERS: usize = 8;

/// At most `BURST` at once and `PER_SECOND` in the long run. The credit is nanoseconds.
struct TokenBucket {
    credit: u64,
    filled_at: u64,
}

impl TokenBucket {
    const COST: u64 = SECOND / PER_SECOND;
    const MOST: u64 = Self::COST * BURST;

    /// Whether one more may pass; if so, it is taken.
    fn take(&mut self, now: u64) -> bool {
        self.credit = self.credit.saturating_add(now.saturating_sub(self.filled_at)).min(Self::MOST);
        self.filled_at = now;
        let Some(left) = self.credit.checked_sub(Self::COST) else { return false };
        self.credit = left;
        true
    }
}

/// Makes the errors of one device.
pub struct Unreachable {
    bucket: TokenBucket,
}

impl Unreachable {
    /// With a full bucket.
    #[must_use]
    pub fn new() -> Self {
        Self { bucket: TokenBucket { credit: TokenBucket::MOST, filled_at: 0 } }
    }

    /// The error for a packet from the TUN, or `None` if it may have none. `now`: `CLOCK_BOOTTIME` nanoseconds.
    pub fn answer(&mut self, packet: &[u8], now: u64) -> Option<Vec<u8>> {
        match packet.first()? >> 4 {
            4 if may_answer_v4(packet)? => self.bucket.take(now).then(|| error_v4(packet)),
            6 if may_answer_v6(packet)? => self.bucket.take(now).then(|| error_v6(packet)),
            _ => None,
        }
    }
}

/// `None` is "no": something that decides is not there.
fn may_answer_v4(packet: &[u8]) -> Option<bool> {
    let header = usize::from(packet.first()? & 15) * 4;
    if header < IPV4_HEADER || packet.len() < header {
        return None;
    }
    let (source, destination) = (packet[12], packet[16]);
    // 0.0.0.0/8, loopback, and multicast with everything above it, broadcast included.
    if matches!(source, 0 | 127 | 224..) || destination >= 224 {
        return None;
    }
    if packet[6] & !0xE0 != 0 || packet[7] != 0 {
        return None;
    }
    if packet[9] == ICMP {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        return Some(!matches!(packet.get(header)?, 3 | 4 | 5 | 11 | 12));
    }
    Some(true)
}

fn may_answer_v6(packet: &[u8]) -> Option<bool> {
    let (source, destination) = (packet.get(8..24)?, packet.get(24..40)?);
    if source == [0; 16] || source[0] == 0xFF || destination[0] == 0xFF {
        return None;
    }
    let mut following = packet[6];
    let mut at = IPV6_HEADER;
    for _ in 0..MOST_EXTENSION_HEADERS {
        if !matches!(following, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS) {
            return if following == ICMPV6 {
                // Types below 128 are errors.
                let kind = *packet.get(at)?;
                Some(kind >= 128 && kind != ICMPV6_REDIRECT)
            } else {
                Some(true)
            };
        }
        let extension = packet.get(at..)?.first_chunk::<8>()?;
        let is_fragment = following == FRAGMENT;
        if is_fragment && (extension[2] != 0 || extension[3] & 0xF8 != 0) {
            return None;
        }
        following = extension[0];
        at += if is_fragment { 8 } else { (usize::from(extension[1]) + 1) * 8 };
    }
    None
}

/// `packet` has passed `may_answer_v4`.
fn error_v4(packet: &[u8]) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(MOST_BYTES_V4 - IPV4_HEADER - ICMP_HEADER)];
    let size = IPV4_HEADER + ICMP_HEADER + quoted.len();
    let mut error = Vec::with_capacity(size);
    error.extend([0x45, TOS_INTERNETWORK_CONTROL]);
    error.extend(field(size));
    error.extend([0, 0, 0, 0, HOP_LIMIT, ICMP, 0, 0]);
    error.extend(&packet[16..20]);
    error.extend(&packet[12..16]);
    error.extend([3, 1, 0, 0, 0, 0, 0, 0]);
    error.extend(quoted);
    let checksum = complement(words(&error[..IPV4_HEADER]).into());
    error[10..12].copy_from_slice(&checksum.to_be_bytes());
    let checksum = complement(words(&error[IPV4_HEADER..]).into());
    error[22..24].copy_from_slice(&checksum.to_be_bytes());
    error
}

/// `packet` has passed `may_answer_v6`.
fn error_v6(packet: &[u8]) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(MOST_BYTES_V6 - IPV6_HEADER - ICMP_HEADER)];
    let body = ICMP_HEADER + quoted.len();
    let mut error = Vec::with_capacity(IPV6_HEADER + body);
    error.extend([0x60, 0, 0, 0]);
    error.extend(field(body));
    error.extend([ICMPV6, HOP_LIMIT]);
    error.extend(&packet[24..40]);
    error.extend(&packet[8..24]);
    error.extend([1, 3, 0, 0, 0, 0, 0, 0]);
    error.extend(quoted);
    // RFC 4443, 2.3: the checksum covers a pseudo-header: both addresses, length and protocol.
    let pseudo = u64::from(u16::from_be_bytes(field(body))) + u64::from(ICMPV6);
    let checksum = complement(pseudo + u64::from(words(&error[8..])));
    error[42..44].copy_from_slice(&checksum.to_be_bytes());
    error
}

/// A length field. What is made here has at most 1280 bytes.
fn field(size: usize) -> [u8; 2] {
    u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes()
}

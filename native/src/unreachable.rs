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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../vectors/unreachable.json");

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect()
    }

    /// An IPv4 packet that is always answered.
    fn packet() -> [u8; 28] {
        let mut packet = [0; 28];
        packet[0] = 0x45;
        packet[9] = 17;
        packet[12..20].copy_from_slice(&[10, 0, 0, 1, 203, 0, 113, 9]);
        packet
    }

    #[test]
    fn as_the_python_engine() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() > 100);
        for case in cases {
            let packet = bytes(case["packet"].as_str().unwrap());
            let answer = case["answer"].as_str().map(bytes);
            assert_eq!(Unreachable::new().answer(&packet, 0), answer, "{}", case["name"]);
        }
    }

    #[test]
    fn no_more_than_the_bucket_has() {
        let mut unreachable = Unreachable::new();
        let mut answers = |sent: usize, now: u64| {
            (0..sent).filter(|_| unreachable.answer(&packet(), now).is_some()).count()
        };
        let start = 12_345 * SECOND;
        assert_eq!(answers(80, start), 50);
        assert_eq!(answers(5, start), 0);
        assert_eq!(answers(5, start + 999_999), 0);
        assert_eq!(answers(5, start + 1_000_000), 1, "what came in small pieces is kept");
        assert_eq!(answers(5, start + 4 * SECOND / PER_SECOND), 3);
        assert_eq!(answers(5, start), 0, "a clock that goes back gives nothing");
        assert_eq!(answers(80, start + 3600 * SECOND), 50);
        assert_eq!(answers(80, u64::MAX), 50);
    }

    #[test]
    fn what_may_have_none_takes_none() {
        let mut unreachable = Unreachable::new();
        let mut multicast = packet();
        multicast[16] = 224;
        for _ in 0..100 {
            assert_eq!(unreachable.answer(&multicast, 0), None);
        }
        assert!(unreachable.answer(&packet(), 0).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever it is, the answer has right lengths and goes back where the packet is from.
        #[test]
        fn any_bytes(start in 0..3_usize, mut packet in prop::collection::vec(any::<u8>(), 0..1500)) {
            if let Some(first) = packet.first_mut() {
                *first = [0x45, 0x60, *first][start];
            }
            let Some(answer) = Unreachable::new().answer(&packet, 0) else { return Ok(()) };
            prop_assert_eq!(crate::inner::length_without_padding(&answer), Some(answer.len()));
            prop_assert_eq!(crate::inner::destination(&answer), crate::inner::source(&packet));
            prop_assert_eq!(crate::inner::source(&answer), crate::inner::destination(&packet));
        }
    }
}

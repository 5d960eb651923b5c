//! The Internet checksum (RFC 1071), alone or while bytes are copied.
//!
//! Comes in: bytes. Goes out: the ones' complement sum of their 16-bit words, big-endian, 0 and 0xFFFF being the
//! same number. Rules used: the sum is the same in either byte order but for a swap at the end, and in words of
//! any multiple of 16 bits, because 2^16 is 1 modulo 2^16 - 1 (RFC 1071, 2).

/// Words in one step: what the compiler makes two vector registers of. More of them is slower where it has but
/// 16 registers.
const LANES: usize = 4;
const STEP: usize = LANES * 8;

/// Sums of 64-bit words in lanes. `whole` wraps; with `high`, which does not, the lower halves' sum follows.
///
/// This costs three vector operations per word. To add both halves apart would cost four.
#[derive(Clone, Copy, Default)]
struct Lanes {
    whole: [u64; LANES],
    high: [u64; LANES],
}

impl Lanes {
    #[inline]
    fn add(&mut self, step: [u64; LANES]) {
        for (lane, word) in step.into_iter().enumerate() {
            self.whole[lane] = self.whole[lane].wrapping_add(word);
            self.high[lane] += word >> 32;
        }
    }
}

/// Fold to 33 bits.
#[inline]
const fn half(sum: u64) -> u64 {
    (sum & 0xFFFF_FFFF) + (sum >> 32)
}

/// The words of one step, which has `STEP` bytes.
#[inline]
fn load(step: &[u8]) -> [u64; LANES] {
    let mut words = [0; LANES];
    for (lane, word) in words.iter_mut().enumerate() {
        if let Some(bytes) = step.get(lane * 8..).and_then(|rest| rest.first_chunk()) {
            *word = u64::from_ne_bytes(*bytes);
        }
    }
    words
}

/// The sum of all lanes and of what was left, less than `STEP` bytes.
///
/// Not inlined: the compiler would begin with it in the last step of the loop, and make the loop slower.
#[inline(never)]
fn finish(lanes: Lanes, rest: &[u8]) -> u16 {
    let mut total = 0;
    for (whole, high) in lanes.whole.into_iter().zip(lanes.high) {
        // The higher halves' sum and the lower halves'.
        total += half(high) + half(whole.wrapping_sub(high << 32));
    }
    let mut words = rest.chunks_exact(8);
    for word in &mut words {
        total += half(word.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word)));
    }
    let mut words = words.remainder().chunks_exact(2);
    for word in &mut words {
        total += word.first_chunk().map_or(0, |word| u64::from(u16::from_ne_bytes(*word)));
    }
    if let [last] = words.remainder() {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    u16::from_be(fold(total))
}

/// Sum of the words of `bytes`; a zero is added to an odd end.
#[must_use]
pub fn words(bytes: &[u8]) -> u16 {
    let mut lanes = Lanes::default();
    let mut steps = bytes.chunks_exact(STEP);
    for step in &mut steps {
        lanes.add(load(step));
    }
    finish(lanes, steps.remainder())
}

/// `words` of `from`, which is copied to `to` in the same pass. Both have one size; what is more is left alone.
pub fn copy(from: &[u8], to: &mut [u8]) -> u16 {
    let size = from.len().min(to.len());
    let mut lanes = Lanes::default();
    let mut steps = from[..size].chunks_exact(STEP);
    let mut steps_to = to[..size].chunks_exact_mut(STEP);
    for (step, to) in (&mut steps).zip(&mut steps_to) {
        // From registers, not from one piece of memory to another: that would not be one loop.
        let words = load(step);
        for (lane, word) in words.iter().enumerate() {
            if let Some(room) = to.get_mut(lane * 8..).and_then(|rest| rest.first_chunk_mut()) {
                *room = word.to_ne_bytes();
            }
        }
        lanes.add(words);
    }
    let rest = steps.remainder();
    steps_to.into_remainder().copy_from_slice(rest);
    finish(lanes, rest)
}

/// Fold a sum of words to one word.
#[must_use]
#[inline]
pub const fn fold(mut sum: u64) -> u16 {
    sum = half(half(sum));
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    // Below 2^32 before, the last step leaves at most 0xFFFF.
    #[allow(clippy::cast_possible_truncation)]
    {
        sum as u16
    }
}

/// Whether a sum is zero in ones' complement: what data with a right checksum add up to.
#[must_use]
#[inline]
pub const fn is_zero(sum: u64) -> bool {
    matches!(fold(sum), 0 | 0xFFFF)
}

/// What to put into a checksum field so that everything adds up to zero. Never 0xFFFF.
#[must_use]
#[inline]
pub const fn complement(sum: u64) -> u16 {
    match fold(sum) {
        0 => 0,
        total => !total,
    }
}

/// A word taken back out of a sum.
#[must_use]
#[inline]
pub const fn minus(word: u16) -> u64 {
    !word as u64
}

#[cfg(test)]
pub mod naive {
    //! RFC 1071 word by word: what the fast one is compared with.

    /// Sum of the words.
    pub fn words(bytes: &[u8]) -> u16 {
        let mut total: u32 = 0;
        for pair in bytes.chunks(2) {
            total += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            total = (total & 0xFFFF) + (total >> 16);
        }
        u16::try_from(total).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_sum_of_rfc_1071(data in prop::collection::vec(any::<u8>(), 0..700), start in 0_usize..9) {
            let data = data.get(start..).unwrap_or_default();
            let expected = naive::words(data);
            prop_assert_eq!(words(data) % 0xFFFF, expected % 0xFFFF);
            prop_assert_eq!(words(data) == 0, expected == 0);
            let mut copied = vec![0; data.len()];
            prop_assert_eq!(copy(data, &mut copied), words(data));
            prop_assert_eq!(copied, data);
        }
    }

    #[test]
    fn the_most_that_can_be() {
        for size in [64, 65, 65_535, 1 << 20] {
            let data = vec![0xFF; size];
            assert_eq!(words(&data) % 0xFFFF, naive::words(&data) % 0xFFFF);
        }
    }

    #[test]
    fn complements() {
        assert_eq!(complement(0), 0);
        assert_eq!(complement(0xFFFF), 0);
        assert_eq!(complement(1), 0xFFFE);
        assert_eq!(complement(0x1_0000), 0xFFFE);
        assert_eq!(complement(u64::MAX), 0);
        assert!(is_zero(0xFFFF_FFFF_FFFF_FFFF));
        assert!(is_zero(0x1234 + minus(0x1234)));
        assert_eq!(fold(0xFFFF_FFFF_FFFF_FFFE), 0xFFFE);
    }
}

//! Which counters of a session have been seen: a sliding window over a ring of bits (RFC 6479).
//!
//! Comes in: the counter of a datagram whose tag was already verified, for a forger must not move the window.
//! Goes out: whether it is new. Rule kept: the ring has 8192 bits and the window 8128, as in the kernel's
//! receive.c: a counter is refused if it was seen, if it is more than 8128 behind the greatest, or if it is
//! `REJECT_AFTER_MESSAGES` or more.
//!
//! RFC 6479 never shifts the bits: a counter's place in the ring is its value modulo the ring's size, and
//! advancing clears only the words entered.

/// Bits in the ring.
pub const RING_BITS: u64 = 8192;

/// How far behind the greatest a counter may be: one word of the ring is being filled, the others remain.
pub const WINDOW: u64 = RING_BITS - 64;

const WORDS: usize = 8192 / 64;

/// The counters accepted under one receiving key.
#[derive(Debug)]
pub struct ReplayWindow {
    greatest: u64,
    limit: u64,
    ring: [u64; WORDS],
}

impl ReplayWindow {
    /// `limit` is `REJECT_AFTER_MESSAGES`: the first counter that is never accepted.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self { greatest: 0, limit, ring: [0; WORDS] }
    }

    /// Whether `counter` is new. If so it counts as seen from now on.
    #[inline]
    pub fn accept(&mut self, counter: u64) -> bool {
        if counter > self.greatest {
            if counter >= self.limit {
                return false;
            }
            self.enter(self.greatest / 64, counter / 64);
            self.greatest = counter;
        } else if self.greatest - counter > WINDOW {
            return false;
        }
        let word = &mut self.ring[place(counter / 64)];
        let bit = 1 << (counter % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Clears the words after `current` up to `word`: they still hold bits of one turn before.
    #[inline]
    fn enter(&mut self, current: u64, word: u64) {
        if word - current >= WORDS as u64 {
            self.ring = [0; WORDS];
            return;
        }
        for entered in current + 1..=word {
            self.ring[place(entered)] = 0;
        }
    }
}

/// Where the ring holds the word of that number.
#[allow(clippy::cast_possible_truncation)] // Less than WORDS.
fn place(word: u64) -> usize {
    (word % WORDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const LIMIT: u64 = u64::MAX - (1 << 13); // 2^64 - 2^13 - 1
    const VECTORS: &str = include_str!("../../vectors/replay.json");

    /// The rule in its plainest form, with memory for every counter.
    #[derive(Default)]
    struct SetWindow {
        seen: HashSet<u64>,
        greatest: u64,
    }

    impl SetWindow {
        fn accept(&mut self, counter: u64) -> bool {
            if counter >= LIMIT || self.greatest.saturating_sub(counter) > WINDOW {
                return false;
            }
            self.greatest = self.greatest.max(counter);
            self.seen.insert(counter)
        }
    }

    fn number(value: &Value) -> u64 {
        value.as_str().unwrap().parse().unwrap()
    }

    fn check(window: &mut ReplayWindow, rows: &Value) {
        for row in rows.as_array().unwrap() {
            let accepted = window.accept(number(&row["counter"]));
            assert_eq!(accepted, row["accepted"].as_bool().unwrap(), "{row}");
        }
    }

    #[test]
    fn known_answers() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        assert_eq!(vectors["window"].as_u64(), Some(WINDOW));
        assert_eq!(number(&vectors["limit"]), LIMIT);
        check(&mut ReplayWindow::new(LIMIT), &vectors["sequence"]);
        for run in vectors["runs"].as_array().unwrap() {
            let (from, to) = (number(&run["accept_from"]), number(&run["accept_to"]));
            let mut counters: Vec<u64> = (from.min(to)..=from.max(to)).collect();
            if from > to {
                counters.reverse();
            }
            let mut window = ReplayWindow::new(LIMIT);
            assert!(counters.into_iter().all(|counter| window.accept(counter)), "{run}");
            check(&mut window, &run["then"]);
        }
    }

    #[test]
    fn a_jump_of_one_ring_forgets_the_turn_before() {
        for jump in [RING_BITS - 64, RING_BITS - 1, RING_BITS, RING_BITS + 1, RING_BITS + 64, 3 * RING_BITS] {
            let mut window = ReplayWindow::new(LIMIT);
            assert!((0..256).all(|counter| window.accept(counter)));
            let greatest = 255 + jump;
            assert!(window.accept(greatest));
            let fresh = 256.max(greatest - WINDOW)..greatest;
            assert!(fresh.into_iter().all(|counter| window.accept(counter)), "{jump}");
        }
    }

    #[test]
    fn the_greatest_counters() {
        let mut window = ReplayWindow::new(u64::MAX);
        assert!(window.accept(u64::MAX - 1));
        assert!(!window.accept(u64::MAX));
        assert!(window.accept(u64::MAX - 1 - WINDOW));
        assert!(!window.accept(u64::MAX - 2 - WINDOW));
    }

    /// Steps of a counter that mostly grows, with what is near the edges of words, window and ring.
    fn steps() -> impl Strategy<Value = Vec<i64>> {
        let edge = prop_oneof![
            Just(63),
            Just(64),
            Just(65),
            Just(8127),
            Just(8128),
            Just(8129),
            Just(8191),
            Just(8192)
        ];
        let step = prop_oneof![
            4 => -3_i64..8,
            2 => -9000_i64..9000,
            1 => edge.prop_flat_map(|step: i64| prop_oneof![Just(step), Just(-step)]),
        ];
        proptest::collection::vec(step, 1..400)
    }

    proptest! {
        #[test]
        fn accepts_what_a_set_accepts(
            start in prop_oneof![Just(0), 0..20_000_u64, Just(LIMIT - 9000)],
            steps in steps(),
        ) {
            let (mut window, mut model) = (ReplayWindow::new(LIMIT), SetWindow::default());
            let mut counter = start;
            for step in steps {
                counter = counter.saturating_add_signed(step);
                prop_assert_eq!(window.accept(counter), model.accept(counter), "{}", counter);
            }
        }
    }
}

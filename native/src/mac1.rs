//! MAC1 at the end of handshake messages: what is checked before anything dearer is done for a datagram.
//!
//! Comes in: the key made of our own public key, and message 1 or 2. Goes out: whether its sender knows that
//! public key. Rules kept: whitepaper sections 5.4.4 and 5.4.7, and that MACs are compared in constant time.
//!
//! `blake2s_simd`: what it brings along is two small crates; `RustCrypto`'s blake2 brings its whole frame of traits.

use blake2s_simd::Params;
use subtle::ConstantTimeEq;

/// Bytes of each of the two MACs.
const MAC: usize = 16;

/// Whether the datagram carries the right MAC1, before the 16 bytes of MAC2. False if it has no room for both.
#[must_use]
pub fn check(key: &[u8; 32], datagram: &[u8]) -> bool {
    let Some((rest, _mac2)) = datagram.split_last_chunk::<MAC>() else {
        return false;
    };
    let Some((covered, mac1)) = rest.split_last_chunk::<MAC>() else {
        return false;
    };
    let expected = Params::new().hash_length(MAC).key(key).hash(covered);
    expected.as_bytes().ct_eq(mac1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hashlib.blake2s(bytes(range(116)), key=bytes(range(32)), digest_size=16)` in Python.
    const KNOWN: [u8; MAC] = 0x072e_94ff_bfc6_84bd_8ab2_a1b9_dade_2fd5_u128.to_be_bytes();

    fn key() -> [u8; 32] {
        core::array::from_fn(|n| n.try_into().unwrap())
    }

    fn datagram() -> Vec<u8> {
        (0..116).chain(KNOWN).chain([0xff; MAC]).collect()
    }

    #[test]
    fn known_answer() {
        assert!(check(&key(), &datagram()));
    }

    #[test]
    fn every_bit_but_those_of_mac2_counts() {
        for bit in 0..datagram().len() * 8 {
            let mut datagram = datagram();
            datagram[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&key(), &datagram), bit / 8 >= 132, "{bit}");
        }
        let mut other = key();
        other[31] ^= 1;
        assert!(!check(&other, &datagram()));
    }

    #[test]
    fn short_datagrams_have_none() {
        for size in 0..32 {
            assert!(!check(&key(), &vec![0; size]));
        }
        assert!(!check(&key(), &[0; 32]));
    }
}

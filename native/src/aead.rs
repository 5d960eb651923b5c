//! `ChaCha20Poly1305` of transport data, in place, under the keys of one direction of a session.
//!
//! Comes in: a buffer and the counter of its packet. Goes out: the buffer sealed or opened, and whether it was
//! genuine. Rules kept: whitepaper section 5.4.6 (nonce: 32 zero bits, then the counter as little-endian
//! 64-bit number; no additional data), RFC 8439 section 2.8; and a key that was dropped is nowhere in memory.
//!
//! The rest of the engine sees only [`Key`]: which library does the work is decided here alone. ring does not
//! erase its keys, so none outlives a packet: what lasts are the 32 bytes, which we erase. Making ring's key of
//! them is a copy, and too short to measure (docs/performance.md). The copies on the stack are [`erase_stack`]'s.

use core::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

#[cfg(all(feature = "null-cipher", not(debug_assertions)))]
compile_error!(
    "null-cipher sends everything unencrypted: it is for measurements and exists only in --profile measure"
);

/// Bytes a tag adds to a packet.
pub const TAG: usize = 16;

/// What encrypts, for the status of the engine.
pub const CIPHER: &str = if NULL { "none (measurement build)" } else { "chacha20poly1305 (ring 0.17)" };

/// Whether nothing is encrypted, to measure what all the rest costs.
const NULL: bool = cfg!(feature = "null-cipher");

/// Bytes that `erase_stack` overwrites. Sealing reaches 1.8 KB down in a release build.
const STACK: usize = 8192;

/// The key of one direction of a session. Erased from memory when dropped.
pub struct Key {
    // In a box, for a move of the bytes themselves would leave a copy behind.
    bytes: Box<Zeroizing<[u8; 32]>>,
}

impl Key {
    /// Copies `key`; erasing the original is the caller's task.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        bytes.copy_from_slice(key);
        Self { bytes }
    }

    /// Encrypts all but the last 16 bytes of `buffer` and writes the tag into those.
    ///
    /// A buffer shorter than a tag is an error of the caller, which no packet from outside can cause, for it is
    /// our own code that makes the room; such a buffer is zeroed, so that nothing leaves unencrypted.
    #[inline(never)] // So that the copies of the key lie where `erase_stack` reaches them.
    pub fn seal(&self, counter: u64, buffer: &mut [u8]) {
        let Some((plaintext, room)) = buffer.split_last_chunk_mut::<TAG>() else {
            buffer.fill(0);
            return;
        };
        if NULL {
            room.fill(0);
            return;
        }
        // Fails only for more than 256 GiB.
        if let Ok(tag) = self.cipher().seal_in_place_separate_tag(nonce(counter), Aad::empty(), plaintext) {
            room.copy_from_slice(tag.as_ref());
        } else {
            buffer.fill(0);
        }
    }

    /// Verifies and decrypts a ciphertext and its tag in place: the plaintext is all but the last 16 bytes.
    ///
    /// False if it is forged or shorter than a tag; what the buffer then holds is undefined.
    #[inline(never)] // As in `seal`.
    #[must_use]
    pub fn open(&self, counter: u64, buffer: &mut [u8]) -> bool {
        let Some((ciphertext, tag)) = buffer.split_last_chunk_mut::<TAG>() else {
            return false;
        };
        if NULL {
            return true;
        }
        let tag = Tag::from(*tag);
        self.cipher().open_in_place_separate_tag(nonce(counter), Aad::empty(), tag, ciphertext, 0..).is_ok()
    }

    #[inline]
    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.bytes.as_slice());
        LessSafeKey::new(key.expect("it takes 32 bytes, and 32 bytes these are"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").finish_non_exhaustive()
    }
}

/// Overwrites the stack below the caller's frame, where sealing and opening have left copies of keys.
///
/// A thread calls it before it waits, for then nothing else overwrites them: in the function that sealed or
/// opened, or one that called it and has not much on the stack between. 0.1 microseconds.
#[inline(never)]
pub fn erase_stack() {
    let mut stack = [0_u64; STACK / 8];
    stack.zeroize();
}

#[inline]
fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(all(test, not(feature = "null-cipher")))]
mod tests;

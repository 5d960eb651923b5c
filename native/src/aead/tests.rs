//! Known answers, forgeries and lengths for `Key`, and the search of the memory for a dropped one.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use super::*;

/// Key and plaintext of RFC 8439 section 2.8.2, our form of nonce, no additional data. By Python's cryptography 50:
/// `ChaCha20Poly1305(bytes(range(0x80, 0xa0))).encrypt(bytes(4) + 0x0102030405060708.to_bytes(8, "little"), text, b"")`
const SEALED: &str = "b8d08ad235a97bbc4dd551cc6b1911b3961e31851245f58e7f581dbe0627e811f7465bd39dd94d5546bf48ac1a2dd43cbda6f795\
     d215ec93abb888192adfa41a10ee4bb956f2bbbe7294b33f513dbeeba962d9c2f8cc18c88a9171bebc9ffb116a4383f49408e055\
     ad9ca5fa75dccb65b94fd5d23d697079b0de81ed4b7817a92427";
const TEXT: &[u8; 114] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
const COUNTER: u64 = 0x0102_0304_0506_0708;

/// BLAKE2s-256, by Python's cryptography and hashlib, of the packets of 0 to 1500 bytes as the test makes them.
const ALL_SIZES: &str = "2b68b935f777573916ca6c19c235fd1755c8ff65252406076562cf37a56d7945";

fn key() -> Key {
    Key::new(&core::array::from_fn(|n| low_byte(0x80 + n)))
}

fn low_byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn sealed_text() -> Vec<u8> {
    let mut buffer = [&TEXT[..], &[0xff; TAG]].concat();
    key().seal(COUNTER, &mut buffer);
    buffer
}

#[test]
fn known_answer() {
    let mut buffer = sealed_text();
    assert_eq!(hex(&buffer), SEALED);
    assert!(key().open(COUNTER, &mut buffer));
    assert_eq!(&buffer[..TEXT.len()], TEXT);
}

#[test]
fn every_size_up_to_1500() {
    let mut hash = blake2s_simd::State::new();
    for size in 0..=1500 {
        let plaintext: Vec<u8> = (0..size).map(|n| low_byte(n * 7 + size)).collect();
        let mut buffer = [plaintext.as_slice(), &[0xff; TAG]].concat();
        key().seal(size as u64, &mut buffer);
        hash.update(&buffer);
        assert!(key().open(size as u64, &mut buffer), "{size}");
        assert_eq!(&buffer[..size], plaintext, "{size}");
    }
    assert_eq!(hash.finalize().to_hex().as_str(), ALL_SIZES);
}

#[test]
fn a_change_anywhere_is_a_forgery() {
    let sealed = sealed_text();
    for bit in 0..sealed.len() * 8 {
        let mut buffer = sealed.clone();
        buffer[bit / 8] ^= 1 << (bit % 8);
        assert!(!key().open(COUNTER, &mut buffer), "{bit}");
    }
    for bit in 0..64 {
        assert!(!key().open(COUNTER ^ 1 << bit, &mut sealed.clone()), "{bit}");
    }
    let mut other: [u8; 32] = core::array::from_fn(|n| low_byte(0x80 + n));
    other[31] ^= 1;
    assert!(!Key::new(&other).open(COUNTER, &mut sealed.clone()));
}

#[test]
fn a_cut_packet_is_a_forgery() {
    let sealed = sealed_text();
    for size in 0..sealed.len() {
        assert!(!key().open(COUNTER, &mut sealed[..size].to_vec()), "{size}");
    }
    assert!(!key().open(COUNTER, &mut [sealed.as_slice(), &[0]].concat()));
}

#[test]
fn without_room_for_the_tag_nothing_is_left() {
    for size in 0..TAG {
        let mut buffer = vec![1; size];
        key().seal(COUNTER, &mut buffer);
        assert_eq!(buffer, vec![0; size]);
    }
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", key()), "Key { .. }");
}

const PAGE: usize = 4096;

#[repr(align(4096))]
struct Page([u8; PAGE]);

/// A key under a mask, in which form the search does not find it.
struct Masked([u8; 32]);

impl Masked {
    const MASK: u8 = 0x5c;

    fn new() -> Self {
        let mut seed = black_box(0x9e37_79b9_7f4a_7c15_u64);
        Self(core::array::from_fn(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        }))
    }

    #[inline(never)]
    fn key(&self) -> Key {
        let mut plain = Zeroizing::new([0; 32]);
        for (plain, masked) in plain.iter_mut().zip(self.0) {
            *plain = masked ^ Self::MASK;
        }
        Key::new(&plain)
    }

    /// How often eight bytes of the key in a row, of the four rows it has, are in our memory. The cipher lays
    /// the key out as words or in rows of 16 bytes, in the order of the key: they are among these.
    fn occurrences(&self) -> usize {
        let rows = self.0.chunks_exact(8).map(|row| u64::from_be_bytes(row.try_into().unwrap()));
        let rows: Vec<u64> = rows.collect();
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = BufReader::new(File::open("/proc/self/maps").unwrap());
        let mut page = Box::new(Page([0; PAGE]));
        let own = page.0.as_ptr().addr() as u64;
        let mut found = 0;
        for line in maps.lines().map(Result::unwrap) {
            let mut fields = line.split_whitespace();
            let (range, mode) = (fields.next().unwrap(), fields.next().unwrap());
            if !mode.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').unwrap();
            let end = u64::from_str_radix(end, 16).unwrap();
            let mut at = u64::from_str_radix(start, 16).unwrap();
            let mut last_eight = 0;
            while at < end {
                // Our own page would be read into itself. Others that cannot be read go as we look: other tests'.
                if at != own && memory.read_exact_at(&mut page.0, at).is_ok() {
                    for byte in &page.0 {
                        last_eight = last_eight << 8 | u64::from(byte ^ Self::MASK);
                        found += usize::from(rows.contains(&last_eight));
                    }
                }
                at += PAGE as u64;
            }
        }
        page.0.zeroize();
        found
    }
}

#[test]
fn dropped_keys_are_not_in_memory() {
    let masked = Masked::new();
    // Many, for something else soon lies where the first of them were.
    let keys: Arc<Vec<Key>> = Arc::new((0..64).map(|_| masked.key()).collect());
    let (used, wait_used) = channel();
    let (end, wait_end) = channel::<()>();
    let worker = thread::spawn({
        let keys = keys.clone();
        move || {
            let mut buffer = vec![0; 1500];
            for (counter, key) in (0..).zip(keys.iter()) {
                key.seal(counter, &mut buffer);
                assert!(key.open(counter, &mut buffer));
            }
            drop(keys);
            erase_stack();
            used.send(()).unwrap();
            wait_end.recv().unwrap_err(); // Its stack is there until the end.
        }
    });
    wait_used.recv().unwrap();
    assert_eq!(masked.occurrences(), 4 * keys.len(), "only the keys themselves");
    drop(keys);
    assert_eq!(masked.occurrences(), 0);
    drop(end);
    worker.join().unwrap();
}

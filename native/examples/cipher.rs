//! Measures the cipher alone, as the engine uses it: what no tunnel over one thread can exceed.
//!
//! Comes in, optionally: bytes in a packet (1400) and seconds to measure for (2). Goes out: one line of JSON with
//! nanoseconds per packet (medians of batches of 64 packets, which is what the engine has in hand at once), GB/s
//! (10^9 bytes of packets without tags) and seconds of processor time per GB.
//!
//! `cargo run --release --no-default-features --example cipher -- 1400 2`

use std::env::args;
use std::time::{Duration, Instant};

use pywg_native::{CIPHER, Key, TAG};

const BATCH: u32 = 64;

fn main() {
    let mut arguments = args().skip(1).map(|argument| argument.parse::<u32>().expect("a number"));
    let size = arguments.next().unwrap_or(1400);
    let seconds = arguments.next().unwrap_or(2);

    let key = Key::new(&[7; 32]);
    let mut packets = vec![vec![0; size as usize + TAG]; BATCH as usize];
    let (mut seal, mut open) = (Vec::new(), Vec::new());
    let mut counter = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds.into()) {
        let first = counter;
        seal.push(time(|| {
            for packet in &mut packets {
                key.seal(counter, packet);
                counter += 1;
            }
        }));
        counter = first;
        open.push(time(|| {
            for packet in &mut packets {
                assert!(key.open(counter, packet), "what was sealed must open");
                counter += 1;
            }
        }));
    }
    let (seal, open) = (median(seal), median(open));
    println!(
        "{{\"cipher\": \"{CIPHER}\", \"packet_bytes\": {size}, {}, {}}}",
        figures("seal", seal, size),
        figures("open", open, size)
    );
}

/// Nanoseconds per packet of a batch.
fn time(batch: impl FnOnce()) -> f64 {
    let start = Instant::now();
    batch();
    start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn figures(name: &str, nanoseconds: f64, size: u32) -> String {
    let gigabytes_per_second = f64::from(size) / nanoseconds;
    format!(
        "\"{name}_ns\": {nanoseconds:.1}, \"{name}_gb_per_s\": {gigabytes_per_second:.3}, \
         \"{name}_cpu_s_per_gb\": {:.3}",
        1.0 / gigabytes_per_second
    )
}

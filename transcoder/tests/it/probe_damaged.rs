//! Many damaged variants of small recordings, looked at in this process: what would crash the
//! transcoder crashes the test. The damage is the same in every run.

use millet_transcoder::{Error, probe};

use crate::kit::{Bench, Noise};

const TINY: &str = "-f lavfi -i testsrc2=size=64x48:rate=5:duration=1 -f lavfi -i sine=duration=1";
/// Variants of each recording.
const VARIANTS: usize = 400;

fn survive(name: &str, rest: &str) {
    let whole = Bench::made(name, &format!("{TINY} {rest}"));
    let bytes = std::fs::read(&whole.input).unwrap();
    let mut noise = Noise(bytes.len() as u64);
    let mut refused = 0;
    for variant in 0..VARIANTS {
        let mut damaged = bytes.clone();
        if variant % 4 == 0 {
            damaged.truncate(noise.below(bytes.len()));
        } else {
            for _ in 0..=noise.below(20) {
                let within = if variant % 2 == 0 { 600 } else { usize::MAX };
                let at = noise.below(damaged.len().min(within));
                damaged[at] ^= 1 << noise.below(8);
            }
        }
        std::fs::write(&whole.input, &damaged).unwrap();
        match probe(&whole.input) {
            Ok(_) => {}
            Err(Error::Bad { sentence, .. }) => {
                assert!(sentence.ends_with('.'));
                refused += 1;
            }
            Err(fault) => panic!("{name}, variant {variant}: {fault}"),
        }
    }
    assert!(refused > 0 && refused < VARIANTS, "{refused} were refused");
}

#[test]
fn mp4() {
    survive(
        "a.mp4",
        "-c:v libx264 -preset ultrafast -c:a aac -movflags +faststart",
    );
}

#[test]
fn webm() {
    survive(
        "a.webm",
        "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus",
    );
}

#[test]
fn mpeg_ts() {
    survive("a.ts", "-c:v mpeg2video -c:a mp2");
}

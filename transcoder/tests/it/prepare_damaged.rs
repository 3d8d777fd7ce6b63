//! Small recordings with lost ends and flipped bits: prepared or refused, never a crash, a fault or
//! a run without end. The damage is the same in every run.

use millet_manifest::{TIMELINE_FILE, Timeline};

use crate::kit::{Bench, Noise};

const TINY: &str = "-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 \
     -f lavfi -i sine=duration=1";
/// Variants of each recording.
const VARIANTS: usize = 12;

fn survive(name: &str, rest: &str) {
    let whole = Bench::made(name, &format!("{TINY} {rest}"));
    let bytes = std::fs::read(&whole.input).unwrap();
    let mut noise = Noise(bytes.len() as u64);
    for variant in 0..VARIANTS {
        let mut damaged = bytes.clone();
        match variant % 3 {
            0 => damaged.truncate(noise.below(bytes.len())),
            // Heads hold what others rely on, so half of the flips go there.
            1 => flip(&mut damaged, &mut noise, 8, 1_000),
            _ => flip(&mut damaged, &mut noise, 30, usize::MAX),
        }
        let bench = Bench::with(name, &damaged);
        let run = bench.run();
        let errors = String::from_utf8_lossy(&run.stderr);
        let what = format!("{name}, variant {variant}: {:?} {errors}", run.status);
        match run.status.code() {
            Some(0) => {
                let json = std::fs::read(bench.output().join(TIMELINE_FILE)).unwrap();
                assert!(Timeline::from_json(&json).is_ok(), "{what}");
            }
            Some(2) => assert_eq!(errors.lines().count(), 1, "{what}"),
            _ => panic!("{what}"),
        }
    }
}

fn flip(bytes: &mut [u8], noise: &mut Noise, count: usize, within: usize) {
    let length = bytes.len().min(within);
    for _ in 0..count {
        let at = noise.below(length);
        bytes[at] ^= 1 << noise.below(8);
    }
}

#[test]
fn mp4() {
    survive(
        "a.mp4",
        "-c:v libx264 -preset ultrafast -c:a aac -movflags +faststart",
    );
}

#[test]
fn fragmented_mp4() {
    survive(
        "a.mp4",
        "-c:v libx264 -preset ultrafast -g 5 -c:a aac -movflags frag_keyframe+empty_moov",
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
fn matroska() {
    survive("a.mkv", "-c:v mpeg4 -c:a flac");
}

#[test]
fn avi() {
    survive("a.avi", "-c:v mpeg4 -c:a mp3");
}

#[test]
fn mpeg_ts() {
    survive("a.ts", "-c:v mpeg2video -c:a mp2");
}

#[test]
fn flv() {
    survive("a.flv", "-c:v flv -c:a aac");
}

#[test]
fn ogg() {
    survive("a.ogg", "-vn -c:a libvorbis");
}

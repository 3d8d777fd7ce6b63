//! Memory over the length of a recording: it should not grow.

use super::demo;
use super::run::{Prepared, looped};

/// Lengths, minutes.
const MINUTES: [u32; 3] = [1, 10, 60];

/// Prepares the demonstration's lecture, repeated.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    println!("{:<22} {:>10} {:>10}", "lecture, minutes", "MiB", "s");
    for minutes in MINUTES {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("long.mp4");
        looped(&demo("lecture.mp4"), minutes * 60, "-c copy", &source);
        let made = Prepared::make(&source, &["--h264-only"]);
        println!(
            "{minutes:<22} {:>10.0} {:>10.1}",
            made.memory_mib,
            made.whole.as_secs_f64()
        );
    }
    println!();
}

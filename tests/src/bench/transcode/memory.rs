//! Memory over the length of a recording, and the time until its beginning can be watched: neither should grow.

use super::demo;
use super::run::{Prepared, looped};

/// Lengths, minutes.
const MINUTES: [u32; 3] = [1, 10, 60];

/// Prepares the demonstration's lecture, repeated.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    println!(
        "{:<22} {:>10} {:>14} {:>10}",
        "lecture, minutes", "MiB", "s, watchable", "s, all"
    );
    for minutes in MINUTES {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("long.mp4");
        looped(&demo("lecture.mp4"), minutes * 60, "-c copy", &source);
        let made = Prepared::make(&source, &["--h264-only"]);
        let watchable = made.watchable.unwrap_or(made.whole);
        println!(
            "{minutes:<22} {:>10.0} {:>14.1} {:>10.1}",
            made.memory_mib,
            watchable.as_secs_f64(),
            made.whole.as_secs_f64()
        );
    }
    println!();
}

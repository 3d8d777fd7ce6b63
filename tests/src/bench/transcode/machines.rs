//! One recording made by two machines, as the server's machines share one: each sees what the other has
//! finished. A core stands for a machine.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::demo;
use super::run::{Prepared, is_decided, looped, on_core};

/// Long enough to be shared; half of it is a seam.
const SECONDS: u32 = 360;
const MIDDLE_MS: u64 = 180_000;

/// Times long recordings of the demonstration, made by one machine and by two.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    println!(
        "{:<40} {:>12} {:>12} {:>9}",
        "360 s, machines of a core", "one, s", "two, s", "ratio"
    );
    let cases = [
        ("lecture, --quick", "lecture.mp4", true),
        ("lecture, as lessons are made", "lecture.mp4", false),
        ("camera, --quick", "natural.mp4", true),
    ];
    for (name, clip, quick) in cases {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("long.mp4");
        looped(&demo(clip), SECONDS, "-c copy", &source);
        let mut further = vec!["--h264-only", "--workers", "1"];
        further.extend(quick.then_some("--quick"));
        let one = Prepared::on_core(&source, &further).encoding.as_secs_f64();
        let both = two(&source, &further, MIDDLE_MS).as_secs_f64();
        println!("{name:<40} {one:>12.1} {both:>12.1} {:>8.2}×", one / both);
    }
    println!();
}

/// How long it takes from the end of looking and trying, which one of them does, when the other makes what
/// begins at `middle_ms` or later.
pub(super) fn two(source: &Path, further: &[&str], middle_ms: u64) -> Duration {
    let (whole, part) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let machine = |core: usize, own: &Path, other: &Path| -> Command {
        let mut command = on_core(core);
        command.arg("prepare").arg(source).arg(own).args(further);
        command.arg("--given").arg(other);
        command
    };
    let mut first = machine(0, whole.path(), part.path());
    let mut first = first.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let is_decided = |line: &str| is_decided(&serde_json::from_str(line).unwrap());
    assert!(lines.any(|line| is_decided(&line.unwrap())));
    let decided = Instant::now();
    let mut second = machine(1, part.path(), whole.path());
    second.args(["--from-ms", &middle_ms.to_string()]);
    let mut second = second.stdout(Stdio::null()).spawn().unwrap();
    // So that it never waits for a reader.
    lines.for_each(drop);
    assert!(first.wait().unwrap().success());
    let took = decided.elapsed();
    assert!(second.wait().unwrap().success());
    took
}

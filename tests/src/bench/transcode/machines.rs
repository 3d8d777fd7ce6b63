//! One recording made by two machines, as the server's machines share one: each sees what the other has
//! finished. A core stands for a machine.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run::{is_decided, on_core};

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

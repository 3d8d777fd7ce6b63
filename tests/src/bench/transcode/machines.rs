//! One recording made by two machines, as the server's machines share one: each sees what the other has
//! finished. A core stands for a machine.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use millet_manifest::{
    DECIDED_PERMILLE, ENCODED_PERMILLE, PLAN_FILE, PlanHead, Progress, WORK_FOLDER,
};

use super::demo;
use super::run::{Prepared, is_decided, looped, on_core};

/// Long enough to be shared.
const SECONDS: u32 = 360;

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
        let both = two(&source, &further, From::TheSeams).as_secs_f64();
        println!("{name:<40} {one:>12.1} {both:>12.1} {:>8.2}×", one / both);
    }
    println!();
}

/// What the second machine makes.
#[derive(Clone, Copy)]
pub(super) enum From {
    /// Stretches between seams that the first one has not reached yet, in the order in which a server gives them.
    TheSeams,
    /// What begins at this time or later, milliseconds, of a recording that is too short to have seams.
    TheMiddle(u64),
}

/// How long it takes from the end of looking and trying, which the first one does.
pub(super) fn two(source: &Path, further: &[&str], from: From) -> Duration {
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
    let reached_permille = AtomicU32::new(DECIDED_PERMILLE);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (from_ms, until_ms) in stretches(whole.path(), from) {
                let reached = reached_permille.load(Ordering::Relaxed) - DECIDED_PERMILLE;
                let whole_ms = u64::from(SECONDS) * 1_000;
                let reached_ms =
                    whole_ms * u64::from(reached) / u64::from(ENCODED_PERMILLE - DECIDED_PERMILLE);
                if matches!(from, From::TheSeams) && reached_ms >= from_ms {
                    continue;
                }
                let mut second = machine(1, part.path(), whole.path());
                second.args(["--from-ms", &from_ms.to_string()]);
                if let Some(until_ms) = until_ms {
                    second.args(["--until-ms", &until_ms.to_string()]);
                }
                assert!(second.stdout(Stdio::null()).status().unwrap().success());
            }
        });
        for line in lines {
            let line = serde_json::from_str(&line.unwrap()).unwrap();
            if let Progress::Progress { permille, .. } = line {
                reached_permille.store(permille.min(ENCODED_PERMILLE), Ordering::Relaxed);
            }
        }
        assert!(first.wait().unwrap().success());
        decided.elapsed()
    })
}

/// Where they begin and end, milliseconds, in the order in which the second machine makes them.
fn stretches(first: &Path, from: From) -> Vec<(u64, Option<u64>)> {
    if let From::TheMiddle(middle_ms) = from {
        return vec![(middle_ms, None)];
    }
    let plan = std::fs::read(first.join(WORK_FOLDER).join(PLAN_FILE)).unwrap();
    let head: PlanHead = serde_json::from_slice(&plan).unwrap();
    let starts = head.seams_ms.iter().copied();
    let ends = head.seams_ms.iter().skip(1).map(|seam| Some(*seam));
    let mut stretches: Vec<_> = starts.zip(ends.chain([None])).collect();
    if !head.leaves_undecoded {
        stretches.reverse();
    }
    stretches
}

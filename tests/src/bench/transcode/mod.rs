//! Bytes, quality, time and memory of preparing recordings, beside what others do with the same ones.
//!
//! Quality is VMAF v0.6.1 at 720 lines and the recording's own frame rate, scored by an `ffmpeg` with
//! libvmaf that `.ci/install bench` gets from the package `imageio-ffmpeg`.

mod machines;
mod memory;
mod run;
mod score;
mod speed;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use millet_manifest::{Kind, Rendition, Timeline};

use run::Prepared;
use score::Scorer;

pub use machines::run as share;
pub use memory::run as measure_memory;
pub use speed::{quick as encode_quickly, thorough as encode_lessons};
pub use words::run as read_words;

/// A recording of the demonstration.
fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../server/demo")
        .join(name)
}

/// Measures everything and prints it.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    let scorer = Scorer::find();
    if scorer.is_none() {
        println!("no ffmpeg with libvmaf: quality is left out\n");
    }
    let lecture = Prepared::make(&demo("lecture.mp4"), &[]);
    ladder("lecture", &lecture, &demo("lecture.mp4"), scorer.as_ref());
    let natural = Prepared::make(&demo("natural.mp4"), &[]);
    let curve = ladder("camera", &natural, &demo("natural.mp4"), scorer.as_ref());
    if let Some(scorer) = &scorer {
        let renditions = &natural.timeline.renditions;
        let moving = || renditions.iter().filter(|one| one.kind == Kind::Video);
        let ends = [moving().next().unwrap(), moving().next_back().unwrap()];
        let [least, most] = ends.map(|rendition| natural.joined(rendition));
        score::check_compare(scorer, &demo("natural.mp4"), [&least, &most]);
        peers(&curve, &demo("natural.mp4"), scorer);
    }
    container(&lecture.timeline);
}

/// A rendition's rate, kB a minute, and its quality.
struct Point {
    av1: bool,
    rate: f64,
    vmaf: f64,
}

/// Prints every rung; gives back those with a moving picture and a score.
fn ladder(name: &str, made: &Prepared, source: &Path, scorer: Option<&Scorer>) -> Vec<Point> {
    println!(
        "{name:<22} {:>10} {:>12} {:>12} {:>8} {:>8}",
        "kB/min", "kbit/s avg", "peak 10 s", "cap", "VMAF"
    );
    let mut points = Vec::new();
    for rendition in &made.timeline.renditions {
        let rate = kilobytes_a_minute(&made.timeline, rendition);
        let vmaf = scorer
            .filter(|_| rendition.kind != Kind::Audio)
            .map(|scorer| scorer.score(source, &made.joined(rendition)));
        let decisions = made.timeline.decision.iter();
        let cap = decisions
            .flat_map(|decision| &decision.rungs)
            .find(|rung| rung.rendition == rendition.id)
            .map(|rung| rung.most_bps);
        let shown = vmaf.map_or("–".into(), |vmaf| format!("{vmaf:.1}"));
        println!(
            "{:<22} {rate:>10.1} {:>12.1} {:>12.1} {:>8} {shown:>8}{}",
            rendition.id,
            rendition.average_bps as f64 / 1000.0,
            rendition.peak_bps as f64 / 1000.0,
            cap.map_or("–".into(), |cap| format!(
                "{:.0}",
                f64::from(cap) / 1000.0
            )),
            if cap.is_some_and(|cap| rendition.peak_bps > cap.into()) {
                "  above its cap"
            } else {
                ""
            },
        );
        if let (Kind::Video, Some(vmaf)) = (rendition.kind, vmaf) {
            let av1 = rendition.codec.starts_with("av01");
            points.push(Point { av1, rate, vmaf });
        }
    }
    println!("{}\n", made.timeline.in_short());
    points
}

fn kilobytes_a_minute(timeline: &Timeline, rendition: &Rendition) -> f64 {
    let segments: u64 = rendition.segments.iter().map(|segment| segment.bytes).sum();
    let bytes = (segments + rendition.init.bytes) as f64;
    bytes * 60.0 / timeline.duration_ms as f64
}

/// Bytes at equal quality and frame rate, in parts of what others need.
fn peers(curve: &[Point], source: &Path, scorer: &Scorer) {
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8}",
        "camera at equal VMAF", "kB/min", "VMAF", "H.264", "AV1"
    );
    let kolibri = "-vf scale=-2:480 -c:v libx264 -profile:v baseline -preset slow -crf 32";
    for (name, arguments) in [
        ("Kolibri (480p, baseline, slow, crf 32)", kolibri),
        (
            "plain libx264 (240p, crf 23)",
            "-vf scale=-2:240 -c:v libx264 -crf 23",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("peer.mp4");
        run::ffmpeg(source, arguments, &made);
        let (rate, vmaf) = (run::rate(&made), scorer.score(source, &made));
        let ratio = |av1: bool| {
            let needed = at_quality(curve, av1, vmaf);
            needed.map_or("–".into(), |needed| format!("{:.2}×", needed / rate))
        };
        println!(
            "{name:<44} {rate:>8.0} {vmaf:>8.1} {:>8} {:>8}",
            ratio(false),
            ratio(true)
        );
    }
    println!();
}

/// The rate at which a codec's rungs reach a quality: between them, and a little beyond them along the
/// slope of the nearest two. A codec with one rung borrows the slope of the other.
fn at_quality(curve: &[Point], av1: bool, vmaf: f64) -> Option<f64> {
    let of = |av1: bool| {
        let mut points: Vec<&Point> = curve.iter().filter(|point| point.av1 == av1).collect();
        points.sort_by(|a, b| a.vmaf.total_cmp(&b.vmaf));
        points
    };
    let points = of(av1);
    let (low, high) = nearest(&points, vmaf).or_else(|| nearest(&of(!av1), vmaf))?;
    let slope = (high.rate / low.rate).ln() / (high.vmaf - low.vmaf).max(0.1);
    let from =
        nearest(&points, vmaf).map_or_else(|| points.first().copied(), |(low, _)| Some(low))?;
    Some(from.rate * (slope * (vmaf - from.vmaf)).exp())
}

/// The two neighbours of a quality.
fn nearest<'a>(points: &[&'a Point], vmaf: f64) -> Option<(&'a Point, &'a Point)> {
    let above = points.partition_point(|point| point.vmaf < vmaf);
    let above = above.clamp(1, points.len().checked_sub(1)?.max(1));
    Some((points.get(above - 1)?, points.get(above)?))
}

/// What the boxes around the sound cost.
fn container(timeline: &Timeline) {
    let Some(opus) = timeline.renditions.iter().find(|r| r.codec == "opus") else {
        return;
    };
    // A fragment's boxes are 104 bytes and four for each packet of two frames of 60 ms.
    let chunks = opus.segments.iter().flat_map(|segment| &segment.chunks);
    let boxes: u64 = chunks
        .map(|chunk| 104 + 4 * chunk.duration_ms.div_ceil(120))
        .sum();
    let bytes: u64 = opus.segments.iter().map(|segment| segment.bytes).sum();
    let share = boxes as f64 / (bytes - boxes) as f64 * 100.0;
    println!("container around {}: {share:.1} %\n", opus.id);
}

/// Runs a program that must succeed and gives back what it wrote to both outputs.
fn output(command: &mut Command) -> String {
    let run = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{command:?}: {text}");
    text + &String::from_utf8_lossy(&run.stdout)
}

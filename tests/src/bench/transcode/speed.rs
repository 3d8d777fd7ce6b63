//! Time and memory beside `ffmpeg` with the same encoders and settings.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use millet_manifest::{Kind, RungDecision};

use super::run::{self, Prepared, looped};
use super::{demo, output};

/// Runs of which the median counts.
const RUNS: usize = 3;

/// Length of the recording, seconds; of its lines depends that it gets four rungs.
const LENGTH_S: u32 = 16;

/// Times the H.264 ladder of a camera's recording.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("camera.mp4");
    looped(
        &demo("natural.mp4"),
        LENGTH_S,
        "-vf scale=854:480 -c:v libx264 -crf 20",
        &source,
    );
    let source = source.as_path();
    let made = Prepared::make(source, &["--h264-only"]);
    let rungs = rungs(&made);
    println!(
        "{:<52} {:>10} {:>10}",
        format!("camera, {LENGTH_S} s, {} rungs with pictures", rungs.len()),
        "s",
        "ratio"
    );
    let row = |what: &str, seconds: f64, ratio: f64| {
        println!("{what:<52} {seconds:>10.2} {ratio:>9.2}×");
    };
    let encoding = |workers: &str| {
        let further = ["--h264-only", "--workers", workers];
        Prepared::make(source, &further).encoding.as_secs_f64()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let own = median(|| encoding(&cores.to_string()));
    row("millet, after looking and trying", own, 1.0);
    let one = median(|| encoding("1"));
    row("millet with one worker, in parts of all", one, one / own);
    let graph = median(|| timed(&split(source, &rungs)));
    row(
        "ffmpeg, one split graph: millet in parts of it",
        graph,
        own / graph,
    );
    let sequence = median(|| {
        let alone = rungs.iter().map(std::slice::from_ref);
        alone.map(|rung| timed(&split(source, rung))).sum()
    });
    row(
        "ffmpeg, one command a rung: millet in parts of it",
        sequence,
        own / sequence,
    );
    let floor = rungs.iter().map(|rung| alone(source, rung)).sum::<f64>() / cores as f64;
    row(
        "encoders alone, on all cores: millet in parts of it",
        floor,
        own / floor,
    );
    let whole = made.whole.as_secs_f64();
    row("millet with looking, trying and sound", whole, whole / own);
    println!();
}

/// The rungs that were made, as arguments of `ffmpeg` behind `-map`.
fn rungs(made: &Prepared) -> Vec<String> {
    let decisions = made
        .timeline
        .decision
        .iter()
        .flat_map(|decision| &decision.rungs);
    decisions
        .filter(|rung| rung.kept)
        .filter_map(|rung: &RungDecision| {
            let rendition = made.timeline.rendition(&rung.rendition)?;
            let (width, height) = (rendition.width, rendition.height);
            let rate = f64::from(rendition.frame_rate_milli) / 1000.0;
            let crf = rung.crf;
            let encoder = match rendition.kind {
                Kind::Video => format!(
                    "libx264 -preset veryslow -crf {crf} -x264-params \
                     scenecut=0:ref=5:rc-lookahead=40:psy=0:aq-mode=2"
                ),
                _ => format!("libx264 -preset veryslow -crf {crf} -x264-params bframes=0"),
            };
            Some(format!(
                "fps={rate},scale={width}:{height} -c:v {encoder} -g 200"
            ))
        })
        .collect()
}

/// Seconds that one core needs for a rung's pictures, when they lie there at its size.
fn alone(source: &Path, rung: &str) -> f64 {
    let (filter, encoder) = rung.split_once(' ').unwrap_or((rung, ""));
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw.nut");
    run::ffmpeg(source, &format!("-vf {filter} -c:v rawvideo"), &raw);
    let raw = raw.to_str().unwrap_or_default();
    let arguments = format!("-i {raw} {encoder} -threads 1 -f null -");
    let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    median(|| timed(&arguments))
}

fn split(source: &Path, rungs: &[String]) -> Vec<String> {
    let mut graph = format!("[0:v]split={}", rungs.len());
    let mut outputs = Vec::new();
    // Writing to a String cannot fail.
    for index in 0..rungs.len() {
        let _ = write!(graph, "[in{index}]");
    }
    for (index, rung) in rungs.iter().enumerate() {
        let (filter, encoder) = rung.split_once(' ').unwrap_or((rung, ""));
        let _ = write!(graph, ";[in{index}]{filter}[out{index}]");
        outputs.extend(["-map".to_owned(), format!("[out{index}]")]);
        outputs.extend(encoder.split_whitespace().map(str::to_owned));
        outputs.extend(["-f".to_owned(), "null".to_owned(), "-".to_owned()]);
    }
    let source = source.to_str().unwrap_or_default().to_owned();
    let mut all = vec!["-i".to_owned(), source, "-filter_complex".to_owned(), graph];
    all.extend(outputs);
    all
}

fn timed(arguments: &[String]) -> f64 {
    let started = Instant::now();
    let mut command = Command::new("ffmpeg");
    output(
        command
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments),
    );
    started.elapsed().as_secs_f64()
}

fn median(mut run: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..RUNS).map(|_| run()).collect();
    all.sort_by(f64::total_cmp);
    all[RUNS / 2]
}

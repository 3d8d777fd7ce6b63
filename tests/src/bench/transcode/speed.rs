//! Time and memory beside `ffmpeg` with the same encoders and settings.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use millet_manifest::{Kind, RungDecision};

use super::output;
use super::run::Prepared;

/// Runs of which the median counts.
const RUNS: usize = 3;

pub(super) fn run(source: &Path, made: &Prepared) {
    println!(
        "{:<52} {:>10} {:>10}",
        "camera, all rungs with pictures", "s", "ratio"
    );
    let rungs: Vec<String> = rungs(made);
    let own = median(|| Prepared::make(source, None).encoding.as_secs_f64());
    let one = median(|| Prepared::make(source, Some(1)).encoding.as_secs_f64());
    let graph = median(|| timed(&split(source, &rungs)));
    let sequence = median(|| {
        rungs
            .iter()
            .map(|rung| timed(&split(source, std::slice::from_ref(rung))))
            .sum()
    });
    let row = |what: &str, seconds: f64, ratio: f64| {
        println!("{what:<52} {seconds:>10.2} {ratio:>9.2}×");
    };
    row("millet, after looking and trying", own, 1.0);
    row("millet with one worker, in parts of all", one, one / own);
    row(
        "ffmpeg, one split graph: millet in parts of it",
        graph,
        own / graph,
    );
    row(
        "ffmpeg, one command a rung: millet in parts of it",
        sequence,
        own / sequence,
    );
    row(
        "millet with looking, trying and sound",
        made.whole.as_secs_f64(),
        1.0,
    );
    println!(
        "\nmemory: {:.0} MiB at {} s of recording",
        made.memory_mib,
        made.timeline.duration_ms / 1000
    );
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
            let encoder = match (rendition.codec.starts_with("av01"), rendition.kind) {
                (true, _) => format!(
                    "libaom-av1 -cpu-used 5 -crf {crf} -b:v 0 -threads 1 -row-mt 0 \
                     -lag-in-frames 35 -aom-params deltaq-mode=0"
                ),
                (false, Kind::Video) => format!(
                    "libx264 -preset veryslow -crf {crf} -x264-params \
                     scenecut=0:ref=5:rc-lookahead=40:psy=0:aq-mode=2"
                ),
                (false, _) => format!("libx264 -preset veryslow -crf {crf} -x264-params bframes=0"),
            };
            Some(format!(
                "fps={rate},scale={width}:{height} -c:v {encoder} -g 200"
            ))
        })
        .collect()
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

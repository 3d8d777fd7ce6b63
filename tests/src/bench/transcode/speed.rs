//! Time and memory beside `ffmpeg` with the same encoders and settings.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use millet_manifest::{Kind, RungDecision, Timeline, TitleClass};

use super::run::{self, Prepared, looped};
use super::score::Scorer;
use super::{demo, machines, output};

/// A burst of a rung may take this much of its cap, seconds.
const BUFFER_S: u32 = 4;

/// A recording and how it is encoded.
struct Case {
    name: &'static str,
    /// Of the demonstration.
    clip: &'static str,
    /// As large as the largest rung, or much larger: then decoding and scaling weigh most.
    size: &'static str,
    seconds: u32,
    quick: bool,
    /// Each round runs everything once, so that a machine that gets slower meanwhile does so for all; medians
    /// count, and what takes a second or two needs more of them.
    rounds: usize,
}

impl Case {
    /// What the transcoder is told besides its input and its output.
    fn arguments<'a>(&self, workers: &'a str) -> Vec<&'a str> {
        let quick = self.quick.then_some("--quick");
        let all = ["--h264-only", "--workers", workers].into_iter();
        all.chain(quick).collect()
    }
}

const CASES: [Case; 5] = [
    Case {
        name: "lecture of 1080 lines, 60 s, --quick",
        clip: "lecture.mp4",
        size: "1920:1080",
        seconds: 60,
        quick: true,
        rounds: 9,
    },
    Case {
        name: "camera of 720 lines, 24 s, --quick",
        clip: "natural.mp4",
        size: "1280:720",
        seconds: 24,
        quick: true,
        rounds: 3,
    },
    Case {
        name: "camera of 1080 lines, 24 s, --quick",
        clip: "natural.mp4",
        size: "1920:1080",
        seconds: 24,
        quick: true,
        rounds: 3,
    },
    Case {
        name: "lecture of 720 lines, 60 s, as lessons are made",
        clip: "lecture.mp4",
        size: "1280:720",
        seconds: 60,
        quick: false,
        rounds: 5,
    },
    Case {
        name: "camera of 480 lines, 24 s, as lessons are made",
        clip: "natural.mp4",
        size: "854:480",
        seconds: 24,
        quick: false,
        rounds: 3,
    },
];

/// Times the H.264 ladder of recordings that are encoded quickly.
///
/// # Panics
/// When a program is missing or fails.
pub fn quick() {
    CASES.iter().filter(|case| case.quick).for_each(time);
}

/// The same as lessons are made, which takes longer.
///
/// # Panics
/// When a program is missing or fails.
pub fn thorough() {
    CASES.iter().filter(|case| !case.quick).for_each(time);
}

/// What the figure of a row is a ratio of, within one round.
#[derive(Clone, Copy)]
enum Ratio {
    /// Of the row to what Millet took.
    OfOwn,
    /// Of what Millet took to the row.
    OwnTo,
    /// Of what Millet took on one core to the row.
    OneCoreTo,
}

struct Row<'a> {
    what: String,
    ratio: Ratio,
    /// Seconds that it takes.
    run: Box<dyn Fn() -> f64 + 'a>,
}

fn row<'a>(what: impl Into<String>, ratio: Ratio, run: impl Fn() -> f64 + 'a) -> Row<'a> {
    Row {
        what: what.into(),
        ratio,
        run: Box::new(run),
    }
}

fn time(case: &Case) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("recording.mp4");
    // Without sound, which the commands beside do not make.
    let encoding = format!("-an -vf scale={} -c:v libx264 -crf 20", case.size);
    looped(&demo(case.clip), case.seconds, &encoding, &source);
    let source = source.as_path();
    let prepare = |workers: &str| {
        let made = Prepared::make(source, &case.arguments(workers));
        made.encoding.as_secs_f64()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let all = cores.to_string();
    let made = Prepared::make(source, &case.arguments(&all));
    let rungs = rungs(&made, case.quick);
    let middle_ms = middle_cut(&made.timeline);
    let newest = Scorer::find();
    let newest = newest.as_ref().map(Scorer::program);
    let raws = raws(source, &rungs, folder.path());
    // What others are compared with comes first.
    let mut rows = vec![
        row("millet, after looking and trying", Ratio::OfOwn, || {
            prepare(&all)
        }),
        row("one core, in parts of all", Ratio::OfOwn, || {
            let made = Prepared::on_core(source, &case.arguments("1"));
            made.encoding.as_secs_f64()
        }),
        row(
            "two machines of a core: one in parts of them",
            Ratio::OneCoreTo,
            || {
                let middle = machines::From::TheMiddle(middle_ms);
                machines::two(source, &case.arguments("1"), middle).as_secs_f64()
            },
        ),
        row("one encoding worker, in parts of all", Ratio::OfOwn, || {
            prepare("1")
        }),
    ];
    for program in std::iter::once(Path::new("ffmpeg")).chain(newest) {
        let what = format!(
            "ffmpeg {}, one split graph: millet in parts",
            version(program)
        );
        rows.push(row(what, Ratio::OwnTo, || {
            timed(program, &split(source, &rungs))
        }));
    }
    rows.push(row(
        "ffmpeg, one command a rung: millet in parts of it",
        Ratio::OwnTo,
        || {
            let alone = rungs.iter().map(std::slice::from_ref);
            let seconds = |rung| timed(Path::new("ffmpeg"), &split(source, rung));
            alone.map(seconds).sum()
        },
    ));
    rows.push(row(
        "encoders alone, on all cores: millet in parts of it",
        Ratio::OwnTo,
        || {
            let seconds = |raw: &Vec<String>| timed(Path::new("ffmpeg"), raw);
            raws.iter().map(seconds).sum::<f64>() / cores as f64
        },
    ));
    let rounds: Vec<Vec<f64>> = (0..case.rounds)
        .map(|_| rows.iter().map(|row| (row.run)()).collect())
        .collect();
    let title = format!("{}, {} rungs with pictures", case.name, rungs.len());
    println!("{title:<52} {:>10} {:>10}", "s", "ratio");
    print(&rows, &rounds);
    let (what, whole) = ("millet with looking and trying, once", made.whole);
    println!("{what:<52} {:>10.2}\n", whole.as_secs_f64());
}

fn print(rows: &[Row<'_>], rounds: &[Vec<f64>]) {
    for (place, row) in rows.iter().enumerate() {
        let seconds = median(rounds.iter().map(|round| round[place]));
        let ratio = median(rounds.iter().map(|round| match row.ratio {
            Ratio::OfOwn => round[place] / round[0],
            Ratio::OwnTo => round[0] / round[place],
            Ratio::OneCoreTo => round[1] / round[place],
        }));
        println!("{:<52} {seconds:>10.2} {ratio:>9.2}×", row.what);
    }
}

/// The cut from which on about half is left.
fn middle_cut(timeline: &Timeline) -> u64 {
    let cuts = timeline.cuts_ms.iter().copied();
    let middle = cuts.min_by_key(|cut| cut.abs_diff(timeline.duration_ms / 2));
    middle.unwrap_or(0)
}

/// The rungs that were made, as arguments of `ffmpeg` behind `-map`.
fn rungs(made: &Prepared, quick: bool) -> Vec<String> {
    let preset = if quick { "medium" } else { "veryslow" };
    let decision = made.timeline.decision.as_ref();
    let lecture = decision.is_some_and(|decision| decision.class == TitleClass::Lecture);
    let decisions = decision.into_iter().flat_map(|decision| &decision.rungs);
    decisions
        .filter(|rung| rung.kept)
        .filter_map(|rung: &RungDecision| {
            let rendition = made.timeline.rendition(&rung.rendition)?;
            let (width, height) = (rendition.width, rendition.height);
            let rate = f64::from(rendition.frame_rate_milli) / 1000.0;
            let (crf, most) = (rung.crf, rung.most_bps);
            let buffer = most * BUFFER_S;
            let (tune, own) = match (rendition.kind, lecture) {
                (Kind::Video, true) => ("-tune animation", "bframes=0"),
                (_, true) => ("-tune animation", "bframes=0:psy=0:aq-mode=0"),
                (Kind::Video, false) => ("", "psy=0:aq-mode=2"),
                (_, false) => ("", "bframes=0"),
            };
            Some(format!(
                "fps={rate},scale={width}:{height} -c:v libx264 -preset {preset} {tune} -crf {crf} \
                 -maxrate {most} -bufsize {buffer} -x264-params scenecut=0:ref=5:rc-lookahead=40:{own} -g 200"
            ))
        })
        .collect()
}

/// For each rung what encodes its pictures on one core, when they lie there at its size.
fn raws(source: &Path, rungs: &[String], folder: &Path) -> Vec<Vec<String>> {
    let raw = |(index, rung): (usize, &String)| {
        let (filter, encoder) = rung.split_once(' ').unwrap_or((rung, ""));
        let raw = folder.join(format!("{index}.nut"));
        run::ffmpeg(source, &format!("-vf {filter} -c:v rawvideo"), &raw);
        let raw = raw.to_str().unwrap_or_default();
        let arguments = format!("-i {raw} {encoder} -threads 1 -f null -");
        arguments.split_whitespace().map(str::to_owned).collect()
    };
    rungs.iter().enumerate().map(raw).collect()
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

/// As the program says it, up to its first two numbers.
fn version(program: &Path) -> String {
    let said = output(Command::new(program).arg("-version"));
    let word = said.split_whitespace().nth(2).unwrap_or_default();
    let parts: Vec<&str> = word.trim_start_matches('n').split('.').take(2).collect();
    parts.join(".")
}

fn timed(program: &Path, arguments: &[String]) -> f64 {
    let started = Instant::now();
    let mut command = Command::new(program);
    output(
        command
            .args(["-nostdin", "-v", "error", "-y"])
            .args(arguments),
    );
    started.elapsed().as_secs_f64()
}

fn median(all: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

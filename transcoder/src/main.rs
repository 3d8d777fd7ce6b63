//! `millet-transcoder`: prepares one recording, or carries one class, and ends.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};
use millet_manifest::{BadInput, ExitCode, Progress};
use millet_transcoder::sandbox::Reach;
use millet_transcoder::{
    Asked, CaptionFile, Comparison, Effort, Error, Judges, Reference, Report, Wishes, compare,
    compare_apart, live, plot, prepare, prepare_part, probe, sandbox,
};

/// Brings recordings and classes onto weak links
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// End when the process that started this one does
    #[arg(long, global = true)]
    with_parent: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write renditions of INPUT into the empty folder OUTDIR
    #[command(after_help = PREPARE_EXAMPLES)]
    Prepare {
        /// A recording of any common kind
        input: PathBuf,
        /// A folder: new, empty, or one in which a run of the same INPUT was killed
        outdir: PathBuf,
        /// Cores that encode at the same time; by default, all that there are
        #[arg(long)]
        workers: Option<NonZero<usize>>,
        /// Leave out AV1, which takes half the time
        #[arg(long)]
        h264_only: bool,
        /// Encode in about a third of the time, for about an eighth more bytes
        #[arg(long)]
        quick: bool,
        /// A file of captions, .srt or .vtt, with its language; may be repeated
        #[arg(long, value_name = "LANGUAGE=FILE", conflicts_with = "from_ms")]
        captions: Vec<CaptionFile>,
        /// A folder with the plan and segments that others made of INPUT; it is only read
        #[arg(long, value_name = "DIR")]
        given: Option<PathBuf>,
        /// Make only segments with pictures that begin here or later, for another machine's run
        #[arg(long, value_name = "MS", requires = "given")]
        from_ms: Option<u32>,
        /// Make only segments with pictures that begin before
        #[arg(long, value_name = "MS", requires = "from_ms")]
        until_ms: Option<u32>,
    },
    /// Say what INPUT is, as one line of JSON
    #[command(after_help = PROBE_EXAMPLES)]
    Probe {
        /// A recording of any common kind
        input: PathBuf,
    },
    /// Weigh two renditions against each other: bytes, rates, and quality beside a reference
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare {
        /// A rendition or any other recording
        a: PathBuf,
        /// Another one
        b: PathBuf,
        /// What both were made from; without it, only cost is compared
        #[arg(long)]
        reference: Option<PathBuf>,
        /// Draw rate and quality as SVG into this file
        #[arg(long, value_name = "FILE", requires = "reference")]
        plot: Option<PathBuf>,
    },
    /// Make chunks of a class: records on standard input, records on standard output
    #[command(after_help = LIVE_EXAMPLES)]
    Live {
        /// Time on the class's timeline at which the first media stands, a multiple of 2000
        #[arg(long)]
        start_ms: u64,
        /// Leave out nothing when this machine is too slow: for what is not live
        #[arg(long)]
        patient: bool,
    },
}

const PREPARE_EXAMPLES: &str = "\
Examples:
  mkdir out && millet-transcoder prepare lecture.mp4 out
  millet-transcoder prepare --h264-only --workers 1 lecture.mp4 out
  millet-transcoder prepare --captions zh=lecture.srt --captions en=english.vtt lecture.mp4 out
  millet-transcoder prepare lecture.mp4 out | jq -r 'select(.type == \"published\").segment.file'

On a terminal it draws a bar, elsewhere it writes JSON lines: progress, published, done or refused.
OUTDIR then has timeline.json, every rendition, HLS playlists, downloads and pictures. A run that was
killed goes on in the same OUTDIR. Other machines may make parts of it meanwhile: what they find in their
OUTDIR goes into the folder that --given names. It ends with 0 when all is there, with 2 when INPUT
or captions are to blame.";

const PROBE_EXAMPLES: &str = "\
Examples:
  millet-transcoder probe lecture.mp4
  millet-transcoder probe lecture.mp4 | jq .duration_ms";

const LIVE_EXAMPLES: &str = "\
Example:
  millet-transcoder live --start-ms 0 <records >chunks

The records are those of the crate millet-manifest, module live: a server writes and reads them.";

const COMPARE_EXAMPLES: &str = "\
Examples:
  millet-transcoder compare v480.mp4 a480.mp4
  millet-transcoder compare v480.mp4 a480.mp4 --reference lecture.mp4
  millet-transcoder compare v480.mp4 old.mp4 --reference lecture.mp4 --plot rates.svg
  millet-transcoder compare v480.mp4 old.mp4 | jq .rate_a_to_b

Rates are of pictures and sound together, the peak over any 10 seconds. Quality (SSIM, PSNR) is the
mean over every picture of the reference, at the reference's size, of what the rendition shows at
that moment. VMAF (v0.6.1, the shorter side at 720) is of the same pictures, when `ffmpeg` or the
program that MILLET_VMAF_FFMPEG names has libvmaf. On a terminal it prints a table, elsewhere JSON.";

fn main() -> ProcessCode {
    let cli = Cli::parse();
    if cli.with_parent
        && let Err(error) = sandbox::die_with_parent()
    {
        return ProcessCode::from(complain(&error).0);
    }
    let code = match cli.command {
        Command::Prepare {
            input,
            outdir,
            workers,
            h264_only,
            quick,
            captions,
            given,
            from_ms,
            until_ms,
        } => {
            let cores = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
            let effort = match quick {
                true => Effort::Quick,
                false => Effort::Thorough,
            };
            let asked = Asked {
                wishes: Wishes {
                    workers: workers.unwrap_or(cores),
                    av1: !h264_only,
                    effort,
                },
                given: given.as_deref(),
                captions: &captions,
            };
            match from_ms {
                Some(from_ms) => {
                    let until_ms = until_ms.map_or(i64::MAX, i64::from);
                    make_part(&input, &outdir, i64::from(from_ms)..until_ms, &asked)
                }
                None => prepare_one(&input, &outdir, &asked),
            }
        }
        Command::Probe { input } => probe_one(&input),
        Command::Compare {
            a,
            b,
            reference,
            plot,
        } => match (reference.as_deref(), plot.as_deref()) {
            (Some(reference), Some(plot)) => draw_two(&a, &b, reference, plot),
            (reference, _) => compare_two(&a, &b, reference).map(|()| ExitCode::DONE),
        }
        .unwrap_or_else(|error| complain(&error)),
        Command::Live { start_ms, patient } => {
            let done = sandbox::enter(Reach::Pipes).and_then(|()| live(start_ms, patient));
            done.map_or_else(|error| complain(&error), |()| ExitCode::DONE)
        }
    };
    ProcessCode::from(code.0)
}

fn prepare_one(input: &Path, output: &Path, asked: &Asked<'_>) -> ExitCode {
    let for_people = std::io::stdout().is_terminal();
    let report = Report::new(for_people);
    let done = enter(input, output, asked).and_then(|()| prepare(input, output, asked, &report));
    match done {
        Ok(timeline) => {
            report.line(&Progress::Done {
                duration_ms: timeline.duration_ms,
                bytes: timeline.bytes(),
            });
            if for_people {
                let decision = timeline.decision.as_ref();
                let sentence = decision.map_or("", |decision| &decision.sentence);
                println!("{sentence}\nEverything is in {}.", output.display());
            }
            ExitCode::DONE
        }
        Err(error) => refuse(error, &report),
    }
}

fn make_part(input: &Path, output: &Path, part: Range<i64>, asked: &Asked<'_>) -> ExitCode {
    let report = Report::new(std::io::stdout().is_terminal());
    let done = sandbox::stand_back()
        .and_then(|()| enter(input, output, asked))
        .and_then(|()| prepare_part(input, output, part, asked, &report));
    match done {
        Ok(made) => {
            report.line(&Progress::Done {
                duration_ms: made.duration_ms,
                bytes: made.bytes,
            });
            ExitCode::DONE
        }
        Err(error) => refuse(error, &report),
    }
}

/// Makes the folder and locks the door behind these paths. A path that is wrong says nothing of a recording.
fn enter(input: &Path, output: &Path, asked: &Asked<'_>) -> Result<(), Error> {
    there(input)?;
    asked
        .captions
        .iter()
        .try_for_each(|file| there(&file.path))?;
    std::fs::create_dir_all(output)
        .map_err(|error| Error::Fault(format!("{} cannot be made: {error}", output.display())))?;
    sandbox::enter(Reach::Files {
        input,
        output,
        given: asked.given,
        captions: asked.captions,
    })
}

/// Looks, without opening: nothing hostile is opened outside the sandbox.
fn there(input: &Path) -> Result<(), Error> {
    std::fs::metadata(input)
        .map(drop)
        .map_err(|error| Error::Fault(format!("{} cannot be opened: {error}", input.display())))
}

fn refuse(error: Error, report: &Report) -> ExitCode {
    let code = complain(&error);
    if let Error::Bad { reason, sentence } = error {
        report.line(&Progress::Refused { reason, sentence });
    }
    code
}

fn probe_one(input: &Path) -> ExitCode {
    let said = there(input)
        .and_then(|()| sandbox::enter(Reach::Inputs(&[input])))
        .and_then(|()| probe(input))
        .and_then(|probe| serde_json::to_string(&probe).map_err(|e| Error::Fault(e.to_string())))
        .and_then(|json| Ok(writeln!(std::io::stdout(), "{json}")?));
    said.map_or_else(|error| complain(&error), |()| ExitCode::DONE)
}

fn compare_two(a: &Path, b: &Path, reference: Option<&Path>) -> Result<(), Error> {
    let inputs: Vec<&Path> = [a, b].into_iter().chain(reference).collect();
    inputs.iter().copied().try_for_each(there)?;
    // Other programs can only start now. They never see a file, only pictures.
    let reference = reference.map(|path| Reference {
        path,
        judges: Judges::start(),
    });
    sandbox::enter(Reach::Inputs(&inputs))?;
    show(&compare(a, b, reference)?)
}

/// Another process compares: who has read hostile files can write none.
fn draw_two(a: &Path, b: &Path, reference: &Path, drawing: &Path) -> Result<ExitCode, Error> {
    [a, b, reference].into_iter().try_for_each(there)?;
    can_be_written(drawing)?;
    let comparison = match compare_apart(a, b, reference)? {
        Ok(comparison) => comparison,
        // It has said why.
        Err(code) => return Ok(code),
    };
    show(&comparison)?;
    let svg = plot(&comparison).ok_or_else(|| Error::Bad {
        reason: BadInput::NoStreams,
        sentence: "There is nothing to draw: not both files hold pictures.".into(),
    })?;
    std::fs::write(drawing, svg).map_err(|error| unwritten(drawing, &error))?;
    Ok(ExitCode::DONE)
}

/// Looks where a drawing is to go, and changes nothing there.
fn can_be_written(drawing: &Path) -> Result<(), Error> {
    let folder = match drawing.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let why_not = match std::fs::metadata(folder) {
        Ok(folder) if !folder.is_dir() => ErrorKind::NotADirectory.into(),
        Ok(_) if drawing.is_dir() => ErrorKind::IsADirectory.into(),
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    Err(unwritten(drawing, &why_not))
}

fn unwritten(drawing: &Path, error: &std::io::Error) -> Error {
    Error::Fault(format!("{} cannot be written: {error}", drawing.display()))
}

/// As a table for people, else as JSON.
fn show(comparison: &Comparison) -> Result<(), Error> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        write!(out, "{}", comparison.table())?;
    } else {
        let json = serde_json::to_string_pretty(comparison)
            .map_err(|error| Error::Fault(error.to_string()))?;
        writeln!(out, "{json}")?;
    }
    Ok(())
}

/// Says on standard error what went wrong, to whom it concerns.
fn complain(error: &Error) -> ExitCode {
    match error {
        Error::Bad { sentence, .. } => {
            eprintln!("{sentence}");
            ExitCode::BAD_INPUT
        }
        fault => {
            eprintln!("millet-transcoder: {fault}");
            ExitCode::FAULT
        }
    }
}

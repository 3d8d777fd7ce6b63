//! `millet-transcoder`: prepares one recording, or carries one class, and ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};
use millet_manifest::{ExitCode, Progress};
use millet_transcoder::sandbox::Reach;
use millet_transcoder::{Error, Report, live, prepare, probe, sandbox};

/// Brings recordings and classes onto weak links
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write renditions of INPUT into the empty folder OUTDIR; progress as JSON lines
    Prepare {
        /// A recording of any common kind
        input: PathBuf,
        /// An empty folder
        outdir: PathBuf,
    },
    /// Say what INPUT is, as one line of JSON
    Probe {
        /// A recording of any common kind
        input: PathBuf,
    },
    /// Make chunks of a class: records on standard input, records on standard output
    Live {
        /// Time on the class's timeline at which the first media stands, a multiple of 2000
        #[arg(long)]
        start_ms: u64,
        /// Leave out nothing when this machine is too slow: for what is not live
        #[arg(long)]
        patient: bool,
    },
}

fn main() -> ProcessCode {
    let code = match Cli::parse().command {
        Command::Prepare { input, outdir } => prepare_one(&input, &outdir),
        Command::Probe { input } => probe_one(&input),
        Command::Live { start_ms, patient } => {
            let done = sandbox::enter(Reach::Pipes).and_then(|()| live(start_ms, patient));
            done.map_or_else(|error| complain(&error), |()| ExitCode::DONE)
        }
    };
    ProcessCode::from(code.0)
}

fn prepare_one(input: &Path, output: &Path) -> ExitCode {
    let mut report = Report::default();
    let done = sandbox::enter(Reach::Files { input, output })
        .and_then(|()| prepare(input, output, &mut report));
    match done {
        Ok(timeline) => {
            report.line(&Progress::Done {
                duration_ms: timeline.duration_ms,
                bytes: timeline.bytes(),
            });
            ExitCode::DONE
        }
        Err(error) => {
            let code = complain(&error);
            if let Error::Bad { reason, sentence } = error {
                report.line(&Progress::Refused { reason, sentence });
            }
            code
        }
    }
}

fn probe_one(input: &Path) -> ExitCode {
    let said = sandbox::enter(Reach::Input(input))
        .and_then(|()| probe(input))
        .and_then(|probe| serde_json::to_string(&probe).map_err(|e| Error::Fault(e.to_string())))
        .and_then(|json| Ok(writeln!(std::io::stdout(), "{json}")?));
    said.map_or_else(|error| complain(&error), |()| ExitCode::DONE)
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

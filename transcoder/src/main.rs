//! `millet-transcoder`: prepares one recording and ends.

use std::path::PathBuf;
use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};
use millet_manifest::{ExitCode, Progress};
use millet_transcoder::{Error, Report, prepare, sandbox};

/// Prepares recordings for weak links
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
}

fn main() -> ProcessCode {
    let Command::Prepare { input, outdir } = Cli::parse().command;
    let mut report = Report::default();
    let done = sandbox::enter(&input, &outdir).and_then(|()| prepare(&input, &outdir, &mut report));
    let code = match done {
        Ok(timeline) => {
            report.line(&Progress::Done {
                duration_ms: timeline.duration_ms,
                bytes: timeline.bytes(),
            });
            ExitCode::DONE
        }
        Err(Error::Bad { reason, sentence }) => {
            eprintln!("{sentence}");
            report.line(&Progress::Refused { reason, sentence });
            ExitCode::BAD_INPUT
        }
        Err(error) => {
            eprintln!("millet-transcoder: {error}");
            ExitCode::FAULT
        }
    };
    ProcessCode::from(code.0)
}

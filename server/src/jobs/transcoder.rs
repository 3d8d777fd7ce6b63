//! Runs the transcoder as a child process. It handles hostile files, so nothing it says or writes
//! is trusted: lines, times and sizes are bounded here.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use millet_manifest::{BadInput, ExitCode, Progress, Stage};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::early::growth::Growth;
use super::shares::Stretch;
use super::{Setback, Step};

/// Longest run, working or waiting: a lecture of several hours on a small machine.
pub const LONGEST_RUN: Duration = Duration::from_secs(6 * 3600);
/// Longest line of progress, in bytes.
const LONGEST_LINE: u64 = 16 * 1024;
/// What is kept of standard error, in bytes, from its end.
const STDERR_TAIL: usize = 4 * 1024;
/// Longest sentence of a refusal that is kept, in characters.
const LONGEST_SENTENCE: usize = 300;
/// Share of the whole job, in thousandths, that the transcoder's own 1000 stand for.
pub const SHARE: i64 = 950;
/// Word for the stage in which renditions are made; what they are is decided then.
pub const ENCODING: &str = "encode";
/// The only parts of the environment that the child sees: no passwords, no keys.
const ENVIRONMENT: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "RUST_LOG", "RUST_BACKTRACE"];

/// The transcoder, and what it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// The program.
    pub program: &'a Path,
    /// AV1 beside H.264, where it is worth it.
    pub av1: bool,
    /// When the child is killed, usually [`LONGEST_RUN`].
    pub within: Duration,
    /// A folder with what other nodes made of the same input.
    pub given: Option<&'a Path>,
    /// Only segments with pictures of this stretch, for another node.
    pub stretch: Option<Stretch>,
}

impl Tool<'_> {
    fn options(&self) -> Vec<OsString> {
        let mut options: Vec<OsString> = Vec::new();
        if !self.av1 {
            options.push("--h264-only".into());
        }
        if let Some(given) = self.given {
            options.extend(["--given".into(), given.into()]);
        }
        if let Some(stretch) = self.stretch {
            options.extend(["--from-ms".into(), stretch.from_ms.to_string().into()]);
            let until = stretch.until_ms.map(|until_ms| until_ms.to_string());
            options.extend(
                until
                    .into_iter()
                    .flat_map(|ms| ["--until-ms".into(), ms.into()]),
            );
        }
        options.push("--with-parent".into());
        options
    }
}

/// Prepares `input` into the folder `output`, which is empty or holds what an attempt left that was cut short.
/// What can be watched meanwhile is told to `growth`.
///
/// Dropping the future kills the child, and so does the end of [`Tool::within`].
///
/// # Errors
/// [`Setback::Refused`] when the file is bad, [`Setback::Fault`] when anything else goes wrong.
pub async fn prepare(
    tool: Tool<'_>,
    input: &Path,
    output: &Path,
    report: &watch::Sender<Step>,
    growth: &watch::Sender<Growth>,
) -> Result<(), Setback> {
    let program = tool.program;
    let mut command = Command::new(program);
    command
        .arg("prepare")
        .arg(input)
        .arg(output)
        .args(tool.options())
        .env_clear()
        .envs(ENVIRONMENT.iter().filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some((name, value))
        }))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| fault(format!("cannot start {}: {error}", program.display())))?;
    let watched = tokio::time::timeout(tool.within, watch_child(&mut child, report, growth)).await;
    let result = match watched {
        Ok(result) => result,
        Err(_) => Err(fault(format!(
            "the transcoder did not end within {} seconds",
            tool.within.as_secs()
        ))),
    };
    match result {
        Ok((status, last, stderr)) => judge(status, last, &stderr),
        Err(setback) => {
            child
                .kill()
                .await
                .map_err(|error| fault(error.to_string()))?;
            Err(setback)
        }
    }
}

async fn watch_child(
    child: &mut Child,
    report: &watch::Sender<Step>,
    growth: &watch::Sender<Growth>,
) -> Result<(ExitStatus, Option<Progress>, String), Setback> {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(fault("the transcoder's pipes are missing"));
    };
    let (last, stderr, status) = tokio::try_join!(
        read_progress(stdout, report, growth),
        read_tail(stderr),
        async { child.wait().await.map_err(|error| fault(error.to_string())) }
    )?;
    Ok((status, last, stderr))
}

fn judge(status: ExitStatus, last: Option<Progress>, stderr: &str) -> Result<(), Setback> {
    match (status.code(), last) {
        (Some(code), Some(Progress::Done { .. })) if code == i32::from(ExitCode::DONE.0) => Ok(()),
        (Some(code), Some(Progress::Refused { reason, sentence }))
            if code == i32::from(ExitCode::BAD_INPUT.0) =>
        {
            Err(Setback::Refused {
                reason: reason_word(reason),
                sentence: sentence.chars().take(LONGEST_SENTENCE).collect(),
            })
        }
        _ => Err(fault(format!(
            "the transcoder ended with {status}: {stderr}"
        ))),
    }
}

/// The word of the reason, as the manifest's JSON has it and as the text keys of the pages end.
fn reason_word(reason: BadInput) -> &'static str {
    match reason {
        BadInput::NotMedia => "not_media",
        BadInput::NoStreams => "no_streams",
        BadInput::TooLong => "too_long",
        BadInput::TooLarge => "too_large",
        BadInput::Truncated => "truncated",
        BadInput::NoFrames => "no_frames",
        BadInput::OverLimit => "over_limit",
        BadInput::Captions => "captions",
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Probe => "probe",
        Stage::Encode => ENCODING,
        Stage::Package => "package",
    }
}

async fn read_progress(
    stdout: impl AsyncRead + Unpin,
    report: &watch::Sender<Step>,
    growth: &watch::Sender<Growth>,
) -> Result<Option<Progress>, Setback> {
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    let mut last = None;
    loop {
        line.clear();
        let read = (&mut reader)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await
            .map_err(|error| fault(error.to_string()))?;
        if read == 0 {
            return Ok(last);
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE {
            return Err(fault("the transcoder wrote an endless line"));
        }
        let progress: Progress = serde_json::from_slice(&line)
            .map_err(|error| fault(format!("the transcoder wrote a strange line: {error}")))?;
        if let Progress::Progress {
            stage,
            permille,
            left_ms,
        } = &progress
        {
            report.send_replace(Step {
                permille: i64::from((*permille).min(1000)) * SHARE / 1000,
                stage: Some(stage_word(*stage)),
                left_ms: left_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            });
        }
        growth.send_if_modified(|growth| growth.take(&progress));
        last = Some(progress);
    }
}

/// Reads to the end and keeps the last bytes.
async fn read_tail(mut stderr: impl AsyncRead + Unpin) -> Result<String, Setback> {
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = [0_u8; 2048];
    loop {
        let read = stderr
            .read(&mut buffer)
            .await
            .map_err(|error| fault(error.to_string()))?;
        if read == 0 {
            return Ok(String::from_utf8_lossy(&tail).trim().to_owned());
        }
        tail.extend_from_slice(&buffer[..read]);
        if tail.len() > STDERR_TAIL {
            tail.drain(..tail.len() - STDERR_TAIL);
        }
    }
}

fn fault(sentence: impl Into<String>) -> Setback {
    Setback::Fault {
        sentence: sentence.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    async fn run(script: &str) -> (Result<(), Setback>, Step) {
        run_within(LONGEST_RUN, script).await
    }

    async fn run_within(within: Duration, script: &str) -> (Result<(), Setback>, Step) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("transcoder");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let (report, steps) = watch::channel(Step::default());
        let tool = Tool {
            program: &program,
            av1: false,
            within,
            given: None,
            stretch: None,
        };
        let (growth, _) = watch::channel(Growth::default());
        let (input, output) = (Path::new("in"), Path::new("out"));
        let result = prepare(tool, input, output, &report, &growth).await;
        let step = steps.borrow().clone();
        (result, step)
    }

    #[tokio::test]
    async fn progress_is_reported_and_done_means_exit_zero_and_the_line() {
        let (result, step) = run(r#"
            test "$*" = "prepare in out --h264-only --with-parent" || exit 1
            echo '{"type":"progress","stage":"encode","permille":500,"left_ms":7}'
            echo '{"type":"done","duration_ms":1,"bytes":1}'"#)
        .await;
        assert_eq!(result, Ok(()));
        assert_eq!((step.permille, step.stage), (475, Some("encode")));
        let (silent, _) = run("exit 0").await;
        assert!(matches!(silent, Err(Setback::Fault { .. })));
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_reason_and_everything_else_is_a_fault() {
        let refusal =
            r#"echo '{"type":"refused","reason":"no_frames","sentence":"Nothing to see."}'"#;
        let (result, _) = run(&format!("{refusal}; exit 2")).await;
        let Err(Setback::Refused { reason, sentence }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(
            (reason, sentence.as_str()),
            ("no_frames", "Nothing to see.")
        );
        for script in [
            &format!("{refusal}; exit 0") as &str,
            "echo oops >&2; exit 1",
            "kill -9 $$",
            "echo nonsense; sleep 100",
            "head -c 100000 /dev/zero; sleep 100",
        ] {
            let (result, _) = run(script).await;
            assert!(matches!(result, Err(Setback::Fault { .. })), "{script}");
        }
    }

    /// Waiting costs no processor time, so only the clock ends it.
    #[tokio::test]
    async fn a_run_that_waits_for_ever_is_ended_with_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("pid");
        let (result, step) = run_within(
            Duration::from_secs(2),
            &format!(
                r#"echo $$ > {}
                echo '{{"type":"progress","stage":"encode","permille":500,"left_ms":7}}'
                exec sleep 1000"#,
                place.display()
            ),
        )
        .await;
        let sentence = "the transcoder did not end within 2 seconds";
        assert_eq!(result, Err(fault(sentence)));
        assert_eq!(step.stage, Some("encode"), "it began");
        let process = std::fs::read_to_string(place).unwrap();
        assert!(!Path::new("/proc").join(process.trim()).exists());
    }

    #[tokio::test]
    async fn the_child_sees_no_secrets() {
        let (result, _) = run(r#"env | grep -q CARGO && exit 1
            echo '{"type":"done","duration_ms":1,"bytes":1}'"#)
        .await;
        assert!(std::env::vars().any(|(name, _)| name.contains("CARGO")));
        assert_eq!(result, Ok(()));
    }
}

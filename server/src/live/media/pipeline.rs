//! One run of `millet-transcoder live`: a child process that takes a publisher's media and gives the
//! ladder. It handles hostile media, so nothing it says is trusted: records are bounded here.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use millet_manifest::live::{Decoder, Input, Output, Record as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::error::Error;

/// Records that wait for the child; what is more is the publisher's to hold back.
const INPUTS_WAITING: usize = 256;
/// Records that wait for the server.
const OUTPUTS_WAITING: usize = 64;
/// Read from the child at once.
const PIECE: usize = 64 * 1024;
/// What is kept of standard error, from its end.
const STDERR_TAIL: usize = 4 * 1024;
/// The only parts of the environment that the child sees.
const ENVIRONMENT: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "RUST_LOG", "RUST_BACKTRACE"];

/// After its last record the child may take this long for what is left.
const END_WITHIN: Duration = Duration::from_secs(5);

/// A child that runs. It ends in order after [`Input::End`] or when every sender of `inputs` is
/// dropped, and at once when `outputs` is.
pub struct Pipeline {
    /// Records for the child.
    pub inputs: mpsc::Sender<Input>,
    /// Records of the child; closed when it has ended.
    pub outputs: mpsc::Receiver<Output>,
}

impl Pipeline {
    /// Starts a run whose first media is at `start_ms` of the timeline.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(program: &Path, start_ms: u64) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command
            .arg("live")
            .arg("--start-ms")
            .arg(start_ms.to_string())
            .arg("--with-parent")
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| {
                let value = std::env::var_os(name)?;
                Some((name, value))
            }))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::Internal("the transcoder's pipes are missing".into()));
        };
        let (inputs, to_child) = mpsc::channel(INPUTS_WAITING);
        let (from_child, outputs) = mpsc::channel(OUTPUTS_WAITING);
        // Ends with the child: its pipes close, or the other ends of the channels are dropped.
        tokio::spawn(run(child, stdin, stdout, stderr, to_child, from_child));
        Ok(Self { inputs, outputs })
    }
}

async fn run(
    mut child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    to_child: mpsc::Receiver<Input>,
    from_child: mpsc::Sender<Output>,
) {
    let unheard = from_child.clone();
    let words = tokio::spawn(tail(stderr));
    let mut reading = std::pin::pin!(read(stdout, from_child));
    let ended = tokio::select! {
        read = &mut reading => read,
        () = unheard.closed() => Ok(()),
        written = write(stdin, to_child) => match timeout(END_WITHIN, &mut reading).await {
            Ok(read) => written.and(read),
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        },
    };
    // It has ended already, or nobody wants what it would still say.
    let killed = child.start_kill();
    let status = child.wait().await;
    let words = words.await.unwrap_or_default();
    if ended.is_err() || !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        tracing::warn!(
            ?status,
            ?ended,
            ?killed,
            words,
            "a live transcoder did not end well"
        );
    }
}

async fn write(mut stdin: ChildStdin, mut records: mpsc::Receiver<Input>) -> std::io::Result<()> {
    while let Some(record) = records.recv().await {
        if record == Input::End {
            break;
        }
        let bytes = record.encode().map_err(std::io::Error::other)?;
        stdin.write_all(&bytes).await?;
    }
    let end = Input::End.encode().map_err(std::io::Error::other)?;
    stdin.write_all(&end).await?;
    stdin.shutdown().await
}

async fn read(mut stdout: ChildStdout, records: mpsc::Sender<Output>) -> std::io::Result<()> {
    let mut decoder = Decoder::default();
    let mut piece = vec![0_u8; PIECE];
    loop {
        let length = stdout.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        decoder.push(&piece[..length]);
        while let Some(record) = decoder.take().map_err(std::io::Error::other)? {
            if records.send(record).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn tail(mut stderr: ChildStderr) -> String {
    let mut tail: Vec<u8> = Vec::new();
    let mut piece = [0_u8; 2048];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        tail.extend_from_slice(&piece[..length]);
        let over = tail.len().saturating_sub(STDERR_TAIL);
        tail.drain(..over);
    }
    String::from_utf8_lossy(&tail).trim().to_owned()
}

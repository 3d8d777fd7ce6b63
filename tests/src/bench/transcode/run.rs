//! One run of the transcoder, watched from outside.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use millet_manifest::{DECIDED_PERMILLE, Progress, Rendition, TIMELINE_FILE, Timeline};

use super::output;
use crate::kit::server::program;

/// What came out, how long it took, how much memory at most.
pub(super) struct Prepared {
    folder: tempfile::TempDir,
    pub(super) timeline: Timeline,
    pub(super) whole: Duration,
    /// From the end of looking and trying to the end.
    pub(super) encoding: Duration,
    /// Until its beginning could be watched; none of what is too short.
    pub(super) watchable: Option<Duration>,
    /// Largest resident set, MiB.
    pub(super) memory_mib: f64,
}

impl Prepared {
    /// Prepares with further arguments.
    pub(super) fn make(source: &Path, further: &[&str]) -> Self {
        Self::by(Command::new(program("millet-transcoder")), source, further)
    }

    /// The same on one core.
    pub(super) fn on_core(source: &Path, further: &[&str]) -> Self {
        Self::by(on_core(0), source, further)
    }

    fn by(mut command: Command, source: &Path, further: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let started = Instant::now();
        command
            .arg("prepare")
            .arg(source)
            .arg(folder.path())
            .args(further);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let (mut decided, mut watchable, mut memory_mib) = (None, None, 0.0_f64);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line: Progress = serde_json::from_str(&line.unwrap()).unwrap();
            if is_decided(&line) {
                decided.get_or_insert_with(Instant::now);
            }
            if matches!(line, Progress::Watchable { .. }) {
                watchable.get_or_insert_with(|| started.elapsed());
            }
            // The high-water mark, which never falls; the last line comes at the very end.
            memory_mib = memory_mib.max(high_water(&status).unwrap_or(0.0));
        }
        assert!(child.wait().unwrap().success());
        let json = std::fs::read(folder.path().join(TIMELINE_FILE)).unwrap();
        Self {
            timeline: Timeline::from_json(&json).unwrap(),
            whole: started.elapsed(),
            encoding: decided.unwrap_or(started).elapsed(),
            folder,
            watchable,
            memory_mib,
        }
    }

    /// A file of the output folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Init segment and segments in one file.
    pub(super) fn joined(&self, rendition: &Rendition) -> PathBuf {
        let path = self
            .folder
            .path()
            .join(format!("{}.joined.mp4", rendition.id));
        let segments = rendition.segments.iter().map(|segment| &segment.file);
        let parts = std::iter::once(&rendition.init.file).chain(segments);
        let whole: Vec<u8> = parts
            .flat_map(|file| std::fs::read(self.folder.path().join(file)).unwrap())
            .collect();
        std::fs::write(&path, whole).unwrap();
        path
    }
}

/// The program on one core.
pub(super) fn on_core(core: usize) -> Command {
    let mut command = Command::new("taskset");
    let core = core.to_string();
    command
        .args(["-c", &core])
        .arg(program("millet-transcoder"));
    command
}

/// Whether looking and trying are over, and the plan is there.
pub(super) fn is_decided(line: &Progress) -> bool {
    matches!(line, Progress::Progress { permille, .. } if *permille >= DECIDED_PERMILLE)
}

fn high_water(status: &str) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Encodes the pictures of a file with `ffmpeg`.
pub(super) fn ffmpeg(source: &Path, arguments: &str, to: &Path) {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(source)
        .arg("-an");
    output(command.args(arguments.split_whitespace()).arg(to));
}

/// A recording repeated until it is so long.
pub(super) fn looped(source: &Path, seconds: u32, encoding: &str, to: &Path) {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i"])
        .arg(source)
        .args(["-t", &seconds.to_string()]);
    output(command.args(encoding.split_whitespace()).arg(to));
}

/// kB a minute of the pictures of a file.
pub(super) fn rate(path: &Path) -> f64 {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"]);
    command
        .args(["-show_entries", "packet=size:stream=duration"])
        .arg(path);
    let text = output(&mut command);
    let mut numbers: Vec<f64> = text
        .split([',', '\n'])
        .filter_map(|number| number.trim().parse().ok())
        .collect();
    // The stream's duration is the last of them.
    let seconds = numbers.pop().unwrap();
    numbers.iter().sum::<f64>() * 60.0 / seconds / 1000.0
}

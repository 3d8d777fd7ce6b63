//! VMAF by an `ffmpeg` that has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::output;

/// The program, and how it is asked.
pub(super) struct Scorer {
    program: PathBuf,
}

impl Scorer {
    /// `VMAF_FFMPEG`, else the one of `imageio-ffmpeg` where `.ci/install bench` put it.
    pub(super) fn find() -> Option<Self> {
        if let Some(program) = std::env::var_os("VMAF_FFMPEG") {
            let program = program.into();
            return Some(Self { program });
        }
        let tools = std::env::var_os("DEV_TOOLS").map_or_else(
            || PathBuf::from("/usr/local/lib/millet-tools"),
            PathBuf::from,
        );
        let run = Command::new(tools.join("vmaf/bin/python"))
            .args([
                "-c",
                "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())",
            ])
            .output()
            .ok()
            .filter(|run| run.status.success())?;
        let program = String::from_utf8(run.stdout).ok()?.trim().into();
        Some(Self { program })
    }

    /// Mean VMAF at 720 lines and the source's rate; every third picture is enough.
    pub(super) fn score(&self, source: &Path, made: &Path) -> f64 {
        let (width, rate) = about(source);
        let side = |input: u8, name: &str| {
            format!(
                "[{input}:v]fps={rate},scale={width}:720:flags=bicubic,format=yuv420p,\
                 settb=AVTB,setpts=PTS-STARTPTS[{name}]"
            )
        };
        let graph = format!(
            "{};{};[made][source]libvmaf=n_threads=2:n_subsample=3",
            side(0, "source"),
            side(1, "made")
        );
        let mut command = Command::new(&self.program);
        command
            .arg("-nostdin")
            .arg("-i")
            .arg(source)
            .arg("-i")
            .arg(made);
        let text = output(command.args(["-lavfi", &graph, "-f", "null", "-"]));
        let score = text.rsplit_once("VMAF score:").map(|(_, rest)| rest.trim());
        let score = score.and_then(|rest| rest.split_whitespace().next());
        score
            .and_then(|score| score.parse().ok())
            .unwrap_or_else(|| panic!("{text}"))
    }
}

/// Width at 720 lines, and the frame rate.
fn about(source: &Path) -> (u32, String) {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"]);
    command
        .args(["-show_entries", "stream=width,height,r_frame_rate"])
        .arg(source);
    let text = output(&mut command);
    let parts: Vec<&str> = text.trim().split(',').collect();
    let number = |index: usize| parts[index].parse::<u32>().unwrap();
    let width = (number(0) * 720 / number(1)).div_ceil(2) * 2;
    (width, parts[2].to_owned())
}

//! VMAF by an `ffmpeg` that has it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::output;
use crate::kit::server::program;

/// Names the program, for this bench and for `millet-transcoder compare`.
const PROGRAM: &str = "MILLET_VMAF_FFMPEG";

/// The program, and how it is asked.
pub(super) struct Scorer {
    program: PathBuf,
}

impl Scorer {
    /// `MILLET_VMAF_FFMPEG`, else the one of `imageio-ffmpeg` where `.ci/install bench` put it.
    pub(super) fn find() -> Option<Self> {
        if let Some(program) = std::env::var_os(PROGRAM) {
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

    /// The program, which is also the newest of its kind here.
    pub(super) fn program(&self) -> &Path {
        &self.program
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

/// What `millet-transcoder compare` says of two files, whose pictures it pairs itself.
fn compared(scorer: &Scorer, source: &Path, files: [&Path; 2]) -> [f64; 2] {
    let mut command = Command::new(program("millet-transcoder"));
    command.arg("compare").args(files).arg("--reference");
    let text = output(command.arg(source).env(PROGRAM, &scorer.program));
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    ["a", "b"].map(|file| {
        let vmaf = said[file]["quality"]["vmaf"].as_f64();
        vmaf.unwrap_or_else(|| panic!("compare left VMAF out: {text}"))
    })
}

/// Prints what `millet-transcoder compare` says beside what this bench says.
pub(super) fn check_compare(scorer: &Scorer, source: &Path, files: [&Path; 2]) {
    let said = compared(scorer, source, files);
    let own = files.map(|file| scorer.score(source, file));
    println!(
        "compare says VMAF {:.1} and {:.1}, this bench {:.1} and {:.1}\n",
        said[0], said[1], own[0], own[1]
    );
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

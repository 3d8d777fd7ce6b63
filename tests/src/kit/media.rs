//! Real recordings, made once by real tools: slides with speech, and camera-like pictures.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a tool and panics with its words when it fails.
///
/// # Panics
/// When it fails.
pub fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; run `make test`"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A lecture of about `seconds`: four slides, each with two lines of text, and synthetic speech.
#[must_use]
pub fn lecture(folder: &Path, seconds: u32) -> PathBuf {
    let speech = folder.join("speech.wav");
    let words = "Bees need a dry and sunny place. Look into the hive only when it is warm. \
        Write down what you see, every time. Leave enough honey for the winter. "
        .repeat(1 + seconds as usize / 12);
    run(
        "espeak-ng",
        &[
            "-v",
            "en",
            "-s",
            "150",
            "-w",
            speech.to_str().unwrap(),
            &words,
        ],
    );
    let path = folder.join("lecture.mp4");
    let slide = f64::from(seconds) / 4.0;
    let mut filter = "drawbox=x=0:y=0:w=1280:h=110:color=0x1f6f50:t=fill".to_owned();
    for (index, text) in [
        "Where to place a hive",
        "Looking inside",
        "Writing down",
        "Winter",
    ]
    .iter()
    .enumerate()
    {
        #[allow(clippy::cast_precision_loss, reason = "four slides")]
        let from = index as f64 * slide;
        let until = from + slide;
        filter += &format!(
            ",drawtext=text='{text}':x=60:y=34:fontsize=48:fontcolor=white:enable='between(t,{from},{until})'\
             ,drawtext=text='Slide {index} of a lesson':x=90:y=300:fontsize=64:fontcolor=black:enable='between(t,{from},{until})'"
        );
    }
    run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            &format!("color=c=0xf7f4ea:s=1280x720:r=10:d={seconds}"),
            "-i",
            speech.to_str().unwrap(),
            "-vf",
            &filter,
            "-t",
            &seconds.to_string(),
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "30",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-b:a",
            "32k",
            "-ac",
            "1",
            path.to_str().unwrap(),
        ],
    );
    path
}

/// Slides as PNG files: a title over a block of colour.
///
/// # Panics
/// When ffmpeg fails.
#[must_use]
pub fn slides(count: u32) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let slide = |number: u32| {
        let path = folder.path().join(format!("{number}.png"));
        let draw = format!(
            "drawbox=x=0:y=0:w=1280:h=110:color=0x1f6f50:t=fill,\
             drawtext=text='Slide {number} of a lesson':x=90:y=300:fontsize=64:fontcolor=black"
        );
        let from = "color=c=0xf7f4ea:s=1280x720";
        let path_text = path.to_str().unwrap();
        let arguments = [
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            from,
            "-vf",
            &draw,
            "-frames:v",
            "1",
            path_text,
        ];
        run("ffmpeg", &arguments);
        std::fs::read(&path).unwrap()
    };
    (1..=count).map(slide).collect()
}

//! What every test needs: inputs made by `ffmpeg`, the transcoder's run, and `ffprobe`'s reading of
//! what came out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use millet_manifest::{BadInput, Kind, Progress, Rendition, Stage, TIMELINE_FILE, Timeline};

/// Moving pictures and a tone: three seconds of a small camera.
pub const PICTURES: &str = "-f lavfi -i testsrc2=size=320x240:rate=15:duration=3";
/// Sound that goes with [`PICTURES`].
pub const TONE: &str = "-f lavfi -i sine=frequency=440:duration=3";

/// Path of the binary under test.
pub fn transcoder() -> &'static str {
    env!("CARGO_BIN_EXE_millet-transcoder")
}

/// A folder with an input and room for the output.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub input: PathBuf,
}

impl Bench {
    /// An input of this name with these bytes.
    pub fn with(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join(name);
        std::fs::write(&input, bytes).unwrap();
        Self { folder, input }
    }

    /// An input of this name made by `ffmpeg` with these arguments.
    pub fn made(name: &str, arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join(name);
        ffmpeg(arguments, &input);
        Self { folder, input }
    }

    /// The same input after another step of `ffmpeg`; `INPUT` in the arguments stands for it.
    pub fn then(mut self, name: &str, arguments: &str) -> Self {
        let output = self.folder.path().join(name);
        let input = self.input.to_str().unwrap().to_owned();
        ffmpeg(&arguments.replace("INPUT", &input), &output);
        self.input = output;
        self
    }

    /// The output folder, empty before the run.
    pub fn output(&self) -> PathBuf {
        let output = self.folder.path().join("prepared");
        std::fs::create_dir_all(&output).unwrap();
        output
    }

    /// Runs `prepare` within bounds that no honest small file comes near: memory in bytes of
    /// writable data, processor time in seconds.
    pub fn run(&self) -> Output {
        self.run_with(&["--h264-only"])
    }

    /// The same with these options.
    pub fn run_with(&self, options: &[&str]) -> Output {
        Command::new("prlimit")
            .args(["--data=700000000", "--cpu=60", transcoder(), "prepare"])
            .arg(&self.input)
            .arg(self.output())
            .args(options)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs `prepare`, which must succeed, and checks everything that holds for any input. AV1 takes
    /// longer than all else and is left out.
    pub fn prepare(self) -> Prepared {
        let run = self.run();
        self.prepared(&run)
    }

    /// The same with AV1.
    pub fn prepare_with_av1(self) -> Prepared {
        let run = self.run_with(&[]);
        self.prepared(&run)
    }

    /// What a run left that must have succeeded.
    pub fn prepared(self, run: &Output) -> Prepared {
        let errors = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{:?}: {errors}", run.status);
        let lines = progress(run);
        assert!(matches!(lines.last(), Some(Progress::Done { .. })));
        // What is done now is told at once, however short it takes.
        for sought in [Stage::Probe, Stage::Encode, Stage::Package] {
            let told = |line: &Progress| matches!(line, Progress::Progress { stage, .. } if *stage == sought);
            assert!(lines.iter().any(told), "{sought:?} in {lines:?}");
        }
        let json = std::fs::read(self.output().join(TIMELINE_FILE)).unwrap();
        let timeline = Timeline::from_json(&json).unwrap();
        assert!(
            matches!(lines.last(), Some(Progress::Done { duration_ms, bytes })
                if *duration_ms == timeline.duration_ms && *bytes == timeline.bytes()),
            "{:?}",
            lines.last()
        );
        let prepared = Prepared {
            bench: self,
            timeline,
        };
        prepared.check();
        prepared
    }

    /// Runs `prepare`, which must refuse the input for this reason, in one plain sentence.
    pub fn refused(self, expected: BadInput) -> String {
        let run = self.run();
        self.refused_by(&run, expected)
    }

    /// The same of a run that was.
    pub fn refused_by(&self, run: &Output, expected: BadInput) -> String {
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{:?}: {errors}", run.status);
        let Some(Progress::Refused { reason, sentence }) = progress(run).pop() else {
            panic!("no refusal on standard output");
        };
        assert_eq!(reason, expected, "{sentence}");
        assert_eq!(errors, format!("{sentence}\n"));
        assert!(sentence.ends_with('.') && sentence.starts_with(char::is_uppercase));
        assert!(!self.output().join(TIMELINE_FILE).exists());
        sentence
    }
}

/// The progress lines of a run; thousandths never fall.
pub fn progress(run: &Output) -> Vec<Progress> {
    let lines: Vec<Progress> = String::from_utf8_lossy(&run.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let steps: Vec<u32> = lines
        .iter()
        .filter_map(|line| match line {
            Progress::Progress { permille, .. } => Some(*permille),
            _ => None,
        })
        .collect();
    assert!(steps.is_sorted(), "{steps:?}");
    lines
}

/// A prepared lesson on disk.
pub struct Prepared {
    bench: Bench,
    pub timeline: Timeline,
}

impl Prepared {
    /// Everything that holds for any input.
    fn check(&self) {
        let timeline = &self.timeline;
        let cuts: Vec<i64> = timeline.cuts_ms.iter().map(|cut| signed(*cut)).collect();
        let duration = signed(timeline.duration_ms);
        for rendition in &timeline.renditions {
            let name = &rendition.id;
            let frames = frames(&self.joined(rendition));
            let first = frames.first().unwrap().at_ms;
            let last = frames.last().unwrap();
            assert!((-1..=120).contains(&first), "{name} begins at {first} ms");
            // A lecture's still picture may stand for a whole segment; the last one is a little longer.
            let is_still = rendition.kind == Kind::Stills;
            let most_ms = if is_still { 20_000 } else { 5_000 };
            assert!(
                (duration - most_ms..=duration).contains(&last.at_ms),
                "{name} ends at {} of {duration} ms",
                last.at_ms
            );
            if rendition.kind == Kind::Audio {
                let end = last.at_ms + last.lasts_ms;
                assert!((end - duration).abs() <= 150, "{name} ends at {end} ms");
                continue;
            }
            let keyframes: Vec<i64> = frames
                .iter()
                .filter(|frame| frame.key)
                .map(|frame| frame.at_ms)
                .collect();
            assert_eq!(keyframes, cuts, "{name} has keyframes where it is cut");
            let size = (rendition.width, rendition.height);
            assert!(frames.iter().all(|frame| frame.size == size), "{name}");
        }
        self.check_caps();
        for download in &timeline.downloads {
            let path = self.bench.output().join(&download.file);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), download.bytes);
            assert!(!frames(&path).is_empty());
        }
        for file in timeline
            .stills
            .iter()
            .map(|still| (&still.file, still.bytes))
        {
            let path = self.bench.output().join(file.0);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), file.1);
            assert_eq!(frames(&path).len(), 1);
        }
    }

    /// No ten seconds of a rung bring more than its cap.
    fn check_caps(&self) {
        for rendition in &self.timeline.renditions {
            if let Some(most_bps) = self.most_bps(&rendition.id) {
                let (name, peak_bps) = (&rendition.id, rendition.peak_bps);
                assert!(peak_bps <= most_bps, "{name}: {peak_bps} of {most_bps}");
            }
        }
    }

    /// A rung's cap.
    pub fn most_bps(&self, rendition: &str) -> Option<u64> {
        let decided = self.timeline.decision.as_ref()?.rungs.iter();
        let mut decided = decided.filter(|rung| rung.rendition == rendition);
        decided.next().map(|rung| rung.most_bps.into())
    }

    /// Init segment and segments of a rendition in one file, as a player appends them.
    fn joined(&self, rendition: &Rendition) -> PathBuf {
        let output = self.bench.output();
        let mut bytes = std::fs::read(output.join(&rendition.init.file)).unwrap();
        assert_eq!(bytes.len() as u64, rendition.init.bytes);
        for segment in &rendition.segments {
            let part = std::fs::read(output.join(&segment.file)).unwrap();
            assert_eq!(part.len() as u64, segment.bytes);
            bytes.extend(part);
        }
        let path = self
            .bench
            .folder
            .path()
            .join(format!("{}.mp4", rendition.id));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The length is this, to a tenth of a second or so.
    pub fn lasts(&self, expected_ms: i64) -> &Self {
        let duration = signed(self.timeline.duration_ms);
        assert!(
            (duration - expected_ms).abs() <= 130,
            "lasts {duration} ms instead of {expected_ms}"
        );
        self
    }

    /// Kinds of renditions, in order and without repeats.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.timeline.renditions.iter().map(|r| r.kind).collect();
        kinds.dedup();
        kinds
    }

    /// Sizes of the moving renditions that every phone plays.
    pub fn sizes(&self) -> Vec<(u32, u32)> {
        self.timeline
            .renditions
            .iter()
            .filter(|rendition| rendition.kind == Kind::Video)
            .filter(|rendition| rendition.codec.starts_with("avc1"))
            .map(|rendition| (rendition.width, rendition.height))
            .collect()
    }

    /// A file of the output folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.bench.output().join(name)
    }

    /// The largest rendition with a moving picture, as a file.
    pub fn largest(&self) -> PathBuf {
        self.joined(self.timeline.renditions.last().unwrap())
    }

    /// A rendition as a file.
    pub fn rendition(&self, id: &str) -> PathBuf {
        self.joined(self.timeline.rendition(id).unwrap())
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap()
}

/// Makes a file with `ffmpeg`; arguments are parted at blanks.
pub fn ffmpeg(arguments: &str, output: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(output)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "ffmpeg {arguments}: {errors}");
}

/// A decoded frame as `ffprobe` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub at_ms: i64,
    pub lasts_ms: i64,
    pub key: bool,
    /// `(0, 0)` for sound.
    pub size: (u32, u32),
}

/// Decodes every frame of a file; a word of complaint is a failure.
pub fn frames(path: &Path) -> Vec<Frame> {
    let entries = "frame=pts_time,pkt_duration_time,key_frame,width,height";
    let read = Command::new("ffprobe")
        .args(["-v", "error", "-show_frames", "-of", "compact=p=0"])
        .args(["-show_entries", entries])
        .arg(path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&read.stderr);
    assert!(
        read.status.success() && errors.is_empty(),
        "{}: {errors}",
        path.display()
    );
    let text = String::from_utf8(read.stdout).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(frame)
        .collect()
}

fn frame(line: &str) -> Frame {
    let values: BTreeMap<&str, &str> = line
        .split('|')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let ms = |name: &str| -> i64 {
        let seconds: f64 = values.get(name).and_then(|v| v.parse().ok()).unwrap_or(0.0);
        #[allow(clippy::cast_possible_truncation, reason = "tests are seconds long")]
        let ms = (seconds * 1000.0).round() as i64;
        ms
    };
    let pixels = |name: &str| values.get(name).and_then(|v| v.parse().ok()).unwrap_or(0);
    Frame {
        at_ms: ms("pts_time"),
        lasts_ms: ms("pkt_duration_time"),
        key: values.get("key_frame") == Some(&"1"),
        size: (pixels("width"), pixels("height")),
    }
}

/// Mean brightness of each picture with its time, milliseconds.
pub fn brightness(path: &Path) -> Vec<(i64, f64)> {
    let raw = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-copyts", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf"])
        .args([
            "scale=1:1:flags=area",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "gray",
            "-",
        ])
        .output()
        .unwrap();
    assert!(raw.status.success());
    let times = frames(path);
    let pictures: Vec<&Frame> = times.iter().filter(|frame| frame.size.0 > 0).collect();
    assert_eq!(pictures.len(), raw.stdout.len());
    pictures
        .iter()
        .zip(raw.stdout)
        .map(|(frame, value)| (frame.at_ms, f64::from(value)))
        .collect()
}

/// Loudness of each stretch of 10 ms from the start, 0 to 1; what a file leaves out at its start is
/// silence.
pub fn loudness(path: &Path) -> Vec<f64> {
    let raw = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-copyts", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-af", "aresample=8000:async=1:first_pts=0"])
        .args(["-ac", "1", "-f", "f32le", "-"])
        .output()
        .unwrap();
    assert!(raw.status.success());
    let samples: Vec<f64> = raw
        .stdout
        .chunks_exact(4)
        .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        .collect();
    samples
        .chunks(80)
        .map(|part| {
            part.iter()
                .fold(0.0_f64, |most, sample| most.max(sample.abs()))
        })
        .collect()
}

/// Brightness of the quarters of the first picture: upper left, upper right, lower left, lower right.
pub fn quarters(path: &Path) -> [u8; 4] {
    let raw = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-frames:v", "1", "-vf"])
        .args([
            "scale=2:2:flags=area",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "gray",
            "-",
        ])
        .output()
        .unwrap();
    raw.stdout.try_into().unwrap()
}

/// Brightness of the middle row of the first picture, parted into so many columns.
pub fn row(path: &Path, columns: u32) -> Vec<u8> {
    let raw = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-frames:v", "1", "-vf"])
        .arg(format!("scale={columns}:1:flags=area"))
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .unwrap();
    raw.stdout
}

/// Numbers that look random and are the same in every run.
pub struct Noise(pub u64);

impl Noise {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        // The generator of Knuth's MMIX; its upper bits are the better ones.
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count)
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }
}

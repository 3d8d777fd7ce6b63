//! A class without a server: packets of a file as a browser would send them, and what came out.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ffmpeg_next::{Rational, Rescale as _, codec, format, media};
use millet_manifest::Kind;
use millet_manifest::live::{
    AudioConfig, Chunk, Decoder, Input, LiveRendition, MediaFrame, Output, Record as _, Report,
    VideoConfig,
};

use crate::kit::{Bench, Frame, frames, transcoder};

/// Sent with its time of arrival, milliseconds from the start.
pub type Sent = (i64, Input);

/// A camera of a laptop for some seconds, and a voice.
pub fn camera(seconds: u32) -> String {
    format!(
        "-f lavfi -i testsrc2=size=640x360:rate=15:duration={seconds} \
         -f lavfi -i sine=frequency=300:duration={seconds}"
    )
}

/// H.264 as browsers make it, keyframes every two seconds.
pub const BROWSER_H264: &str =
    "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30";
pub const BROWSER_VP8: &str = "-c:v libvpx -deadline realtime -cpu-used 8 -g 30 -b:v 800k";
pub const BROWSER_OPUS: &str = "-c:a libopus -frame_duration 20 -b:a 32k";

/// The packets of a file as frames with their configs in front.
pub fn frames_of(bench: &Bench) -> Vec<Sent> {
    let mut input = format::input(&bench.input).unwrap();
    let mut sent = Vec::new();
    let file = std::fs::read(&bench.input).unwrap();
    for stream in input.streams() {
        sent.extend(config(&stream, &file).map(|config| (0, config)));
    }
    let packets: Vec<_> = input
        .packets()
        .map(|(stream, packet)| (stream.parameters().medium(), stream.time_base(), packet))
        .collect();
    let time = |packet: &ffmpeg_next::Packet, base: Rational| {
        packet.pts().unwrap().rescale(base, Rational(1, 1_000_000))
    };
    let first = packets
        .iter()
        .map(|(_, base, p)| time(p, *base))
        .min()
        .unwrap();
    for (kind, base, packet) in &packets {
        let at_us = time(packet, *base) - first;
        let frame = MediaFrame {
            // The publisher's clock is any clock.
            timestamp_us: at_us + 77_000_000,
            key: packet.is_key(),
            data: packet.data().unwrap().to_vec(),
        };
        sent.push((
            at_us / 1_000,
            match kind {
                media::Type::Video => Input::VideoFrame(frame),
                _ => Input::AudioFrame(frame),
            },
        ));
    }
    sent.sort_by_key(|(at_ms, _)| *at_ms);
    // What an encoder of sound adds to empty itself belongs to no moment.
    let second = sent
        .last()
        .map_or(0, |(at_ms, _)| (at_ms + 500) / 1_000 * 1_000);
    sent.retain(|(at_ms, input)| match input {
        Input::AudioFrame(_) => *at_ms < second - 40,
        _ => *at_ms < second,
    });
    sent
}

fn config(stream: &format::stream::Stream<'_>, file: &[u8]) -> Option<Input> {
    let parameters = stream.parameters();
    let context = codec::Context::from_parameters(parameters.clone()).unwrap();
    let header = header(file, parameters.id());
    match parameters.id() {
        codec::Id::H264 => Some(Input::VideoConfig(VideoConfig {
            codec: "avc1.42e01e".into(),
            // A byte stream has none.
            description: header,
            width: 640,
            height: 360,
        })),
        codec::Id::VP8 => Some(Input::VideoConfig(VideoConfig {
            codec: "vp8".into(),
            description: None,
            width: 640,
            height: 360,
        })),
        codec::Id::OPUS => Some(Input::AudioConfig(AudioConfig {
            codec: "opus".into(),
            sample_rate: 48_000,
            channels: 1,
            description: None,
        })),
        codec::Id::AAC => Some(Input::AudioConfig(AudioConfig {
            codec: "mp4a.40.2".into(),
            sample_rate: context.decoder().audio().unwrap().rate(),
            channels: 1,
            description: header,
        })),
        _ => None,
    }
}

/// What an MP4 file says of its codec: the body of the box `avcC`, or the `AudioSpecificConfig`
/// inside `esds`, whose length `ffmpeg` writes in four bytes.
fn header(file: &[u8], codec: codec::Id) -> Option<Vec<u8>> {
    let place = |word: &[u8]| file.windows(word.len()).position(|four| four == word);
    if codec == codec::Id::H264 {
        let at = place(b"avcC")?;
        let size = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
        return Some(file[at + 4..at - 4 + usize::try_from(size).unwrap()].to_vec());
    }
    let at = place(b"esds")?;
    let tag = file[at..]
        .windows(4)
        .position(|four| four == [5, 0x80, 0x80, 0x80])?;
    let specific = &file[at + tag + 4..];
    Some(specific[1..=usize::from(specific[0])].to_vec())
}

/// A file's bytes as MediaRecorder hands them over: some now and then, over `lasts_ms`.
pub fn container_of(path: &Path, lasts_ms: i64) -> Vec<Sent> {
    let bytes = std::fs::read(path).unwrap();
    let pieces = usize::try_from(lasts_ms / 250).unwrap();
    let piece = bytes.len().div_ceil(pieces);
    let sent = bytes.chunks(piece).zip(1..);
    sent.map(|(piece, n)| (n * 250, Input::Container(piece.to_vec())))
        .collect()
}

/// Adds the clock's records: it runs from `start_ms` to 1 s behind the last arrival.
pub fn with_clock(start_ms: i64, sent: &[Sent]) -> Vec<Input> {
    let end_ms = sent.iter().map(|(at_ms, _)| *at_ms).max().unwrap_or(0) + 1_000;
    let mut all: Vec<(i64, Input)> = (0..=end_ms / 250)
        .map(|tick| {
            (
                tick * 250,
                Input::Clock {
                    now_ms: start_ms + tick * 250,
                },
            )
        })
        .collect();
    all.extend_from_slice(sent);
    all.sort_by_key(|(at_ms, _)| *at_ms);
    all.into_iter()
        .map(|(_, input)| input)
        .chain([Input::End])
        .collect()
}

/// A run with both pipes, that is as patient as the machine is slow.
pub fn spawn(start_ms: i64) -> Child {
    spawn_with(&["--start-ms", &start_ms.to_string(), "--patient"])
}

/// A run with both pipes and these arguments.
pub fn spawn_with(arguments: &[&str]) -> Child {
    Command::new(transcoder())
        .arg("live")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What came out of a run.
pub struct Ran {
    pub code: Option<i32>,
    pub errors: String,
    pub ladder: Vec<LiveRendition>,
    pub inits: BTreeMap<u8, Vec<u8>>,
    pub chunks: Vec<Chunk>,
    pub adts: Vec<(u64, Vec<u8>)>,
    pub stills: Vec<(u64, Vec<u8>)>,
    pub reports: Vec<Report>,
}

/// Sends everything as fast as it is taken, and reads to the end.
pub fn run(start_ms: i64, inputs: &[Input]) -> Ran {
    let bytes = inputs
        .iter()
        .flat_map(|input| input.encode().unwrap())
        .collect();
    run_bytes(start_ms, bytes)
}

/// As [`run`], with bytes that need not be records.
pub fn run_bytes(start_ms: i64, bytes: Vec<u8>) -> Ran {
    let mut child = spawn(start_ms);
    let mut input = child.stdin.take().unwrap();
    // A run that ends early closes the pipe; what it thinks is on its other pipes.
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let ran = collect(child);
    writer.join().unwrap();
    ran
}

/// Reads a run's output to the end.
pub fn collect(mut child: Child) -> Ran {
    let mut output = child.stdout.take().unwrap();
    let mut out = Vec::new();
    output.read_to_end(&mut out).unwrap();
    let ended = child.wait_with_output().unwrap();
    let mut ran = Ran {
        code: ended.status.code(),
        errors: String::from_utf8(ended.stderr).unwrap(),
        ladder: Vec::new(),
        inits: BTreeMap::new(),
        chunks: Vec::new(),
        adts: Vec::new(),
        stills: Vec::new(),
        reports: Vec::new(),
    };
    ran.sort(&out);
    ran
}

impl Ran {
    fn sort(&mut self, out: &[u8]) {
        let mut decoder = Decoder::default();
        decoder.push(out);
        let mut is_first = true;
        while let Some(record) = decoder.take::<Output>().unwrap() {
            match record {
                Output::Ladder(ladder) => {
                    assert!(is_first);
                    self.ladder = ladder;
                }
                Output::Init { rendition, data } => {
                    self.inits.insert(rendition, data);
                }
                Output::Chunk(chunk) => self.chunks.push(chunk),
                Output::Adts { start_ms, data } => self.adts.push((start_ms, data)),
                Output::Still { at_ms, data } => self.stills.push((at_ms, data)),
                Output::Report(report) => self.reports.push(report),
            }
            is_first = false;
        }
        assert_eq!(decoder.left(), 0);
    }

    /// It ended well, and everything that holds for any run holds.
    pub fn checked(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.errors);
        assert_eq!(self.errors, "");
        let ids: Vec<&str> = self.ladder.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["opus16", "aac24", "s360", "v144", "v240", "v360"]);
        assert_eq!(self.inits.len(), self.ladder.len());
        for index in 0..self.ladder.len() {
            self.check_grid(index);
        }
        self
    }

    fn check_grid(&self, index: usize) {
        let rendition = &self.ladder[index];
        let chunks = self.of(&rendition.id);
        let (mut end_ms, mut segment) = (None, None);
        for chunk in &chunks {
            let name = format!("{} at {} ms", rendition.id, chunk.start_ms);
            let length_ms = if rendition.kind == Kind::Stills {
                1_000
            } else {
                500
            };
            assert_eq!(u64::from(chunk.duration_ms), length_ms, "{name}");
            assert_eq!(chunk.start_ms % length_ms, 0, "{name}");
            assert_eq!(u64::from(chunk.sequence), chunk.start_ms / 2_000, "{name}");
            assert_eq!(
                u64::from(chunk.part),
                chunk.start_ms % 2_000 / 500,
                "{name}"
            );
            assert_eq!(chunk.first, segment != Some(chunk.sequence), "{name}");
            assert_eq!(
                chunk.last,
                (chunk.start_ms + length_ms) % 2_000 == 0,
                "{name}"
            );
            if let Some(end_ms) = end_ms {
                assert!(chunk.start_ms >= end_ms, "{name} overlaps");
                assert_eq!(chunk.gap_before, chunk.start_ms > end_ms, "{name}");
            }
            let begins_key = match rendition.kind {
                Kind::Stills => chunk.part == 0 && chunk.sequence % 4 == 0,
                _ => chunk.part == 0,
            };
            if begins_key || chunk.gap_before || end_ms.is_none() {
                assert!(chunk.keyframe, "{name} does not begin with a keyframe");
            }
            end_ms = Some(chunk.start_ms + length_ms);
            segment = Some(chunk.sequence);
        }
    }

    pub fn index(&self, id: &str) -> u8 {
        let index = self.ladder.iter().position(|r| r.id == id).unwrap();
        u8::try_from(index).unwrap()
    }

    /// The chunks of a rendition.
    pub fn of(&self, id: &str) -> Vec<&Chunk> {
        let index = self.index(id);
        self.chunks
            .iter()
            .filter(|chunk| chunk.rendition == index)
            .collect()
    }

    /// The starts of a rendition's chunks.
    pub fn starts(&self, id: &str) -> Vec<u64> {
        self.of(id).iter().map(|chunk| chunk.start_ms).collect()
    }

    /// Init segment and chunks in one file, as a player appends them.
    pub fn joined(&self, id: &str, folder: &Path) -> PathBuf {
        let mut bytes = self.inits[&self.index(id)].clone();
        for chunk in self.of(id) {
            bytes.extend_from_slice(&chunk.data);
        }
        let path = folder.join(format!("{id}.mp4"));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Frames of a rendition as `ffprobe` decodes them.
    pub fn decoded(&self, id: &str) -> Vec<Frame> {
        let folder = tempfile::tempdir().unwrap();
        frames(&self.joined(id, folder.path()))
    }

    /// Bits a second of a rendition, boxes included.
    pub fn rate(&self, id: &str) -> u64 {
        let chunks = self.of(id);
        let bytes: usize = chunks.iter().map(|chunk| chunk.data.len()).sum();
        let ms: u64 = chunks
            .iter()
            .map(|chunk| u64::from(chunk.duration_ms))
            .sum();
        bytes as u64 * 8_000 / ms
    }
}

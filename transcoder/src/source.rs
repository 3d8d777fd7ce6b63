//! Opens an input that may be anything, and looks at it within limits.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use ffmpeg_next::codec::packet::side_data::Type as SideData;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Disposition;
use ffmpeg_next::{Dictionary, Rational, Rescale as _, decoder, format, media};
use millet_manifest::BadInput;

use crate::error::{Error, bad, libav, over_limit};
use crate::limits;
use crate::raw;

const MILLISECONDS: Rational = Rational(1, 1000);
/// Most frames a second that are believed.
const MOST_RATE: f64 = 240.0;

/// An opened input with the streams that are used.
pub(crate) struct Source {
    pub(crate) input: Input,
    pub(crate) video: Option<VideoTrack>,
    pub(crate) audio: Option<AudioTrack>,
    /// Announced length, 0 when the container does not say.
    pub(crate) announced_ms: i64,
    /// Container's time of what is 0 for us, milliseconds.
    pub(crate) start_ms: i64,
    pub(crate) bytes: u64,
    pub(crate) container: String,
}

/// The chosen pictures.
pub(crate) struct VideoTrack {
    pub(crate) index: usize,
    pub(crate) time_base: Rational,
    /// Clockwise turn that shows the picture upright: 0, 90, 180 or 270.
    pub(crate) turn: u32,
    /// Frames a second as announced; a guess where the container does not say.
    pub(crate) rate: f64,
    /// The same where most frames come.
    pub(crate) highest_rate: f64,
    /// Whether one frame follows another at that rate throughout, as far as is announced.
    pub(crate) is_steady: bool,
    pub(crate) codec: String,
}

/// The chosen sound.
pub(crate) struct AudioTrack {
    pub(crate) index: usize,
    pub(crate) time_base: Rational,
    pub(crate) codec: String,
}

impl Source {
    /// Opens and checks.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::metadata(path)?.len();
        if bytes > limits::LARGEST_BYTES {
            return Err(bad(BadInput::TooLarge, "The file has too many bytes."));
        }
        let mut options = Dictionary::new();
        options.set("format_whitelist", limits::DEMUXERS);
        options.set("codec_whitelist", limits::DECODERS);
        options.set("protocol_whitelist", "file");
        options.set("max_streams", &limits::MOST_STREAMS.to_string());
        options.set("probesize", "10000000");
        options.set("analyzeduration", "20000000");
        let input = format::input_with_dictionary(path, options)
            .map_err(|error| unreadable(path, error))?;
        let container = input.format().name().to_owned();
        let video = video(&input)?;
        let audio = audio(&input);
        if video.is_none() && audio.is_none() {
            return Err(bad(
                BadInput::NoStreams,
                "The file holds neither pictures nor sound that can be read.",
            ));
        }
        let announced_ms = input.duration().max(0) / 1000;
        if announced_ms > limits::LONGEST_MS {
            return Err(too_long());
        }
        Ok(Self {
            start_ms: start_ms(&input, video.as_ref(), audio.as_ref()),
            video,
            audio,
            announced_ms,
            bytes,
            container,
            input,
        })
    }

    /// Whether reading ended because the file did, and not the disk.
    ///
    /// # Errors
    /// When it was the disk.
    pub(crate) fn ended(&self) -> Result<(), Error> {
        match raw::reading_failed(&self.input) {
            Some(error) => Err(libav("read the input")(error)),
            None => Ok(()),
        }
    }

    /// Whether the container's own word for its length can be trusted.
    pub(crate) fn knows_its_length(&self) -> bool {
        self.announced_ms > 0
            && ["mov", "matroska"]
                .iter()
                .any(|known| self.container.split(',').any(|name| name == *known))
    }
}

/// The refusal of a recording that is too long.
pub(crate) fn too_long() -> Error {
    let hours = limits::LONGEST_MS / 3_600_000;
    bad(
        BadInput::TooLong,
        format!("The recording is longer than {hours} hours."),
    )
}

fn unreadable(path: &Path, error: ffmpeg_next::Error) -> Error {
    match error {
        ffmpeg_next::Error::Other { errno } if errno == libc::ENOMEM => over_limit(),
        // Some demuxers say so of a file that ends in the middle of a length.
        ffmpeg_next::Error::Other { errno } if errno == libc::EIO && can_be_read(path) => {
            bad(BadInput::Truncated, "The file is damaged beyond use.")
        }
        ffmpeg_next::Error::Other { errno } if errno != libc::EINVAL && errno != libc::EPERM => {
            Error::Libav {
                what: "open the input",
                error,
            }
        }
        // A phone that lost its power leaves the boxes of an MP4 without their index.
        _ if begins_like_mp4(path) => bad(
            BadInput::Truncated,
            "The file ends in the middle: its index is missing.",
        ),
        _ => bad(
            BadInput::NotMedia,
            "This file is not a video or a sound recording.",
        ),
    }
}

/// Whether the disk gives both ends of the file.
fn can_be_read(path: &Path) -> bool {
    let ends = || {
        let mut file = std::fs::File::open(path)?;
        let mut byte = [0_u8; 1];
        file.read_exact(&mut byte)?;
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut byte)
    };
    ends().is_ok()
}

fn begins_like_mp4(path: &Path) -> bool {
    let mut head = [0_u8; 8];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut head))
        .is_ok_and(|()| &head[4..] == b"ftyp")
}

fn video(input: &Input) -> Result<Option<VideoTrack>, Error> {
    let mut best: Option<(i64, VideoTrack)> = None;
    for stream in input.streams() {
        let parameters = stream.parameters();
        let picture_of_a_song = stream.disposition().contains(Disposition::ATTACHED_PIC);
        if parameters.medium() != media::Type::Video || picture_of_a_song {
            continue;
        }
        let Some(codec) = allowed(&parameters) else {
            continue;
        };
        let (width, height) = size(&stream);
        let pixels = i64::from(width) * i64::from(height);
        if pixels > limits::MOST_PIXELS {
            return Err(bad(
                BadInput::TooLarge,
                format!("The picture of {width} × {height} pixels is too large."),
            ));
        }
        if best.as_ref().is_none_or(|(most, _)| pixels > *most) {
            let track = VideoTrack {
                index: stream.index(),
                time_base: stream.time_base(),
                turn: turn(&stream),
                rate: rate(&stream),
                highest_rate: highest_rate(&stream),
                is_steady: is_steady(&stream),
                codec,
            };
            best = Some((pixels, track));
        }
    }
    Ok(best.map(|(_, track)| track))
}

/// Name of the decoder, if it may run.
fn allowed(parameters: &ffmpeg_next::codec::Parameters) -> Option<String> {
    let name = decoder::find(parameters.id())?.name().to_owned();
    let known = limits::DECODERS.split(',').any(|known| known == name);
    known.then_some(name)
}

fn size(stream: &ffmpeg_next::Stream<'_>) -> (u32, u32) {
    ffmpeg_next::codec::Context::from_parameters(stream.parameters())
        .and_then(|context| context.decoder().video())
        .map_or((0, 0), |video| (video.width(), video.height()))
}

fn rate(stream: &ffmpeg_next::Stream<'_>) -> f64 {
    let average = f64::from(stream.avg_frame_rate());
    if average.is_finite() && average > 0.1 {
        average.min(MOST_RATE)
    } else {
        25.0
    }
}

/// Light that fades and screens that stand still make a phone's or a computer's mean rate a poor one.
fn highest_rate(stream: &ffmpeg_next::Stream<'_>) -> f64 {
    let (mean, least) = (rate(stream), f64::from(stream.rate()));
    match least.is_finite() && !is_steady(stream) {
        true => least.clamp(mean, MOST_RATE),
        false => mean,
    }
}

/// A rate that changes has a mean below the one that its times are whole multiples of.
fn is_steady(stream: &ffmpeg_next::Stream<'_>) -> bool {
    let (least, mean) = (stream.rate(), stream.avg_frame_rate());
    let (least, mean) = (f64::from(least), f64::from(mean));
    mean > 0.1 && (least / mean - 1.0).abs() < 0.01
}

/// ISO/IEC 14496-12, section 8.3.2: the upper left of the display matrix is a turn.
fn turn(stream: &ffmpeg_next::Stream<'_>) -> u32 {
    let Some(matrix) = stream
        .side_data()
        .find(|data| data.kind() == SideData::DisplayMatrix)
    else {
        return 0;
    };
    let numbers: Vec<f64> = matrix
        .data()
        .chunks_exact(4)
        .map(|bytes| f64::from(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
        .collect();
    let [a, b, ..] = numbers[..] else { return 0 };
    let degrees = b.atan2(a).to_degrees();
    match degrees.round() {
        turned if (80.0..=100.0).contains(&turned) => 90,
        turned if (-100.0..=-80.0).contains(&turned) => 270,
        turned if turned.abs() >= 170.0 => 180,
        _ => 0,
    }
}

fn audio(input: &Input) -> Option<AudioTrack> {
    let playable = |stream: &ffmpeg_next::Stream<'_>| {
        let parameters = stream.parameters();
        let codec = allowed(&parameters)?;
        (parameters.medium() == media::Type::Audio).then_some(codec)
    };
    let best = input
        .streams()
        .best(media::Type::Audio)
        .filter(|stream| playable(stream).is_some())
        .or_else(|| input.streams().find(|stream| playable(stream).is_some()))?;
    Some(AudioTrack {
        index: best.index(),
        time_base: best.time_base(),
        codec: playable(&best)?,
    })
}

/// The earliest start of the chosen streams: what both are measured from, so that they stay together.
fn start_ms(input: &Input, video: Option<&VideoTrack>, audio: Option<&AudioTrack>) -> i64 {
    let chosen = [
        video.map(|track| track.index),
        audio.map(|track| track.index),
    ];
    chosen
        .into_iter()
        .flatten()
        .filter_map(|index| {
            let stream = input.stream(index)?;
            let start = stream.start_time();
            (start != ffmpeg_next::ffi::AV_NOPTS_VALUE)
                .then(|| start.rescale(stream.time_base(), MILLISECONDS))
        })
        .min()
        .unwrap_or(0)
}

/// A stream's time as milliseconds from our start.
pub(crate) fn to_ms(value: i64, time_base: Rational, start_ms: i64) -> i64 {
    value
        .rescale(time_base, MILLISECONDS)
        .saturating_sub(start_ms)
}

//! Reads records from standard input and makes events of them.

use std::io::Read as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use ffmpeg_next::{Packet, codec, media};
use millet_manifest::BadInput;
use millet_manifest::live::{AudioConfig, Decoder, Input, MediaFrame, VideoConfig};

use super::{container, decode};
use crate::error::{Error, bad};
use crate::limits;
use crate::raw::{self, Bare};

/// Events that wait.
const WAITING: usize = 32;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// What a run reacts to.
pub(crate) enum Event {
    /// Pictures that follow are coded like this.
    Video(codec::Parameters),
    Picture(Coded),
    /// Sound that follows is coded like this.
    Audio(codec::Parameters),
    Sound(Coded),
    /// A packet of a speaker's voice.
    Voice(u32, Packet),
    /// The timeline's clock, and when it was read.
    Clock(i64, Instant),
    /// What follows comes in bursts.
    IsContainer,
    /// A frame that no honest publisher sends.
    Damaged,
    /// Nothing follows.
    End,
    /// Nothing can follow.
    Broken(Error),
}

/// A coded picture or stretch of sound.
pub(crate) struct Coded {
    /// By the publisher's clock.
    pub(crate) timestamp_us: i64,
    pub(crate) key: bool,
    pub(crate) packet: Packet,
}

/// Starts the thread that reads. It is never joined: a run that has ended leaves it waiting for
/// bytes that nobody needs.
pub(crate) fn start() -> Result<Receiver<Event>, Error> {
    let (events, receiver) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("input".into())
        .spawn(move || {
            let mut reader = Reader {
                events: events.clone(),
                container: None,
                has_frames: false,
            };
            match reader.run() {
                // The container's own thread says when it is through.
                Ok(()) if reader.container.is_some() => {}
                Ok(()) => {
                    let _ = events.send(Event::End);
                }
                Err(error) => {
                    let _ = events.send(Event::Broken(error));
                }
            }
        })?;
    Ok(receiver)
}

struct Reader {
    events: SyncSender<Event>,
    container: Option<SyncSender<Vec<u8>>>,
    has_frames: bool,
}

impl Reader {
    /// Reads until the end is announced, or the other side is gone.
    fn run(&mut self) -> Result<(), Error> {
        let mut input = std::io::stdin().lock();
        let mut decoder = Decoder::default();
        let mut piece = vec![0; PIECE];
        loop {
            let count = match input.read(&mut piece) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if count == 0 {
                return match decoder.left() {
                    0 => Ok(()),
                    left => Err(Error::Fault(format!(
                        "the input ends within a record, after {left} bytes"
                    ))),
                };
            }
            decoder.push(&piece[..count]);
            loop {
                let record = decoder.take().map_err(|e| Error::Fault(e.to_string()))?;
                match record {
                    None => break,
                    Some(Input::End) => return Ok(()),
                    Some(record) => self.take(record)?,
                }
            }
        }
    }

    fn take(&mut self, record: Input) -> Result<(), Error> {
        let event = match record {
            Input::VideoConfig(config) => Event::Video(video(&config)?),
            Input::AudioConfig(config) => Event::Audio(audio(&config)?),
            Input::VideoFrame(frame) => coded(&frame).map_or(Event::Damaged, Event::Picture),
            Input::AudioFrame(frame) => coded(&frame).map_or(Event::Damaged, Event::Sound),
            Input::Voice { speaker, data } if data.len() <= limits::LIVE_VOICE_BYTES => {
                Event::Voice(speaker, decode::packet(&data, true))
            }
            Input::Voice { .. } => Event::Damaged,
            Input::Clock { now_ms } => Event::Clock(now_ms, Instant::now()),
            Input::Container(bytes) => return self.pass_on(bytes),
            Input::End => return Ok(()),
        };
        if !matches!(event, Event::Clock(..) | Event::Voice(..)) {
            self.has_frames = true;
            self.is_one_kind()?;
        }
        self.events.send(event).map_err(|_| over())
    }

    fn pass_on(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        let container = match &self.container {
            Some(container) => container,
            None => {
                self.events.send(Event::IsContainer).map_err(|_| over())?;
                self.container
                    .insert(container::start(self.events.clone())?)
            }
        };
        // A thread that has ended has said why itself.
        let _ = container.send(bytes);
        self.is_one_kind()
    }

    fn is_one_kind(&self) -> Result<(), Error> {
        if self.has_frames && self.container.is_some() {
            return Err(bad(
                BadInput::NotMedia,
                "A class is sent as frames or as a container, not as both.",
            ));
        }
        Ok(())
    }
}

fn over() -> Error {
    Error::Fault("the run is over".into())
}

fn coded(frame: &MediaFrame) -> Option<Coded> {
    if frame.data.is_empty() || frame.data.len() > limits::LIVE_FRAME_BYTES {
        return None;
    }
    Some(Coded {
        timestamp_us: frame.timestamp_us,
        key: frame.key,
        packet: decode::packet(&frame.data, frame.key),
    })
}

fn unknown(codec: &str) -> Error {
    // What a publisher claims goes into a sentence only as far as a codec's name goes.
    let name: String = codec
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.')
        .take(24)
        .collect();
    bad(
        BadInput::NotMedia,
        format!("What is sent is coded as {name}, which cannot be read here."),
    )
}

fn video(config: &VideoConfig) -> Result<codec::Parameters, Error> {
    let name = config.codec.split('.').next().unwrap_or_default();
    let codec = match name {
        "avc1" | "avc3" => codec::Id::H264,
        "vp8" | "vp08" => codec::Id::VP8,
        "vp9" | "vp09" => codec::Id::VP9,
        _ => return Err(unknown(&config.codec)),
    };
    let bare = Bare {
        kind: media::Type::Video,
        codec,
        header: config.description.as_deref().unwrap_or_default(),
        rate: 0,
        channels: 0,
    };
    raw::parameters(&bare).map_err(|_| unknown(&config.codec))
}

/// How every voice is coded: Opus in one channel.
pub(crate) fn voice() -> Result<codec::Parameters, Error> {
    audio(&AudioConfig {
        codec: "opus".into(),
        sample_rate: crate::resample::RATE,
        channels: 1,
        description: None,
    })
}

fn audio(config: &AudioConfig) -> Result<codec::Parameters, Error> {
    let codec = match config.codec.as_str() {
        "opus" => codec::Id::OPUS,
        "mp4a.40.2" => codec::Id::AAC,
        _ => return Err(unknown(&config.codec)),
    };
    let sane =
        (8_000..=192_000).contains(&config.sample_rate) && (1..=8).contains(&config.channels);
    if !sane {
        return Err(bad(
            BadInput::NotMedia,
            "The sound that is sent has an impossible form.",
        ));
    }
    let bare = Bare {
        kind: media::Type::Audio,
        codec,
        header: config.description.as_deref().unwrap_or_default(),
        rate: config.sample_rate,
        channels: config.channels,
    };
    raw::parameters(&bare).map_err(|_| unknown(&config.codec))
}

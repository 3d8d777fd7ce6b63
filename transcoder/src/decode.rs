//! Decoders that survive damaged packets and give every frame a time of ours.

use std::num::NonZero;

use ffmpeg_next::codec::context::Context;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Discard, Packet, Rational, codec, decoder, frame, threading};

use crate::error::{Error, bad, libav, over_limit, undecodable};
use crate::limits;
use crate::source::{AudioTrack, VideoTrack, to_ms, too_long};

/// Damaged packets in a row after which the rest is taken for damaged too.
const MOST_DAMAGED: u32 = 2_000;

/// Decodes the chosen pictures.
pub(crate) struct VideoDecoder {
    decoder: decoder::Video,
    time_base: Rational,
    start_ms: i64,
    /// For frames without a time.
    step_ms: i64,
    is_steady: bool,
    last_ms: Option<i64>,
    damaged: u32,
}

impl VideoDecoder {
    /// With so many threads; with `None`, one more than the machine has cores, for when it does nothing else.
    pub(crate) fn open(
        input: &Input,
        track: &VideoTrack,
        start_ms: i64,
        threads: Option<NonZero<usize>>,
    ) -> Result<Self, Error> {
        let mut options = Dictionary::new();
        options.set("max_pixels", &limits::MOST_PIXELS.to_string());
        let mut context = context(input, track.index)?;
        context.set_threading(threading::Config {
            kind: threading::Type::Frame,
            count: threads.map_or(0, NonZero::get),
            ..threading::Config::default()
        });
        let codec = decoder::find(context.id());
        let opened = context.decoder().open_as_with(codec, options);
        let decoder = opened
            .and_then(codec::decoder::Opened::video)
            .map_err(undecodable(
                "open the decoder of the pictures",
                "The pictures of the file cannot be decoded.",
            ))?;
        Ok(Self {
            decoder,
            time_base: track.time_base,
            start_ms,
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rates are between 0.1 and 240"
            )]
            step_ms: (1000.0 / track.rate).round() as i64,
            is_steady: track.is_steady,
            last_ms: None,
            damaged: 0,
        })
    }

    /// Decodes one packet, or with `None` what is left.
    pub(crate) fn decode(
        &mut self,
        packet: Option<&Packet>,
        mut out: impl FnMut(frame::Video, i64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        tolerate(sent, &mut self.damaged)?;
        loop {
            let mut frame = frame::Video::empty();
            if !received(self.decoder.receive_frame(&mut frame), &mut self.damaged)? {
                return Ok(());
            }
            let at_ms = match frame.timestamp() {
                Some(value) => to_ms(value, self.time_base, self.start_ms),
                None => self.last_ms.map_or(0, |last| last + self.step_ms),
            };
            // Times that stand still or run back would put two pictures on one moment.
            if self.last_ms.is_some_and(|last| at_ms <= last) || at_ms < 0 {
                continue;
            }
            if at_ms > limits::LONGEST_MS {
                return Err(too_long());
            }
            self.last_ms = Some(at_ms);
            out(frame, at_ms)?;
        }
    }

    /// From now on leaves out pictures that no other is decoded from, where the codec marks them.
    pub(crate) fn skim(&mut self) {
        self.decoder.skip_frame(Discard::NonReference);
    }

    /// Whether the next packet's picture is left undecoded, if no other is decoded from it.
    pub(crate) fn skim_next(&mut self, skims: bool) {
        self.decoder.skip_frame(match skims {
            true => Discard::NonReference,
            false => Discard::Default,
        });
    }

    /// When a packet's picture is shown, or else decoded, milliseconds.
    pub(crate) fn time(&self, packet: &Packet) -> Option<i64> {
        let time = packet.pts().or(packet.dts())?;
        Some(to_ms(time, self.time_base, self.start_ms))
    }

    /// When a packet's picture is shown and how long after the one before, milliseconds, where they come at one rate.
    pub(crate) fn time_and_step(&self, packet: &Packet) -> Option<(i64, i64)> {
        let pts = packet.pts().filter(|_| self.is_steady)?;
        // Times are rounded: a step that is taken for too long leaves out less.
        Some((
            to_ms(pts, self.time_base, self.start_ms),
            self.step_ms() + 1,
        ))
    }

    /// Pixels of a picture.
    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.decoder.width()) * u64::from(self.decoder.height())
    }

    /// Forgets what stands between a seek and the next picture.
    pub(crate) fn reset(&mut self) {
        self.decoder.flush();
        self.last_ms = None;
    }

    /// Usual time between two pictures.
    pub(crate) fn step_ms(&self) -> i64 {
        self.step_ms.max(1)
    }
}

/// Decodes the chosen sound.
pub(crate) struct AudioDecoder {
    decoder: decoder::Audio,
    time_base: Rational,
    start_ms: i64,
    damaged: u32,
}

impl AudioDecoder {
    pub(crate) fn open(input: &Input, track: &AudioTrack, start_ms: i64) -> Result<Self, Error> {
        let decoder = context(input, track.index)?
            .decoder()
            .audio()
            .map_err(undecodable(
                "open the decoder of the sound",
                "The sound of the file cannot be decoded.",
            ))?;
        Ok(Self {
            decoder,
            time_base: track.time_base,
            start_ms,
            damaged: 0,
        })
    }

    /// As [`VideoDecoder::decode`]; the time is absent where the container has none.
    pub(crate) fn decode(
        &mut self,
        packet: Option<&Packet>,
        mut out: impl FnMut(&frame::Audio, Option<i64>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sent = match packet {
            Some(packet) => self.decoder.send_packet(packet),
            None => self.decoder.send_eof(),
        };
        tolerate(sent, &mut self.damaged)?;
        loop {
            let mut frame = frame::Audio::empty();
            if !received(self.decoder.receive_frame(&mut frame), &mut self.damaged)? {
                return Ok(());
            }
            let at_ms = frame
                .timestamp()
                .map(|value| to_ms(value, self.time_base, self.start_ms));
            crate::raw::complete_layout(&mut frame);
            out(&frame, at_ms)?;
        }
    }
}

fn context(input: &Input, index: usize) -> Result<Context, Error> {
    let stream = input
        .stream(index)
        .ok_or_else(|| Error::Fault("a chosen stream is gone".into()))?;
    let mut context =
        Context::from_parameters(stream.parameters()).map_err(libav("read the parameters"))?;
    context.set_time_base(stream.time_base());
    Ok(context)
}

/// A damaged packet is skipped; a machine without memory is not.
fn tolerate(result: Result<(), ffmpeg_next::Error>, damaged: &mut u32) -> Result<(), Error> {
    match result {
        Ok(()) | Err(ffmpeg_next::Error::Eof) => Ok(()),
        Err(ffmpeg_next::Error::Other { errno }) if errno == libc::ENOMEM => Err(over_limit()),
        Err(_) => {
            *damaged += 1;
            if *damaged > MOST_DAMAGED {
                return Err(bad(
                    millet_manifest::BadInput::Truncated,
                    "The file is damaged beyond use.",
                ));
            }
            Ok(())
        }
    }
}

/// Whether a frame came; `false` when the decoder wants more, or ends.
fn received(result: Result<(), ffmpeg_next::Error>, damaged: &mut u32) -> Result<bool, Error> {
    match result {
        Ok(()) => {
            *damaged = 0;
            Ok(true)
        }
        Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => Ok(false),
        Err(ffmpeg_next::Error::Eof) => Ok(false),
        Err(other) => {
            tolerate(Err(other), damaged)?;
            Ok(false)
        }
    }
}

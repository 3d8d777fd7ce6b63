//! Sound: decoded to one channel at 48 kHz, placed by its times, encoded once as Opus and as AAC.

use std::collections::VecDeque;
use std::path::Path;

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type as Packing;
use ffmpeg_next::{ChannelLayout, Dictionary, Packet, Rational, codec, encoder, frame};

use crate::error::{Error, libav};
use crate::limits::LONGEST_MS;
use crate::mux::Muxer;
use crate::package::whole;
use crate::raw;
use crate::resample::{RATE, Resampler};
use crate::source::too_long;

const PER_MS: i64 = RATE as i64 / 1000;
const TIME_BASE: Rational = Rational(1, RATE as i32);
/// Times that differ by less than this from where the sound stands are jitter, milliseconds.
const JITTER_MS: i64 = 80;

/// Brings frames of any form into place.
pub(crate) struct Mono {
    resampler: Resampler,
    /// Samples given so far, silence included.
    position: i64,
}

impl Mono {
    pub(crate) fn new() -> Self {
        Self {
            resampler: Resampler::default(),
            position: 0,
        }
    }

    /// Takes a frame that belongs at `at_ms` and hands on samples without a gap.
    pub(crate) fn take(
        &mut self,
        frame: &frame::Audio,
        at_ms: Option<i64>,
        mut out: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut samples = self.resampler.convert(frame)?;
        if let Some(at_ms) = at_ms {
            let ahead = at_ms * PER_MS - self.position;
            if at_ms > LONGEST_MS {
                return Err(too_long());
            }
            if ahead > JITTER_MS * PER_MS {
                self.silence(at_ms * PER_MS, &mut out)?;
            } else if ahead < -JITTER_MS * PER_MS {
                let late = usize::try_from(-ahead).unwrap_or(usize::MAX);
                samples.drain(..late.min(samples.len()));
            }
        }
        self.position += i64::try_from(samples.len()).unwrap_or(0);
        if self.position > LONGEST_MS * PER_MS {
            return Err(too_long());
        }
        out(&samples)
    }

    /// Fills with silence up to a sample.
    fn silence(
        &mut self,
        until: i64,
        out: &mut impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        static QUIET: [f32; 4_800] = [0.0; 4_800];
        while self.position < until {
            let part = (until - self.position).min(4_800);
            out(&QUIET[..usize::try_from(part).unwrap_or(0)])?;
            self.position += part;
        }
        Ok(())
    }

    /// Ends the sound at `end_ms`, with silence where there is none.
    pub(crate) fn end(
        &mut self,
        end_ms: i64,
        mut out: impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.silence(end_ms * PER_MS, &mut out)
    }

    /// Where the sound ends so far.
    pub(crate) fn end_ms(&self) -> i64 {
        self.position / PER_MS
    }
}

/// One encoding of the sound.
pub(crate) struct SoundEncoder {
    pub(crate) id: &'static str,
    pub(crate) codec: &'static str,
    encoder: encoder::audio::Encoder,
    frame_size: usize,
    waiting: Vec<f32>,
    next: i64,
    padding: i64,
    /// Samples at the beginning that are left out, see [`SoundEncoder::settle`].
    skip: usize,
    muxer: Muxer,
    /// Encoded, but not yet known to which segment they belong.
    packets: VecDeque<Packet>,
    /// Cuts that no packet has reached yet, milliseconds.
    cuts: VecDeque<i64>,
}

impl SoundEncoder {
    /// Opus for speech (RFC 6716), 16 kbit/s, 60 ms frames.
    pub(crate) fn opus(output: &Path) -> Result<Self, Error> {
        let mut options = Dictionary::new();
        options.set("application", "voip");
        options.set("frame_duration", "60");
        options.set("vbr", "on");
        let format = Sample::F32(Packing::Packed);
        let encoder = open("libopus", 16_000, format, options)?;
        Self::begin("opus16", "opus", encoder, output)
    }

    /// AAC-LC (ISO/IEC 14496-3), 32 kbit/s, for players that know nothing else.
    pub(crate) fn aac(output: &Path) -> Result<Self, Error> {
        let format = Sample::F32(Packing::Planar);
        let encoder = open("aac", 32_000, format, Dictionary::new())?;
        Self::begin("aac32", "mp4a.40.2", encoder, output)
    }

    fn begin(
        id: &'static str,
        codec: &'static str,
        encoder: encoder::audio::Encoder,
        output: &Path,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(output.join(id))?;
        let padding = raw::initial_padding(&encoder);
        Ok(Self {
            id,
            codec,
            frame_size: encoder.frame_size().max(1) as usize,
            padding,
            skip: usize::try_from(padding).unwrap_or(0),
            muxer: Muxer::create(&whole(output, id), &encoder, TIME_BASE)?,
            encoder,
            waiting: Vec::new(),
            next: 0,
            packets: VecDeque::new(),
            // The first segment.
            cuts: VecDeque::from([0]),
        })
    }

    /// Encodes samples.
    pub(crate) fn take(&mut self, samples: &[f32]) -> Result<(), Error> {
        let skipped = self.skip.min(samples.len());
        self.skip -= skipped;
        self.waiting.extend_from_slice(&samples[skipped..]);
        while self.waiting.len() >= self.frame_size {
            let frame: Vec<f32> = self.waiting.drain(..self.frame_size).collect();
            self.encode(&frame)?;
        }
        Ok(())
    }

    fn encode(&mut self, samples: &[f32]) -> Result<(), Error> {
        let frame = frame_of(&self.encoder, samples, self.next);
        self.next += i64::try_from(samples.len()).unwrap_or(0);
        self.encoder
            .send_frame(&frame)
            .map_err(libav("encode the sound"))?;
        self.collect()
    }

    fn collect(&mut self) -> Result<(), Error> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => self.packets.push_back(packet),
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => {
                    return Ok(());
                }
                Err(error) => return Err(libav("encode the sound")(error)),
            }
        }
    }

    /// Every rung begins a segment at `at_ms`.
    pub(crate) fn cut(&mut self, at_ms: i64) {
        self.cuts.push_back(at_ms);
    }

    /// Every cut before `until_ms` is known: writes the packets that begin before it. A packet
    /// belongs to the segment in which it begins.
    pub(crate) fn settle(&mut self, until_ms: i64) -> Result<(), Error> {
        while let Some(packet) = self.packets.front() {
            // The encoder puts samples of its own before the first. As many of ours are left out at
            // the start and the times moved by their number, so what is heard at a moment is what
            // was recorded then, without an edit list that players read differently.
            let at = packet.pts().unwrap_or(0) + self.padding;
            if at >= until_ms.saturating_mul(PER_MS) {
                break;
            }
            let Some(mut packet) = self.packets.pop_front() else {
                break;
            };
            packet.set_pts(Some(at));
            packet.set_dts(Some(at));
            let at_ms = at / PER_MS;
            let cut = self.cuts.front().is_some_and(|cut| at_ms >= *cut);
            if cut {
                self.cuts.pop_front();
            }
            self.muxer.write(packet, at_ms, cut)?;
        }
        Ok(())
    }

    /// Ends the encoding and writes what is left; what the encoder adds behind `end_ms` to empty
    /// itself is not.
    pub(crate) fn finish(mut self, end_ms: i64) -> Result<Muxer, Error> {
        if !self.waiting.is_empty() {
            let mut last = std::mem::take(&mut self.waiting);
            last.resize(self.frame_size, 0.0);
            self.encode(&last)?;
        }
        self.encoder.send_eof().map_err(libav("end the encoder"))?;
        self.collect()?;
        self.settle(end_ms)?;
        Ok(self.muxer)
    }
}

/// Opens an encoder of one channel at [`RATE`].
pub(crate) fn open(
    name: &str,
    bit_rate: usize,
    format: Sample,
    options: Dictionary,
) -> Result<encoder::audio::Encoder, Error> {
    let what = libav("open an encoder of sound");
    let found = encoder::find_by_name(name)
        .ok_or_else(|| Error::Fault(format!("this machine's libav has no {name}")))?;
    let mut context = codec::context::Context::new_with_codec(found)
        .encoder()
        .audio()
        .map_err(&what)?;
    context.set_rate(i32::try_from(RATE).unwrap_or(i32::MAX));
    context.set_format(format);
    context.set_channel_layout(ChannelLayout::MONO);
    context.set_bit_rate(bit_rate);
    context.set_time_base(TIME_BASE);
    context.set_flags(codec::Flags::GLOBAL_HEADER);
    context.open_with(options).map_err(&what)
}

/// One stretch of samples as the encoder takes it; `at` counts samples.
pub(crate) fn frame_of(
    encoder: &encoder::audio::Encoder,
    samples: &[f32],
    at: i64,
) -> frame::Audio {
    let mut frame = frame::Audio::new(encoder.format(), samples.len(), ChannelLayout::MONO);
    frame.set_rate(RATE);
    frame.plane_mut::<f32>(0)[..samples.len()].copy_from_slice(samples);
    frame.set_pts(Some(at));
    frame
}

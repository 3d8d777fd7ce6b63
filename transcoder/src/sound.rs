//! Sound: decoded to one channel at 48 kHz, placed by its times, encoded once as Opus and as AAC.

use std::path::Path;

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type as Packing;
use ffmpeg_next::software::resampling;
use ffmpeg_next::{ChannelLayout, Dictionary, Packet, Rational, codec, encoder, frame};

use crate::error::{Error, libav};
use crate::limits::LONGEST_MS;
use crate::mux::Muxer;
use crate::raw;
use crate::source::too_long;

/// Samples a second.
pub(crate) const RATE: u32 = 48_000;
const PER_MS: i64 = RATE as i64 / 1000;
const TIME_BASE: Rational = Rational(1, RATE as i32);
/// Times that differ by less than this from where the sound stands are jitter, milliseconds.
const JITTER_MS: i64 = 80;

/// Brings frames of any form into place.
pub(crate) struct Mono {
    resampler: Option<(Shape, resampling::Context)>,
    /// Samples given so far, silence included.
    position: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    format: Sample,
    layout: ChannelLayout,
    rate: u32,
}

impl Mono {
    pub(crate) fn new() -> Self {
        Self {
            resampler: None,
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
        let mut samples = self.convert(frame)?;
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

    fn convert(&mut self, frame: &frame::Audio) -> Result<Vec<f32>, Error> {
        let shape = Shape {
            format: frame.format(),
            layout: frame.channel_layout(),
            rate: frame.rate().max(1),
        };
        let what = libav("resample the sound");
        if self
            .resampler
            .as_ref()
            .is_none_or(|(known, _)| *known != shape)
        {
            let context = resampling::Context::get(
                shape.format,
                shape.layout,
                shape.rate,
                Sample::F32(Packing::Packed),
                ChannelLayout::MONO,
                RATE,
            )
            .map_err(&what)?;
            self.resampler = Some((shape, context));
        }
        let Some((_, resampler)) = &mut self.resampler else {
            return Ok(Vec::new());
        };
        // Room for all that can come out, else the rest would wait inside for ever.
        let room = frame.samples() * RATE as usize / shape.rate as usize + 1_024;
        let mut converted =
            frame::Audio::new(Sample::F32(Packing::Packed), room, ChannelLayout::MONO);
        resampler.run(frame, &mut converted).map_err(&what)?;
        Ok(converted.plane::<f32>(0)[..converted.samples()].to_vec())
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
    /// Samples at the beginning that are left out, see [`SoundEncoder::finish`].
    skip: usize,
    /// A few dozen bytes each; a recording of the longest length takes well below 100 MB.
    packets: Vec<Packet>,
}

impl SoundEncoder {
    /// Opus for speech (RFC 6716), 16 kbit/s, 60 ms frames.
    pub(crate) fn opus() -> Result<Self, Error> {
        let mut options = Dictionary::new();
        options.set("application", "voip");
        options.set("frame_duration", "60");
        options.set("vbr", "on");
        let format = Sample::F32(Packing::Packed);
        Self::open("opus16", "opus", "libopus", 16_000, format, options)
    }

    /// AAC-LC (ISO/IEC 14496-3), 32 kbit/s, for players that know nothing else.
    pub(crate) fn aac() -> Result<Self, Error> {
        let format = Sample::F32(Packing::Planar);
        Self::open(
            "aac32",
            "mp4a.40.2",
            "aac",
            32_000,
            format,
            Dictionary::new(),
        )
    }

    fn open(
        id: &'static str,
        codec: &'static str,
        name: &str,
        bit_rate: usize,
        format: Sample,
        options: Dictionary,
    ) -> Result<Self, Error> {
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
        let encoder = context.open_with(options).map_err(&what)?;
        let padding = raw::initial_padding(&encoder);
        Ok(Self {
            id,
            codec,
            frame_size: encoder.frame_size().max(1) as usize,
            padding,
            skip: usize::try_from(padding).unwrap_or(0),
            encoder,
            waiting: Vec::new(),
            next: 0,
            packets: Vec::new(),
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
        let format = self.encoder.format();
        let mut frame = frame::Audio::new(format, samples.len(), ChannelLayout::MONO);
        frame.set_rate(RATE);
        frame.plane_mut::<f32>(0)[..samples.len()].copy_from_slice(samples);
        frame.set_pts(Some(self.next));
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
                Ok(()) => self.packets.push(packet),
                Err(ffmpeg_next::Error::Eof) => return Ok(()),
                Err(ffmpeg_next::Error::Other { errno }) if errno == libc::EAGAIN => {
                    return Ok(());
                }
                Err(error) => return Err(libav("encode the sound")(error)),
            }
        }
    }

    /// Ends the encoding and writes it, cut where the pictures are: a packet belongs to the segment
    /// in which it begins.
    pub(crate) fn finish(mut self, cuts_ms: &[i64], whole: &Path) -> Result<Muxer, Error> {
        if !self.waiting.is_empty() {
            let mut last = std::mem::take(&mut self.waiting);
            last.resize(self.frame_size, 0.0);
            self.encode(&last)?;
        }
        self.encoder.send_eof().map_err(libav("end the encoder"))?;
        self.collect()?;
        let mut muxer = Muxer::create(whole, &self.encoder, TIME_BASE)?;
        let mut cuts = cuts_ms.iter().copied().peekable();
        let packets = std::mem::take(&mut self.packets);
        for (index, mut packet) in packets.into_iter().enumerate() {
            // The encoder puts samples of its own before the first. As many of ours are left out at
            // the start and the times moved by their number, so what is heard at a moment is what
            // was recorded then, without an edit list that players read differently.
            let at = packet.pts().unwrap_or(0) + self.padding;
            packet.set_pts(Some(at));
            packet.set_dts(Some(at));
            let at_ms = at / PER_MS;
            let cut = cuts.peek().is_some_and(|cut| at_ms >= *cut) || index == 0;
            if cut {
                cuts.next();
            }
            muxer.write(packet, at_ms, cut)?;
        }
        Ok(muxer)
    }
}

//! Sound decoded to one channel at 48 kHz, placed by its times; and its encoders.

use ffmpeg_next::format::Sample;
use ffmpeg_next::{ChannelLayout, Dictionary, Rational, codec, encoder, frame};

use crate::error::{Error, libav};
use crate::limits::LONGEST_MS;
use crate::resample::{RATE, Resampler};
use crate::source::too_long;

pub(crate) const PER_MS: i64 = RATE as i64 / 1000;
pub(crate) const TIME_BASE: Rational = Rational(1, RATE as i32);
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

//! Sound decoded to one channel at 48 kHz, placed by its times; and its encoders.

use ffmpeg_next::format::Sample;
use ffmpeg_next::{ChannelLayout, Dictionary, Rational, codec, encoder, frame};

use crate::drift::{Drift, stretch};
use crate::error::{Error, libav};
use crate::limits::LONGEST_MS;
use crate::resample::{RATE, Resampler};
use crate::source::too_long;

pub(crate) const PER_MS: i64 = RATE as i64 / 1000;
pub(crate) const TIME_BASE: Rational = Rational(1, RATE as i32);
/// From this much on a time says that something is missing or comes twice, milliseconds.
const JUMP_MS: i64 = 80;

/// Brings frames of any form into place.
pub(crate) struct Mono {
    resampler: Resampler,
    /// Samples given so far, silence included.
    position: i64,
    drift: Drift,
}

impl Mono {
    pub(crate) fn new() -> Self {
        Self {
            resampler: Resampler::default(),
            position: 0,
            drift: Drift::default(),
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
        // A time before all that can be is none.
        if let Some(at_ms) = at_ms.filter(|at_ms| *at_ms > -LONGEST_MS) {
            if at_ms > LONGEST_MS {
                return Err(too_long());
            }
            let ahead = at_ms * PER_MS - self.position;
            if ahead.abs() > JUMP_MS * PER_MS || self.position == 0 {
                self.jump(ahead, &mut samples, &mut out)?;
            } else {
                let length = self.drift.length(samples.len(), ahead);
                samples = stretch(&samples, length);
            }
        }
        self.position += i64::try_from(samples.len()).unwrap_or(0);
        if self.position > LONGEST_MS * PER_MS {
            return Err(too_long());
        }
        out(&samples)
    }

    /// Fills up what is missing, or leaves out what comes twice.
    fn jump(
        &mut self,
        ahead: i64,
        samples: &mut Vec<f32>,
        out: &mut impl FnMut(&[f32]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.drift.placed();
        self.silence(self.position + ahead, out)?;
        let late = usize::try_from(-ahead).unwrap_or(0);
        samples.drain(..late.min(samples.len()));
        Ok(())
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

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::sample::Type as Packing;

    use super::*;

    const FRAME: usize = 1_024;

    fn frame() -> frame::Audio {
        let format = Sample::F32(Packing::Packed);
        let mut frame = frame::Audio::new(format, FRAME, ChannelLayout::MONO);
        frame.set_rate(RATE);
        frame.plane_mut::<f32>(0).fill(0.5);
        frame
    }

    /// Takes frames whose times differ from a clock's by `off_ms`, and gives back how far the sound stands from its
    /// times at most, without the first second, and how many samples came out.
    fn taken(frames: i64, off_ms: impl Fn(i64) -> i64) -> (i64, i64) {
        let (mut mono, frame) = (Mono::new(), frame());
        let (mut most_ms, mut count) = (0, 0);
        for number in 0..frames {
            let clock = number * FRAME as i64 / PER_MS;
            let at_ms = clock + off_ms(clock);
            if clock > 1_000 {
                most_ms = most_ms.max((at_ms - mono.end_ms()).abs());
            }
            let took = mono.take(&frame, Some(at_ms), |samples| {
                count += samples.len() as i64;
                Ok(())
            });
            took.unwrap();
        }
        (most_ms, count)
    }

    #[test]
    fn sound_that_begins_a_little_later_stays_behind() {
        for off_ms in [12, 70, 500] {
            assert_eq!(
                taken(200, |_| off_ms),
                (0, 200 * FRAME as i64 + off_ms * PER_MS)
            );
        }
        // What lies before the beginning is left out.
        assert_eq!(taken(200, |_| -10), (0, 200 * FRAME as i64 - 10 * PER_MS));
    }

    #[test]
    fn a_clock_that_runs_wrong_is_followed_for_an_hour() {
        let hour = 3_600 * i64::from(RATE) / FRAME as i64;
        for of in [10_000, -10_000, 3_000, -3_000] {
            let (most_ms, count) = taken(hour, |clock| clock / of);
            assert!(most_ms <= 12, "{most_ms} ms");
            let drifted = count - hour * FRAME as i64;
            assert!((drifted - 3_600_000 / of * PER_MS).abs() <= 12 * PER_MS);
        }
    }

    #[test]
    fn times_that_jitter_move_nothing() {
        let jitter = |clock: i64| if clock / 21 % 2 == 0 { 30 } else { -30 };
        let (_, count) = taken(5_000, |clock| if clock == 0 { 0 } else { jitter(clock) });
        assert_eq!(count, 5_000 * FRAME as i64);
    }

    #[test]
    fn a_time_that_cannot_be_is_none() {
        for off_ms in [-(1 << 58), i64::MIN + (1 << 40)] {
            let (_, count) = taken(100, |clock| if clock > 900 { off_ms } else { 0 });
            assert_eq!(count, 100 * FRAME as i64);
        }
    }
}

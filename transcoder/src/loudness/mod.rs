//! How loud a recording is and what is heard (EBU R 128, ITU-R BS.1770), and bringing it to one level.

mod level;
#[cfg(test)]
mod tests;

use std::path::Path;

use ebur128::{EbuR128, Mode};
use millet_manifest::{SoundKind, SoundSigns};

use crate::decode::AudioDecoder;
use crate::error::Error;
use crate::resample::{RATE, Resampler};
use crate::source::Source;

pub(crate) use level::Leveller;

/// Loudness of speech in one channel, LUFS: as loud as −16 LUFS in two (AES TD1008).
const TARGET: f64 = -19.0;
/// A recording is made louder or softer by no more than this, decibel.
const MOST_GAIN: f64 = 20.0;
/// Below this there is nothing to hear, LUFS.
const SILENT: f64 = -60.0;
/// Length of a frame of which the level is taken, samples: 20 ms.
const FRAME: usize = 960;
/// Frames of a second.
const SECOND: usize = 50;
/// A voice pauses: at least this share of frames has less than half the level of its second, percent.
const PAUSES_PERCENT: usize = 25;

/// Listens to the whole sound once; `None` when none comes out.
pub(crate) fn listen(input: &Path) -> Result<Option<SoundSigns>, Error> {
    let mut source = Source::open(input)?;
    let Some(track) = &source.audio else {
        return Ok(None);
    };
    let index = track.index;
    let mut decoder = AudioDecoder::open(&source.input, track, source.start_ms)?;
    let mut ear = Ear::new()?;
    let mut resampler = Resampler::default();
    let mut hear =
        |frame: &ffmpeg_next::frame::Audio, _: Option<i64>| ear.hear(&resampler.convert(frame)?);
    for (stream, packet) in source.input.packets() {
        if stream.index() == index {
            decoder.decode(Some(&packet), &mut hear)?;
        }
    }
    source.ended()?;
    decoder.decode(None, &mut hear)?;
    Ok(ear.verdict())
}

struct Ear {
    meter: EbuR128,
    waiting: Vec<f32>,
    /// Levels of the second that was begun.
    levels: Vec<f32>,
    frames: usize,
    pauses: usize,
}

impl Ear {
    fn new() -> Result<Self, Error> {
        // Histograms, so that memory does not grow with the length.
        let meter = EbuR128::new(1, RATE, Mode::I | Mode::HISTOGRAM).map_err(meter_fault)?;
        Ok(Self {
            meter,
            waiting: Vec::new(),
            levels: Vec::with_capacity(SECOND),
            frames: 0,
            pauses: 0,
        })
    }

    fn hear(&mut self, samples: &[f32]) -> Result<(), Error> {
        self.meter.add_frames_f32(samples).map_err(meter_fault)?;
        self.waiting.extend_from_slice(samples);
        let whole = self.waiting.len() / FRAME * FRAME;
        for frame in self.waiting[..whole].chunks_exact(FRAME) {
            let energy: f32 = frame.iter().map(|sample| sample * sample).sum();
            self.levels.push(energy.sqrt());
            if self.levels.len() == SECOND {
                #[allow(clippy::cast_precision_loss, reason = "fifty")]
                let mean = self.levels.iter().sum::<f32>() / SECOND as f32;
                self.pauses += self
                    .levels
                    .iter()
                    .filter(|level| **level < mean / 2.0)
                    .count();
                self.frames += SECOND;
                self.levels.clear();
            }
        }
        self.waiting.drain(..whole);
        Ok(())
    }

    fn verdict(&self) -> Option<SoundSigns> {
        let loudness = self.meter.loudness_global().ok()?;
        let audible = loudness.is_finite() && loudness > SILENT;
        // A second that is too short to judge is taken for a voice.
        let voice = self.pauses * 100 >= self.frames * PAUSES_PERCENT;
        let gain = (TARGET - loudness).clamp(-MOST_GAIN, MOST_GAIN);
        Some(SoundSigns {
            kind: match (audible, voice) {
                (false, _) => SoundKind::Silence,
                (true, true) => SoundKind::Speech,
                (true, false) => SoundKind::Music,
            },
            loudness_tenths: tenths(loudness.max(-100.0)),
            gain_tenths: if audible { tenths(gain) } else { 0 },
        })
    }
}

fn meter_fault(error: ebur128::Error) -> Error {
    Error::Fault(format!("measuring the loudness: {error}"))
}

#[allow(clippy::cast_possible_truncation, reason = "decibels are small")]
fn tenths(decibel: f64) -> i32 {
    (decibel * 10.0).round().clamp(-1e4, 1e4) as i32
}

//! Keeps sound where its times say it belongs, without a cut for every time that jitters.
//!
//! How far the times are off is smoothed over seconds. What is left then is no jitter, and each frame becomes a
//! little longer or shorter until both agree.

use crate::resample::RATE;

/// Over so many samples an offset is smoothed: two seconds.
const MEMORY: f64 = 2.0 * RATE as f64;
/// An offset that is corrected, samples: 10 ms. Lips and words that are 20 ms apart are together for everybody.
const TOO_FAR: f64 = RATE as f64 / 100.0;
/// It is corrected until less than this is left, samples.
const NEAR: f64 = RATE as f64 / 1_000.0;
/// A frame changes by one part in so many: far less than half of a semitone's tenth.
const SLOWLY: usize = 200;

/// See the module.
#[derive(Default)]
pub(crate) struct Drift {
    /// By how much times are ahead of the sound, smoothed, in samples.
    offset: f64,
    corrects: bool,
}

impl Drift {
    /// The sound was put exactly where its time says.
    pub(crate) fn placed(&mut self) {
        *self = Self::default();
    }

    /// How long a frame of `count` samples is to be, whose time is `ahead` samples ahead of the sound.
    pub(crate) fn length(&mut self, count: usize, ahead: i64) -> usize {
        let (lasts, ahead) = (float(count), float(ahead));
        self.offset += (ahead - self.offset) * lasts / (MEMORY + lasts);
        let least = if self.corrects { NEAR } else { TOO_FAR };
        self.corrects = self.offset.abs() > least;
        if !self.corrects {
            return count;
        }
        let step = (count / SLOWLY).max(1).min(count / 2);
        if self.offset > 0.0 {
            self.offset -= float(step);
            count + step
        } else {
            self.offset += float(step);
            count - step
        }
    }
}

/// The same sound in `length` samples; both ends stay as they are.
pub(crate) fn stretch(samples: &[f32], length: usize) -> Vec<f32> {
    if length == samples.len() || length < 2 || samples.len() < 2 {
        return samples.to_vec();
    }
    let (steps, last) = (length - 1, samples.len() - 1);
    let stretched = (0..length).map(|n| {
        let (index, part) = (n * last / steps, n * last % steps);
        let next = samples[(index + 1).min(last)];
        samples[index] + (next - samples[index]) * (float(part) / float(steps)) as f32
    });
    stretched.collect()
}

/// Samples of a frame, or of an offset that is no hole, are far below 2^31.
fn float(count: impl TryInto<i32>) -> f64 {
    count.try_into().map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 960;
    const PER_MS: i64 = RATE as i64 / 1_000;
    const PER_S: i64 = RATE as i64 / FRAME;

    /// Gives frames whose times are `off_ms` beside the count of samples; for each, how far the sound stands from
    /// where it belongs if `jitter_ms` of that is none of the truth, and whether it was corrected.
    fn run(
        seconds: i64,
        off_ms: impl Fn(i64) -> f64,
        jitter_ms: impl Fn(i64) -> f64,
    ) -> Vec<(f64, bool)> {
        let (mut drift, mut position) = (Drift::default(), 0_i64);
        let frames = (0..seconds * PER_S).map(|n| {
            let at = |ms: f64| n * FRAME + (ms * PER_MS as f64) as i64;
            let apart_ms = (at(off_ms(n)) - position) as f64 / PER_MS as f64;
            let ahead = at(off_ms(n) + jitter_ms(n)) - position;
            let length = drift.length(FRAME as usize, ahead) as i64;
            position += length;
            (apart_ms, length != FRAME)
        });
        frames.collect()
    }

    /// From −30 ms to 30 ms, by chance.
    fn jitter(n: i64) -> f64 {
        let noise = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        noise as f64 / (1 << 24) as f64 * 60.0 - 30.0
    }

    fn farthest(frames: &[(f64, bool)]) -> f64 {
        frames.iter().fold(0.0, |most, (ms, _)| most.max(ms.abs()))
    }

    #[test]
    fn a_lasting_offset_is_taken_back_slowly_and_once() {
        for off_ms in [70.0, -70.0] {
            let from_then_on = |n: i64| if n < PER_S { 0.0 } else { off_ms };
            for noise in [(|_| 0.0) as fn(i64) -> f64, jitter] {
                let frames = run(60, from_then_on, noise);
                let late = &frames[25 * PER_S as usize..];
                assert!(farthest(late) < 12.0, "{}", farthest(late));
                assert!(late.iter().all(|(_, corrected)| !corrected));
            }
        }
    }

    #[test]
    fn a_clock_that_runs_a_little_fast_or_slow_is_followed() {
        for ppm in [100.0, -100.0] {
            let drift = |n: i64| n as f64 * 20.0 * ppm / 1e6;
            for noise in [(|_| 0.0) as fn(i64) -> f64, jitter] {
                let frames = run(3_600, drift, noise);
                assert!(farthest(&frames) < 15.0, "{}", farthest(&frames));
            }
        }
    }

    #[test]
    fn times_that_jitter_or_stray_change_nothing() {
        let corrected = |frames: Vec<(f64, bool)>| frames.iter().filter(|f| f.1).count();
        assert_eq!(corrected(run(600, |_| 0.0, jitter)), 0);
        let strays = |n: i64| match n % 50 {
            7 => 75.0,
            30 => -60.0,
            _ => 0.0,
        };
        assert_eq!(corrected(run(600, |_| 0.0, strays)), 0);
    }

    #[test]
    fn a_stretched_tone_is_the_same_tone() {
        let tone = |n: usize, per: f64| ((n as f64 / per).sin() * 0.5) as f32;
        let samples: Vec<f32> = (0..960).map(|n| tone(n, 16.0)).collect();
        for length in [956, 964, 960] {
            let stretched = stretch(&samples, length);
            assert_eq!(stretched.len(), length);
            assert_eq!(stretched[0], samples[0]);
            assert_eq!(stretched[length - 1], samples[959]);
            let per = 16.0 * (length - 1) as f64 / 959.0;
            let same = |(n, sample): (usize, &f32)| (sample - tone(n, per)).abs() < 1e-3;
            assert!(stretched.iter().enumerate().all(same), "{length}");
        }
        assert_eq!(stretch(&[], 0), Vec::<f32>::new());
    }
}

//! Keeps sound by its times where the clock that they come from and the one that counts samples run apart.

use crate::resample::RATE;

/// What times say is believed when it has been so for about this long, samples: two seconds.
const BELIEVED: f64 = 2.0 * RATE as f64;
/// From so far off on it is put right, samples: 8 ms. From where people notice (ITU-R BT.1359-1) it is far.
const OFF: f64 = 0.008 * RATE as f64;
/// One sample in so many is added or left out, which nobody hears.
const APART: usize = 250;

/// How far sound stands from its times, of late.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    mean: f64,
    is_put_right: bool,
}

impl Drift {
    /// So many samples should be made of so many that belong `ahead` samples later than where they stand.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "less than a second of samples"
    )]
    pub(crate) fn length(&mut self, ahead: i64, samples: usize) -> usize {
        let weight = (samples as f64 / BELIEVED).min(1.0);
        self.mean += (ahead as f64 - self.mean) * weight;
        let most = (samples / APART) as f64;
        self.is_put_right |= self.mean.abs() >= OFF;
        if !self.is_put_right {
            return samples;
        }
        let step = self.mean.clamp(-most, most).trunc();
        self.mean -= step;
        self.is_put_right = self.mean.abs() > most.max(1.0);
        samples.saturating_add_signed(step as isize)
    }
}

/// The same sound in so many samples, a few more or fewer.
pub(crate) fn stretched(samples: Vec<f32>, length: usize) -> Vec<f32> {
    if length == samples.len() || length < 2 || samples.len() < 2 {
        return samples;
    }
    let (last, steps) = (samples.len() - 1, length - 1);
    (0..length)
        .map(|index| {
            let (before, rest) = (index * last / steps, index * last % steps);
            let after = samples[(before + 1).min(last)];
            #[allow(clippy::cast_precision_loss, reason = "less than a second of samples")]
            let share = rest as f32 / steps as f32;
            samples[before] + (after - samples[before]) * share
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_stays_a_ramp() {
        let ramp: Vec<f32> = (0..=100_u8).map(f32::from).collect();
        for length in [99, 101, 103] {
            let made = stretched(ramp.clone(), length);
            assert_eq!(
                (made.len(), made[0], made[length - 1]),
                (length, 0.0, 100.0)
            );
            let step = 100.0 / (length as f32 - 1.0);
            assert!(
                made.windows(2)
                    .all(|pair| (pair[1] - pair[0] - step).abs() < 1e-3)
            );
        }
        assert_eq!(stretched(vec![0.5], 3), [0.5]);
        assert_eq!(stretched(Vec::new(), 2), [0.0_f32; 0]);
    }
}

//! Rate and quality of one rung as functions of the rate factor, from very few points.

use std::ops::RangeInclusive;

use millet_manifest::Kind;

use crate::ladder::{Codec, Rung, Tune};
use crate::score::Score;

/// What one rate factor brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) crf: u32,
    /// Bits a second over all samples, and over the worst one.
    pub(super) average_bps: u64,
    pub(super) peak_bps: u64,
    /// Likeness to what was encoded, by which the rate factor is chosen.
    pub(super) ssim: f64,
    /// Likeness to the recording, from which that may differ: letters in fewer shades.
    pub(super) seen: Score,
}

impl Point {
    /// SSIM in decibel, which falls about evenly with the rate factor.
    fn quality(&self) -> f64 {
        decibel(self.ssim)
    }

    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    fn log_rate(&self) -> f64 {
        (self.average_bps.max(1) as f64).ln()
    }
}

fn decibel(ssim: f64) -> f64 {
    -10.0 * (1.0 - ssim).max(1e-5).log10()
}

/// Decibel lost and share of the bits saved for each step of the rate factor, as usual; until two
/// points say how it is here.
fn usual(rung: &Rung) -> (f64, f64) {
    let lost = match (rung.codec, rung.tune) {
        (Codec::H264, _) | (Codec::Av1, Tune::Screen) => 0.45,
        (Codec::Av1, Tune::Camera) => 0.14,
    };
    (lost, rung.step_saves())
}

/// The rate factors that are worth a trial. The less there is to see on a slide, the less its likeness says of
/// the few letters that there are and of the colour of their ground: it costs little to code them as well
/// as those of a full slide. A still that takes more than its share leaves the next one in the same trial
/// without bits.
fn range(rung: &Rung) -> RangeInclusive<u32> {
    match (rung.tune, rung.codec, rung.kind) {
        (Tune::Screen, Codec::H264, Kind::Stills) => 40..=47,
        (Tune::Screen, Codec::H264, _) => 20..=44,
        (Tune::Screen, Codec::Av1, Kind::Stills) => 24..=61,
        (Tune::Screen, Codec::Av1, _) => 24..=55,
        (Tune::Camera, Codec::H264, _) => 20..=rung.codec.highest_crf(),
        (Tune::Camera, Codec::Av1, _) => 24..=rung.codec.highest_crf(),
    }
}

/// Points of one rung.
#[derive(Debug)]
pub(super) struct Curve {
    points: Vec<Point>,
    first: u32,
    range: RangeInclusive<u32>,
    target: f64,
    most_bps: f64,
    average_bps: f64,
    usual: (f64, f64),
}

impl Curve {
    pub(super) fn new(rung: &Rung) -> Self {
        Self {
            points: Vec::new(),
            first: rung.crf,
            range: range(rung),
            target: decibel(f64::from(rung.target) / 10_000.0),
            most_bps: f64::from(rung.most_bps),
            average_bps: f64::from(rung.average_bps),
            usual: usual(rung),
        }
    }

    /// Must not cost more than this on average, whatever that does to its likeness.
    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    pub(super) fn limit(&mut self, average_bps: u64) {
        self.average_bps = self.average_bps.min(average_bps as f64);
    }

    pub(super) fn add(&mut self, point: Point) {
        self.points.push(point);
    }

    /// The rate factor to try next; `None` when that is known already.
    pub(super) fn next(&self) -> Option<u32> {
        let Some(last) = self.points.last() else {
            return Some(self.first);
        };
        let (lost, saved) = self.slopes();
        let crf = f64::from(last.crf);
        let enough = crf + (last.quality() - self.target) / lost;
        #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
        let over = |rate: u64, most: f64| crf + (rate.max(1) as f64 / most).ln() / saved;
        let cheap =
            over(last.average_bps, self.average_bps).max(over(last.peak_bps, self.most_bps));
        // The highest that reaches the target, and the lowest under the caps, if that is higher.
        let wanted = enough.floor().max(cheap.ceil());
        let wanted = wanted.clamp(f64::from(*self.range.start()), f64::from(*self.range.end()));
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small range"
        )]
        let wanted = wanted as u32;
        self.points
            .iter()
            .all(|point| point.crf != wanted)
            .then_some(wanted)
    }

    /// Decibel lost and logarithm of the rate saved for a step of the rate factor.
    fn slopes(&self) -> (f64, f64) {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return self.usual;
        };
        let steps = f64::from(last.crf) - f64::from(first.crf);
        if steps == 0.0 {
            return self.usual;
        }
        let lost = (first.quality() - last.quality()) / steps;
        let saved = (first.log_rate() - last.log_rate()) / steps;
        // Measurements of short samples wobble; a slope of nothing would lead anywhere.
        let between = |value: f64, usual: f64| value.clamp(usual / 3.0, usual * 3.0);
        (between(lost, self.usual.0), between(saved, self.usual.1))
    }

    /// The newest point, which is the one to take.
    pub(super) fn chosen(&self) -> &Point {
        const NOTHING: Point = Point {
            crf: 63,
            average_bps: 0,
            peak_bps: 0,
            ssim: 0.0,
            seen: Score {
                ssim: 0.0,
                psnr: 0.0,
                pictures: 0,
            },
        };
        self.points.last().unwrap_or(&NOTHING)
    }

    /// Bytes that this codec saves against `other` at the other's quality, thousandths.
    pub(super) fn saves_permille(&self, other: &Point) -> i32 {
        let (lost, saved) = self.slopes();
        let near = self.points.iter().min_by(|a, b| {
            let far = |point: &Point| (point.quality() - other.quality()).abs();
            far(a).total_cmp(&far(b))
        });
        let Some(near) = near else { return 0 };
        let steps = (near.quality() - other.quality()) / lost;
        let log_rate = near.log_rate() - steps * saved;
        let share = 1.0 - (log_rate - other.log_rate()).exp();
        #[allow(clippy::cast_possible_truncation, reason = "clamped to a small range")]
        let permille = (share.clamp(-9.0, 1.0) * 1000.0).round() as i32;
        permille
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colours::Colours;
    use crate::ladder::Effort;

    fn rung(most_bps: u32) -> Rung {
        Rung {
            id: "v480".into(),
            kind: Kind::Video,
            codec: Codec::H264,
            tune: Tune::Camera,
            effort: Effort::Thorough,
            colours: Colours::Bt601,
            width: 854,
            height: 480,
            rate_milli: 25_000,
            crf: 33,
            average_bps: most_bps,
            most_bps,
            target: 9_400,
        }
    }

    /// A recording that loses half a decibel and a tenth of the rate each step.
    fn point(crf: u32) -> Point {
        let steps = f64::from(crf) - 30.0;
        let quality = 13.0 - steps / 2.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rate = (300_000.0 * (-0.1 * steps).exp()) as u64;
        let ssim = 1.0 - 10_f64.powf(-quality / 10.0);
        Point {
            crf,
            average_bps: rate,
            peak_bps: rate,
            ssim,
            seen: Score {
                ssim,
                psnr: 35.0,
                pictures: 1,
            },
        }
    }

    fn settle(rung: &Rung) -> Point {
        let mut curve = Curve::new(rung);
        while let Some(crf) = curve.next() {
            assert!(curve.points.len() < 5);
            curve.add(point(crf));
        }
        *curve.chosen()
    }

    #[test]
    fn the_cheapest_factor_that_reaches_the_target_is_found() {
        let chosen = settle(&rung(1_000_000));
        assert!(chosen.ssim >= 0.94 && point(chosen.crf + 1).ssim < 0.94);
    }

    #[test]
    fn a_cap_goes_before_the_target() {
        let chosen = settle(&rung(200_000));
        assert!(chosen.average_bps <= 200_000 && chosen.ssim < 0.94);
        assert!(point(chosen.crf - 1).average_bps > 200_000);
    }

    #[test]
    fn a_slide_that_is_easily_alike_keeps_its_letters_clear() {
        let screen = Rung {
            tune: Tune::Screen,
            target: 3_000,
            ..rung(1_000_000)
        };
        assert_eq!(settle(&screen).crf, 44);
        let camera = Rung {
            tune: Tune::Camera,
            ..screen
        };
        assert_eq!(settle(&camera).crf, 51);
    }

    #[test]
    fn a_later_limit_is_kept() {
        let mut curve = Curve::new(&rung(1_000_000));
        while let Some(crf) = curve.next() {
            curve.add(point(crf));
        }
        let before = *curve.chosen();
        curve.limit(before.average_bps);
        assert_eq!(curve.next(), None, "it costs no more already");
        curve.limit(before.average_bps * 2 / 3);
        while let Some(crf) = curve.next() {
            curve.add(point(crf));
        }
        assert!(curve.chosen().average_bps <= before.average_bps * 2 / 3);
    }

    #[test]
    fn saving_is_counted_at_equal_quality() {
        let mut curve = Curve::new(&rung(1_000_000));
        curve.add(point(30));
        curve.add(point(36));
        let other = Point {
            average_bps: point(33).average_bps * 2,
            ..point(33)
        };
        assert!((curve.saves_permille(&other) - 500).abs() < 20);
        assert!(curve.saves_permille(&point(33)).abs() < 20);
    }
}

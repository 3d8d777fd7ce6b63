//! Trial encodings of a few sampled stretches: the cheapest rate factor that reaches a rung's target,
//! under its cap; and whether AV1 is worth it.

mod curve;
mod measure;
mod sample;

use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use millet_manifest::{Kind, RungDecision};

use crate::content::Look;
use crate::error::Error;
use crate::ladder::{Codec, Rung, watchable_early};
use curve::Curve;
use measure::{Stretch, measure};

/// AV1 stays only where it saves at least this share of the bytes at equal quality, thousandths.
const WORTH_PERMILLE: i32 = 250;
/// Most trials of one rung.
const MOST_TRIALS: usize = 3;

/// Settles the rate factor of every rung and leaves out those that are not worth it. Those that can be
/// watched early are settled first, and `settled` is called with them among the others.
pub(crate) fn decide(
    input: &Path,
    look: &Look,
    rungs: Vec<Rung>,
    workers: NonZero<usize>,
    settled: impl FnOnce(&[Rung]) -> Result<(), Error>,
) -> Result<(Vec<Rung>, Vec<RungDecision>), Error> {
    let largest = rungs
        .iter()
        .max_by_key(|rung| u64::from(rung.width) * u64::from(rung.height))
        .ok_or_else(|| Error::Fault("the ladder has no rung".into()))?;
    let stretches = sample::sample(input, look, largest)?;
    if stretches.is_empty() {
        // Nothing came out of the samples; what the whole brings is encoded as it usually is.
        let rungs = rungs.into_iter().filter(|rung| rung.codec == Codec::H264);
        return Ok((rungs.collect(), Vec::new()));
    }
    let (early, others) = rungs.split_at(watchable_early(&rungs));
    let mut tried = side_by_side(early, &stretches, workers)?;
    keep_stills_below_video(early, &mut tried, &stretches)?;
    let mut known = rungs.clone();
    for (rung, curve) in known.iter_mut().zip(&tried) {
        rung.crf = curve.chosen().crf;
    }
    settled(&known)?;
    let mut later = side_by_side(others, &stretches, workers)?;
    keep_stills_below_video(others, &mut later, &stretches)?;
    tried.append(&mut later);
    let mut decisions: Vec<RungDecision> = Vec::with_capacity(rungs.len());
    let mut kept = Vec::with_capacity(rungs.len());
    for (mut rung, curve) in rungs.iter().cloned().zip(&tried) {
        let last = curve.chosen();
        rung.crf = last.crf;
        let saved_permille = (rung.codec == Codec::Av1).then(|| {
            let other = rungs.iter().zip(&tried).find(|(other, _)| {
                let is_as_large = (other.width, other.height) == (rung.width, rung.height);
                other.codec == Codec::H264
                    && other.kind == rung.kind
                    && (is_as_large || rung.kind == Kind::Stills)
            });
            other.map_or(0, |(_, other)| curve.saves_permille(other.chosen()))
        });
        let keep = saved_permille.is_none_or(|saved| saved >= WORTH_PERMILLE);
        decisions.push(RungDecision {
            rendition: rung.id.clone(),
            crf: rung.crf,
            most_bps: rung.most_bps,
            average_bps: last.average_bps,
            ssim_e4: ten_thousandths(last.seen.ssim),
            psnr_tenths: ten_thousandths(last.seen.psnr / 1000.0),
            saved_permille,
            kept: keep,
        });
        if keep {
            kept.push(rung);
        }
    }
    Ok((kept, decisions))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the argument is a small figure"
)]
fn ten_thousandths(figure: f64) -> u32 {
    (figure * 10_000.0).round().clamp(0.0, 1e6) as u32
}

/// Tries all rungs, the largest first since they take longest.
fn side_by_side(
    rungs: &[Rung],
    stretches: &[Stretch],
    workers: NonZero<usize>,
) -> Result<Vec<Curve>, Error> {
    let mut order: Vec<usize> = (0..rungs.len()).collect();
    order.sort_by_key(|index| {
        let rung = &rungs[*index];
        std::cmp::Reverse((rung.codec == Codec::Av1, rung.height, rung.rate_milli))
    });
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<Curve, Error>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..workers.get().min(rungs.len()) {
            scope.spawn(|| {
                while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let curve = try_rung(&rungs[*index], stretches);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((*index, curve));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, curve)| curve).collect()
}

/// Stills are for links that carry no moving pictures: they never cost more than the cheapest of those.
fn keep_stills_below_video(
    rungs: &[Rung],
    tried: &mut [Curve],
    stretches: &[Stretch],
) -> Result<(), Error> {
    for (index, rung) in rungs.iter().enumerate() {
        if rung.kind != Kind::Stills {
            continue;
        }
        let videos = rungs
            .iter()
            .zip(tried.iter())
            .filter(|(other, _)| other.kind == Kind::Video && other.codec == rung.codec);
        let least_bps = videos.map(|(_, curve)| curve.chosen().average_bps).min();
        if let Some(least_bps) = least_bps {
            tried[index].limit(least_bps);
            settle(rung, &mut tried[index], stretches)?;
        }
    }
    Ok(())
}

/// Tries until it is known which rate factor to take.
fn settle(rung: &Rung, curve: &mut Curve, stretches: &[Stretch]) -> Result<(), Error> {
    let mut prepared = None;
    for _ in 0..MOST_TRIALS {
        let Some(crf) = curve.next() else { break };
        let own = match &prepared {
            Some(own) => own,
            None => prepared.insert(measure::prepare(rung, stretches)?),
        };
        curve.add(measure(rung, crf, own)?);
    }
    Ok(())
}

fn try_rung(rung: &Rung, stretches: &[Stretch]) -> Result<Curve, Error> {
    let mut curve = Curve::new(rung);
    settle(rung, &mut curve, stretches)?;
    Ok(curve)
}

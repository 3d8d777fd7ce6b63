//! Two renditions side by side: what they cost and how near they come to the recording.

mod apart;
mod plot;
mod show;
mod table;
mod vmaf;
mod weigh;

use std::path::Path;

use millet_manifest::BadInput;
use serde::{Deserialize, Serialize};

use crate::error::{Error, bad};
use crate::normalise::{Fit, Normaliser};
use crate::score::{Score, Scorer};
use crate::source::Source;
use show::Shower;
use vmaf::Judge;

pub use apart::compare_apart;
pub use plot::plot;
pub use vmaf::Judges;
pub(crate) use weigh::{WINDOW_MS, peak};

/// Pictures are compared at no more lines than this.
const MOST_LINES: u32 = 720;

/// One file's cost and quality.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Weighed {
    /// As it was named.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Pixels as displayed; 0 without pictures.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Bits of all packets a second.
    pub average_bps: u64,
    /// Highest rate over any 10 seconds.
    pub peak_bps: u64,
    /// Absent without a reference or without pictures.
    pub quality: Option<Quality>,
}

/// Quality beside the reference, at its size and at its frame rate.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Quality {
    /// Structural similarity, 0 to 1.
    pub ssim: f64,
    /// The same as decibel, −10 log10(1 − SSIM).
    pub ssim_db: f64,
    /// Decibel.
    pub psnr_db: f64,
    /// VMAF, 0 to 100; absent when it was left out.
    pub vmaf: Option<f64>,
    /// Pictures of the reference.
    pub pictures: u32,
}

impl From<Score> for Quality {
    fn from(score: Score) -> Self {
        Self {
            ssim: score.ssim,
            ssim_db: -10.0 * (1.0 - score.ssim).max(1e-6).log10(),
            psnr_db: score.psnr,
            vmaf: None,
            pictures: score.pictures,
        }
    }
}

/// Both files and how they stand to each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The first file.
    pub a: Weighed,
    /// The second file.
    pub b: Weighed,
    /// Average rate of the first in parts of the second's.
    pub rate_a_to_b: f64,
    /// Why a quality has no VMAF.
    pub vmaf_left_out: Option<String>,
}

/// What both renditions were made from, and who else scores them.
#[derive(Debug)]
pub struct Reference<'a> {
    /// The file.
    pub path: &'a Path,
    /// For VMAF.
    pub judges: Judges,
}

/// Weighs two renditions, and measures both against `reference` if there is one.
///
/// # Errors
/// [`Error::Bad`] when a file cannot be read as media; everything else is a fault.
pub fn compare(a: &Path, b: &Path, reference: Option<Reference<'_>>) -> Result<Comparison, Error> {
    let (original, [judge_a, judge_b], mut vmaf_left_out) = match reference {
        Some(Reference { path, judges }) => {
            let (judges, why_none) = judges.into_pair();
            (Some(path), judges, why_none)
        }
        None => (None, [None, None], None),
    };
    let mut one = |path: &Path, judge: Option<Judge>| -> Result<Weighed, Error> {
        let mut weighed = weigh::weigh(path)?;
        if let (Some(original), true) = (original, weighed.width > 0) {
            let (quality, why_no_vmaf) = score(path, original, judge)?;
            weighed.quality = Some(quality);
            vmaf_left_out = vmaf_left_out.take().or(why_no_vmaf);
        }
        Ok(weighed)
    };
    let (a, b) = (one(a, judge_a)?, one(b, judge_b)?);
    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    let rate_a_to_b = a.average_bps as f64 / b.average_bps.max(1) as f64;
    Ok(Comparison {
        a,
        b,
        rate_a_to_b,
        vmaf_left_out,
    })
}

/// Every picture of the reference beside what the rendition shows at that moment; and why there is
/// no VMAF although there was a judge.
fn score(
    rendition: &Path,
    reference: &Path,
    mut judge: Option<Judge>,
) -> Result<(Quality, Option<String>), Error> {
    let (width, height) = weigh::size(&mut Source::open(reference)?)?;
    if width == 0 {
        return Err(bad(
            BadInput::NoStreams,
            "The reference holds no pictures to compare with.",
        ));
    }
    let (width, height) = common(width, height);
    let mut original = Shower::open(reference, width, height)?;
    let mut coded = Shower::open(rendition, width, height)?;
    let mut scorer = Scorer::new(width, height)?;
    while let Some((at_ms, picture)) = original.next()? {
        let Some(shown) = coded.at(at_ms)? else {
            continue;
        };
        let shown = shown.frame()?;
        if let Some(judge) = &mut judge {
            judge.pair(&picture, &shown);
        }
        scorer.pair(picture, shown)?;
    }
    let score = scorer.finish()?.ok_or_else(|| {
        bad(
            BadInput::NoFrames,
            "Not one picture could be compared with the reference.",
        )
    })?;
    let mut quality = Quality::from(score);
    let why_no_vmaf = match judge.map(Judge::finish) {
        Some(Ok(vmaf)) => {
            quality.vmaf = Some(vmaf);
            None
        }
        Some(Err(why)) => Some(why),
        None => None,
    };
    Ok((quality, why_no_vmaf))
}

/// The size at which both are compared: the reference's, even, of at most [`MOST_LINES`].
fn common(width: u32, height: u32) -> (u32, u32) {
    let short = width.min(height).max(1);
    let lines = short.min(MOST_LINES);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(lines) / u64::from(short);
        u32::try_from(side).unwrap_or(2).max(2) / 2 * 2
    };
    (scaled(width), scaled(height))
}

/// A filter graph that brings pictures to the common size.
fn to_size(turn: u32, width: u32, height: u32) -> Normaliser {
    Normaliser::new(turn, width, height, false, Fit::Stretch)
}

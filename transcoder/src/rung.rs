//! One rung and one segment: which pictures it shows, and encoding them under its cap.

use millet_manifest::Kind;

use crate::encode::{self, Coded, Shown};
use crate::error::Error;
use crate::ladder::Rung;

/// A stills rung shows a picture again only when this much changed, thousandths.
const STILL_CHANGE_PERMILLE: u32 = 5;
/// A segment that is over its rung's cap is made again, each time with a factor so much higher.
const RETRY_CRF: u32 = 4;
const RETRIES: u32 = 3;

/// Encodes, again with fewer bits if need be, until the segment is under its rung's cap.
pub(crate) fn within(
    rung: &Rung,
    (start_ms, end_ms): (i64, i64),
    shown: &[Shown],
) -> Result<Coded, Error> {
    let ms = u64::try_from(end_ms - start_ms).unwrap_or(0).max(2_000);
    let most = u64::from(rung.most_bps) * ms / 8_000;
    let mut crf = rung.crf;
    for _ in 0..RETRIES {
        let coded = encode::encode(rung, crf, shown)?;
        if coded.bytes() <= most || crf >= rung.codec.highest_crf() {
            return Ok(coded);
        }
        crf = (crf + RETRY_CRF).min(rung.codec.highest_crf());
    }
    encode::encode(rung, crf, shown)
}

/// The pictures that the rung has room for: as many as its rate allows, and for stills only what is
/// new. The first is always one of them.
pub(crate) fn paced(rung: &Rung, pictures: &[Shown]) -> Vec<Shown> {
    let rate = i64::from(rung.rate_milli);
    let mut kept: Vec<Shown> = Vec::with_capacity(pictures.len());
    let slot = |shown: &Shown| shown.at_ms * rate / 1_000_000;
    for shown in pictures {
        let wanted = kept.last().is_none_or(|last| {
            slot(shown) > slot(last)
                && (rung.kind != Kind::Stills
                    || shown.thumb.changed_permille(&last.thumb) >= STILL_CHANGE_PERMILLE)
        });
        if wanted {
            kept.push(shown.clone());
        }
    }
    kept
}

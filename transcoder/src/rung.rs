//! One rung and one segment: which pictures it shows, and encoding them under its cap.

use std::sync::Arc;

use millet_manifest::Kind;

use crate::compare::peak;
use crate::encode::{self, CHUNK_MS, Coded, Shown};
use crate::error::Error;
use crate::ladder::{Codec, Rung, Tune};
use crate::letters;

/// A stills rung shows a picture again only when this much changed, thousandths.
const STILL_CHANGE_PERMILLE: u32 = 5;
/// A segment that is over its rung's cap is made again so often with the factor that should do, and from then on
/// with one so much higher each time.
const RETRIES: u32 = 3;
const LAST_STEPS: u32 = 4;
/// Shortest segment, as its rate is reckoned, milliseconds.
const SHORTEST_MS: i64 = 2_000;
/// What a fragment says of each picture, and of each chunk, bytes at most.
const SAID_OF_PICTURE: u64 = 16;
const SAID_OF_CHUNK: u64 = 120;

/// Encodes, again with fewer bits if need be, until the segment is under its rung's cap over any ten seconds.
pub(crate) fn within(rung: &Rung, times: (i64, i64), shown: &[Shown]) -> Result<Coded, Error> {
    let (most_bps, highest) = (u64::from(rung.most_bps), rung.codec.highest_crf());
    let (mut crf, mut tries) = (rung.crf, 0);
    loop {
        let coded = encode::encode(rung, crf, shown)?;
        let peak_bps = peak_bps(&coded, times);
        if peak_bps <= most_bps || crf >= highest {
            return Ok(coded);
        }
        tries += 1;
        let further = match tries <= RETRIES {
            true => steps(rung, peak_bps, most_bps),
            false => LAST_STEPS,
        };
        crf = (crf + further).min(highest);
    }
}

/// Highest rate over any ten seconds of the segment, or over all of it.
fn peak_bps(coded: &Coded, (start_ms, end_ms): (i64, i64)) -> u64 {
    let mut units: Vec<(i64, u64)> = coded
        .units
        .iter()
        .map(|unit| {
            (
                unit.at_ms - start_ms,
                unit.data.len() as u64 + SAID_OF_PICTURE,
            )
        })
        .collect();
    units.sort_unstable();
    let length_ms = (end_ms - start_ms).max(SHORTEST_MS);
    let mut chunk = 0;
    for (at_ms, bytes) in &mut units {
        if *at_ms >= chunk * CHUNK_MS {
            *bytes += SAID_OF_CHUNK;
            chunk = *at_ms / CHUNK_MS + 1;
        }
    }
    peak(&units, length_ms)
}

/// By how much the rate factor should rise where so many bits a second came out and `most` are allowed.
fn steps(rung: &Rung, came: u64, most: u64) -> u32 {
    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    let over = (came.max(1) as f64 / most.max(1) as f64).ln();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small range"
    )]
    let steps = (over / rung.step_saves()).ceil().clamp(1.0, 63.0) as u32;
    steps
}

/// What the rung shows of pictures of its size: slides that are coded as AV1 have plain letters.
pub(crate) fn plain(rung: &Rung, mut pictures: Vec<Shown>) -> Result<Vec<Shown>, Error> {
    if (rung.kind, rung.codec, rung.tune) == (Kind::Stills, Codec::Av1, Tune::Screen) {
        for shown in &mut pictures {
            shown.picture = Arc::new(letters::plain(&shown.picture)?);
        }
    }
    Ok(pictures)
}

/// The pictures that the rung has room for: as many as its rate allows, and for stills only what is
/// new, as it looks in the end: a recording's coder makes a slide clearer while it stands. The first is always
/// one of them.
pub(crate) fn paced(rung: &Rung, pictures: &[Shown]) -> Vec<Shown> {
    let rate = i64::from(rung.rate_milli);
    let mut kept: Vec<Shown> = Vec::with_capacity(pictures.len());
    let slot = |shown: &Shown| shown.at_ms * rate / 1_000_000;
    for shown in pictures {
        let Some(last) = kept.last_mut() else {
            kept.push(shown.clone());
            continue;
        };
        let stands = rung.kind == Kind::Stills
            && shown.thumb.changed_permille(&last.thumb) < STILL_CHANGE_PERMILLE;
        if stands {
            last.picture = shown.picture.clone();
        } else if slot(shown) > slot(last) {
            kept.push(shown.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ffmpeg_next::format::Pixel;
    use ffmpeg_next::frame::Video;
    use millet_manifest::TitleClass;

    use super::*;
    use crate::boxes::Entry;
    use crate::colours::Colours;
    use crate::encode::Unit;
    use crate::ladder::{Effort, Shape, ladder};
    use crate::picture::Picture;

    fn shown(at_ms: i64, value: u8) -> Shown {
        let mut frame = Video::new(Pixel::YUV420P, 64, 36);
        for plane in 0..3 {
            frame.data_mut(plane).fill(value);
        }
        let picture = Picture::new(frame);
        Shown {
            at_ms,
            thumb: Arc::new(picture.thumb()),
            picture: Arc::new(picture),
        }
    }

    #[test]
    fn a_segment_that_is_too_large_loses_no_more_than_it_must() {
        let rungs = ladder(Shape {
            effort: Effort::Thorough,
            class: TitleClass::Natural,
            colours: Colours::Bt709,
            width: 640,
            height: 360,
            rate_milli: 24_000,
        });
        let of = |codec| rungs.iter().find(|rung| rung.codec == codec).unwrap();
        let (plain, av1) = (of(Codec::H264), of(Codec::Av1));
        assert_eq!(steps(plain, 1_001, 1_000), 1);
        assert_eq!(
            (steps(plain, 2_000, 1_000), steps(av1, 2_000, 1_000)),
            (7, 13)
        );
        assert_eq!(steps(plain, u64::MAX, 0), 63);
    }

    #[test]
    fn the_cap_holds_over_any_ten_seconds_of_a_longer_segment() {
        let coded = |bytes: &[(i64, usize)]| Coded {
            codec: String::new(),
            entry: Entry::Opus,
            units: (bytes.iter())
                .map(|(at_ms, bytes)| Unit {
                    at_ms: *at_ms,
                    data: vec![0; *bytes],
                })
                .collect(),
        };
        // Everything at the beginning: what follows does not make it less.
        let begins = coded(&[(8_000, 100_000), (12_000, 0), (23_000, 0)]);
        assert_eq!(
            peak_bps(&begins, (8_000, 24_000)),
            (100_000 + 2 * 136) * 8 / 10
        );
        // A short one is sent in its own time, and a very short one in two seconds.
        assert_eq!(peak_bps(&coded(&[(0, 1_000)]), (0, 4_000)), 1_136 * 8 / 4);
        assert_eq!(peak_bps(&coded(&[(0, 1_000)]), (0, 40)), 1_136 * 8 / 2);
        // Two bursts that lie ten seconds apart never come together.
        let apart = coded(&[(0, 5_000), (10_000, 5_000)]);
        assert_eq!(peak_bps(&apart, (0, 16_000)), 5_136 * 8 / 10);
    }

    #[test]
    fn a_still_shows_its_slide_as_it_looks_in_the_end() {
        let rungs = ladder(Shape {
            effort: Effort::Thorough,
            class: TitleClass::Lecture,
            colours: Colours::Bt709,
            width: 1280,
            height: 720,
            rate_milli: 30_000,
        });
        // Two slides that get clearer while they stand, and what comes too soon for a still.
        let pictures = [
            (0, 90),
            (200, 92),
            (4_000, 95),
            (6_200, 200),
            (6_400, 30),
            (8_000, 204),
        ];
        let pictures = pictures.map(|(at_ms, value)| shown(at_ms, value));
        let kept = paced(&rungs[0], &pictures);
        let kept: Vec<_> = kept.iter().map(|own| (own.at_ms, &own.picture)).collect();
        let expected = [(0, &pictures[2].picture), (6_200, &pictures[5].picture)];
        assert_eq!(kept.len(), 2);
        for (own, expected) in kept.iter().zip(expected) {
            assert_eq!(own.0, expected.0);
            assert!(Arc::ptr_eq(own.1, expected.1));
        }
    }
}

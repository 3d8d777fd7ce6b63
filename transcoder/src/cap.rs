//! A rung's cap: what is sent of it in any ten seconds, within a segment and from one to the next.

use crate::compare::{WINDOW_MS, peak};
use crate::encode::{self, CHUNK_MS, Coded, Shown, chunk_starts};
use crate::error::Error;
use crate::ladder::Rung;

/// A segment that is over its rung's cap is made again so often with the factor that should do, and from then on
/// with one so much higher each time.
const RETRIES: u32 = 3;
const LAST_STEPS: u32 = 4;
/// Once one will do, so many more are tried between it and the last that would not, while it brings less than this
/// share of what may come, thousandths: how much a step saves depends on the pictures.
const REFINEMENTS: u32 = 2;
const ENOUGH_PERMILLE: u64 = 850;
/// Of what is left in the ten seconds at a segment's end, it takes no more than this share, thousandths, the more the
/// longer it lasts: the next one begins with a keyframe.
const TAKEN_PERMILLE: u64 = 500;
const TAKEN_OF_LONG_PERMILLE: u64 = 900;
/// Share of its cap that a rung takes where it can be told to be calm, thousandths.
const CALM_PERMILLE: u64 = 400;
/// Shortest segment, as its rate is reckoned, milliseconds.
const SHORTEST_MS: i64 = 2_000;
/// What a fragment says of each picture, and of each chunk, bytes at most.
const SAID_OF_PICTURE: u64 = 16;
const SAID_OF_CHUNK: u64 = 120;

/// When chunks begin, milliseconds, and their bytes, in order.
pub(crate) type Sent = Vec<(i64, u64)>;

/// A segment that was encoded, and with which rate factor.
pub(crate) struct Tried {
    pub(crate) coded: Coded,
    crf: u32,
}

/// Encodes, again with fewer bits if need be, until the rung is under its cap over any ten seconds that end in the
/// segment; `before` is what is sent of it just before. What was `tried` is kept if it will do.
pub(crate) fn within(
    rung: &Rung,
    (start_ms, end_ms): (i64, i64),
    shown: &[Shown],
    before: &[(i64, u64)],
    tried: Option<Tried>,
) -> Result<Tried, Error> {
    let (highest, mut crf) = (rung.codec.highest_crf(), rung.crf);
    let (mut tried, mut tries, mut refinements) = (tried, 0, 0);
    let (mut too_much, mut best): (Option<u32>, Option<(Tried, Over)>) = (None, None);
    loop {
        let own = match tried.take() {
            Some(tried) => tried,
            None => Tried {
                coded: encode::encode(rung, crf, shown)?,
                crf,
            },
        };
        let sent = chunks(&own.coded, shown);
        let over = Over::of_segment(rung, &own.coded, end_ms - start_ms)
            .max(Over::of_chunks(rung, before, &sent, end_ms));
        if over.is_over() && own.crf < highest {
            (too_much, crf) = (Some(own.crf), own.crf);
        } else {
            best = Some((own, over));
        }
        (best, crf) = match (best, too_much) {
            (None, _) => {
                tries += 1;
                let further = match tries <= RETRIES {
                    true => steps(rung, over),
                    false => LAST_STEPS,
                };
                (None, (crf + further).min(highest))
            }
            (Some((own, over)), Some(least))
                if refinements < REFINEMENTS && own.crf > least + 1 && over.leaves_much() =>
            {
                refinements += 1;
                let between = least.midpoint(own.crf);
                (Some((own, over)), between)
            }
            (Some((own, _)), _) => return Ok(own),
        };
    }
}

/// Whether chunks until `end_ms` that follow what is sent `before` leave the rung under its cap.
pub(crate) fn fits(rung: &Rung, before: &[(i64, u64)], chunks: &[(i64, u64)], end_ms: i64) -> bool {
    !Over::of_chunks(rung, before, chunks, end_ms).is_over()
}

/// Whether chunks from `start_ms` on most likely go with whatever is sent of the rung before: in their first ten
/// seconds they take no more than a share of the cap.
pub(crate) fn is_calm(rung: &Rung, chunks: &[(i64, u64)], start_ms: i64) -> bool {
    let first = chunks
        .iter()
        .filter(|(at_ms, _)| *at_ms < start_ms + WINDOW_MS);
    let came: u64 = first.map(|(_, bytes)| bytes).sum();
    came * 1_000 <= most_bytes(rung) * CALM_PERMILLE
}

/// Most bytes of any ten seconds.
fn most_bytes(rung: &Rung) -> u64 {
    u64::from(rung.most_bps) * WINDOW_MS.unsigned_abs() / 8_000
}

/// What came out, and what may.
#[derive(Clone, Copy, Debug)]
struct Over {
    came: u64,
    most: u64,
}

impl Over {
    /// Highest rate over any ten seconds of the segment, or over all of it, bits per second.
    fn of_segment(rung: &Rung, coded: &Coded, length_ms: i64) -> Self {
        let start_ms = coded.units.iter().map(|unit| unit.at_ms).min();
        let mut units: Sent = (coded.units.iter())
            .map(|unit| {
                let at_ms = unit.at_ms - start_ms.unwrap_or(0);
                (at_ms, unit.data.len() as u64 + SAID_OF_PICTURE)
            })
            .collect();
        units.sort_unstable();
        let mut chunk = 0;
        for (at_ms, bytes) in &mut units {
            if *at_ms >= chunk * CHUNK_MS {
                *bytes += SAID_OF_CHUNK;
                chunk = *at_ms / CHUNK_MS + 1;
            }
        }
        let length_ms = length_ms.max(SHORTEST_MS);
        let bytes: u64 = units.iter().map(|(_, bytes)| bytes).sum();
        let whole = Self {
            came: bytes.saturating_mul(8_000) / length_ms.unsigned_abs(),
            most: rung.most_of_segment_bps().into(),
        };
        let peak = Self {
            came: peak(&units, length_ms),
            most: rung.most_bps.into(),
        };
        whole.max(peak)
    }

    /// Bytes of the chunks in the worst ten seconds, and what else is sent in those leaves for them.
    fn of_chunks(rung: &Rung, before: &[(i64, u64)], chunks: &[(i64, u64)], end_ms: i64) -> Self {
        let most = most_bytes(rung);
        let within = |sent: &[(i64, u64)], until_ms| -> u64 {
            let times = until_ms - WINDOW_MS + 1..=until_ms;
            let within = sent.iter().filter(|(at_ms, _)| times.contains(at_ms));
            within.map(|(_, bytes)| bytes).sum()
        };
        let window = |until_ms| Self {
            came: within(chunks, until_ms),
            most: most.saturating_sub(within(before, until_ms)),
        };
        let windows = chunks.iter().map(|(at_ms, _)| window(*at_ms));
        let start_ms = chunks.first().map_or(end_ms, |(at_ms, _)| *at_ms);
        let length_ms = (end_ms - start_ms).clamp(0, WINDOW_MS).unsigned_abs();
        let last = window(end_ms);
        let taken = TAKEN_PERMILLE
            + (TAKEN_OF_LONG_PERMILLE - TAKEN_PERMILLE) * length_ms / WINDOW_MS.unsigned_abs();
        let last = Self {
            most: last.most * taken / 1_000,
            ..last
        };
        windows.fold(last, Self::max)
    }

    fn is_over(self) -> bool {
        self.came > self.most
    }

    fn leaves_much(self) -> bool {
        self.came.saturating_mul(1_000) < self.most.saturating_mul(ENOUGH_PERMILLE)
    }

    /// How often what may come out did, as a power of e.
    #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    fn ratio(self) -> f64 {
        (self.came.max(1) as f64 / self.most.max(1) as f64).ln()
    }

    fn max(self, other: Self) -> Self {
        match self.ratio() >= other.ratio() {
            true => self,
            false => other,
        }
    }
}

/// The chunks that the segment will have; none is larger in the end.
fn chunks(coded: &Coded, shown: &[Shown]) -> Sent {
    let starts = chunk_starts(shown).into_iter();
    let mut chunks: Sent = starts
        .map(|first| (shown[first].at_ms, SAID_OF_CHUNK))
        .collect();
    for unit in &coded.units {
        let place = chunks.partition_point(|(start_ms, _)| *start_ms <= unit.at_ms);
        if let Some((_, bytes)) = chunks.get_mut(place.saturating_sub(1)) {
            *bytes += unit.data.len() as u64 + SAID_OF_PICTURE;
        }
    }
    chunks
}

/// By how much the rate factor should rise.
fn steps(rung: &Rung, over: Over) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small range"
    )]
    let steps = (over.ratio() / rung.step_saves()).ceil().clamp(1.0, 63.0) as u32;
    steps
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ffmpeg_next::format::Pixel;
    use ffmpeg_next::frame::Video;
    use millet_manifest::TitleClass;

    use super::*;
    use crate::boxes::Entry;
    use crate::colours::Colours;
    use crate::encode::Unit;
    use crate::ladder::{Codec, Effort, Shape, ladder};
    use crate::picture::Picture;

    fn rungs(class: TitleClass) -> Vec<Rung> {
        ladder(Shape {
            effort: Effort::Quick,
            class,
            colours: Colours::Bt709,
            width: 640,
            height: 360,
            rate_milli: 24_000,
        })
    }

    fn rung_of(class: TitleClass, id: &str) -> Rung {
        let rungs = rungs(class).into_iter();
        rungs.into_iter().find(|rung| rung.id == id).unwrap()
    }

    #[test]
    fn a_segment_that_is_too_large_loses_no_more_than_it_must() {
        let rungs = rungs(TitleClass::Natural);
        let of = |codec| rungs.iter().find(|rung| rung.codec == codec).unwrap();
        let (plain, av1) = (of(Codec::H264), of(Codec::Av1));
        let steps = |rung, came, most| steps(rung, Over { came, most });
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
        let rung = rung_of(TitleClass::Natural, "v240");
        let came = |bytes: &[(i64, usize)], ms| Over::of_segment(&rung, &coded(bytes), ms).came;
        // Everything at the beginning: what follows does not make it less.
        let begins = [(8_000, 100_000), (12_000, 0), (23_000, 0)];
        assert_eq!(came(&begins, 16_000), (100_000 + 2 * 136) * 8 / 10);
        // A short one is sent in its own time, and a very short one in two seconds.
        assert_eq!(came(&[(0, 1_000)], 4_000), 1_136 * 8 / 4);
        assert_eq!(came(&[(0, 1_000)], 40), 1_136 * 8 / 2);
        // Two bursts that lie ten seconds apart never come together.
        let apart = [(0, 5_000), (10_000, 5_000)];
        assert_eq!(came(&apart, 24_000), 5_136 * 8 / 10);
        // A camera's stills keep their average in each segment.
        let stills = rung_of(TitleClass::Natural, "s240");
        let over = Over::of_segment(&stills, &coded(&[(0, 14_000), (4_000, 1_000)]), 8_000);
        assert_eq!((over.most, over.is_over()), (12_000, true));
    }

    #[test]
    fn the_cap_holds_over_any_ten_seconds_that_two_segments_share() {
        let rung = rung_of(TitleClass::Natural, "v240");
        assert_eq!(rung.most_bps, 96_000);
        let before = [(20_000, 50_000), (22_000, 40_000), (26_000, 10_000)];
        let fits = |before: &[_], chunks: &[_]| fits(&rung, before, chunks, 50_000);
        // What was sent ten seconds ago is over.
        assert!(fits(&before, &[(30_000, 70_000)]));
        assert!(!fits(&before, &[(30_000, 70_001)]));
        assert!(!fits(&before, &[(29_999, 20_001)]));
        assert!(!fits(&before, &[(30_000, 60_000), (31_999, 10_001)]));
        assert!(fits(&before, &[(30_000, 60_000), (32_000, 50_000)]));
        assert!(!fits(&[], &[(0, 60_000), (9_999, 60_001)]));
    }

    #[test]
    fn a_segment_leaves_something_for_the_next_one() {
        let rung = rung_of(TitleClass::Natural, "v240");
        let before = [(22_000, 60_000)];
        // A short one takes about half of what is left, a long one most.
        assert!(fits(&rung, &before, &[(30_000, 34_740)], 31_999));
        assert!(!fits(&rung, &before, &[(30_000, 34_741)], 31_999));
        assert!(fits(&rung, &before, &[(32_000, 107_880)], 41_999));
        assert!(!fits(&rung, &before, &[(32_000, 107_881)], 41_999));
    }

    #[test]
    fn what_follows_a_burst_is_made_again_for_what_is_left() {
        let rung = rung_of(TitleClass::Natural, "v240");
        let noise = |at_ms: i64| {
            let mut frame = Video::new(Pixel::YUV420P, rung.width, rung.height);
            let mut state = u32::try_from(at_ms).unwrap() + 1;
            for value in frame.data_mut(0) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = 112 + (state >> 27) as u8;
            }
            frame.data_mut(1).fill(128);
            frame.data_mut(2).fill(128);
            let picture = Picture::new(frame);
            Shown {
                at_ms,
                thumb: Arc::new(picture.thumb()),
                picture: Arc::new(picture),
            }
        };
        let pictures: Vec<Shown> = (0..8).map(|n| noise(20_000 + n * 500)).collect();
        let times = (20_000, 24_000);
        let alone = within(&rung, times, &pictures, &[], None).unwrap();
        let bytes = alone.coded.bytes();
        assert!(bytes > 20_000, "{bytes}");
        let before = [(18_000, 120_000 - bytes * 2 / 3)];
        let after = within(&rung, times, &pictures, &before, Some(alone)).unwrap();
        let sent = chunks(&after.coded, &pictures);
        assert!(fits(&rung, &before, &sent, times.1));
        // Noise goes all at once, and yet a picture is left.
        assert!(after.coded.bytes() > 4_000, "{}", after.coded.bytes());
        let again = within(&rung, times, &pictures, &before, None).unwrap();
        assert_eq!(again.coded.bytes(), after.coded.bytes());
        assert_eq!(sent.len(), 2);
    }
}

//! What of a timeline is shown. Its times, segments and their numbers stay; what is left out is a gap.

use millet_manifest::{FileRef, Kind, Rendition, Segment, Timeline};
use sqlx::FromRow;

/// Segments that are looked through for the keyframe of a still that is on screen at a cut.
const MOST_BACK: usize = 16;

/// The part of a timeline that is shown, from the begin of one segment to the end of another. The
/// default is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromRow)]
pub struct Trim {
    /// Begin, milliseconds.
    #[sqlx(rename = "shown_from_ms")]
    pub from_ms: i64,
    /// End; absent: to the end of the timeline.
    #[sqlx(rename = "shown_until_ms")]
    pub until_ms: Option<i64>,
}

impl Trim {
    /// What people asked for, at the cuts of the timeline: earlier for the begin, later for the end.
    #[must_use]
    pub fn at_cuts(timeline: &Timeline, from_ms: u64, until_ms: Option<u64>) -> Self {
        let number = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let from = timeline.cuts_ms.get(timeline.segment_at(from_ms));
        let until = until_ms.and_then(|until| timeline.cuts_ms.iter().find(|cut| **cut >= until));
        Self {
            from_ms: number(from.copied().unwrap_or(0)),
            until_ms: until.copied().map(number),
        }
    }

    /// Nothing is left out.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// End of what is shown of a timeline of this length.
    #[must_use]
    pub fn end_ms(self, duration_ms: i64) -> i64 {
        self.until_ms
            .map_or(duration_ms, |until| until.min(duration_ms))
    }

    /// Length of what is shown of a timeline of this length.
    #[must_use]
    pub fn length_ms(self, duration_ms: i64) -> i64 {
        (self.end_ms(duration_ms) - self.from_ms).max(0)
    }

    /// Whether a moment is shown.
    #[must_use]
    pub fn shows(self, at_ms: i64) -> bool {
        at_ms >= self.from_ms && self.until_ms.is_none_or(|until| at_ms < until)
    }
}

/// The description with what is left out as gaps, and with its end where the shown part ends.
#[must_use]
pub fn trimmed(whole: &Timeline, trim: Trim) -> Timeline {
    let number = |ms: i64| u64::try_from(ms).unwrap_or(0);
    let from_ms = number(trim.from_ms);
    let until_ms = trim.until_ms.map_or(whole.duration_ms, number);
    let until_ms = until_ms.min(whole.duration_ms);
    let first = whole.segment_at(from_ms);
    let count = whole.cuts_ms.partition_point(|cut| *cut < until_ms).max(1);
    let renditions: Vec<Rendition> = whole
        .renditions
        .iter()
        .map(|rendition| Rendition {
            segments: shown(rendition, first, count),
            ..without_segments(rendition)
        })
        .filter(|rendition| rendition.segments.iter().any(|own| !own.chunks.is_empty()))
        .collect();
    let inside = |at_ms: u64| at_ms >= from_ms && at_ms < until_ms;
    let still = whole
        .stills
        .iter()
        .rev()
        .find(|still| still.at_ms <= from_ms);
    let poster = still.map(|still| FileRef {
        file: still.file.clone(),
        bytes: still.bytes,
    });
    Timeline {
        duration_ms: until_ms,
        cuts_ms: whole.cuts_ms[..count].to_vec(),
        renditions,
        poster: poster.or_else(|| whole.poster.clone()),
        stills: whole
            .stills
            .iter()
            .filter(|still| inside(still.at_ms))
            .cloned()
            .collect(),
        // They hold everything.
        downloads: Vec::new(),
        chapters: whole
            .chapters
            .iter()
            .filter(|chapter| inside(chapter.start_ms))
            .cloned()
            .collect(),
        version: whole.version,
        unfinished: whole.unfinished,
        content: whole.content,
        decision: whole.decision.clone(),
        hls: whole.hls.clone(),
        captions: whole.captions.clone(),
        source: whole.source.clone(),
    }
}

fn without_segments(rendition: &Rendition) -> Rendition {
    Rendition {
        id: rendition.id.clone(),
        codec: rendition.codec.clone(),
        init: rendition.init.clone(),
        segments: Vec::new(),
        ..*rendition
    }
}

fn shown(rendition: &Rendition, first: usize, count: usize) -> Vec<Segment> {
    let begin = begins(rendition, first);
    let of = |(number, segment): (usize, &Segment)| {
        if number >= begin {
            return segment.clone();
        }
        Segment {
            start_ms: segment.start_ms,
            duration_ms: segment.duration_ms,
            file: String::new(),
            bytes: 0,
            chunks: Vec::new(),
        }
    };
    let segments = rendition.segments.iter().take(count);
    segments.enumerate().map(of).collect()
}

/// The segment that a rendition begins with so that a decoder can: of stills the picture that is on
/// screen may have begun earlier.
fn begins(rendition: &Rendition, first: usize) -> usize {
    if rendition.kind != Kind::Stills {
        return first;
    }
    let keyframe = |number: &usize| {
        let segment = rendition.segments.get(*number);
        segment.is_some_and(|own| own.chunks.first().is_some_and(|chunk| chunk.keyframe))
    };
    (first.saturating_sub(MOST_BACK)..=first)
        .rev()
        .find(keyframe)
        .unwrap_or(first)
}

/// Whether the description names this file.
#[must_use]
pub fn names(timeline: &Timeline, file: &str) -> bool {
    let of_renditions = timeline.renditions.iter().any(|rendition| {
        rendition.init.file == file || rendition.segments.iter().any(|own| own.file == file)
    });
    of_renditions
        || timeline.stills.iter().any(|still| still.file == file)
        || timeline.captions.iter().any(|own| own.file == file)
        || timeline.poster.iter().any(|poster| poster.file == file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;

    #[test]
    fn a_trim_lies_at_cuts_and_takes_rather_more_than_less() {
        let whole = lecture(60_000);
        let trim = Trim::at_cuts(&whole, 20_000, Some(33_000));
        assert_eq!((trim.from_ms, trim.until_ms), (16_000, Some(48_000)));
        assert_eq!(trim.length_ms(60_000), 32_000);
        let to_the_end = Trim::at_cuts(&whole, 15_999, Some(49_000));
        assert!(to_the_end.is_whole());
        assert_eq!(to_the_end.length_ms(60_000), 60_000);
    }

    #[test]
    fn what_is_left_out_is_a_gap_and_the_rest_keeps_its_times() {
        let whole = lecture(60_000);
        let shown = trimmed(&whole, Trim::at_cuts(&whole, 20_000, Some(33_000)));
        shown.check().unwrap();
        assert_eq!((shown.duration_ms, shown.cuts_ms.len()), (48_000, 3));
        for (own, before) in shown.renditions.iter().zip(&whole.renditions) {
            assert!(own.segments[0].chunks.is_empty());
            assert_eq!(own.segments[1..], before.segments[1..3]);
            assert!(!names(&shown, &before.segments[0].file));
            assert!(names(&shown, &before.segments[2].file));
            assert!(!names(&shown, &before.segments[3].file));
        }
    }
}

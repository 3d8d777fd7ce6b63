//! Places in a lesson that a learner wants to jump to: what the container names, else the slides.

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Rational, Rescale as _};
use millet_manifest::Chapter;

use crate::captions::name;

/// Most chapters; when there are more slides, every second goes.
const MOST: usize = 60;
/// Slides that follow closer than this are one chapter, milliseconds.
const APART_MS: i64 = 10_000;

/// Chapters that the container names, measured from our start.
pub(crate) fn named(input: &Input, start_ms: i64) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = input
        .chapters()
        .take(MOST)
        .filter_map(|chapter| {
            let at = chapter
                .start()
                .rescale(chapter.time_base(), Rational(1, 1000));
            let start_ms = u64::try_from(at.saturating_sub(start_ms).max(0)).ok()?;
            let title = chapter.metadata().get("title").and_then(name);
            Some(Chapter { start_ms, title })
        })
        .collect();
    chapters.sort_by_key(|chapter| chapter.start_ms);
    chapters.dedup_by_key(|chapter| chapter.start_ms);
    chapters
}

/// Chapters of a lecture: where its slides begin.
pub(crate) fn slides(starts_ms: &[i64]) -> Vec<Chapter> {
    let mut starts: Vec<i64> = vec![0];
    for start in starts_ms {
        if starts.last().is_some_and(|last| start - last >= APART_MS) {
            starts.push(*start);
        }
    }
    while starts.len() > MOST {
        let mut index = 0;
        starts.retain(|_| {
            index += 1;
            index % 2 == 1
        });
    }
    // One slide is no table of contents.
    if starts.len() < 2 {
        return Vec::new();
    }
    let chapter = |start: i64| Chapter {
        start_ms: u64::try_from(start).unwrap_or(0),
        title: None,
    };
    starts.into_iter().map(chapter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides_are_far_enough_apart_and_few_enough() {
        let starts = |starts_ms: &[i64]| -> Vec<u64> {
            slides(starts_ms)
                .iter()
                .map(|chapter| chapter.start_ms)
                .collect()
        };
        assert_eq!(
            starts(&[4_000, 12_000, 14_000, 30_000]),
            [0, 12_000, 30_000]
        );
        assert!(starts(&[]).is_empty());
        let many: Vec<i64> = (1..1_000).map(|n| n * 10_000).collect();
        assert!(starts(&many).len() <= MOST);
        assert!(starts(&many).is_sorted());
    }
}

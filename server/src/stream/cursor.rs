//! A viewer's place in one lane: the next chunk of a rendition.

use millet_manifest::{Chunk, Rendition, Segment};

use super::index::Index;

/// A chunk by its segment and its number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the segment.
    pub segment: usize,
    /// Index of the chunk in the segment.
    pub part: usize,
}

/// One of the two lanes of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    rendition: Option<usize>,
    next: Place,
    /// The client has no initialisation of this rendition yet.
    init_due: bool,
    /// Something before the next chunk was left out.
    gap: bool,
    /// End of the chunk before, where the next one should begin.
    ended_ms: Option<u64>,
}

/// Times are rounded to milliseconds, and frames of sound straddle cuts: chunks this close touch.
const TOUCH_MS: u64 = 100;

impl Lane {
    /// A lane that goes on at `next`.
    #[must_use]
    pub fn new(rendition: Option<usize>, next: Place) -> Self {
        Self {
            rendition,
            next,
            init_due: rendition.is_some(),
            gap: false,
            ended_ms: None,
        }
    }

    /// A lane that goes on behind a chunk that the client holds of `held_of`. One that is not known (any
    /// more) leaves a gap.
    #[must_use]
    pub fn behind(index: &Index, rendition: usize, held_of: usize, held: Place) -> Self {
        let chunk = index.chunk(held_of, held.segment, held.part);
        let mut lane = Self::new(Some(rendition), after(index, held_of, held));
        lane.ended_ms = chunk.map(|chunk| chunk.start_ms + chunk.duration_ms);
        lane.gap = chunk.is_none();
        lane
    }

    /// Index of the rendition, if the lane is in use.
    #[must_use]
    pub fn rendition(&self) -> Option<usize> {
        self.rendition
    }

    /// The next chunk's place.
    #[must_use]
    pub fn place(&self) -> Place {
        self.next
    }

    /// The rendition whose initialisation goes first.
    #[must_use]
    pub fn init_due(&self) -> Option<usize> {
        self.rendition.filter(|_| self.init_due)
    }

    /// Its initialisation is on the way.
    pub fn init_sent(&mut self) {
        self.init_due = false;
    }

    /// Whether something before the next chunk, that begins at `start_ms`, was left out.
    #[must_use]
    pub fn has_gap(&self, start_ms: u64) -> bool {
        let missing = |ended_ms| start_ms > ended_ms + TOUCH_MS;
        self.gap || self.ended_ms.is_some_and(missing)
    }

    /// Whether another rendition may follow here.
    #[must_use]
    pub fn at_cut(&self) -> bool {
        self.next.part == 0
    }

    /// Goes on with another rendition; only at a cut.
    pub fn switch(&mut self, rendition: Option<usize>) {
        if self.rendition != rendition {
            self.rendition = rendition;
            self.init_due = rendition.is_some();
        }
    }

    /// Goes on elsewhere, with the rendition it has.
    pub fn jump(&mut self, next: Place) {
        self.next = next;
        self.gap = false;
        self.ended_ms = None;
    }

    /// Leaves out what lies before `next`.
    pub fn skip_to(&mut self, next: Place) {
        self.next = next;
        self.gap = true;
    }

    /// Steps over the end of complete segments, and over those without chunks. To be called after the
    /// index grew and after each step.
    pub fn settle(&mut self, index: &Index) {
        let Some(rendition) = self.rendition else {
            return;
        };
        while let Some(segment) = index.segment(rendition, self.next.segment) {
            let over = self.next.part >= segment.chunks.len();
            if !over || !index.is_complete(rendition, self.next.segment) {
                return;
            }
            self.next = Place {
                segment: self.next.segment + 1,
                part: 0,
            };
        }
    }

    /// The next chunk with its rendition and segment; `None` at the end or when not in use.
    #[must_use]
    pub fn peek<'a>(&self, index: &'a Index) -> Option<(&'a Rendition, &'a Segment, &'a Chunk)> {
        let own = self.rendition?;
        let rendition = index.rendition(own)?;
        let segment = index.segment(own, self.next.segment)?;
        let chunk = segment.chunks.get(self.next.part)?;
        Some((rendition, segment, chunk))
    }

    /// Steps behind the next chunk.
    pub fn advance(&mut self, index: &Index) {
        let end_ms = self
            .peek(index)
            .map(|(.., chunk)| chunk.start_ms + chunk.duration_ms);
        if end_ms.is_some() {
            self.ended_ms = end_ms;
            self.next.part += 1;
            self.gap = false;
            self.settle(index);
        }
    }
}

/// Segments that are looked through for a keyframe: a rendition of stills has one every few segments.
const MOST_BACK: usize = 16;

/// Where a decoder can begin so that `position_ms` is seen: the last keyframe before it, else the
/// beginning of the segment.
#[must_use]
pub fn at(index: &Index, rendition: usize, position_ms: u64) -> Place {
    let segment = index.segment_at(position_ms);
    let keyframe = |segment: usize| {
        let chunks = &index.segment(rendition, segment)?.chunks;
        let part = chunks
            .iter()
            .rposition(|chunk| chunk.keyframe && chunk.start_ms <= position_ms)?;
        Some(Place { segment, part })
    };
    (segment.saturating_sub(MOST_BACK)..=segment)
        .rev()
        .find_map(keyframe)
        .unwrap_or(Place { segment, part: 0 })
}

/// The place behind a chunk that the client holds of this rendition. Behind nonsense: the next segment.
#[must_use]
pub fn after(index: &Index, rendition: usize, held: Place) -> Place {
    let parts = index
        .segment(rendition, held.segment)
        .map_or(0, |segment| segment.chunks.len());
    let mut lane = Lane::new(Some(rendition), held);
    if held.part < parts {
        lane.next.part += 1;
        lane.settle(index);
    } else {
        lane.next = Place {
            segment: held.segment.saturating_add(1),
            part: 0,
        };
    }
    lane.next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;
    use proptest::prelude::*;

    #[test]
    fn sound_begins_at_its_chunk_and_pictures_at_their_keyframe() {
        let timeline = Index::Closed(lecture(60_000).into());
        assert_eq!(
            at(&timeline, 0, 21_000),
            Place {
                segment: 1,
                part: 2
            }
        );
        assert_eq!(
            at(&timeline, 3, 21_000),
            Place {
                segment: 1,
                part: 0
            }
        );
        assert_eq!(
            at(&timeline, 3, u64::MAX),
            Place {
                segment: 3,
                part: 0
            }
        );
    }

    proptest! {
        #[test]
        fn a_lane_passes_every_chunk_once_wherever_it_was_cut(cut in 0_usize..30) {
            let timeline = Index::Closed(lecture(60_000).into());
            let walk = |mut lane: Lane, steps: usize| {
                let mut seen = Vec::new();
                while seen.len() < steps && lane.peek(&timeline).is_some() {
                    seen.push(lane.place());
                    lane.advance(&timeline);
                }
                seen
            };
            let whole = walk(Lane::new(Some(3), Place::default()), 99);
            let mut parts = walk(Lane::new(Some(3), Place::default()), cut);
            let next = parts.last().map_or(Place::default(), |held| after(&timeline, 3, *held));
            parts.extend(walk(Lane::new(Some(3), next), 99));
            prop_assert_eq!(parts, whole);
        }
    }
}

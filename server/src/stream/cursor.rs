//! A viewer's place in one lane: the next chunk of a rendition.

use millet_manifest::{Chunk, Kind, Rendition, Segment};

use super::index::Index;

/// A chunk by its segment and its number in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the segment.
    pub segment: usize,
    /// Index of the chunk in the segment.
    pub part: usize,
}

/// What the next chunk follows, for whoever plays the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Nothing: the client asked for this place.
    Nothing,
    /// A chunk that ended here, milliseconds.
    Chunk(u64),
    /// Something that the client does not get.
    Gap,
}

/// One of the two lanes of a viewer.
///
/// It stands at a chunk that a decoder can go on with: of the same rendition and right behind the chunk
/// before, or at a keyframe. [`Lane::settle`] sees to that, whatever moved the lane or left out chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    rendition: Option<usize>,
    next: Place,
    /// The client has no initialisation of this rendition yet.
    init_due: bool,
    after: After,
    /// No chunk of this rendition went before: only a keyframe can begin it.
    begins: bool,
}

/// Times are rounded to milliseconds, and frames of sound straddle cuts: chunks this close touch.
const TOUCH_MS: u64 = 100;

impl Lane {
    /// A lane that goes on at `next`.
    #[must_use]
    pub fn new(index: &Index, rendition: Option<usize>, next: Place) -> Self {
        let mut lane = Self {
            rendition,
            next,
            init_due: rendition.is_some(),
            after: After::Nothing,
            begins: true,
        };
        lane.settle(index);
        lane
    }

    /// A lane that goes on behind a chunk that the client holds of `held_of`. One that is not known (any
    /// more) leaves a gap.
    #[must_use]
    pub fn behind(index: &Index, rendition: usize, held_of: usize, held: Place) -> Self {
        let chunk = index.chunk(held_of, held.segment, held.part);
        let mut lane = Self {
            rendition: Some(rendition),
            next: after(index, held_of, held),
            init_due: true,
            after: chunk.map_or(After::Gap, |chunk| {
                After::Chunk(chunk.start_ms + chunk.duration_ms)
            }),
            begins: rendition != held_of,
        };
        lane.settle(index);
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

    /// Its initialisation did not go out after all.
    pub fn init_unsent(&mut self) {
        self.init_due = self.rendition.is_some();
    }

    /// Whether something before the next chunk, that begins at `start_ms`, was left out.
    #[must_use]
    pub fn has_gap(&self, start_ms: u64) -> bool {
        match self.after {
            After::Nothing => false,
            After::Chunk(ended_ms) => start_ms > ended_ms + TOUCH_MS,
            After::Gap => true,
        }
    }

    /// Whether another rendition may follow here.
    #[must_use]
    pub fn at_cut(&self) -> bool {
        self.next.part == 0
    }

    /// Goes on with another rendition; only at a cut.
    pub fn switch(&mut self, index: &Index, rendition: Option<usize>) {
        if self.rendition != rendition {
            self.rendition = rendition;
            self.init_due = rendition.is_some();
            self.begins = true;
            self.settle(index);
        }
    }

    /// Goes on elsewhere, with the rendition it has.
    pub fn jump(&mut self, index: &Index, next: Place) {
        self.next = next;
        self.after = After::Nothing;
        self.begins = true;
        self.settle(index);
    }

    /// Leaves out what lies before `next`.
    pub fn skip_to(&mut self, index: &Index, next: Place) {
        self.next = next;
        self.after = After::Gap;
        self.begins = true;
        self.settle(index);
    }

    /// Steps over the end of complete segments, over those without chunks, and over pictures that
    /// cannot be decoded without what was left out. To be called after the index grew.
    pub fn settle(&mut self, index: &Index) {
        let Some(own) = self.rendition else {
            return;
        };
        let sounds = index
            .rendition(own)
            .is_some_and(|rendition| rendition.kind == Kind::Audio);
        while let Some(segment) = index.segment(own, self.next.segment) {
            match segment.chunks.get(self.next.part) {
                Some(chunk) => {
                    let hangs = self.begins || self.has_gap(chunk.start_ms);
                    if sounds || chunk.keyframe || !hangs {
                        return;
                    }
                    self.next.part += 1;
                    if self.after != After::Nothing {
                        self.after = After::Gap;
                    }
                }
                None if index.is_complete(own, self.next.segment) => {
                    self.next = Place {
                        segment: self.next.segment + 1,
                        part: 0,
                    };
                }
                None => return,
            }
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
        if let Some(end_ms) = end_ms {
            self.after = After::Chunk(end_ms);
            self.begins = false;
            self.next.part += 1;
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
    let next_segment = Place {
        segment: held.segment.saturating_add(1),
        part: 0,
    };
    if held.part >= parts {
        return next_segment;
    }
    let part = held.part + 1;
    if part == parts && index.is_complete(rendition, held.segment) {
        return next_segment;
    }
    Place {
        segment: held.segment,
        part,
    }
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
            let whole = walk(Lane::new(&timeline, Some(3), Place::default()), 99);
            let mut parts = walk(Lane::new(&timeline, Some(3), Place::default()), cut);
            let rest = match parts.last() {
                Some(held) => Lane::behind(&timeline, 3, 3, *held),
                None => Lane::new(&timeline, Some(3), Place::default()),
            };
            parts.extend(walk(rest, 99));
            prop_assert_eq!(parts, whole);
        }
    }
}

//! A viewer's place in one lane: the next chunk of a rendition.

use millet_manifest::{Chunk, Rendition, Segment, Timeline};

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
}

impl Lane {
    /// A lane that goes on at `next`.
    #[must_use]
    pub fn new(rendition: Option<usize>, next: Place) -> Self {
        Self {
            rendition,
            next,
            init_due: rendition.is_some(),
        }
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
    }

    /// The next chunk with its rendition and segment; `None` at the end or when not in use.
    #[must_use]
    pub fn peek<'a>(
        &self,
        timeline: &'a Timeline,
    ) -> Option<(&'a Rendition, &'a Segment, &'a Chunk)> {
        let rendition = timeline.renditions.get(self.rendition?)?;
        let segment = rendition.segments.get(self.next.segment)?;
        let chunk = segment.chunks.get(self.next.part)?;
        Some((rendition, segment, chunk))
    }

    /// Steps behind the next chunk.
    pub fn advance(&mut self, timeline: &Timeline) {
        if let Some((_, segment, _)) = self.peek(timeline) {
            self.next = behind(self.next, segment.chunks.len());
        }
    }
}

/// Where a decoder can begin so that `position_ms` is seen: the last keyframe before it.
#[must_use]
pub fn at(timeline: &Timeline, rendition: usize, position_ms: u64) -> Place {
    let segment = timeline.segment_at(position_ms.min(timeline.duration_ms));
    let part = timeline
        .renditions
        .get(rendition)
        .and_then(|rendition| rendition.segments.get(segment))
        .and_then(|segment| {
            segment
                .chunks
                .iter()
                .rposition(|chunk| chunk.keyframe && chunk.start_ms <= position_ms)
        });
    Place {
        segment,
        part: part.unwrap_or(0),
    }
}

/// The place behind a chunk that the client holds of this rendition. Behind nonsense: the end.
#[must_use]
pub fn after(timeline: &Timeline, rendition: usize, held: Place) -> Place {
    let parts = timeline
        .renditions
        .get(rendition)
        .and_then(|rendition| rendition.segments.get(held.segment))
        .map_or(0, |segment| segment.chunks.len());
    behind(held, parts)
}

fn behind(place: Place, parts: usize) -> Place {
    if place.part + 1 < parts {
        Place {
            part: place.part + 1,
            ..place
        }
    } else {
        Place {
            segment: place.segment + 1,
            part: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;
    use proptest::prelude::*;

    #[test]
    fn sound_begins_at_its_chunk_and_pictures_at_their_keyframe() {
        let timeline = lecture(60_000);
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
            let timeline = lecture(60_000);
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

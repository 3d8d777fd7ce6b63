//! What a viewer walks over: the description of a timeline, closed or as far as it has grown.
//!
//! An index never changes; a timeline that grows has a newer one after each chunk. Closed segments are
//! shared between them, so that growing costs a pointer for each and not a copy.

use std::sync::Arc;

use millet_manifest::{Chunk, Rendition, Segment, Timeline};

/// See the module.
#[derive(Clone, Debug)]
pub enum Index {
    /// A prepared one; of one that is not finished, what there is.
    Closed(Arc<Timeline>),
    /// A class that goes on.
    Growing(Grown),
}

/// A growing timeline up to a moment.
#[derive(Clone, Debug)]
pub struct Grown {
    /// What each rendition is, without its segments.
    pub renditions: Arc<[Rendition]>,
    /// Segments of each rendition, by their number on the grid. Only the last one may still get chunks;
    /// one without chunks is a gap.
    pub segments: Vec<Vec<Arc<Segment>>>,
    /// Length of every segment.
    pub segment_ms: u64,
    /// End of the newest chunk.
    pub edge_ms: u64,
    /// Epoch of the messages that are shared between viewers.
    pub epoch: u32,
    /// Nothing more comes: whoever has everything is at the end.
    pub ended: bool,
}

impl Index {
    /// What each rendition is. Segments are asked for by [`Index::segment`] only.
    #[must_use]
    pub fn renditions(&self) -> &[Rendition] {
        match self {
            Self::Closed(timeline) => &timeline.renditions,
            Self::Growing(grown) => &grown.renditions,
        }
    }

    /// One rendition.
    #[must_use]
    pub fn rendition(&self, rendition: usize) -> Option<&Rendition> {
        self.renditions().get(rendition)
    }

    /// One segment of one rendition.
    #[must_use]
    pub fn segment(&self, rendition: usize, segment: usize) -> Option<&Segment> {
        match self {
            Self::Closed(timeline) => timeline.renditions.get(rendition)?.segments.get(segment),
            Self::Growing(grown) => grown.segments.get(rendition)?.get(segment).map(|s| &**s),
        }
    }

    /// One chunk.
    #[must_use]
    pub fn chunk(&self, rendition: usize, segment: usize, part: usize) -> Option<&Chunk> {
        self.segment(rendition, segment)?.chunks.get(part)
    }

    /// Segments that a rendition has so far.
    #[must_use]
    pub fn segments(&self, rendition: usize) -> usize {
        match self {
            Self::Closed(timeline) => timeline
                .renditions
                .get(rendition)
                .map_or(0, |rendition| rendition.segments.len()),
            Self::Growing(grown) => grown.segments.get(rendition).map_or(0, Vec::len),
        }
    }

    /// Whether a segment gets no more chunks.
    #[must_use]
    pub fn is_complete(&self, rendition: usize, segment: usize) -> bool {
        !self.grows() || segment + 1 < self.segments(rendition)
    }

    /// Number of the segment that covers a time; the last one behind the end.
    #[must_use]
    pub fn segment_at(&self, at_ms: u64) -> usize {
        match self {
            Self::Closed(timeline) => timeline.segment_at(at_ms.min(timeline.duration_ms)),
            Self::Growing(grown) => {
                let last = grown.segments.iter().map(Vec::len).max().unwrap_or(0);
                usize::try_from(at_ms / grown.segment_ms.max(1))
                    .unwrap_or(usize::MAX)
                    .min(last.saturating_sub(1))
            }
        }
    }

    /// Length, so far.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        match self {
            Self::Closed(timeline) => timeline.duration_ms,
            Self::Growing(grown) => grown.edge_ms,
        }
    }

    /// Whether more will come.
    #[must_use]
    pub fn grows(&self) -> bool {
        matches!(self, Self::Growing(grown) if !grown.ended)
    }

    /// Whether it is a recording of which more is being prepared.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        matches!(self, Self::Closed(timeline) if timeline.unfinished)
    }

    /// How far an unfinished recording is prepared.
    #[must_use]
    pub fn prepared_ms(&self) -> Option<u64> {
        match self {
            Self::Closed(timeline) if timeline.unfinished => Some(timeline.prepared_ms()),
            Self::Closed(_) | Self::Growing(_) => None,
        }
    }

    /// Bytes of a rendition from a segment to the end, without its initialisation.
    #[must_use]
    pub fn bytes_from(&self, rendition: usize, segment: usize) -> u64 {
        (segment..self.segments(rendition))
            .filter_map(|segment| self.segment(rendition, segment))
            .fold(0, |sum: u64, segment| sum.saturating_add(segment.bytes))
    }

    /// Bytes of the whole rendition. Of one that grows: of an hour at its highest rate, since what it
    /// will have is unknown.
    #[must_use]
    pub fn bytes(&self, rendition: usize) -> u64 {
        let Some(described) = self.rendition(rendition) else {
            return 0;
        };
        match self {
            Self::Closed(_) => described
                .init
                .bytes
                .saturating_add(self.bytes_from(rendition, 0)),
            Self::Growing(_) => described.peak_bps.saturating_mul(HOUR_S / 8),
        }
    }

    /// Bits per second that a rendition takes over `outlook_ms` from a segment on; of one that grows,
    /// over the same time up to now.
    #[must_use]
    pub fn cost_bps(&self, rendition: usize, segment: usize, outlook_ms: u64) -> f64 {
        let grows = matches!(self, Self::Growing(_));
        let count = self.segments(rendition);
        let range: Box<dyn Iterator<Item = usize>> = if grows {
            // The newest may have only its first chunk.
            Box::new((0..count.saturating_sub(1)).rev())
        } else {
            Box::new(segment..count)
        };
        let (mut bytes, mut ms) = (0_u64, 0_u64);
        for segment in range {
            let Some(segment) = self.segment(rendition, segment) else {
                break;
            };
            bytes = bytes.saturating_add(segment.bytes);
            ms = ms.saturating_add(segment.duration_ms);
            if ms >= outlook_ms {
                break;
            }
        }
        if ms == 0 {
            let most = self.rendition(rendition).map_or(0, |own| own.peak_bps);
            return most as f64;
        }
        bytes as f64 * 8000.0 / ms as f64
    }
}

const HOUR_S: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::lecture;

    #[test]
    fn a_closed_timeline_is_walked_as_it_stands() {
        let timeline = Arc::new(lecture(60_000));
        let index = Index::Closed(timeline.clone());
        assert_eq!(index.segments(0), 4);
        assert_eq!(index.segment_at(21_000), 1);
        assert_eq!(index.segment_at(u64::MAX), 3);
        assert!(index.is_complete(0, 3) && !index.grows());
        let whole: u64 = timeline.renditions[3]
            .segments
            .iter()
            .map(|s| s.bytes)
            .sum();
        assert_eq!(index.bytes(3), whole + 700);
        assert_eq!(index.bytes_from(3, 1), whole - 64_000);
        assert!((index.cost_bps(3, 0, 30_000) - 32_000.0).abs() < 1.0);
    }
}

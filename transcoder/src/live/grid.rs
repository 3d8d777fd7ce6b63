//! The grid that every rendition is cut by, and what a chunk says of its place on it.

use millet_manifest::live::{Chunk, SEGMENT_MS};

/// Length of a segment, milliseconds.
const SEGMENT: i64 = SEGMENT_MS as i64;
/// Length of the grid's parts, milliseconds.
pub(crate) const PART: i64 = millet_manifest::live::CHUNK_MS as i64;

/// Start of the stretch of `length_ms` that holds `at_ms`.
pub(crate) fn floor(at_ms: i64, length_ms: i64) -> i64 {
    at_ms.div_euclid(length_ms) * length_ms
}

/// Follows one rendition from chunk to chunk.
pub(crate) struct Place {
    rendition: u8,
    /// Where the next chunk begins when nothing is missing.
    next_ms: i64,
    segment: Option<i64>,
}

impl Place {
    /// Nothing came out yet of a run that begins at `start_ms`.
    pub(crate) fn new(rendition: u8, start_ms: i64) -> Self {
        Self {
            rendition,
            next_ms: start_ms,
            segment: None,
        }
    }

    /// End of the last chunk; nothing before it can come any more.
    pub(crate) fn next_ms(&self) -> i64 {
        self.next_ms
    }

    /// Whether a chunk that begins here has none right before it.
    pub(crate) fn is_gap(&self, start_ms: i64) -> bool {
        self.segment.is_none() || start_ms != self.next_ms
    }

    /// Number of a fragment: counts parts of the timeline, so that it rises over runs too.
    pub(crate) fn number(start_ms: i64) -> u32 {
        u32::try_from(start_ms / PART + 1).unwrap_or(u32::MAX)
    }

    /// The next chunk.
    pub(crate) fn chunk(
        &mut self,
        start_ms: i64,
        duration_ms: i64,
        keyframe: bool,
        data: Vec<u8>,
    ) -> Chunk {
        let end_ms = start_ms + duration_ms;
        let segment = start_ms.div_euclid(SEGMENT);
        let chunk = Chunk {
            rendition: self.rendition,
            keyframe,
            first: self.segment != Some(segment),
            last: end_ms.rem_euclid(SEGMENT) == 0,
            gap_before: start_ms != self.next_ms,
            sequence: u32::try_from(segment).unwrap_or(0),
            part: u16::try_from(start_ms.rem_euclid(SEGMENT) / PART).unwrap_or(0),
            start_ms: u64::try_from(start_ms).unwrap_or(0),
            duration_ms: u32::try_from(duration_ms).unwrap_or(0),
            data,
        };
        self.segment = Some(segment);
        self.next_ms = end_ms;
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_know_their_place() {
        let mut place = Place::new(3, 4_000);
        let mut flags = |start_ms| {
            let chunk = place.chunk(start_ms, 500, false, Vec::new());
            let flags = (chunk.first, chunk.last, chunk.gap_before);
            (chunk.sequence, chunk.part, flags)
        };
        assert_eq!(flags(4_000), (2, 0, (true, false, false)));
        assert_eq!(flags(4_500), (2, 1, (false, false, false)));
        assert_eq!(flags(5_500), (2, 3, (false, true, true)));
        assert_eq!(flags(7_000), (3, 2, (true, false, true)));
    }

    #[test]
    fn numbers_rise_over_runs() {
        assert_eq!(Place::number(0), 1);
        assert!(Place::number(2_000) > Place::number(1_500));
    }
}

//! Parts a segment's coded samples into chunks (CMAF, ISO/IEC 23000-19).

use millet_manifest::Chunk;

use crate::boxes::{Sample, fragment};
use crate::error::Error;

/// A coded sample at its place, in units of the track's time.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) decoded: i64,
    pub(crate) shown: i64,
    pub(crate) duration: i64,
    pub(crate) data: Vec<u8>,
}

/// A segment as it is written down.
#[derive(Debug, Default)]
pub(crate) struct Parted {
    pub(crate) bytes: Vec<u8>,
    pub(crate) chunks: Vec<Chunk>,
}

/// What stays the same for all segments of a rendition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Units of time in a millisecond.
    pub(crate) per_ms: i64,
    /// Whether every sample can be decoded by itself.
    pub(crate) all_keys: bool,
}

/// Puts samples in the order of decoding into chunks that begin at the samples `starts` (the first is
/// 0), until `end`. A segment begins with a keyframe; its chunks are shown one after the other.
pub(crate) fn part(
    form: Form,
    samples: Vec<Timed>,
    starts: &[usize],
    end: i64,
) -> Result<Parted, Error> {
    let places = starts.iter().copied().chain([samples.len()]);
    let places: Vec<usize> = places.collect();
    let chunk_of = |index: usize| samples.get(places[index]..places[index + 1]);
    // When each is shown: from its first sample to the first of the next.
    let mut times = Vec::with_capacity(places.len());
    for index in 0..starts.len() {
        let shown = chunk_of(index).and_then(|chunk| chunk.iter().map(|s| s.shown).min());
        times.push(shown.ok_or_else(|| Error::Fault("a chunk holds nothing".into()))?);
    }
    times.push(end);
    let mut parted = Parted::default();
    let mut samples = samples.into_iter();
    for (index, place) in places.windows(2).enumerate() {
        let (from, until) = (times[index], times[index + 1]);
        let chunk: Vec<Timed> = samples.by_ref().take(place[1] - place[0]).collect();
        if chunk.iter().any(|sample| sample.shown >= until) {
            return Err(Error::Fault("a chunk shows what belongs to another".into()));
        }
        let key = index == 0 || form.all_keys;
        let number = u32::try_from(from / form.per_ms).unwrap_or(u32::MAX);
        let decoded = chunk.first().map_or(from, |first| first.decoded);
        let samples: Vec<Sample> = chunk
            .into_iter()
            .map(|timed| Sample {
                duration: u32::try_from(timed.duration).unwrap_or(1),
                offset: i32::try_from(timed.shown - timed.decoded).unwrap_or(0),
                data: timed.data,
            })
            .collect();
        let time = u64::try_from(decoded).unwrap_or(0);
        let bytes = fragment(number, time, (!form.all_keys).then_some(key), &samples);
        let start_ms = from / form.per_ms;
        parted.chunks.push(Chunk {
            offset: parted.bytes.len() as u64,
            bytes: bytes.len() as u64,
            start_ms: u64::try_from(start_ms).unwrap_or(0),
            duration_ms: u64::try_from(until / form.per_ms - start_ms).unwrap_or(0),
            keyframe: key,
        });
        parted.bytes.extend(bytes);
    }
    Ok(parted)
}

/// Pictures in the order of decoding get times of decoding: none later than it is shown, so that
/// nothing need be moved by an edit list, which players read differently; and within the chunk that is
/// shown then. One that is decoded ahead of its turn comes just before the first that needs it.
/// The last lasts until `end`.
pub(crate) fn reordered(units: Vec<(i64, Vec<u8>)>, end: i64) -> Vec<Timed> {
    let mut times: Vec<i64> = units.iter().map(|(shown, _)| *shown).collect();
    for index in (1..times.len()).rev() {
        times[index - 1] = times[index - 1].min(times[index]);
    }
    // Where several would be decoded at one moment, they share the time before it.
    let (mut first, mut before) = (0, times.first().map_or(0, |start| start - 1));
    while first < times.len() {
        let moment = times[first];
        let equal = times[first..].iter().take_while(|time| **time == moment);
        let count = i64::try_from(equal.count()).unwrap_or(1);
        for (place, time) in (1..=count).zip(&mut times[first..]) {
            *time = before + (moment - before) * place / count;
        }
        before = moment;
        first += usize::try_from(count).unwrap_or(1);
    }
    times.push(end);
    units
        .into_iter()
        .zip(times.windows(2))
        .map(|((shown, data), pair)| Timed {
            decoded: pair[0],
            shown,
            duration: (pair[1] - pair[0]).max(1),
            data,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURES: Form = Form {
        per_ms: 1,
        all_keys: false,
    };

    fn units(times: &[i64]) -> Vec<(i64, Vec<u8>)> {
        times.iter().map(|at| (*at, vec![1, 2, 3])).collect()
    }

    #[test]
    fn chunks_cover_their_times_whatever_the_order_of_decoding() {
        let samples = reordered(units(&[0, 80, 40, 200, 120, 160]), 300);
        let decoded: Vec<i64> = samples.iter().map(|sample| sample.decoded).collect();
        assert_eq!(decoded, [0, 20, 40, 80, 120, 160]);
        let parted = part(PICTURES, samples, &[0, 3], 300).unwrap();
        let covered: Vec<(u64, u64, bool)> = parted
            .chunks
            .iter()
            .map(|chunk| (chunk.start_ms, chunk.duration_ms, chunk.keyframe))
            .collect();
        assert_eq!(covered, [(0, 120, true), (120, 180, false)]);
        let bytes: u64 = parted.chunks.iter().map(|chunk| chunk.bytes).sum();
        assert_eq!(bytes, parted.bytes.len() as u64);
        assert_eq!(parted.chunks[1].offset, parted.chunks[0].bytes);
    }

    #[test]
    fn a_picture_that_is_decoded_a_chunk_too_late_is_a_fault() {
        let samples = reordered(units(&[0, 120, 40, 80]), 160);
        assert!(part(PICTURES, samples, &[0, 2], 160).is_err());
        assert!(part(PICTURES, Vec::new(), &[0], 0).is_err());
    }
}

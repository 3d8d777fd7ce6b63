//! A class that ended becomes an ordinary timeline: the same objects under a closed description.

use millet_manifest::{
    Content, FileRef, Rendition, Segment, SourceInfo, Still, TIMELINE_FILE, TIMELINE_VERSION,
    Timeline,
};

use super::recorder::{Recorder, has_pictures, key};
use super::store;
use crate::error::Error;
use crate::id::TimelineId;
use crate::stream::hls;
use crate::stream::index::{Grown, Index};

/// Pictures of the index that a description names at most.
const MOST_STILLS: usize = 2_000;
/// Window of the highest rate, milliseconds.
const PEAK_MS: u64 = 10_000;

/// What a closed class is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Length; 0 when nothing was recorded.
    pub duration_ms: u64,
    /// Bytes of everything.
    pub bytes: u64,
}

/// Writes the description of what was recorded, and playlists. Doing it again changes nothing.
///
/// # Errors
/// When a store fails; the class can be closed again.
pub async fn close(
    recorder: &Recorder,
    timeline: TimelineId,
    grown: &Grown,
) -> Result<Closed, Error> {
    let mut connection = recorder.db.read().await?;
    let stills = store::stills(&mut connection, timeline).await?;
    drop(connection);
    let described = describe(grown, stills);
    if described.duration_ms == 0 {
        return Ok(Closed {
            duration_ms: 0,
            bytes: 0,
        });
    }
    described
        .check()
        .map_err(|error| Error::Internal(format!("a recording: {error}")))?;
    let closed = Closed {
        duration_ms: described.duration_ms,
        bytes: described.bytes(),
    };
    let json = serde_json::to_vec(&described).map_err(|e| Error::Internal(e.to_string()))?;
    let index = Index::Closed(described.into());
    for (rendition, own) in index.renditions().iter().enumerate() {
        let file = format!("live/{}.m3u8", own.id);
        let text = hls::media(&index, rendition);
        recorder
            .objects
            .put(&key(timeline, &file)?, text.into())
            .await?;
    }
    let master = hls::master(&index).into();
    recorder
        .objects
        .put(&key(timeline, hls::MASTER)?, master)
        .await?;
    // Last: whoever finds it finds everything that it names.
    recorder
        .objects
        .put(&key(timeline, TIMELINE_FILE)?, json.into())
        .await?;
    Ok(closed)
}

fn describe(grown: &Grown, stills: Vec<(i64, String, i64)>) -> Timeline {
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    let count = usize::try_from(grown.edge_ms.div_ceil(grown.segment_ms)).unwrap_or(0);
    let renditions: Vec<Rendition> = grown
        .renditions
        .iter()
        .zip(&grown.segments)
        .map(|(rendition, segments)| {
            let segments = cut(grown, segments, count);
            let (average_bps, peak_bps) = rates(&segments, grown.edge_ms);
            Rendition {
                average_bps,
                peak_bps,
                segments,
                ..rendition.clone()
            }
        })
        .filter(|rendition| rendition.segments.iter().any(|s| !s.chunks.is_empty()))
        .collect();
    let stills: Vec<Still> = stills
        .into_iter()
        .take(MOST_STILLS)
        .map(|(at_ms, file, bytes)| Still {
            at_ms: number(at_ms),
            file,
            bytes: number(bytes),
            width: 640,
            height: 360,
        })
        .collect();
    Timeline {
        version: TIMELINE_VERSION,
        duration_ms: grown.edge_ms,
        unfinished: false,
        content: if has_pictures(grown) {
            Content::Natural
        } else {
            Content::AudioOnly
        },
        cuts_ms: (0..count).map(|n| n as u64 * grown.segment_ms).collect(),
        renditions,
        hls: hls::MASTER.to_owned(),
        poster: stills.first().map(|still| FileRef {
            file: still.file.clone(),
            bytes: still.bytes,
        }),
        stills,
        downloads: Vec::new(),
        captions: Vec::new(),
        chapters: Vec::new(),
        source: SourceInfo {
            container: "live".to_owned(),
            video_codec: None,
            audio_codec: None,
            width: 0,
            height: 0,
            bytes: 0,
        },
        decision: None,
    }
}

/// As many segments as the timeline has cuts; the last one ends with the timeline.
fn cut(grown: &Grown, segments: &[std::sync::Arc<Segment>], count: usize) -> Vec<Segment> {
    (0..count)
        .map(|number| {
            let start_ms = number as u64 * grown.segment_ms;
            let duration_ms = grown.segment_ms.min(grown.edge_ms - start_ms);
            match segments.get(number) {
                Some(segment) if !segment.chunks.is_empty() => Segment {
                    duration_ms,
                    ..Segment::clone(segment)
                },
                _ => Segment {
                    start_ms,
                    duration_ms,
                    file: String::new(),
                    bytes: 0,
                    chunks: Vec::new(),
                },
            }
        })
        .collect()
}

/// Average, and the highest of any ten seconds.
fn rates(segments: &[Segment], duration_ms: u64) -> (u64, u64) {
    let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let average = bytes * 8000 / duration_ms.max(1);
    let peak = (0..segments.len())
        .map(|from| {
            let window = segments[from..]
                .iter()
                .take_while(|s| s.start_ms < segments[from].start_ms + PEAK_MS);
            window.map(|segment| segment.bytes).sum::<u64>() * 8000 / PEAK_MS
        })
        .max()
        .unwrap_or(0);
    (average, peak.max(average))
}

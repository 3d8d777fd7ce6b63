//! A timeline by hand for tests: the stream never looks into the media, so any bytes will do.

use millet_manifest::{
    Chunk, Content, FileRef, Kind, Rendition, Segment, SourceInfo, TIMELINE_VERSION, Timeline,
};

const SEGMENT_MS: u64 = 16_000;
const CHUNK_MS: u64 = 2_000;

/// A lecture of this length with opus (1.5 kB/s), stills (0.5 kB/s), v240 (4 kB/s), v480 (20 kB/s);
/// segments of 16 s, chunks of 2 s.
#[must_use]
pub fn lecture(duration_ms: u64) -> Timeline {
    let cuts_ms: Vec<u64> = (0..duration_ms.div_ceil(SEGMENT_MS))
        .map(|n| n * SEGMENT_MS)
        .collect();
    let rendition = |id: &str, kind, codec: &str, height: u32, rate: u64| {
        let segments = cuts_ms.iter().enumerate().map(|(number, cut)| {
            segment(
                id,
                number,
                *cut,
                (cut + SEGMENT_MS).min(duration_ms),
                kind,
                rate,
            )
        });
        Rendition {
            id: id.into(),
            kind,
            codec: codec.into(),
            width: height * 16 / 9,
            height,
            frame_rate_milli: if kind == Kind::Audio { 0 } else { 10_000 },
            sample_rate: if kind == Kind::Audio { 48_000 } else { 0 },
            channels: u32::from(kind == Kind::Audio),
            average_bps: rate * 8,
            peak_bps: rate * 8,
            init: FileRef {
                file: format!("{id}/init.mp4"),
                bytes: 700,
            },
            segments: segments.collect(),
        }
    };
    Timeline {
        version: TIMELINE_VERSION,
        duration_ms,
        unfinished: false,
        content: Content::Lecture,
        renditions: vec![
            rendition("opus12", Kind::Audio, "opus", 0, 1_500),
            rendition("aac32", Kind::Audio, "mp4a.40.2", 0, 4_000),
            rendition("s480", Kind::Stills, "avc1.64001e", 480, 500),
            rendition("v240", Kind::Video, "avc1.64000d", 240, 4_000),
            rendition("v480", Kind::Video, "avc1.64001e", 480, 20_000),
        ],
        cuts_ms,
        hls: "master.m3u8".into(),
        poster: None,
        stills: vec![],
        downloads: vec![],
        captions: vec![],
        chapters: vec![],
        source: SourceInfo {
            container: "matroska".into(),
            video_codec: Some("h264".into()),
            audio_codec: Some("opus".into()),
            width: 1280,
            height: 720,
            bytes: 1_000_000,
        },
        decision: None,
    }
}

fn segment(id: &str, number: usize, from_ms: u64, until_ms: u64, kind: Kind, rate: u64) -> Segment {
    let mut chunks = Vec::new();
    let (mut start_ms, mut offset) = (from_ms, 0);
    while start_ms < until_ms {
        let duration_ms = CHUNK_MS.min(until_ms - start_ms);
        let bytes = (rate * duration_ms / 1000).max(1);
        chunks.push(Chunk {
            offset,
            bytes,
            start_ms,
            duration_ms,
            keyframe: kind == Kind::Audio || start_ms == from_ms,
        });
        start_ms += duration_ms;
        offset += bytes;
    }
    Segment {
        start_ms: from_ms,
        duration_ms: until_ms - from_ms,
        file: format!("{id}/{number:05}.m4s"),
        bytes: offset,
        chunks,
    }
}

/// Every file of the timeline with bytes that tell which file and place they are.
#[must_use]
pub fn files(timeline: &Timeline) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for rendition in &timeline.renditions {
        let init = &rendition.init;
        files.push((init.file.clone(), content(&init.file, init.bytes)));
        for segment in &rendition.segments {
            files.push((segment.file.clone(), content(&segment.file, segment.bytes)));
        }
    }
    files
}

/// Bytes of one such file.
#[must_use]
pub fn content(file: &str, bytes: u64) -> Vec<u8> {
    let name = file.as_bytes();
    (0..usize::try_from(bytes).unwrap_or(0))
        .map(|at| name[at % name.len()].wrapping_add((at / 251) as u8))
        .collect()
}

//! Reading, checking and asking a manifest.

use super::*;

fn two_cuts() -> Timeline {
    let segment = |start_ms: u64, file: &str| Segment {
        start_ms,
        duration_ms: 4000,
        file: file.into(),
        bytes: 30,
        chunks: vec![
            Chunk {
                offset: 0,
                bytes: 10,
                start_ms,
                duration_ms: 2000,
                keyframe: true,
            },
            Chunk {
                offset: 10,
                bytes: 20,
                start_ms: start_ms + 2000,
                duration_ms: 2000,
                keyframe: false,
            },
        ],
    };
    Timeline {
        version: TIMELINE_VERSION,
        duration_ms: 8000,
        unfinished: false,
        content: Content::AudioOnly,
        cuts_ms: vec![0, 4000],
        renditions: vec![Rendition {
            id: "opus16".into(),
            kind: Kind::Audio,
            codec: "opus".into(),
            width: 0,
            height: 0,
            frame_rate_milli: 0,
            sample_rate: 48000,
            channels: 1,
            average_bps: 60,
            peak_bps: 60,
            init: FileRef {
                file: "opus16/init.mp4".into(),
                bytes: 5,
            },
            segments: vec![
                segment(0, "opus16/00000.m4s"),
                segment(4000, "opus16/00001.m4s"),
            ],
        }],
        hls: "master.m3u8".into(),
        poster: None,
        stills: vec![],
        downloads: vec![],
        captions: vec![],
        chapters: vec![],
        source: SourceInfo {
            container: "wav".into(),
            video_codec: None,
            audio_codec: Some("pcm_s16le".into()),
            width: 0,
            height: 0,
            bytes: 100,
        },
        decision: None,
    }
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let timeline = two_cuts();
    let text = serde_json::to_vec(&timeline).unwrap();
    assert_eq!(Timeline::from_json(&text).unwrap(), timeline);
}

#[test]
fn a_time_finds_the_segment_on_screen() {
    let timeline = two_cuts();
    assert_eq!(
        [0, 3999, 4000, 99_000].map(|at| timeline.segment_at(at)),
        [0, 0, 1, 1]
    );
}

#[test]
fn forged_manifests_are_refused() {
    let forge = |change: fn(&mut Timeline)| {
        let mut timeline = two_cuts();
        change(&mut timeline);
        timeline.check().unwrap_err().to_string()
    };
    assert!(forge(|t| t.renditions[0].segments[0].file = "../secret".into()).contains("unsafe"));
    assert!(forge(|t| t.hls = "/etc/passwd".into()).contains("unsafe"));
    assert!(forge(|t| t.cuts_ms = vec![0, 0]).contains("rise"));
    assert!(forge(|t| t.renditions[0].segments[1].start_ms = 3000).contains("cut"));
    assert!(forge(|t| t.renditions[0].segments[1].chunks[1].bytes = 21).contains("fill"));
    assert!(forge(|t| t.renditions[0].segments.truncate(1)).contains("like the others"));
    let chapter = |start_ms| Chapter {
        start_ms,
        title: None,
    };
    let mut timeline = two_cuts();
    timeline.chapters = vec![chapter(5), chapter(5)];
    assert!(timeline.check().is_err());
    timeline.chapters = vec![chapter(5), chapter(8_000)];
    assert!(timeline.check().is_err());
    assert!(forge(|t| t.version = 2).contains("version"));
}

#[test]
fn a_manifest_without_a_decision_still_reads() {
    let timeline = two_cuts();
    let mut json = serde_json::to_value(&timeline).unwrap();
    json.as_object_mut().unwrap().remove("decision");
    let text = serde_json::to_vec(&json).unwrap();
    assert_eq!(Timeline::from_json(&text).unwrap(), timeline);
}

#[test]
fn the_sentence_says_what_a_learner_pays() {
    let mut timeline = two_cuts();
    timeline.duration_ms = 12 * 60_000;
    timeline.renditions[0].segments[0].bytes = 1_300_000;
    assert_eq!(timeline.in_short(), "12 min: 1.3 MB audio");
    for (id, kind, codec, height, bytes) in [
        ("s720", Kind::Stills, "avc1.64001f", 720, 120_000),
        ("v480", Kind::Video, "avc1.64001e", 480, 1_900_000),
        ("v720", Kind::Video, "avc1.64001f", 720, 2_600_000),
        ("v720-av1", Kind::Video, "av01.0.05M.08", 720, 1_400_000),
    ] {
        let mut rendition = timeline.renditions[0].clone();
        rendition.id = id.into();
        rendition.kind = kind;
        rendition.codec = codec.into();
        rendition.height = height;
        rendition.segments.truncate(1);
        rendition.segments[0].bytes = bytes;
        timeline.renditions.push(rendition);
    }
    assert_eq!(
        timeline.in_short(),
        "12 min: 1.4 MB audio + slides, 3.9 MB clear video"
    );
}

/// Thousands of texts that are nearly a manifest: taken or refused, and what is taken can be asked.
#[test]
fn damaged_manifests_never_panic() {
    let mut timeline = two_cuts();
    timeline.renditions[0].init.bytes = u64::MAX;
    let whole = serde_json::to_vec(&timeline).unwrap();
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let mut taken = 0;
    for _ in 0..20_000 {
        let mut text = whole.clone();
        let at = below(text.len());
        match below(3) {
            0 => text.truncate(at),
            1 => text[at] = b'0' + u8::try_from(below(10)).unwrap(),
            _ => text[at] ^= 1 << below(8),
        }
        if let Ok(timeline) = Timeline::from_json(&text) {
            taken += 1;
            let _ = (
                timeline.bytes(),
                timeline.in_short(),
                timeline.segment_at(9),
            );
        }
    }
    assert!(taken > 0);
}

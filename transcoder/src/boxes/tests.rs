//! Boxes nest without gaps, and fragments point at their samples.

use super::*;

/// Types of the boxes at one level; panics when sizes do not fill it.
fn kinds(mut level: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    while !level.is_empty() {
        let size = u32::from_be_bytes(level[..4].try_into().unwrap()) as usize;
        let kind = String::from_utf8(level[4..8].to_vec()).unwrap();
        found.push((kind, level[8..size].to_vec()));
        level = &level[size..];
    }
    found
}

fn sample(bytes: usize, duration: u32) -> Sample {
    Sample {
        duration,
        offset: 0,
        data: vec![7; bytes],
    }
}

#[test]
fn an_init_segment_is_nested_boxes_without_gaps() {
    for entry in [
        Entry::Opus,
        Entry::Aac {
            configuration: vec![0x11, 0x88],
        },
        Entry::Avc {
            width: 640,
            height: 360,
            configuration: vec![1; 40],
        },
        Entry::Av1 {
            width: 640,
            height: 360,
            configuration: vec![1; 20],
        },
    ] {
        let init = init(&Track {
            timescale: 1000,
            sample_duration: 0,
            entry,
        });
        let top = kinds(&init);
        assert_eq!((top[0].0.as_str(), top[1].0.as_str()), ("ftyp", "moov"));
        let names: Vec<String> = kinds(&top[1].1).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(names, ["mvhd", "trak", "mvex"]);
    }
}

#[test]
fn a_fragment_points_at_its_first_sample() {
    for (key, samples) in [
        (Some(true), vec![sample(5, 40)]),
        (Some(true), vec![sample(5, 40), sample(5, 40)]),
        (Some(false), vec![sample(5, 40), sample(6, 41)]),
        (None, vec![sample(9, 40), sample(6, 40)]),
        (
            Some(true),
            vec![
                sample(9, 40),
                Sample {
                    offset: -40,
                    ..sample(6, 40)
                },
            ],
        ),
    ] {
        let bytes = fragment(3, 2_000, key, &samples);
        let top = kinds(&bytes);
        assert_eq!(top.len(), 2);
        let inside = kinds(&top[0].1);
        let track = kinds(&inside[1].1);
        let run = &track[2].1;
        let offset = u32::from_be_bytes(run[8..12].try_into().unwrap()) as usize;
        assert_eq!(offset, bytes.len() - top[1].1.len());
        assert_eq!(track[1].1[4..], 2_000_u64.to_be_bytes());
    }
    assert!(fragment(0, 0, None, &[]).is_empty());
}

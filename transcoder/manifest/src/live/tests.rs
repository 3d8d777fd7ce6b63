//! Whatever goes onto a pipe comes off it the same, in whatever pieces; and nothing else passes.

use proptest::prelude::*;

use super::*;
use crate::Kind;

fn frame() -> impl Strategy<Value = MediaFrame> {
    (any::<i64>(), any::<bool>(), any::<Vec<u8>>()).prop_map(|(timestamp_us, key, data)| {
        MediaFrame {
            timestamp_us,
            key,
            data,
        }
    })
}

fn input() -> impl Strategy<Value = Input> {
    let description = any::<Option<Vec<u8>>>();
    prop_oneof![
        (".*", description.clone(), any::<(u32, u32)>()).prop_map(|(codec, description, size)| {
            Input::VideoConfig(VideoConfig {
                codec,
                description,
                width: size.0,
                height: size.1,
            })
        }),
        frame().prop_map(Input::VideoFrame),
        (".*", description, any::<(u32, u32)>()).prop_map(|(codec, description, numbers)| {
            Input::AudioConfig(AudioConfig {
                codec,
                sample_rate: numbers.0,
                channels: numbers.1,
                description,
            })
        }),
        frame().prop_map(Input::AudioFrame),
        any::<Vec<u8>>().prop_map(Input::Container),
        any::<i64>().prop_map(|now_ms| Input::Clock { now_ms }),
        any::<(u32, Vec<u8>)>().prop_map(|(speaker, data)| Input::Voice { speaker, data }),
        Just(Input::End),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    let chunk = (
        any::<(u8, bool, bool, bool, bool)>(),
        any::<(u32, u16, u64, u32)>(),
        any::<Vec<u8>>(),
    );
    prop_oneof![
        any::<(u8, Vec<u8>)>().prop_map(|(rendition, data)| Output::Init { rendition, data }),
        chunk.prop_map(|(flags, numbers, data)| {
            Output::Chunk(Chunk {
                rendition: flags.0,
                keyframe: flags.1,
                first: flags.2,
                last: flags.3,
                gap_before: flags.4,
                sequence: numbers.0,
                part: numbers.1,
                start_ms: numbers.2,
                duration_ms: numbers.3,
                data,
            })
        }),
        any::<(u64, Vec<u8>)>().prop_map(|(start_ms, data)| Output::Adts { start_ms, data }),
        any::<(u64, Vec<u8>)>().prop_map(|(at_ms, data)| Output::Still { at_ms, data }),
        (any::<u64>(), any::<Vec<String>>(), 0.0_f32..1000.0).prop_map(|(lag_ms, rungs, fps)| {
            Output::Report(Report {
                lag_ms,
                dropped_rungs: rungs,
                input_fps: fps,
                ..Report::default()
            })
        }),
    ]
}

/// Decodes bytes that arrive in pieces of these lengths, over and over.
fn decode<R: Record>(bytes: &[u8], pieces: &[usize]) -> Result<Vec<R>, RecordError> {
    let (mut decoder, mut records, mut rest) = (Decoder::default(), Vec::new(), bytes);
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let length = pieces.next().map_or(1, |p| (*p).clamp(1, rest.len()));
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        decoder.push(piece);
        while let Some(record) = decoder.take()? {
            records.push(record);
        }
    }
    Ok(records)
}

proptest! {
    #[test]
    fn inputs_come_off_as_they_went_on(
        records in proptest::collection::vec(input(), 0..8),
        pieces in proptest::collection::vec(1_usize..300, 1..8),
    ) {
        let bytes: Vec<u8> = records.iter().flat_map(|r| r.encode().unwrap()).collect();
        prop_assert_eq!(decode::<Input>(&bytes, &pieces).unwrap(), records);
    }

    #[test]
    fn outputs_come_off_as_they_went_on(
        records in proptest::collection::vec(output(), 0..8),
        pieces in proptest::collection::vec(1_usize..300, 1..8),
    ) {
        let bytes: Vec<u8> = records.iter().flat_map(|r| r.encode().unwrap()).collect();
        prop_assert_eq!(decode::<Output>(&bytes, &pieces).unwrap(), records);
    }

    #[test]
    fn noise_never_panics_and_never_piles_up(
        bytes in any::<Vec<u8>>(),
        kind in 0_u8..9,
    ) {
        let _ = decode::<Input>(&bytes, &[7]);
        let _ = decode::<Output>(&bytes, &[7]);
        let _ = Input::from_parts(kind, &bytes);
        let _ = Output::from_parts(kind, &bytes);
    }
}

#[test]
fn a_length_is_judged_before_the_body_arrives() {
    let mut decoder = Decoder::default();
    decoder.push(&u32::MAX.to_be_bytes());
    assert!(matches!(
        decoder.take::<Input>(),
        Err(RecordError::TooLong(_))
    ));
    let large = Input::Container(vec![0; MAX_RECORD_BYTES]);
    assert!(matches!(large.encode(), Err(RecordError::TooLong(_))));
}

#[test]
fn a_record_that_is_cut_off_is_seen() {
    let mut decoder = Decoder::default();
    let record = Input::Clock { now_ms: 5 }.encode().unwrap();
    decoder.push(&record[..record.len() - 1]);
    assert!(decoder.take::<Input>().unwrap().is_none());
    assert_eq!(decoder.left(), record.len() - 1);
}

/// The form on the pipe, byte for byte: the other side may be of another build.
#[test]
fn the_form_is_stable() {
    let clock = Input::Clock { now_ms: 0x0102 }.encode().unwrap();
    assert_eq!(clock, [0, 0, 0, 9, 6, 0, 0, 0, 0, 0, 0, 1, 2]);
    let chunk = Output::Chunk(Chunk {
        rendition: 5,
        keyframe: true,
        first: true,
        last: false,
        gap_before: true,
        sequence: 7,
        part: 3,
        start_ms: 15_500,
        duration_ms: 500,
        data: vec![0xaa],
    });
    assert_eq!(
        chunk.encode().unwrap(),
        [
            0, 0, 0, 22, 3, 5, 11, 0, 0, 0, 7, 0, 3, 0, 0, 0, 0, 0, 0, 0x3c, 0x8c, 0, 0, 1, 0xf4,
            0xaa
        ]
    );
    let config = br#"{"codec":"avc1.42e01f","description":"AUI=","width":640,"height":360}"#;
    let Input::VideoConfig(config) = Input::from_parts(1, config).unwrap() else {
        panic!("another kind");
    };
    assert_eq!(config.description, Some(vec![1, 0x42]));
    let ladder = Output::Ladder(vec![LiveRendition {
        id: "v240".into(),
        kind: Kind::Video,
        codec: "avc1.4d4015".into(),
        width: 426,
        height: 240,
        frame_rate_milli: 15_000,
        sample_rate: 0,
        channels: 0,
        peak_bps: 110_000,
    }]);
    let record = ladder.encode().unwrap();
    assert_eq!(
        std::str::from_utf8(&record[5..]).unwrap(),
        r#"[{"id":"v240","kind":"video","codec":"avc1.4d4015","width":426,"height":240,"frame_rate_milli":15000,"sample_rate":0,"channels":0,"peak_bps":110000}]"#
    );
}

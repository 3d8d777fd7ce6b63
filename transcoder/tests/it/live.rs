//! Classes from beginning to end, faster than they would happen.

use millet_manifest::Kind;
use millet_manifest::live::Input;

use crate::kit::{Bench, loudness};
use crate::live_kit::{
    BROWSER_H264, BROWSER_OPUS, BROWSER_VP8, Ran, Sent, camera, container_of, frames_of, run,
    with_clock,
};

const ALL: [&str; 6] = ["opus16", "aac24", "s360", "v144", "v240", "v360"];

fn h264_and_opus(name: &str, seconds: u32) -> Vec<Sent> {
    let camera = camera(seconds);
    frames_of(&Bench::made(
        name,
        &format!("{camera} {BROWSER_H264} {BROWSER_OPUS}"),
    ))
}

/// Every part from `from_ms` until `until_ms` is there, in every rendition.
fn is_complete(ran: &Ran, from_ms: u64, until_ms: u64) {
    for id in ALL {
        let step = if id == "s360" { 1_000 } else { 500 };
        let expected: Vec<u64> = (from_ms..until_ms).step_by(step).collect();
        assert_eq!(ran.starts(id), expected, "{id}");
    }
}

/// Every rendition decodes without a word of complaint, continuously, with keyframes where a player
/// joins.
fn is_decodable(ran: &Ran, from_ms: i64, until_ms: i64) {
    for id in ALL {
        let frames = ran.decoded(id);
        assert_eq!(frames.first().unwrap().at_ms, from_ms, "{id}");
        let last = frames.last().unwrap();
        let longest = frames
            .windows(2)
            .map(|pair| pair[1].at_ms - pair[0].at_ms)
            .max();
        let most = match id {
            "opus16" => 20,
            "aac24" => 22,
            "s360" => 1_000,
            _ => 200,
        };
        assert!(
            longest.unwrap() <= most,
            "{id}: {longest:?} ms without a frame"
        );
        let is_last = (until_ms - most - 1..=until_ms).contains(&last.at_ms);
        assert!(is_last, "{id} ends with {last:?}");
        if id.starts_with('v') {
            for (index, frame) in frames.iter().enumerate() {
                let is_first = index == 0 || frames[index - 1].at_ms / 2_000 != frame.at_ms / 2_000;
                assert_eq!(frame.key, is_first, "{id} at {} ms", frame.at_ms);
                assert!(
                    !is_first || frame.at_ms % 2_000 == 0,
                    "{id} at {} ms",
                    frame.at_ms
                );
            }
        }
    }
}

#[test]
fn h264_with_avcc_and_opus() {
    let ran = run(0, &with_clock(0, &h264_and_opus("a.mp4", 6))).checked();
    is_complete(&ran, 0, 6_000);
    is_decodable(&ran, 0, 6_000);
    let folder = tempfile::tempdir().unwrap();
    let loud = loudness(&ran.joined("opus16", folder.path()));
    assert!(
        loud[20..585].iter().all(|value| *value > 0.05),
        "the tone is broken"
    );
    assert!(!ran.stills.is_empty());
    for rendition in &ran.ladder {
        // A first keyframe may spend what is saved until the next one.
        let saved = if rendition.kind == Kind::Stills { 4 } else { 1 };
        let most = rendition.peak_bps * (6 + saved) / 6;
        let rate = ran.rate(&rendition.id);
        assert!(rate <= most, "{} at {rate} bit/s", rendition.id);
    }
    let report = &ran.reports[1];
    assert!((14.0..=16.0).contains(&report.input_fps), "{report:?}");
    assert_eq!(report.damaged, 0);
}

#[test]
fn h264_as_a_byte_stream_and_aac() {
    let made = format!("{} {BROWSER_H264} -c:a aac -ar 44100", camera(4));
    let bench = Bench::made("a.mp4", &made);
    let stream = frames_of(&bench.then("b.ts", "-i INPUT -c copy -an"));
    let sound = frames_of(&Bench::made("a.mp4", &format!("{made} -vn")));
    let mut sent: Vec<Sent> = stream.into_iter().chain(sound).collect();
    sent.sort_by_key(|(at_ms, _)| *at_ms);
    let ran = run(8_000, &with_clock(8_000, &sent)).checked();
    is_complete(&ran, 8_000, 12_000);
    is_decodable(&ran, 8_000, 12_000);
}

#[test]
fn vp8_and_opus() {
    let made = format!("{} {BROWSER_VP8} {BROWSER_OPUS}", camera(4));
    let sent = frames_of(&Bench::made("a.webm", &made));
    let ran = run(0, &with_clock(0, &sent)).checked();
    is_complete(&ran, 0, 4_000);
    is_decodable(&ran, 0, 4_000);
}

#[test]
fn containers_of_media_recorder_and_of_streaming_tools() {
    let camera = camera(4);
    for (name, rest) in [
        (
            "a.webm",
            format!("{BROWSER_VP8} {BROWSER_OPUS} -f webm -live 1"),
        ),
        (
            "b.webm",
            format!("{BROWSER_H264} {BROWSER_OPUS} -f matroska -live 1"),
        ),
        (
            "a.mp4",
            format!(
                "{BROWSER_H264} {BROWSER_OPUS} -movflags frag_keyframe+empty_moov+default_base_moof"
            ),
        ),
        ("a.flv", format!("{BROWSER_H264} -c:a aac")),
    ] {
        let bench = Bench::made(name, &format!("{camera} {rest}"));
        let ran = run(
            2_000,
            &with_clock(2_000, &container_of(&bench.input, 4_000)),
        )
        .checked();
        for id in ALL {
            let starts = ran.starts(id);
            assert_eq!(starts.first(), Some(&2_000), "{name} {id}");
            assert!(starts.last() >= Some(&5_000), "{name} {id}: {starts:?}");
            assert!(
                ran.of(id).iter().all(|chunk| !chunk.gap_before),
                "{name} {id}"
            );
            assert!(!ran.decoded(id).is_empty());
        }
    }
}

#[test]
fn the_next_run_goes_on_with_the_same_init_segments() {
    let sent = h264_and_opus("a.mp4", 3);
    let first = run(0, &with_clock(0, &sent)).checked();
    let made = format!(
        "{} {BROWSER_VP8} {BROWSER_OPUS}",
        camera(3).replace("640x360", "360x480")
    );
    let other = frames_of(&Bench::made("a.webm", &made));
    let second = run(4_000, &with_clock(4_000, &other)).checked();
    assert_eq!(first.inits, second.inits);
    assert_eq!(first.ladder, second.ladder);
    let folder = tempfile::tempdir().unwrap();
    for id in ALL {
        let mut bytes = std::fs::read(first.joined(id, folder.path())).unwrap();
        for chunk in second.of(id) {
            bytes.extend_from_slice(&chunk.data);
        }
        let path = folder.path().join("both.mp4");
        std::fs::write(&path, bytes).unwrap();
        let frames = crate::kit::frames(&path);
        assert!(frames.iter().map(|frame| frame.at_ms).is_sorted());
        assert!(frames.iter().any(|frame| frame.at_ms == 4_000), "{id}");
    }
}

/// Upright pictures and old cameras get black beside them, not another shape.
#[test]
fn other_shapes_are_padded() {
    let white = "-f lavfi -i color=white:size=240x320:rate=15:duration=2";
    let sent = frames_of(&Bench::made("a.mp4", &format!("{white} {BROWSER_H264}")));
    let ran = run(0, &with_clock(0, &sent)).checked();
    let folder = tempfile::tempdir().unwrap();
    let row = crate::kit::row(&ran.joined("v360", folder.path()), 16);
    assert!(
        row[0] < 30 && row[15] < 30 && row[7] > 200 && row[8] > 200,
        "{row:?}"
    );
}

#[test]
fn a_gap_of_four_seconds_has_no_chunks_and_is_said() {
    let mut sent = h264_and_opus("a.mp4", 4);
    for (at_ms, input) in &mut sent {
        if let Input::VideoFrame(frame) | Input::AudioFrame(frame) = input
            && *at_ms >= 2_100
        {
            frame.timestamp_us += 4_000_000;
            *at_ms += 4_000;
        }
    }
    let ran = run(0, &with_clock(0, &sent)).checked();
    for id in ALL {
        let after = if id == "s360" { 3_000 } else { 2_500 };
        let starts = ran.starts(id);
        assert!(
            !starts.iter().any(|start| (after..6_000).contains(start)),
            "{id}: {starts:?}"
        );
        let back = *ran
            .of(id)
            .iter()
            .find(|chunk| chunk.start_ms >= after)
            .unwrap();
        assert_eq!(back.start_ms, 6_000, "{id}");
        assert!(back.gap_before && back.keyframe, "{id}");
        assert!(!ran.decoded(id).is_empty());
    }
}

#[test]
fn a_voice_alone() {
    let mut sent = h264_and_opus("a.mp4", 3);
    sent.retain(|(_, input)| matches!(input, Input::AudioConfig(_) | Input::AudioFrame(_)));
    let ran = run(0, &with_clock(0, &sent)).checked();
    assert_eq!(ran.starts("opus16"), [0, 500, 1_000, 1_500, 2_000, 2_500]);
    assert!(ran.chunks.iter().all(|chunk| chunk.rendition < 2));
    let adts: Vec<u64> = ran.adts.iter().map(|(start_ms, _)| *start_ms).collect();
    assert_eq!(adts, ran.starts("aac24"));
    let folder = tempfile::tempdir().unwrap();
    let endless = folder.path().join("endless.aac");
    std::fs::write(
        &endless,
        ran.adts
            .iter()
            .flat_map(|(_, data)| data.clone())
            .collect::<Vec<u8>>(),
    )
    .unwrap();
    let frames = crate::kit::frames(&endless);
    assert!((140..=143).contains(&frames.len()), "{}", frames.len());
}

#[test]
fn pictures_alone() {
    let mut sent = h264_and_opus("a.mp4", 3);
    sent.retain(|(_, input)| matches!(input, Input::VideoConfig(_) | Input::VideoFrame(_)));
    let ran = run(0, &with_clock(0, &sent)).checked();
    assert!(ran.chunks.iter().all(|chunk| chunk.rendition >= 2));
    assert_eq!(ran.starts("v240"), [0, 500, 1_000, 1_500, 2_000, 2_500]);
}

/// A microphone that falls silent does not stop the pictures' player, and the other way round.
#[test]
fn one_keeps_the_other_company() {
    for silent in ["sound", "pictures"] {
        let mut sent = h264_and_opus("a.mp4", 6);
        sent.retain(|(at_ms, input)| match input {
            Input::AudioFrame(_) => silent != "sound" || !(1_200..4_700).contains(at_ms),
            Input::VideoFrame(_) => silent != "pictures" || !(1_200..3_900).contains(at_ms),
            _ => true,
        });
        let ran = run(0, &with_clock(0, &sent)).checked();
        is_complete(&ran, 0, 6_000);
    }
}

#[test]
fn nothing_at_all_is_a_run_too() {
    let ran = run(4_000, &with_clock(4_000, &[])).checked();
    assert!(ran.chunks.is_empty());
}

/// Seconds of sound alone in which a tone begins at `tone_ms`.
fn a_tone_at(seconds: u32, tone_ms: i64) -> Vec<Sent> {
    let from = tone_ms as f64 / 1_000.0;
    let tone = format!("aevalsrc=gte(t\\,{from})*sin(3000*t)/2:s=48000:d={seconds}");
    frames_of(&Bench::made(
        "a.mp4",
        &format!("-f lavfi -i {tone} {BROWSER_OPUS}"),
    ))
}

/// Stamps sound later than it comes, by as much as it is told for each packet.
fn put_off(sent: &mut [Sent], by_ms: impl Fn(i64) -> i64) {
    let mut packets = 0;
    for (_, input) in sent {
        if let Input::AudioFrame(frame) = input {
            frame.timestamp_us += by_ms(packets) * 1_000;
            packets += 1;
        }
    }
}

/// When the tone is first heard.
fn heard_ms(ran: &Ran) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let loud = loudness(&ran.joined("opus16", folder.path()));
    loud.iter().position(|value| *value > 0.1).unwrap() as i64 * 10
}

/// What is seen and what is heard at the same moment stay together.
#[test]
fn sound_that_is_late_by_less_than_a_tenth_of_a_second_stands_where_it_belongs() {
    let pictures = "-f lavfi -i testsrc2=size=640x360:rate=15:duration=3";
    let pictures = format!("{pictures} {BROWSER_H264}");
    let mut sound = a_tone_at(3, 2_000);
    put_off(&mut sound, |_| 70);
    // The first picture begins the class.
    let mut sent = frames_of(&Bench::made("a.mp4", &pictures));
    sent.extend(sound);
    sent.sort_by_key(|(at_ms, _)| *at_ms);
    let at_ms = heard_ms(&run(0, &with_clock(0, &sent)).checked());
    assert!((2_055..=2_085).contains(&at_ms), "{at_ms}");
}

#[test]
fn sound_that_falls_behind_in_a_class_is_brought_back_slowly() {
    for late_ms in [70, -70] {
        let mut sent = a_tone_at(32, 30_000);
        put_off(&mut sent, |n| if n < 100 { 0 } else { late_ms });
        let ran = run(0, &with_clock(0, &sent)).checked();
        let at_ms = heard_ms(&ran) - late_ms;
        assert!((29_980..=30_020).contains(&at_ms), "{at_ms}");
        assert!(ran.of("opus16").iter().all(|chunk| !chunk.gap_before));
    }
}

#[test]
fn sound_whose_times_jitter_is_the_same_as_without() {
    let smooth = a_tone_at(20, 5_000);
    let mut rough = smooth.clone();
    // From −30 ms to 30 ms, the first one true.
    put_off(&mut rough, |n| n * 37 % 61 - if n == 0 { 0 } else { 30 });
    let made = [smooth, rough].map(|sent| {
        let ran = run(0, &with_clock(0, &sent)).checked();
        let chunks = ran.of("opus16").into_iter();
        let made: Vec<Vec<u8>> = chunks.map(|chunk| chunk.data.clone()).collect();
        made
    });
    assert_eq!(made[0].len(), 40);
    assert!(made[0] == made[1]);
}

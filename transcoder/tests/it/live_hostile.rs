//! Publishers that send broken things, or nothing that can be read; and a machine that is too slow.

use std::io::Write as _;
use std::time::{Duration, Instant};

use millet_manifest::live::{AudioConfig, Input, MediaFrame, Record as _, VideoConfig};

use crate::kit::{Bench, Noise};
use crate::live_kit::{
    BROWSER_H264, BROWSER_OPUS, BROWSER_VP8, Ran, Sent, camera, collect, frames_of, run, run_bytes,
    spawn_with, with_clock,
};

fn sent(codec: &str) -> Vec<Sent> {
    let name = if codec == BROWSER_VP8 {
        "a.webm"
    } else {
        "a.mp4"
    };
    let made = format!("{} {codec} {BROWSER_OPUS}", camera(3));
    frames_of(&Bench::made(name, &made))
}

fn frame_mut(input: &mut Input) -> Option<&mut MediaFrame> {
    match input {
        Input::VideoFrame(frame) | Input::AudioFrame(frame) => Some(frame),
        _ => None,
    }
}

fn has_all_sound(ran: &Ran) {
    assert_eq!(ran.starts("opus16"), [0, 500, 1_000, 1_500, 2_000, 2_500]);
}

#[test]
fn pictures_of_noise_do_not_stop_the_sound() {
    let mut noise = Noise(1);
    for codec in [BROWSER_H264, BROWSER_VP8] {
        let mut sent = sent(codec);
        for (_, input) in &mut sent {
            if let Input::VideoFrame(frame) = input {
                frame.data = noise.bytes(2_000);
            }
        }
        let ran = run(0, &with_clock(0, &sent)).checked();
        has_all_sound(&ran);
        assert!(ran.reports.last().unwrap().damaged > 0);
    }
}

#[test]
fn flipped_bits_and_lost_ends_never_end_a_run() {
    let mut noise = Noise(2);
    for codec in [BROWSER_H264, BROWSER_VP8] {
        let mut sent = sent(codec);
        for (_, input) in &mut sent {
            let Some(frame) = frame_mut(input) else {
                continue;
            };
            let length = frame.data.len();
            match noise.below(4) {
                0 => {
                    let at = noise.below(length);
                    frame.data[at] ^= 1 << noise.below(8);
                }
                1 => frame.data.truncate(noise.below(length)),
                _ => {}
            }
        }
        let ran = run(0, &with_clock(0, &sent)).checked();
        assert!(!ran.of("opus16").is_empty());
        for id in ["opus16", "aac24", "v144"] {
            assert!(ran.of(id).is_empty() || !ran.decoded(id).is_empty());
        }
    }
}

#[test]
fn a_lost_clock_of_the_publisher_is_found_again() {
    let mut sent = sent(BROWSER_H264);
    for (_, input) in &mut sent {
        if let Some(frame) = frame_mut(input)
            && frame.timestamp_us > 78_500_000
        {
            frame.timestamp_us -= 70_000_000;
        }
    }
    for (at_ms, wild) in [(1_000, i64::MAX), (1_100, i64::MIN), (2_000, 0)] {
        let place = sent.iter().position(|(at, _)| *at >= at_ms).unwrap();
        let frame = MediaFrame {
            timestamp_us: wild,
            key: false,
            data: vec![1, 2, 3],
        };
        sent.insert(place, (at_ms, Input::VideoFrame(frame)));
    }
    let ran = run(0, &with_clock(0, &sent)).checked();
    let last = *ran.starts("opus16").last().unwrap();
    assert!((2_000..=3_500).contains(&last), "{last}");
}

#[test]
fn frames_without_configuration_and_frames_too_large_are_counted() {
    let frame = |bytes| MediaFrame {
        timestamp_us: 0,
        key: true,
        data: vec![0; bytes],
    };
    let inputs = [
        Input::VideoFrame(frame(100)),
        Input::AudioFrame(frame(100)),
        Input::VideoFrame(frame(0)),
        Input::VideoFrame(frame((1 << 20) + 1)),
    ];
    let sent: Vec<Sent> = inputs.into_iter().map(|input| (0, input)).collect();
    let mut inputs = with_clock(0, &sent);
    let end = inputs.pop().unwrap();
    inputs.extend([Input::Clock { now_ms: 9_000 }, end]);
    let ran = run(0, &inputs).checked();
    assert!(ran.chunks.is_empty());
    assert!(ran.reports.last().unwrap().damaged >= 3);
}

/// A keyframe of VP8 that claims 16383 × 16383 pixels.
#[test]
fn a_picture_that_claims_to_be_huge_is_damaged() {
    let mut sent = sent(BROWSER_VP8);
    for (_, input) in &mut sent {
        if let Input::VideoFrame(frame) = input
            && frame.key
        {
            frame.data[6..10].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
        }
    }
    let ran = run(0, &with_clock(0, &sent)).checked();
    has_all_sound(&ran);
    assert!(ran.of("v144").is_empty());
}

/// Ended with exit code 2 and one plain sentence.
fn is_refused(ran: &Ran) {
    assert_eq!(ran.code, Some(2), "{}", ran.errors);
    let lines: Vec<&str> = ran.errors.lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with('.') && lines[0].starts_with(char::is_uppercase));
}

#[test]
fn codecs_that_cannot_be_read_are_refused() {
    let video = |codec: &str, description| VideoConfig {
        codec: codec.into(),
        description,
        width: 640,
        height: 360,
    };
    for config in [
        Input::VideoConfig(video("hev1.1.6.L93.B0", None)),
        Input::VideoConfig(video("\u{1b}[31m; rm", None)),
        Input::AudioConfig(AudioConfig {
            codec: "opus".into(),
            sample_rate: 0,
            channels: 1,
            description: None,
        }),
        Input::AudioConfig(AudioConfig {
            codec: "opus".into(),
            sample_rate: 48_000,
            channels: 100_000,
            description: None,
        }),
    ] {
        let ran = run(0, &[config, Input::End]);
        is_refused(&ran);
        assert!(
            ran.errors
                .trim_end()
                .chars()
                .all(|letter| !letter.is_control())
        );
    }
}

#[test]
fn containers_that_are_none_are_refused() {
    let text = b"This is no film, whatever it is called. ".repeat(5_000);
    is_refused(&run(0, &[Input::Container(text), Input::End]));
    let made = format!("{} {BROWSER_VP8} -f webm -live 1", camera(1));
    let good = std::fs::read(Bench::made("a.webm", &made).input).unwrap();
    // What begins well and goes on as noise without end.
    let mut inputs = vec![Input::Container(good.clone())];
    let noise = Noise(3).bytes(1 << 20);
    inputs.extend((0..10).map(|_| Input::Container(noise.clone())));
    inputs.push(Input::End);
    is_refused(&run(0, &inputs));
    // Both ways at once.
    let clock = Input::Clock { now_ms: 0 };
    let frame = MediaFrame {
        timestamp_us: 0,
        key: true,
        data: vec![0; 10],
    };
    let both = [
        clock,
        Input::Container(good.clone()),
        Input::VideoFrame(frame),
        Input::End,
    ];
    is_refused(&run(0, &both));
    // A playlist would name other files.
    let playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".repeat(100);
    is_refused(&run(0, &[Input::Container(playlist), Input::End]));
}

#[test]
fn a_container_that_ends_in_the_middle_is_what_came_of_it() {
    let made = format!("{} {BROWSER_VP8} {BROWSER_OPUS} -f webm -live 1", camera(3));
    let good = std::fs::read(Bench::made("a.webm", &made).input).unwrap();
    let half = good[..good.len() / 2].to_vec();
    let ran = run(
        0,
        &[
            Input::Clock { now_ms: 0 },
            Input::Container(half),
            Input::End,
        ],
    )
    .checked();
    assert!(ran.starts("opus16").len() >= 2);
}

#[test]
fn what_is_no_record_is_a_fault_of_the_server() {
    for bytes in [
        vec![0xff; 64],
        vec![0; 64],
        vec![0, 0, 0, 1, 99],
        vec![0, 0, 0, 9, 6, 0],
    ] {
        let ran = run_bytes(0, bytes);
        assert_eq!(ran.code, Some(1), "{}", ran.errors);
        assert_eq!(ran.errors.lines().count(), 1);
    }
    // A pipe that is closed between two records is an end.
    assert_eq!(run_bytes(0, Vec::new()).code, Some(0));
    assert_eq!(run(1_999, &[Input::End]).code, Some(1));
}

/// Input at half the speed of the clock on the wall is what a machine of half the strength sees.
#[test]
fn a_slow_machine_lets_go_of_the_largest_rungs_and_keeps_sound_and_stills() {
    let mut child = spawn_with(&["--start-ms", "0"]);
    let mut input = child.stdin.take().unwrap();
    let sender = std::thread::spawn(move || {
        let started = Instant::now();
        for record in with_clock(0, &sent(BROWSER_H264)) {
            if let Input::Clock { now_ms } = record {
                let due = Duration::from_millis(u64::try_from(now_ms).unwrap() * 2);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
            input.write_all(&record.encode().unwrap()).unwrap();
        }
    });
    let ran = collect(child);
    sender.join().unwrap();
    let ran = ran.checked();
    assert!(
        ran.reports
            .iter()
            .any(|report| report.dropped_rungs.first().is_some_and(|id| id == "v360"))
    );
    has_all_sound(&ran);
    assert!(ran.starts("s360").last() >= Some(&1_000));
    assert!(ran.starts("v360").len() < 4, "{:?}", ran.starts("v360"));
}

#[test]
fn containers_with_flipped_bits_end_well_or_in_a_sentence() {
    let camera = camera(2).replace("640x360", "160x90");
    for (name, rest) in [
        (
            "a.webm",
            format!("{BROWSER_VP8} {BROWSER_OPUS} -f webm -live 1"),
        ),
        (
            "a.mp4",
            format!("{BROWSER_H264} {BROWSER_OPUS} -movflags frag_keyframe+empty_moov"),
        ),
        ("a.flv", format!("{BROWSER_H264} -c:a aac")),
    ] {
        let good = std::fs::read(Bench::made(name, &format!("{camera} {rest}")).input).unwrap();
        let mut noise = Noise(good.len() as u64);
        for variant in 0..8 {
            let mut bytes = good.clone();
            // Every second time only behind the head, which decides whether it is opened at all.
            let from = if variant % 2 == 0 { 1_000 } else { 0 };
            for _ in 0..20 {
                let at = from + noise.below(bytes.len() - from);
                bytes[at] ^= 1 << noise.below(8);
            }
            let clock = |now_ms| Input::Clock { now_ms };
            let ran = run(
                0,
                &[clock(0), Input::Container(bytes), clock(2_000), Input::End],
            );
            match ran.code {
                Some(0) => drop(ran.checked()),
                _ => is_refused(&ran),
            }
        }
    }
}

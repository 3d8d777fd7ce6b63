//! Learners who have the floor are heard with the class.

use millet_manifest::live::{Input, MediaFrame};

use crate::kit::{Bench, loudness};
use crate::live_kit::{BROWSER_H264, BROWSER_OPUS, Sent, frames_of, run, with_clock};

/// A tone as a speaker sends it from `from_ms` on: packets without times.
fn spoken(speaker: u32, from_ms: i64, seconds: u32) -> Vec<Sent> {
    let made = format!(
        "-f lavfi -i sine=frequency=500:duration={seconds} -c:a libopus -frame_duration 60 -b:a 16k"
    );
    let frames = frames_of(&Bench::made("voice.webm", &made));
    let voices = frames.into_iter().filter_map(|(at_ms, input)| match input {
        Input::AudioFrame(MediaFrame { data, .. }) => {
            Some((from_ms + at_ms, Input::Voice { speaker, data }))
        }
        _ => None,
    });
    voices.collect()
}

/// How loud a class is in which the teacher is silent, in frames of 10 ms.
fn heard(sent: &[Sent]) -> Vec<f64> {
    let ran = run(0, &with_clock(0, sent)).checked();
    let folder = tempfile::tempdir().unwrap();
    loudness(&ran.joined("opus16", folder.path()))
}

fn silent_class(seconds: u32, sound: &str) -> Vec<Sent> {
    let made = format!(
        "-f lavfi -i testsrc2=size=640x360:rate=15:duration={seconds} {sound} {BROWSER_H264} {BROWSER_OPUS}"
    );
    frames_of(&Bench::made("a.mp4", &made))
}

fn with(mut sent: Vec<Sent>, voice: Vec<Sent>) -> Vec<Sent> {
    sent.extend(voice);
    sent.sort_by_key(|(at_ms, _)| *at_ms);
    sent
}

#[test]
fn a_voice_is_heard_beside_the_teacher() {
    let quiet = "-f lavfi -i anullsrc=r=48000:cl=mono -shortest";
    let loud = heard(&with(silent_class(8, quiet), spoken(3, 3_000, 2)));
    let within =
        |from: usize, until: usize| loud[from..until].iter().filter(|v| **v > 0.02).count();
    assert_eq!(within(0, 290), 0, "before");
    assert!(
        within(300, 560) > 180,
        "while it speaks: {}",
        within(300, 560)
    );
    assert_eq!(within(600, 780), 0, "after");
}

#[test]
fn a_voice_is_heard_where_the_teacher_has_no_microphone() {
    let loud = heard(&with(silent_class(8, ""), spoken(3, 2_000, 3)));
    let heard = loud.iter().filter(|value| **value > 0.02).count();
    assert!(heard > 250, "{heard} hundredths of a second");
}

#[test]
fn what_is_no_voice_is_passed_over() {
    let quiet = "-f lavfi -i anullsrc=r=48000:cl=mono -shortest";
    let noise = (0..40).map(|n| {
        let data = (0..90).map(|at| (at * n) as u8).collect();
        (1_000 + n * 60, Input::Voice { speaker: 9, data })
    });
    let sent = with(silent_class(6, quiet), noise.collect());
    let ran = run(0, &with_clock(0, &sent)).checked();
    assert_eq!(ran.starts("opus16").len(), 12);
}

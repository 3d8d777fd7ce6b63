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

/// One packet of each of four speakers, and then a fifth who has more to say.
#[test]
fn who_said_one_word_makes_room_for_who_speaks_later() {
    let quiet = "-f lavfi -i anullsrc=r=48000:cl=mono -shortest";
    let mut voices: Vec<Sent> = (1..=4)
        .flat_map(|speaker| spoken(speaker, 1_000, 1).into_iter().skip(5).take(1))
        .collect();
    voices.extend(spoken(5, 4_000, 2));
    let loud = heard(&with(silent_class(8, quiet), voices));
    let within = |from: usize, until: usize| loud[from..until].iter().any(|v| *v > 0.02);
    assert!(within(100, 250), "the words");
    assert!(!within(250, 390), "between");
    let fifth = loud[400..660].iter().filter(|v| **v > 0.02).count();
    assert!(fifth > 180, "{fifth}");
}

/// Pictures alone need no sound beside them, and one word does not change that for ever.
#[test]
fn one_word_without_a_microphone_makes_no_silence_without_end() {
    let word = spoken(3, 2_000, 1).into_iter().skip(5).take(1).collect();
    let sent = with(silent_class(10, ""), word);
    let ran = run(0, &with_clock(0, &sent)).checked();
    let starts = ran.starts("opus16");
    assert!(
        !starts.is_empty() && *starts.last().unwrap() <= 4_000,
        "{starts:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    let loud = loudness(&ran.joined("opus16", folder.path()));
    assert!(loud.iter().any(|value| *value > 0.02), "the word");
}

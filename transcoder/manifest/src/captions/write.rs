//! Writes `WebVTT` (W3C).

use std::fmt::Write as _;

use super::Cue;

/// The cues as a file.
#[must_use]
pub fn write_captions(cues: &[Cue]) -> String {
    let mut text = String::from("WEBVTT\n");
    for cue in cues {
        write_cue(&mut text, cue);
    }
    text
}

pub(super) fn write_cue(text: &mut String, cue: &Cue) {
    let (from, until) = (clock(cue.from_ms), clock(cue.until_ms));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{from} --> {until}\n{}", escaped(&cue.text));
}

fn clock(ms: u64) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ms:03}", seconds % 60)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            letter => out.push(letter),
        }
    }
    out
}

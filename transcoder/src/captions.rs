//! Text tracks inside a recording, as `WebVTT` (W3C) beside its renditions.
//!
//! What a track says is treated as plain text: markup of any kind is dropped, and what is left is
//! escaped, so that nothing of the input becomes markup of a page.

use std::fmt::Write as _;
use std::path::Path;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Packet, Rational, Rescale as _, codec, media};
use millet_manifest::Caption;

use crate::error::Error;
use crate::source::to_ms;

/// Most tracks, most cues of one, most letters of a cue and of a name.
const MOST_TRACKS: usize = 8;
const MOST_CUES: usize = 20_000;
const MOST_LETTERS: usize = 1_000;
const MOST_NAME: usize = 60;
/// A cue that does not say how long it lasts, milliseconds.
const USUAL_MS: i64 = 4_000;

/// Collects the cues of every text track while packets go by.
pub(crate) struct Captions {
    tracks: Vec<Track>,
    start_ms: i64,
}

struct Track {
    index: usize,
    form: codec::Id,
    time_base: Rational,
    language: Option<String>,
    label: Option<String>,
    cues: Vec<Cue>,
}

struct Cue {
    from_ms: i64,
    until_ms: i64,
    text: String,
}

impl Captions {
    /// Finds the tracks; `start_ms` is the container's time of what is 0 for us.
    pub(crate) fn find(input: &Input, start_ms: i64) -> Self {
        let tracks = input
            .streams()
            .filter(|stream| {
                let parameters = stream.parameters();
                parameters.medium() == media::Type::Subtitle && is_text(parameters.id())
            })
            .take(MOST_TRACKS)
            .map(|stream| Track {
                index: stream.index(),
                form: stream.parameters().id(),
                time_base: stream.time_base(),
                language: stream.metadata().get("language").and_then(language),
                label: stream.metadata().get("title").and_then(name),
                cues: Vec::new(),
            })
            .collect();
        Self { tracks, start_ms }
    }

    /// Takes a packet, if it is of a text track.
    pub(crate) fn take(&mut self, packet: &Packet) {
        let Some(track) = self
            .tracks
            .iter_mut()
            .find(|track| track.index == packet.stream())
        else {
            return;
        };
        let text = plain(track.form, packet.data().unwrap_or_default());
        let Some(at) = packet.pts().filter(|_| !text.is_empty()) else {
            return;
        };
        let from_ms = to_ms(at, track.time_base, self.start_ms).max(0);
        let lasts_ms = packet
            .duration()
            .rescale(track.time_base, Rational(1, 1000));
        let lasts_ms = if lasts_ms > 0 { lasts_ms } else { USUAL_MS };
        if track.cues.len() < MOST_CUES {
            track.cues.push(Cue {
                from_ms,
                until_ms: from_ms.saturating_add(lasts_ms),
                text,
            });
        }
    }

    /// Writes a file for each track that says something before `end_ms`.
    pub(crate) fn finish(self, output: &Path, end_ms: i64) -> Result<Vec<Caption>, Error> {
        let mut captions = Vec::new();
        for mut track in self.tracks {
            track.cues.retain(|cue| cue.from_ms < end_ms);
            if track.cues.is_empty() {
                continue;
            }
            track.cues.sort_by_key(|cue| cue.from_ms);
            std::fs::create_dir_all(output.join("captions"))?;
            let file = format!("captions/{}.vtt", captions.len());
            let text = vtt(&track.cues, end_ms);
            std::fs::write(output.join(&file), &text)?;
            captions.push(Caption {
                language: track.language,
                label: track.label,
                file,
                bytes: text.len() as u64,
            });
        }
        Ok(captions)
    }
}

fn is_text(form: codec::Id) -> bool {
    use codec::Id::{ASS, MOV_TEXT, SSA, SUBRIP, TEXT, WEBVTT};
    matches!(form, ASS | MOV_TEXT | SSA | SUBRIP | TEXT | WEBVTT)
}

fn vtt(cues: &[Cue], end_ms: i64) -> String {
    let mut text = String::from("WEBVTT\n");
    for cue in cues {
        let (from, until) = (clock(cue.from_ms), clock(cue.until_ms.min(end_ms)));
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{from} --> {until}\n{}\n", cue.text);
    }
    text
}

fn clock(ms: i64) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ms:03}", seconds % 60)
}

/// What a packet says, without markup, escaped.
fn plain(form: codec::Id, data: &[u8]) -> String {
    let data = match form {
        // 3GPP timed text (TS 26.245): a length, the text, boxes of style.
        codec::Id::MOV_TEXT => {
            let Some((head, rest)) = data.split_first_chunk::<2>() else {
                return String::new();
            };
            let length = usize::from(u16::from_be_bytes(*head));
            &rest[..length.min(rest.len())]
        }
        _ => data,
    };
    let text = String::from_utf8_lossy(data);
    let text = match form {
        // Order, layer, style, name, three margins, effect, text.
        codec::Id::ASS | codec::Id::SSA => text
            .splitn(9, ',')
            .nth(8)
            .unwrap_or_default()
            .replace("\\N", "\n")
            .replace("\\n", "\n"),
        _ => text.into_owned(),
    };
    let mut lines = Vec::new();
    for line in without_markup(&text).lines() {
        let line = line.trim();
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    escaped(&lines.join("\n"))
}

/// Drops `<i>`, `</i>`, `{\an8}` and their like; "3 < 5" is none of them.
fn without_markup(text: &str) -> String {
    let (mut out, mut closing) = (String::new(), None);
    let mut letters = text.chars().take(2 * MOST_LETTERS).peekable();
    while let Some(letter) = letters.next() {
        let opens_tag = |next: &char| next.is_alphabetic() || *next == '/';
        match (closing, letter) {
            (None, '<') if letters.peek().is_some_and(opens_tag) => closing = Some('>'),
            (None, '{') if letters.peek() == Some(&'\\') => closing = Some('}'),
            (Some(end), letter) if letter == end => closing = None,
            (None, letter) if letter == '\n' || !letter.is_control() => out.push(letter),
            _ => {}
        }
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().take(MOST_LETTERS) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            letter => out.push(letter),
        }
    }
    out
}

/// A language code, if it is one and not "undetermined".
fn language(code: &str) -> Option<String> {
    let is_code = (2..=12).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (is_code && code != "und").then(|| code.to_ascii_lowercase())
}

/// A name that a person gave, on one line.
pub(crate) fn name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .filter(|letter| !letter.is_control() && *letter != '"')
        .take(MOST_NAME)
        .collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_plain_text() {
        let cases: [(codec::Id, &[u8], &str); 6] = [
            (
                codec::Id::SUBRIP,
                b"<i>Hello</i>\r\n\r\nthere",
                "Hello\nthere",
            ),
            (codec::Id::MOV_TEXT, b"\0\x05Hellostyl", "Hello"),
            (codec::Id::MOV_TEXT, b"\xff\xffHi", "Hi"),
            (codec::Id::MOV_TEXT, b"\0", ""),
            (
                codec::Id::ASS,
                b"0,0,Default,,0,0,0,,{\\an8}One, two\\NThree",
                "One, two\nThree",
            ),
            (codec::Id::WEBVTT, b"3 < 5 --> d", "3 &lt; 5 --&gt; d"),
        ];
        for (form, data, expected) in cases {
            assert_eq!(plain(form, data), expected, "{form:?}");
        }
        assert_eq!(plain(codec::Id::TEXT, b"c --> d & e"), "c --&gt; d &amp; e");
    }

    #[test]
    fn cues_end_with_the_lesson() {
        let cue = Cue {
            from_ms: 3_661_004,
            until_ms: 9_000_000,
            text: "late".into(),
        };
        assert_eq!(
            vtt(&[cue], 3_662_000),
            "WEBVTT\n\n01:01:01.004 --> 01:01:02.000\nlate\n"
        );
    }

    #[test]
    fn codes_and_names_are_checked() {
        assert_eq!(language("CHI").as_deref(), Some("chi"));
        assert_eq!(language("und"), None);
        assert_eq!(language("\"><script"), None);
        assert_eq!(name(" a\n\"b\" ").as_deref(), Some("ab"));
        assert_eq!(name("\u{7}"), None);
    }
}

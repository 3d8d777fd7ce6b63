//! Text tracks inside a recording and files of captions beside it, as `WebVTT` (W3C) beside its renditions.
//!
//! What a track says is treated as plain text: markup of any kind is dropped, and what is left is
//! escaped, so that nothing of the input becomes markup of a page.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Packet, Rational, Rescale as _, codec, media};
use millet_manifest::captions::{
    Cue, MOST_CAPTION_BYTES, MOST_CUES, Markup, cues_until, plain, read_captions, tidy_cues,
    write_captions,
};
use millet_manifest::{BadInput, Caption};

use crate::error::{Error, bad};
use crate::source::to_ms;

/// Most tracks, and most letters of a name.
const MOST_TRACKS: usize = 8;
const MOST_NAME: usize = 60;
/// A cue that does not say how long it lasts, milliseconds.
const USUAL_MS: i64 = 4_000;

/// A file of captions (`.srt`, `.vtt`) and its language; as an argument `zh=lesson.srt`.
#[derive(Clone, Debug)]
pub struct CaptionFile {
    /// ISO 639 or BCP 47.
    pub language: String,
    /// Where it is.
    pub path: PathBuf,
}

impl FromStr for CaptionFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (code, path) = text.split_once('=').ok_or("write LANGUAGE=FILE")?;
        Ok(Self {
            language: language(code).ok_or("this is not a language code, such as zh or en")?,
            path: path.into(),
        })
    }
}

impl CaptionFile {
    fn read(&self) -> Result<Track, Error> {
        let name = self.path.display();
        let refused = |why: &dyn std::fmt::Display| {
            bad(
                BadInput::Captions,
                format!("The captions {name} cannot be used: {why}."),
            )
        };
        // Opening what is no file might wait for ever.
        let about = std::fs::metadata(&self.path).map_err(|error| refused(&error))?;
        if !about.is_file() {
            return Err(refused(&"not a file"));
        }
        let file = File::open(&self.path).map_err(|error| refused(&error))?;
        let mut bytes = Vec::new();
        file.take(MOST_CAPTION_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(Track {
            index: None,
            form: codec::Id::WEBVTT,
            time_base: Rational(1, 1000),
            language: Some(self.language.clone()),
            label: None,
            cues: read_captions(&bytes).map_err(|error| refused(&error))?,
        })
    }
}

/// Collects the cues of every text track while packets go by.
pub(crate) struct Captions {
    tracks: Vec<Track>,
    start_ms: i64,
}

#[derive(Clone)]
struct Track {
    /// Number of its stream; absent for a file of its own.
    index: Option<usize>,
    form: codec::Id,
    time_base: Rational,
    language: Option<String>,
    label: Option<String>,
    cues: Vec<Cue>,
}

/// The captions as they were written down, with their cues.
pub(crate) struct Written {
    pub(crate) caption: Caption,
    pub(crate) cues: Vec<Cue>,
}

/// Captions that were given beside a recording.
#[derive(Clone)]
pub(crate) struct Given(Vec<Track>);

impl Given {
    /// Reads the files: what is wrong with one is better said before hours of work than after.
    pub(crate) fn read(files: &[CaptionFile]) -> Result<Self, Error> {
        if files.len() > MOST_TRACKS {
            return Err(bad(
                BadInput::Captions,
                format!("More than {MOST_TRACKS} files of captions were given."),
            ));
        }
        files
            .iter()
            .map(CaptionFile::read)
            .collect::<Result<_, _>>()
            .map(Self)
    }
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
                index: Some(stream.index()),
                form: stream.parameters().id(),
                time_base: stream.time_base(),
                language: stream.metadata().get("language").and_then(language),
                label: stream.metadata().get("title").and_then(name),
                cues: Vec::new(),
            })
            .collect();
        Self { tracks, start_ms }
    }

    /// Puts what was given beside the recording before what it brings itself.
    pub(crate) fn put_first(&mut self, given: Given) {
        self.tracks.splice(0..0, given.0);
        self.tracks.truncate(MOST_TRACKS);
    }

    /// Takes a packet, if it is of a text track.
    pub(crate) fn take(&mut self, packet: &Packet) {
        let Some(track) = self
            .tracks
            .iter_mut()
            .find(|track| track.index == Some(packet.stream()))
        else {
            return;
        };
        let text = words(track.form, packet.data().unwrap_or_default());
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
                from_ms: unsigned(from_ms),
                until_ms: unsigned(from_ms.saturating_add(lasts_ms)),
                text,
            });
        }
    }

    /// Writes a file for each track that says something before `end_ms`.
    pub(crate) fn finish(self, output: &Path, end_ms: i64) -> Result<Vec<Written>, Error> {
        let mut written = Vec::new();
        for track in self.tracks {
            let cues = cues_until(&tidy_cues(track.cues), unsigned(end_ms));
            if cues.is_empty() {
                continue;
            }
            std::fs::create_dir_all(output.join("captions"))?;
            let file = format!("captions/{}.vtt", written.len());
            let text = write_captions(&cues);
            std::fs::write(output.join(&file), &text)?;
            let caption = Caption {
                language: track.language,
                label: track.label,
                file,
                bytes: text.len() as u64,
            };
            written.push(Written { caption, cues });
        }
        Ok(written)
    }
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

fn is_text(form: codec::Id) -> bool {
    use codec::Id::{ASS, MOV_TEXT, SSA, SUBRIP, TEXT, WEBVTT};
    matches!(form, ASS | MOV_TEXT | SSA | SUBRIP | TEXT | WEBVTT)
}

/// What a packet says, without markup.
fn words(form: codec::Id, data: &[u8]) -> String {
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
    let text = String::from_utf8_lossy(data).replace("\r\n", "\n");
    match form {
        // Order, layer, style, name, three margins, effect, text.
        codec::Id::ASS | codec::Id::SSA => {
            let text = text.splitn(9, ',').nth(8).unwrap_or_default();
            let text = text.replace("\\N", "\n").replace("\\n", "\n");
            plain(&text, Markup::Others)
        }
        codec::Id::WEBVTT => plain(&text, Markup::Webvtt),
        _ => plain(&text, Markup::Others),
    }
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
        let cases: [(codec::Id, &[u8], &str); 8] = [
            (
                codec::Id::SUBRIP,
                b"<i>Hello</i>\r\n\r\nthere",
                "Hello\nthere",
            ),
            (
                codec::Id::SUBRIP,
                b"if a<b then swap\nand <b>stop</b>",
                "if a<b then swap\nand stop",
            ),
            (codec::Id::MOV_TEXT, b"\0\x05Hellostyl", "Hello"),
            (codec::Id::MOV_TEXT, b"\xff\xffHi", "Hi"),
            (codec::Id::MOV_TEXT, b"\0", ""),
            (
                codec::Id::ASS,
                b"0,0,Default,,0,0,0,,{\\an8}One, two\\NThree",
                "One, two\nThree",
            ),
            (codec::Id::WEBVTT, b"3 &lt; 5 &amp; 5 < 7", "3 < 5 & 5 < 7"),
            (codec::Id::TEXT, b"c --> d &amp; e", "c --> d &amp; e"),
        ];
        for (form, data, expected) in cases {
            assert_eq!(words(form, data), expected, "{form:?}");
        }
    }

    #[test]
    fn an_argument_names_language_and_file() {
        let file: CaptionFile = "zh-Hans=a=b.srt".parse().unwrap();
        assert_eq!(file.language, "zh-hans");
        assert_eq!(file.path, Path::new("a=b.srt"));
        for wrong in ["lesson.srt", "=a.srt", "und=a.srt", "../zh=a.srt"] {
            assert!(wrong.parse::<CaptionFile>().is_err(), "{wrong}");
        }
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

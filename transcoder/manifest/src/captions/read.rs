//! Reads `.srt` (which nobody ever wrote down, so much is let pass) and `WebVTT` (W3C).

use super::encoding::decode;
use super::markup::{Markup, plain};
use super::{CaptionError, Cue, MOST_CAPTION_BYTES, MOST_CUES, tidy_cues};

/// Cues later than this many hours are none of a lesson.
const MOST_HOURS: u64 = 99;

/// The cues of a file, in order of time. Of a few wrongs, the cue alone is left out: no words, or an end
/// that is not behind the begin.
///
/// # Errors
/// When it is no such file, or larger than a lesson's.
pub fn read_captions(bytes: &[u8]) -> Result<Vec<Cue>, CaptionError> {
    if bytes.len() > MOST_CAPTION_BYTES {
        return Err(CaptionError::TooLarge);
    }
    let text = decode(bytes)?.replace("\r\n", "\n").replace('\r', "\n");
    let markup = if is_webvtt(&text) {
        Markup::Webvtt
    } else {
        Markup::Others
    };
    let mut reader = Reader::of(markup);
    for (number, line) in (1..).zip(text.split('\n')) {
        reader.take(number, line)?;
    }
    let cues = tidy_cues(reader.end()?);
    if cues.is_empty() {
        return Err(CaptionError::NoCue);
    }
    Ok(cues)
}

fn is_webvtt(text: &str) -> bool {
    let behind = text.strip_prefix("WEBVTT");
    behind.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n']))
}

struct Reader<'a> {
    markup: Markup,
    cues: Vec<Cue>,
    open: Option<Open<'a>>,
    before: &'a str,
    /// Each cue of an `.srt` usually has a number above its time.
    numbered: bool,
}

/// A cue whose words are being read.
struct Open<'a> {
    from_ms: u64,
    until_ms: u64,
    lines: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn of(markup: Markup) -> Self {
        Self {
            markup,
            cues: Vec::new(),
            open: None,
            before: "",
            numbered: false,
        }
    }

    fn take(&mut self, number: usize, line: &'a str) -> Result<(), CaptionError> {
        if let Some(times) = timing(line) {
            let (from_ms, until_ms) = times.ok_or(CaptionError::Time(number))?;
            if self.cues.is_empty() && self.open.is_none() {
                self.numbered = is_number(self.before);
            }
            self.close(true)?;
            self.open = Some(Open {
                from_ms,
                until_ms,
                lines: Vec::new(),
            });
        } else if self.markup == Markup::Webvtt && line.is_empty() {
            self.close(false)?;
        } else if let Some(open) = &mut self.open {
            open.lines.push(line);
        }
        self.before = line;
        Ok(())
    }

    fn end(mut self) -> Result<Vec<Cue>, CaptionError> {
        self.close(false)?;
        Ok(self.cues)
    }

    /// What is open ends. Words of an `.srt` may have empty lines; only the next time ends them.
    fn close(&mut self, by_time: bool) -> Result<(), CaptionError> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        if by_time && self.numbered && self.markup == Markup::Others {
            let filled = |line: &&str| !line.trim().is_empty();
            let end = open.lines.iter().rposition(filled);
            if let Some(end) = end.filter(|end| is_number(open.lines[*end])) {
                open.lines.truncate(end);
            }
        }
        let text = plain(&open.lines.join("\n"), self.markup);
        if self.cues.len() >= MOST_CUES {
            return Err(CaptionError::TooMany);
        }
        self.cues.push(Cue {
            from_ms: open.from_ms,
            until_ms: open.until_ms,
            text,
        });
        Ok(())
    }
}

fn is_number(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit())
}

/// The times of a line that says when a cue is shown; `Some(None)` if they cannot be read. "3 --> 4" says
/// something else.
#[allow(clippy::option_option, reason = "there are exactly these three cases")]
fn timing(line: &str) -> Option<Option<(u64, u64)>> {
    let (from, behind) = line.split_once("-->")?;
    let from = from.trim();
    let is_time = from.contains(':')
        && from
            .chars()
            .all(|letter| letter.is_ascii_digit() || ":,.- ".contains(letter));
    if !is_time {
        return None;
    }
    // Where on the screen it is shown stands behind.
    let until = behind.split_whitespace().next().unwrap_or_default();
    Some(time(from).zip(time(until)))
}

/// `00:00:01,000`, with a point, without hours, with fewer digits.
pub(super) fn time(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once([',', '.']).unwrap_or((text, "0"));
    let ms = digits(fraction, 3)? * [0, 100, 10, 1].get(fraction.len()).copied()?;
    let mut parts = clock.split(':').rev();
    let seconds = digits(parts.next()?, 2)?;
    let minutes = digits(parts.next()?, 2)?;
    let hours = parts.next().map_or(Some(0), |hours| digits(hours, 4))?;
    let fits = parts.next().is_none() && seconds < 60 && minutes < 60 && hours <= MOST_HOURS;
    fits.then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000 + ms)
}

fn digits(text: &str, most: usize) -> Option<u64> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

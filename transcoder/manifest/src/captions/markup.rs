//! What a cue says, without markup.

use super::MOST_LETTERS;
use super::read::time;

/// Which markup a cue may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Tags and references, as W3C `WebVTT` says.
    Webvtt,
    /// Tags as of `WebVTT` or HTML, and `{\an8}` and its like.
    Others,
}

/// The words without markup, each line trimmed, none empty, within bounds.
#[must_use]
pub fn plain(text: &str, markup: Markup) -> String {
    let bare = without_markup(text, markup);
    let lines = bare.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut joined = lines.collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = joined.char_indices().nth(MOST_LETTERS) {
        joined.truncate(end);
        joined.truncate(joined.trim_end().len());
    }
    joined
}

fn without_markup(text: &str, markup: Markup) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut letters = 0;
    while letters < 2 * MOST_LETTERS {
        let Some(letter) = rest.chars().next() else {
            break;
        };
        let skipped = match (letter, markup) {
            ('<', _) => tag(rest),
            ('{', Markup::Others) => braces(rest),
            _ => None,
        };
        let referred = match (letter, markup) {
            ('&', Markup::Webvtt) => reference(rest),
            _ => None,
        };
        let length = match (skipped, referred) {
            (Some(length), _) => length,
            (None, Some((meant, length))) => {
                out.push(meant);
                length
            }
            (None, None) => {
                match letter {
                    '\t' => out.push(' '),
                    letter if letter != '\n' && letter.is_control() => {}
                    letter => out.push(letter),
                }
                letter.len_utf8()
            }
        };
        letters += 1;
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// Bytes of the tag that the text begins with: "a<b" and "3 < 5" have none.
fn tag(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let end = inside.find(['>', '<', '\n', '\r'])?;
    let (name, behind) = inside.split_at(end);
    (behind.starts_with('>') && is_tag(name)).then_some(end + 2)
}

fn is_tag(inside: &str) -> bool {
    if inside.contains('.') && time(inside).is_some() {
        return true;
    }
    let inside = inside.strip_prefix('/').unwrap_or(inside);
    let end = inside.find(|letter: char| letter == '.' || letter.is_whitespace());
    let (name, behind) = inside.split_at(end.unwrap_or(inside.len()));
    match name.to_ascii_lowercase().as_str() {
        // Who speaks, in which language, in which letters.
        "v" | "lang" | "font" => true,
        // Only classes.
        "b" | "c" | "i" | "rt" | "ruby" | "s" | "u" => {
            !behind.trim_end().contains(char::is_whitespace)
        }
        _ => false,
    }
}

/// Bytes of `{\an8}` and its like that the text begins with.
fn braces(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{\\")?;
    let end = inside.find(['}', '{', '\n', '\r'])?;
    inside[end..].starts_with('}').then_some(end + 3)
}

/// The letter that a reference stands for, and the reference's bytes.
fn reference(text: &str) -> Option<(char, usize)> {
    let known = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&nbsp;", '\u{a0}'),
        ("&lrm;", '\u{200e}'),
        ("&rlm;", '\u{200f}'),
    ];
    let found = known.into_iter().find(|(name, _)| text.starts_with(name));
    found.map(|(name, meant)| (meant, name.len()))
}

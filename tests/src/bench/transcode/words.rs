//! How many words of a lecture's slides can still be read in what became of them.
//!
//! `tesseract` reads the recording and the result at the same moments, both enlarged to the same
//! size; so its own mistakes on large clear text count for nobody. What the fewer lines of a rung cost
//! is told apart from what its coding costs. Some signs it reads otherwise in pictures that nobody can tell from
//! the recording's: the last column counts only the words that it finds in such a copy as well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use millet_manifest::{Kind, Timeline};

use super::run::{Prepared, ffmpeg};
use super::{demo, output};
use crate::kit::media;

/// Share of the recording's words that should be found, per cent.
const TARGET: f64 = 95.0;
/// Shorter ones are mostly misread ornaments.
const SHORTEST: usize = 3;
/// Both are enlarged to that of these numbers of lines at which most words of the recording are found:
/// small letters are guessed, and large signs are taken apart.
const LINES: [u32; 2] = [720, 1440];
/// Names a further recording in English.
const FURTHER: &str = "MILLET_BENCH_LECTURE";

/// Words and how often each of them stands there.
type Words = BTreeMap<String, usize>;

/// Reads the demonstration, slides of running text, and what [`FURTHER`] names.
///
/// # Panics
/// When a program is missing or fails.
pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8}",
        "words that can be read", "source", "found", "share", "of sure"
    );
    measure("demonstration", &demo("lecture.mp4"), "chi_sim");
    measure("slides of text", &slides_of_text(folder.path()), "eng");
    if let Some(further) = std::env::var_os(FURTHER) {
        let name = Path::new(&further).file_name().unwrap_or_default();
        measure(&name.to_string_lossy(), Path::new(&further), "eng");
    }
    println!();
}

fn measure(name: &str, source: &Path, language: &str) {
    let made = Prepared::make(source, &[]);
    let ends = ends(&made.timeline);
    let (reader, slides) = Reader::for_recording(source, language, &ends);
    let read = |file: &Path, further: &str| -> Vec<Words> {
        let filters = ends.iter().map(|end| format!("{end}{further}"));
        filters.map(|filter| reader.read(file, &filter)).collect()
    };
    let hardly_coded = made.file("clear.mp4");
    let clear = "-c:v libx264 -preset veryfast -crf 12";
    ffmpeg(source, clear, &hardly_coded);
    let again = read(&hardly_coded, "");
    let tally = |made: &[Words]| {
        let mut tally = Tally::default();
        for ((source, again), made) in slides.iter().zip(&again).zip(made) {
            tally.add(source, again, made);
        }
        tally
    };
    let stills = made.timeline.stills.iter();
    let index: Vec<Words> = stills
        .map(|still| reader.read(&made.file(&still.file), ""))
        .collect();
    tally(&index).print(&format!("{name}, pictures of the index"));
    let renditions = made.timeline.renditions.iter();
    let mut sizes = BTreeSet::new();
    for rung in renditions.filter(|rendition| rendition.kind == Kind::Stills) {
        sizes.insert(rung.height);
        let words = read(&made.joined(rung), "");
        tally(&words).print(&format!("{name}, {}", rung.id));
    }
    for lines in sizes {
        let words = read(source, &format!("scale=-2:{lines}:flags=area,"));
        tally(&words).print(&format!("{name}, {lines} lines but not coded"));
    }
    tally(&again).print(&format!("{name}, all lines and hardly coded"));
}

/// Filters for the end of each slide: by then everything has been written on it.
fn ends(timeline: &Timeline) -> Vec<String> {
    let begins = timeline.stills.iter().map(|still| still.at_ms);
    let next = begins.clone().skip(1).chain([timeline.duration_ms]);
    let ends = begins.zip(next);
    ends.map(|(begin, next)| at(next.saturating_sub(1_500).max(begin)))
        .collect()
}

/// Words of the source, and those of them that were found; in all, and of those that are sure to be read.
#[derive(Default)]
struct Tally {
    source: usize,
    found: usize,
    sure: usize,
    found_of_sure: usize,
}

impl Tally {
    /// Counts one picture's words; a word that stands there twice must be found twice. `again` is what can be read
    /// in a copy that looks the same.
    fn add(&mut self, source: &Words, again: &Words, made: &Words) {
        let of = |words: &Words, word: &String| *words.get(word).unwrap_or(&0);
        for (word, count) in source {
            let sure = *count.min(&of(again, word));
            self.source += count;
            self.found += count.min(&of(made, word));
            self.sure += sure;
            self.found_of_sure += sure.min(of(made, word));
        }
    }

    fn print(&self, name: &str) {
        let share = |found: usize, all: usize| found as f64 * 100.0 / all.max(1) as f64;
        let (all, sure) = (
            share(self.found, self.source),
            share(self.found_of_sure, self.sure),
        );
        let verdict = if all < TARGET { "  below 95 %" } else { "" };
        println!(
            "{name:<44} {:>8} {:>8} {all:>6.1} % {sure:>6.1} %{verdict}",
            self.source, self.found
        );
    }
}

/// A filter for the last picture that begins no later: one of a rung stands for many seconds, and
/// the very last one until the end.
fn at(ms: u64) -> String {
    let seconds = (ms + 2) as f64 / 1000.0;
    format!("tpad=stop_mode=clone:stop_duration=60,fps=1:start_time={seconds}:round=up,")
}

/// Who reads pictures.
struct Reader<'a> {
    language: &'a str,
    lines: u32,
}

impl<'a> Reader<'a> {
    /// One who finds most in what is seen behind these filters, and what that is.
    fn for_recording(source: &Path, language: &'a str, filters: &[String]) -> (Self, Vec<Words>) {
        let [small, large] = LINES.map(|lines| {
            let reader = Self { language, lines };
            let read = filters.iter().map(|filter| reader.read(source, filter));
            let found: Vec<Words> = read.collect();
            (reader, found)
        });
        let count = |found: &[Words]| found.iter().flat_map(Words::values).sum::<usize>();
        match count(&large.1) > count(&small.1) {
            true => large,
            false => small,
        }
    }

    /// Reads the first picture behind a filter.
    fn read(&self, file: &Path, filter: &str) -> Words {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("picture.png");
        let filter = format!("{filter}scale=-2:{}:flags=lanczos", self.lines);
        let mut shot = Command::new("ffmpeg");
        shot.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(file);
        output(
            shot.args(["-an", "-vf", &filter, "-frames:v", "1"])
                .arg(&picture),
        );
        let mut reader = Command::new("tesseract");
        // As one block of lines: where it looks for columns and headings, whole slides are lost, of the recording too.
        reader
            .arg(&picture)
            .args(["-", "-l", self.language, "--dpi", "150", "--psm", "6"]);
        let run = reader
            .output()
            .unwrap_or_else(|error| panic!("{reader:?}: {error}; run `make bench`"));
        assert!(run.status.success(), "{reader:?}");
        words(&String::from_utf8_lossy(&run.stdout))
    }
}

/// Letters and digits in a row, in small letters. Chinese has no blanks: each sign is a word.
fn words(text: &str) -> Words {
    let mut words = Words::new();
    let lower = text.to_lowercase();
    for run in lower.split(|c: char| !c.is_alphanumeric()) {
        let signs: Vec<char> = run.chars().filter(|sign| is_chinese(*sign)).collect();
        for sign in &signs {
            *words.entry(sign.to_string()).or_default() += 1;
        }
        if signs.is_empty() && run.chars().count() >= SHORTEST {
            *words.entry(run.to_owned()).or_default() += 1;
        }
    }
    words
}

fn is_chinese(sign: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&sign)
}

/// Five slides of six lines in the size in which teachers write too much.
fn slides_of_text(folder: &Path) -> PathBuf {
    const WORDS: [&str; 16] = [
        "plants",
        "carbon",
        "water",
        "through",
        "sunlight",
        "stored",
        "energy",
        "leaves",
        "roots",
        "cycle",
        "green",
        "temperature",
        "limits",
        "growth",
        "farmers",
        "measure",
    ];
    let mut filter = "drawbox=h=100:color=0x1f6f50:t=fill".to_owned();
    for slide in 0..5 {
        let (from, until) = (slide * 8, slide * 8 + 8);
        for line in 0..6 {
            let text: Vec<&str> = (0..7)
                .map(|word| WORDS[(slide * 11 + line * 5 + word * 3) % WORDS.len()])
                .collect();
            let (text, y) = (text.join(" "), 140 + line * 80);
            filter += &format!(
                ",drawtext=text='{text}':x=60:y={y}:fontsize=28:fontcolor=0x1d2b24\
                 :enable='gte(t,{from})*lt(t,{until})'"
            );
        }
    }
    let path = folder.join("text.mp4");
    let picture = "color=c=0xf7f4ea:s=1280x720:r=10:d=40";
    let mut arguments = vec!["-v", "error", "-y", "-f", "lavfi", "-i", picture];
    arguments.extend(["-f", "lavfi", "-i", "sine=frequency=200:duration=40"]);
    arguments.extend(["-vf", &filter, "-c:v", "libx264", "-crf", "18"]);
    arguments.extend(["-pix_fmt", "yuv420p", "-c:a", "aac"]);
    arguments.push(path.to_str().unwrap());
    media::run("ffmpeg", &arguments);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_as_often_as_it_stands_there() {
        let source = words("The bee, the BEE: a hive-3 2026 蜂箱 of");
        let expected = [
            ("2026", 1),
            ("bee", 2),
            ("hive", 1),
            ("the", 2),
            ("箱", 1),
            ("蜂", 1),
        ];
        let expected: Words = expected
            .map(|(word, count)| (word.to_owned(), count))
            .into();
        assert_eq!(source, expected);
        let mut tally = Tally::default();
        let again = words("the the bee hive 2026 蜂箱");
        tally.add(&source, &again, &words("the bee bee bee hives 蜂"));
        assert_eq!((tally.source, tally.found), (8, 4));
        assert_eq!((tally.sure, tally.found_of_sure), (7, 3));
    }
}

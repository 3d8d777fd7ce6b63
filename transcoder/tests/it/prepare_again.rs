//! A run that was killed goes on where it was, and what it publishes can be played meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use millet_manifest::Progress;

use crate::kit::{Bench, transcoder};

/// Long enough for several segments.
const LONG: &str = "-f lavfi -i testsrc2=size=320x240:rate=10:duration=40 \
     -f lavfi -i sine=duration=40 -c:v libx264 -preset ultrafast -c:a aac";

/// Segments with pictures and when each was written.
fn segments(output: &Path) -> BTreeMap<String, SystemTime> {
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(output).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        if !name.starts_with(['v', 's']) || !folder.path().is_dir() || name == "stills" {
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let own = file.file_name().into_string().unwrap();
            if own.ends_with(".m4s") {
                let written = file.metadata().unwrap().modified().unwrap();
                found.insert(format!("{name}/{own}"), written);
            }
        }
    }
    found
}

/// Begins a run and kills it once it has said enough.
fn killed(bench: &Bench, options: &[&str], mut enough: impl FnMut(Progress) -> bool) {
    let mut child = Command::new(transcoder())
        .arg("prepare")
        .args(options)
        .arg(&bench.input)
        .arg(bench.output())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| enough(serde_json::from_str(&line.unwrap()).unwrap())));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let bench = Bench::made("a.mp4", LONG);
    // Killed as soon as some segments of pictures are announced: those must be on disk, whole.
    let mut announced = Vec::new();
    killed(&bench, &["--h264-only", "--workers", "1"], |line| {
        if let Progress::Published {
            rendition, segment, ..
        } = line
        {
            let bytes = std::fs::metadata(bench.output().join(&segment.file)).unwrap();
            assert_eq!(bytes.len(), segment.bytes);
            if rendition.starts_with(['v', 's']) {
                announced.push(segment.file);
            }
        }
        announced.len() >= 4
    });
    let before = segments(&bench.output());
    assert!(announced.iter().all(|file| before.contains_key(file)));
    let prepared = bench.prepare();
    let after = segments(&prepared.file(""));
    for file in &announced {
        assert_eq!(before[file], after[file], "{file} was made again");
    }
    assert!(after.len() > before.len());
    assert!(!prepared.file("work").exists());
}

/// The head of a long recording is shown while the rest is still being tried out.
#[test]
fn what_was_shown_early_is_not_made_again() {
    let bench = Bench::made("a.mp4", &LONG.replace("=40", "=64"));
    let mut announced = Vec::new();
    killed(&bench, &[], |line| match line {
        Progress::Published {
            rendition, segment, ..
        } if rendition.starts_with('v') => {
            announced.push(segment.file);
            true
        }
        _ => false,
    });
    assert!(!bench.output().join("work/plan.json").exists());
    let before = segments(&bench.output());
    let prepared = bench.prepare();
    let after = segments(&prepared.file(""));
    assert_eq!(announced.len(), 1);
    assert_eq!(before[&announced[0]], after[&announced[0]]);
}

/// Whoever asks for something else gets that.
#[test]
fn other_wishes_are_not_met_by_an_earlier_plan() {
    let bench = Bench::made("a.mp4", LONG);
    killed(
        &bench,
        &["--h264-only", "--quick"],
        |line| matches!(line, Progress::Published { rendition, .. } if rendition.starts_with('v')),
    );
    let quick = segments(&bench.output());
    let prepared = bench.prepare();
    let thorough = segments(&prepared.file(""));
    assert!(
        quick
            .iter()
            .all(|(file, at)| thorough.get(file) != Some(at))
    );
}

/// What another input left is no part of this one.
#[test]
fn a_folder_with_another_recording_is_begun_anew() {
    let bench = Bench::made("a.mp4", LONG);
    killed(&bench, &[], |line| {
        matches!(line, Progress::Published { .. })
    });
    let other = LONG.replace("testsrc2", "testsrc").replace("=40", "=12");
    crate::kit::ffmpeg(&other, &bench.input);
    bench.prepare().lasts(12_000);
}

//! Machines that make parts of one recording come to the same bytes as one machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use millet_manifest::{PLAN_FILE, Progress, Record, WORK_FOLDER};

use crate::kit::{Bench, transcoder};

/// Long enough for several segments; the sound outlasts the pictures, so that more cuts follow.
const LONG: &str = "-f lavfi -i testsrc2=size=320x240:rate=10:duration=40 \
     -f lavfi -i sine=duration=43 -c:v libx264 -preset ultrafast -c:a aac";
/// Where one part ends and the next begins; no cut need be there.
const BETWEEN: &str = "17000";

/// Begins a run whose lines can be read.
fn start(bench: &Bench, output: &Path, options: &[&str]) -> Child {
    std::fs::create_dir_all(output).unwrap();
    Command::new(transcoder())
        .arg("prepare")
        .arg(&bench.input)
        .arg(output)
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads lines until a segment with pictures is announced.
fn until_published(child: &mut Child) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        let line: Progress = serde_json::from_str(&line.unwrap()).unwrap();
        if matches!(line, Progress::Published { rendition, .. } if rendition.starts_with(['v', 's']))
        {
            return;
        }
    }
    panic!("nothing was published");
}

/// Runs to the end; `given` is what others made.
fn finish(bench: &Bench, output: &Path, given: &Path, options: &[&str]) {
    let given = ["--given", given.to_str().unwrap()];
    let mut child = start(bench, output, &[&given[..], options].concat());
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let last = lines.last().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
    let last: Progress = serde_json::from_str(&last).unwrap();
    assert!(matches!(last, Progress::Done { bytes, .. } if bytes > 0));
}

/// Every file below, by its name.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Files that one folder has otherwise than another, or alone.
fn unlike(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let names: BTreeSet<&PathBuf> = one.keys().chain(other.keys()).collect();
    let names = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    names.cloned().collect()
}

/// Two parts of the recording, made by the plan of a run that was killed, gathered in one folder as a
/// server does.
fn made_by_others(bench: &Bench) -> PathBuf {
    let place = |name: &str| bench.folder.path().join(name);
    let lead = place("lead");
    let mut child = start(bench, &lead, &["--h264-only"]);
    until_published(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let given = place("given");
    std::fs::create_dir_all(given.join(WORK_FOLDER)).unwrap();
    let plan = Path::new(WORK_FOLDER).join(PLAN_FILE);
    std::fs::copy(lead.join(&plan), given.join(&plan)).unwrap();
    for (name, options) in [
        ("front", &["--from-ms", "0", "--until-ms", BETWEEN][..]),
        ("back", &["--from-ms", BETWEEN]),
    ] {
        finish(bench, &place(name), &given, options);
    }
    for name in ["front", "back"] {
        let made = tree(&place(name));
        assert!(made.keys().any(|file| file.extension().unwrap() == "m4s"));
        assert!(!made.contains_key(Path::new("timeline.json")));
        for (file, bytes) in made {
            let target = given.join(file);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::write(target, bytes).unwrap();
        }
    }
    given
}

/// Segments with pictures of which records are given, as rendition and index.
fn records(given: &Path) -> Vec<(String, usize)> {
    let names = tree(&given.join(WORK_FOLDER)).into_keys();
    let found = names.filter_map(|name| {
        let (rendition, index) = Record::of_file(name.to_str()?)?;
        Some((rendition.to_owned(), index))
    });
    found.collect()
}

/// Other bytes of the same length, by which it is seen who made the file.
fn mark(given: &Path, (rendition, index): &(String, usize)) -> (PathBuf, Vec<u8>) {
    let name = PathBuf::from(Record::media(rendition, *index));
    let mut bytes = std::fs::read(given.join(&name)).unwrap();
    bytes.reverse();
    std::fs::write(given.join(&name), &bytes).unwrap();
    (name, bytes)
}

#[test]
fn parts_together_are_what_one_run_makes() {
    let bench = Bench::made("a.mp4", LONG);
    let given = made_by_others(&bench);
    let alone = bench.folder.path().join("alone");
    let mut child = start(&bench, &alone, &["--h264-only"]);
    BufReader::new(child.stdout.take().unwrap()).lines().last();
    assert!(child.wait().unwrap().success());
    let expected = tree(&alone);
    let media = |tree: &BTreeMap<PathBuf, Vec<u8>>| {
        let files = tree.keys().filter_map(|file| file.to_str());
        let pictures = files.filter(|file| file.ends_with(".m4s") && file.starts_with(['v', 's']));
        pictures.count()
    };
    assert_eq!(records(&given).len(), media(&expected), "each was made");
    let together = bench.folder.path().join("together");
    finish(&bench, &together, &given, &["--h264-only"]);
    assert_eq!(unlike(&tree(&together), &expected), [] as [PathBuf; 0]);

    // A part that never came is made, and so is what is not whole.
    let late = records(&given);
    let (lost, damaged) = (&late[late.len() - 1], &late[late.len() - 2]);
    std::fs::remove_file(given.join(WORK_FOLDER).join(Record::file(&lost.0, lost.1))).unwrap();
    std::fs::write(given.join(Record::media(&damaged.0, damaged.1)), b"short").unwrap();
    let again = bench.folder.path().join("again");
    finish(&bench, &again, &given, &["--h264-only"]);
    assert_eq!(unlike(&tree(&again), &expected), [] as [PathBuf; 0]);
}

#[test]
fn what_others_finish_while_a_run_goes_on_is_not_made_again() {
    let bench = Bench::made("a.mp4", LONG);
    let given = made_by_others(&bench);
    let last = records(&given);
    let last = last.iter().max_by_key(|record| record.1).unwrap();
    let (name, marked) = mark(&given, last);
    let (later, output) = (
        bench.folder.path().join("later"),
        bench.folder.path().join("together"),
    );
    std::fs::create_dir(&later).unwrap();
    let options = ["--h264-only", "--workers", "1", "--given"];
    let options = [&options[..], &[later.to_str().unwrap()]].concat();
    let mut child = start(&bench, &output, &options);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut delivered = false;
    for line in lines {
        let line: Progress = serde_json::from_str(&line.unwrap()).unwrap();
        let is_published = matches!(&line, Progress::Published { rendition, .. }
            if rendition.starts_with(['v', 's']));
        if is_published && !delivered {
            for (file, bytes) in tree(&given) {
                let target = later.join(file);
                std::fs::create_dir_all(target.parent().unwrap()).unwrap();
                std::fs::write(target, bytes).unwrap();
            }
            delivered = true;
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(delivered);
    let taken = std::fs::read(output.join(name)).unwrap();
    assert!(taken == marked, "the segment was made again");
}

#[test]
fn a_part_of_another_recording_is_not_made() {
    let bench = Bench::made("a.mp4", LONG);
    let given = bench.folder.path().join("given");
    std::fs::create_dir(&given).unwrap();
    let output = bench.folder.path().join("part");
    let options = ["--given", given.to_str().unwrap(), "--from-ms", "0"];
    let run = start(&bench, &output, &options).wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(tree(&output).is_empty());
}

#[test]
fn what_memory_held_before_changes_no_byte() {
    let bench = Bench::made("a.mp4", &LONG.replace("duration=4", "duration=1"));
    // With this glibc fills what it hands out: see mallopt(3).
    let [one, other] = ["1", "85"].map(|fill| {
        let output = bench.folder.path().join(fill);
        let mut prepare = Command::new(transcoder());
        prepare.arg("prepare").arg(&bench.input).arg(&output);
        let prepare = prepare.arg("--h264-only").env("MALLOC_PERTURB_", fill);
        assert!(prepare.output().unwrap().status.success());
        tree(&output)
    });
    assert!(one.contains_key(Path::new("timeline.json")));
    assert_eq!(unlike(&one, &other), [] as [PathBuf; 0]);
}

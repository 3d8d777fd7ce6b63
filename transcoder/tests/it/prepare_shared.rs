//! Machines that make parts of one recording come to the same bytes as one machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use millet_manifest::{DECIDED_PERMILLE, PLAN_FILE, PlanHead, Progress, Record, WORK_FOLDER};

use crate::kit::{Bench, transcoder};

/// Long enough for several segments; the sound outlasts the pictures, so that more cuts follow.
const LONG: &str = "-f lavfi -i testsrc2=size=320x240:rate=10:duration=40 \
     -f lavfi -i sine=duration=43 -c:v libx264 -preset ultrafast -c:a aac";
/// Where one part ends and the next begins; no cut need be there.
const BETWEEN: &str = "17000";
/// Long enough for seams, each minute; pictures and sound lie in turn in the file.
const WITH_SEAMS: &str = "-f lavfi -i testsrc2=size=64x48:rate=25:duration=310 -f lavfi -i sine=duration=312 \
     -c:v libx264 -preset ultrafast -c:a aac";
const SEAM: &str = "120000";
/// The same of slides, that change every 17 seconds.
const SLIDES: &str = "-f lavfi -i color=c=white:s=640x360:r=5:d=310 -vf \
     drawtext=text='Lesson':x=40+12*floor(t/17):y=30+14*floor(t/17):fontsize=52,\
     drawtext=text='Honey':x=60:y=200:fontsize=30:enable='gt(mod(t\\,17)\\,8)' \
     -c:v libx264 -preset ultrafast -crf 1 -g 5";
const OPTIONS: &[&str] = &["--h264-only", "--quick"];

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

/// Reads lines until the plan is there.
fn until_decided(child: &mut Child) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        let line: Progress = serde_json::from_str(&line.unwrap()).unwrap();
        if matches!(line, Progress::Progress { permille, .. } if permille >= DECIDED_PERMILLE) {
            return;
        }
    }
    panic!("nothing was decided");
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

/// A folder with the plan of a run that was killed.
fn planned(bench: &Bench) -> PathBuf {
    let place = |name: &str| bench.folder.path().join(name);
    let lead = place("lead");
    let mut child = start(bench, &lead, OPTIONS);
    until_decided(&mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let given = place("given");
    std::fs::create_dir_all(given.join(WORK_FOLDER)).unwrap();
    let plan = Path::new(WORK_FOLDER).join(PLAN_FILE);
    std::fs::copy(lead.join(&plan), given.join(&plan)).unwrap();
    given
}

/// Whether those who help are told that what they made will not be decoded.
fn leaves_undecoded(given: &Path) -> bool {
    let plan = std::fs::read(given.join(WORK_FOLDER).join(PLAN_FILE)).unwrap();
    let head: PlanHead = serde_json::from_slice(&plan).unwrap();
    head.leaves_undecoded
}

/// Two parts of the recording gathered in one folder, as a server does.
fn made_by_others(bench: &Bench, between: &str) -> PathBuf {
    let place = |name: &str| bench.folder.path().join(name);
    let given = planned(bench);
    for (name, options) in [
        ("front", &["--from-ms", "0", "--until-ms", between][..]),
        ("back", &["--from-ms", between]),
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

/// Segments with pictures of which records are given, as rendition and start.
fn records(given: &Path) -> Vec<(String, u64)> {
    let names = tree(&given.join(WORK_FOLDER)).into_keys();
    let found = names.filter_map(|name| {
        let (rendition, start_ms) = Record::of_file(name.to_str()?)?;
        Some((rendition.to_owned(), start_ms))
    });
    found.collect()
}

/// Other bytes of the same length, by which it is seen who made the file.
fn mark(given: &Path, (rendition, start_ms): &(String, u64)) -> (PathBuf, Vec<u8>) {
    let name = PathBuf::from(Record::media(rendition, *start_ms));
    let mut bytes = std::fs::read(given.join(&name)).unwrap();
    bytes.reverse();
    std::fs::write(given.join(&name), &bytes).unwrap();
    (name, bytes)
}

#[test]
fn parts_together_are_what_one_run_makes() {
    for (recording, between) in [(LONG, BETWEEN), (WITH_SEAMS, SEAM)] {
        parts_are_what_one_run_makes(&Bench::made("a.mp4", recording), between);
    }
}

fn parts_are_what_one_run_makes(bench: &Bench, between: &str) {
    let given = made_by_others(bench, between);
    let alone = bench.folder.path().join("alone");
    let mut child = start(bench, &alone, OPTIONS);
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
    finish(bench, &together, &given, OPTIONS);
    assert_eq!(unlike(&tree(&together), &expected), [] as [PathBuf; 0]);

    // A part that never came is made, and so is what is not whole.
    let late = records(&given);
    let (lost, damaged) = (&late[late.len() - 1], &late[late.len() - 2]);
    std::fs::remove_file(given.join(WORK_FOLDER).join(Record::file(&lost.0, lost.1))).unwrap();
    std::fs::write(given.join(Record::media(&damaged.0, damaged.1)), b"short").unwrap();
    let again = bench.folder.path().join("again");
    finish(bench, &again, &given, OPTIONS);
    assert_eq!(unlike(&tree(&again), &expected), [] as [PathBuf; 0]);
}

#[test]
fn a_part_is_made_without_what_goes_before_its_seam() {
    let bench = Bench::made("a.mp4", WITH_SEAMS);
    let given = planned(&bench);
    assert!(!leaves_undecoded(&given));
    let part = ["--from-ms", SEAM, "--until-ms", "180000"];
    let place = |name: &str| bench.folder.path().join(name);
    finish(&bench, &place("part"), &given, &part);
    // From soon behind the beginning, by which the recording is known again, until a keyframe before the seam
    // not one picture can be decoded.
    let mut bytes = std::fs::read(&bench.input).unwrap();
    let seam = bytes.len() * 120 / 310;
    bytes[70_000..seam * 8 / 10].fill(0xff);
    std::fs::write(&bench.input, bytes).unwrap();
    let whole = start(&bench, &place("whole"), OPTIONS).wait_with_output();
    assert_eq!(whole.unwrap().status.code(), Some(2));
    finish(&bench, &place("again"), &given, &part);
    let made = tree(&place("again"));
    assert!(made.len() > 8);
    assert_eq!(unlike(&made, &tree(&place("part"))), [] as [PathBuf; 0]);
}

#[test]
fn what_others_finish_while_a_run_goes_on_is_not_made_again() {
    let bench = Bench::made("a.mp4", LONG);
    let given = made_by_others(&bench, BETWEEN);
    let last = records(&given);
    let last = last.iter().max_by_key(|record| record.1).unwrap();
    let (name, marked) = mark(&given, last);
    let (later, output) = (
        bench.folder.path().join("later"),
        bench.folder.path().join("together"),
    );
    std::fs::create_dir(&later).unwrap();
    let own = ["--workers", "1", "--given", later.to_str().unwrap()];
    let options = [OPTIONS, &own[..]].concat();
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
fn what_others_made_is_not_taken_where_it_breaks_the_cap_with_what_goes_before() {
    let bench = Bench::made("a.mp4", LONG);
    let given = made_by_others(&bench, BETWEEN);
    let expected = bench.folder.path().join("expected");
    finish(&bench, &expected, &given, OPTIONS);
    // A segment of the second part gets so large that no cap is kept.
    let all = records(&given);
    let large = all.iter().find(|record| record.1 > 17_000).unwrap();
    let (rendition, start_ms) = (&large.0, large.1);
    let file = given
        .join(WORK_FOLDER)
        .join(Record::file(rendition, start_ms));
    let mut record: Record = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let media = given.join(Record::media(rendition, start_ms));
    let mut bytes = std::fs::read(&media).unwrap();
    bytes.resize(bytes.len() + 1_000_000, 0);
    std::fs::write(media, bytes).unwrap();
    record.segment.bytes += 1_000_000;
    record.segment.chunks.last_mut().unwrap().bytes += 1_000_000;
    std::fs::write(&file, serde_json::to_vec(&record).unwrap()).unwrap();
    let output = bench.folder.path().join("together");
    finish(&bench, &output, &given, OPTIONS);
    assert_eq!(unlike(&tree(&output), &tree(&expected)), [] as [PathBuf; 0]);
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
    let made: Vec<PathBuf> = tree(&output).into_keys().collect();
    assert_eq!(made, [Path::new(WORK_FOLDER).join("input.json")]);
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

/// Puts what one machine made of a stretch where the one that holds the job looks for it.
fn hand_over(bench: &Bench, given: &Path, part: &[&str]) {
    let made = bench.folder.path().join(format!("made{}", part.concat()));
    finish(bench, &made, given, part);
    for (file, bytes) in tree(&made) {
        let target = given.join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
}

/// Two stretches of slides that others made in a folder, and the files of a run that makes all.
fn slides_made_by_others(bench: &Bench) -> (PathBuf, BTreeMap<PathBuf, Vec<u8>>) {
    let given = planned(bench);
    hand_over(bench, &given, &["--from-ms", SEAM, "--until-ms", "180000"]);
    hand_over(bench, &given, &["--from-ms", "240000"]);
    let place = |name: &str| bench.folder.path().join(name);
    std::fs::create_dir(place("nothing")).unwrap();
    finish(bench, &place("alone"), &place("nothing"), OPTIONS);
    (given, tree(&place("alone")))
}

/// Leaves nothing to decode of the recording between these seconds.
fn destroy(bench: &Bench, from: usize, until: usize) {
    let mut bytes = std::fs::read(&bench.input).unwrap();
    let whole = bytes.len();
    bytes[whole * from / 310..whole * until / 310].fill(0xff);
    std::fs::write(&bench.input, bytes).unwrap();
}

#[test]
fn slides_of_which_others_made_all_are_not_decoded_again() {
    let bench = Bench::made("a.mp4", SLIDES);
    let (given, expected) = slides_made_by_others(&bench);
    assert!(leaves_undecoded(&given));
    let stills = expected.keys().filter(|file| file.starts_with("stills"));
    assert_eq!(stills.count(), 310 / 17 + 1);
    let together = |name: &str| {
        let output = bench.folder.path().join(name);
        finish(&bench, &output, &given, OPTIONS);
        unlike(&tree(&output), &expected)
    };
    assert_eq!(together("whole"), [] as [PathBuf; 0]);
    destroy(&bench, 126, 170);
    destroy(&bench, 246, 295);
    assert_eq!(together("destroyed"), [] as [PathBuf; 0]);
    // Without their word, all is decoded.
    std::fs::remove_dir_all(given.join("gist")).unwrap();
    assert_ne!(together("untold"), [] as [PathBuf; 0]);
}

#[test]
fn stretches_of_slides_that_follow_each_other_are_left_out_together() {
    let bench = Bench::made("a.mp4", SLIDES);
    let (given, expected) = slides_made_by_others(&bench);
    hand_over(
        &bench,
        &given,
        &["--from-ms", "180000", "--until-ms", "240000"],
    );
    destroy(&bench, 126, 295);
    let output = bench.folder.path().join("together");
    finish(&bench, &output, &given, OPTIONS);
    assert_eq!(unlike(&tree(&output), &expected), [] as [PathBuf; 0]);
}

#[test]
fn slides_of_which_others_told_too_little_are_decoded_after_all() {
    let bench = Bench::made("a.mp4", SLIDES);
    let (given, expected) = slides_made_by_others(&bench);
    let told = given.join(Record::media("gist", 120_000));
    let noted = given.join(WORK_FOLDER).join(Record::file("gist", 120_000));
    let text = std::fs::read(&told).unwrap();
    let mut gist: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(!gist["stills"].as_object().unwrap().is_empty());
    gist["stills"] = serde_json::json!({});
    let text = serde_json::to_vec(&gist).unwrap();
    let mut record: Record = serde_json::from_slice(&std::fs::read(&noted).unwrap()).unwrap();
    record.segment.bytes = text.len() as u64;
    record.segment.chunks[0].bytes = text.len() as u64;
    std::fs::write(&told, text).unwrap();
    std::fs::write(&noted, serde_json::to_vec(&record).unwrap()).unwrap();
    let output = bench.folder.path().join("together");
    finish(&bench, &output, &given, OPTIONS);
    assert_eq!(unlike(&tree(&output), &expected), [] as [PathBuf; 0]);
}

#[test]
fn slides_without_a_keyframe_to_go_on_from_are_decoded_after_all() {
    let seldom = SLIDES.replace("-g 5", "-g 3000 -sc_threshold 0 -force_key_frames 200");
    let bench = Bench::made("a.mp4", &seldom);
    let (given, expected) = slides_made_by_others(&bench);
    let output = bench.folder.path().join("together");
    finish(&bench, &output, &given, OPTIONS);
    assert_eq!(unlike(&tree(&output), &expected), [] as [PathBuf; 0]);
}

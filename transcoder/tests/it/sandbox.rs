//! What can be seen of the sandbox from outside.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use millet_manifest::{BadInput, Progress, TIMELINE_FILE};

use crate::kit::{Bench, PICTURES, progress, transcoder};

/// A pipe that nobody writes to: the transcoder is shut in and then waits for its input.
fn waiting_input() -> Bench {
    let bench = Bench::with("placeholder", b"");
    let pipe = bench.folder.path().join("pipe.mp4");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    Bench {
        input: pipe,
        ..bench
    }
}

#[test]
fn a_file_behind_a_link_in_the_output_folder_stays_as_it_is() {
    let bench = Bench::made(
        "a.mp4",
        &format!("{PICTURES} -c:v libx264 -preset ultrafast"),
    );
    let victim = bench.folder.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, bench.output().join(TIMELINE_FILE)).unwrap();
    let run = bench.run();
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
}

#[test]
fn it_is_shut_in_before_it_opens_its_input() {
    let bench = waiting_input();
    let mut child = Command::new(transcoder())
        .args(["--with-parent", "prepare"])
        .arg(&bench.input)
        .arg(bench.output())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let proc = format!("/proc/{}", child.id());
    let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_shut_in(&status, &limits);
    assert_ne!(words(&limits, "Max file size")[0], "0");
}

/// A live run needs no file at all.
#[test]
fn a_live_run_is_shut_in_before_it_reads() {
    let mut child = crate::live_kit::spawn(0);
    let mut first = [0; 4];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    let proc = format!("/proc/{}", child.id());
    let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
    let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_shut_in(&status, &limits);
    assert_eq!(words(&limits, "Max file size")[0], "0");
}

/// The words behind a name at the start of a line.
fn words(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let words = line[name.len()..].split_whitespace();
    words.map(str::to_owned).collect()
}

fn assert_shut_in(status: &str, limits: &str) {
    assert_eq!(words(status, "NoNewPrivs:"), ["1"]);
    assert_eq!(words(status, "Seccomp:"), ["2"]);
    assert_ne!(words(limits, "Max address space")[0], "unlimited");
    assert_ne!(words(limits, "Max file size")[0], "unlimited");
    let time: Vec<u64> = words(limits, "Max cpu time")[..2]
        .iter()
        .map(|seconds| seconds.parse().unwrap())
        .collect();
    assert!(time[0] < time[1], "no time to say why: {time:?}");
    assert_eq!(words(limits, "Max core file size")[0], "0");
}

/// One second is enough to look at this, and not to encode it.
#[test]
fn a_recording_that_costs_too_much_is_refused_in_one_sentence() {
    let long = PICTURES.replace("duration=3", "duration=60");
    let bench = Bench::made("a.mp4", &format!("{long} -c:v libx264 -preset ultrafast"));
    let run = Command::new("prlimit")
        .args(["--cpu=1:60", transcoder(), "prepare"])
        .arg(&bench.input)
        .arg(bench.output())
        .output()
        .unwrap();
    let errors = String::from_utf8(run.stderr.clone()).unwrap();
    assert_eq!(run.status.code(), Some(2), "{:?}: {errors}", run.status);
    let Some(Progress::Refused { reason, sentence }) = progress(&run).pop() else {
        panic!("no refusal on standard output");
    };
    assert_eq!(reason, BadInput::OverLimit);
    assert_eq!(errors, format!("{sentence}\n"));
    assert!(!bench.output().join(TIMELINE_FILE).exists());
}

/// People keep what a class came to in a file.
#[test]
fn a_live_run_may_write_into_the_file_that_is_its_output() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("chunks");
    for _ in 0..2 {
        let chunks = File::options()
            .create(true)
            .append(true)
            .open(&place)
            .unwrap();
        let before = chunks.metadata().unwrap().len();
        let run = Command::new(transcoder())
            .args(["live", "--start-ms", "0"])
            .stdin(Stdio::null())
            .stdout(chunks)
            .status()
            .unwrap();
        assert!(run.success(), "{run:?}");
        assert!(std::fs::metadata(&place).unwrap().len() > before + 1_000);
    }
}

/// A parent of a run with these words, that is killed as soon as the run is shut in; what the run says afterwards.
fn said_without_parent(bench: &Bench, words: &str) -> String {
    let mut parent = Command::new("sh")
        .args(["-c", &format!("\"$0\" {words} \"$1\" \"$2\" 2>&1 & wait")])
        .arg(transcoder())
        .arg(&bench.input)
        .arg(bench.output())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(parent.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    assert!(first.contains("probe"), "{first}");
    parent.kill().unwrap();
    assert_eq!(parent.wait().unwrap().signal(), Some(9));
    let pipe = bench.input.clone();
    // Waits for ever when nobody reads any more; a reader that closes just then is not the last one.
    std::thread::spawn(move || {
        loop {
            match std::fs::write(&pipe, "no film") {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => break,
                _ => {}
            }
        }
    });
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    rest
}

/// A server that is killed leaves no transcoder behind: the output pipe closes only when every
/// process that holds it is gone.
#[test]
fn it_dies_with_its_parent_when_it_is_told_to() {
    let bench = waiting_input();
    assert_eq!(said_without_parent(&bench, "--with-parent prepare"), "");
    assert_eq!(said_without_parent(&bench, "prepare --with-parent"), "");
}

/// Who starts it by hand and logs out wants it to go on.
#[test]
fn by_itself_it_outlives_its_parent() {
    let bench = waiting_input();
    let said = said_without_parent(&bench, "prepare");
    assert!(said.contains("refused"), "{said}");
}

//! What people see who run it by hand.

use std::path::Path;
use std::process::Command;

use crate::kit::{Bench, transcoder};

/// Runs in a terminal of its own and gives back all that was drawn there.
fn on_a_terminal(command: &str) -> (bool, String) {
    let run = Command::new("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let drawn = String::from_utf8_lossy(&run.stdout).into_owned();
    (run.status.success(), drawn)
}

#[test]
fn people_see_a_bar_and_what_came_out() {
    let bench = Bench::made(
        "a.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=10:duration=6 -c:v libx264 -preset ultrafast",
    );
    let (input, output) = (bench.input.display(), bench.output());
    let command = format!(
        "{} prepare --h264-only {input} {}",
        transcoder(),
        output.display()
    );
    let (done, drawn) = on_a_terminal(&command);
    assert!(done, "{drawn}");
    assert!(drawn.contains("100 % done"), "{drawn}");
    assert!(drawn.contains("clear video"), "{drawn}");
    assert!(!drawn.contains("\"type\""), "{drawn}");
    assert!(output.join("timeline.json").is_file());
}

#[test]
fn people_see_why_a_file_is_refused() {
    let bench = Bench::made(
        "a.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=10:duration=6 -c:v libx264 -preset ultrafast",
    );
    std::fs::write(&bench.input, "no recording at all").unwrap();
    let (input, output) = (bench.input.display(), bench.output());
    let command = format!("{} prepare {input} {}", transcoder(), output.display());
    let (done, drawn) = on_a_terminal(&command);
    assert!(!done && !drawn.contains("\"type\""), "{drawn}");
    let said = drawn.lines().map(str::trim).any(|line| line.ends_with('.'));
    assert!(said, "{drawn}");
}

#[test]
fn the_folder_is_made_and_a_wrong_path_is_named() {
    let bench = Bench::made(
        "a.mp4",
        "-f lavfi -i testsrc2=size=320x240:rate=10:duration=2 -c:v libx264 -preset ultrafast",
    );
    let input = bench.input.to_str().unwrap();
    let output = bench.folder.path().join("new/folder");
    let output = output.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(transcoder());
        command.args(arguments).output().unwrap()
    };
    assert!(
        run(&["prepare", "--h264-only", input, output])
            .status
            .success()
    );
    assert!(Path::new(output).join("timeline.json").is_file());
    for arguments in [
        &["prepare", "nowhere.mp4", output][..],
        &["probe", "nowhere.mp4"],
    ] {
        let run = run(arguments);
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(said.contains("nowhere.mp4 cannot be opened"), "{said}");
        assert!(run.stdout.is_empty(), "nothing is said of a recording");
        assert!(!run.status.success());
    }
}

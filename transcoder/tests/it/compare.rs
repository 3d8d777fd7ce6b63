//! Two files weighed against each other, as a person or a script asks for it.

use std::process::{Command, Output, Stdio};

use crate::kit::{Bench, transcoder};

const PICTURES: &str = "-f lavfi -i testsrc2=size=320x240:rate=15:duration=4";

fn compare(arguments: &[&str]) -> Output {
    Command::new(transcoder())
        .arg("compare")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_better_and_the_cheaper_are_told_apart() {
    let bench = Bench::made("original.mp4", &format!("{PICTURES} -c:v libx264 -crf 8"));
    let original = bench.input.to_str().unwrap();
    let small = bench.folder.path().join("small.mp4");
    let large = bench.folder.path().join("large.mkv");
    let plot = bench.folder.path().join("plot.svg");
    let half = format!("-i {original} -vf scale=160:-2,fps=5 -c:v libx264 -crf 36");
    crate::kit::ffmpeg(&half, &small);
    crate::kit::ffmpeg(&format!("-i {original} -c:v libx264 -crf 18"), &large);
    let (small, large) = (small.to_str().unwrap(), large.to_str().unwrap());
    let drawn = plot.to_str().unwrap();
    let run = compare(&[small, large, "--reference", original, "--plot", drawn]);
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let said: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(said["rate_a_to_b"].as_f64().unwrap() < 0.5, "{said}");
    let quality = |file: &str, what: &str| said[file]["quality"][what].as_f64().unwrap();
    assert!(quality("a", "ssim") + 0.05 < quality("b", "ssim"), "{said}");
    assert!(quality("b", "psnr_db") > 35.0, "{said}");
    // The reference's rate, not the small one's.
    assert_eq!(said["a"]["quality"]["pictures"], 60);
    for file in ["a", "b"] {
        let rate = |what: &str| said[file][what].as_u64().unwrap();
        assert!(rate("peak_bps") >= rate("average_bps") * 9 / 10, "{said}");
    }
    assert!(std::fs::read_to_string(plot).unwrap().starts_with("<svg"));
}

/// What ffmpeg is here decides the reason, never whether there is a comparison.
#[test]
fn without_libvmaf_everything_else_is_compared_and_it_says_why() {
    let bench = Bench::made("a.mp4", &format!("{PICTURES} -c:v libx264"));
    let file = bench.input.to_str().unwrap();
    for (program, why) in [
        ("/nowhere/ffmpeg", "cannot be started"),
        ("true", "true has no libvmaf"),
    ] {
        let run = Command::new(transcoder())
            .args(["compare", file, file, "--reference", file])
            .env("MILLET_VMAF_FFMPEG", program)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(run.status.success() && run.stderr.is_empty());
        let said: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        for file in ["a", "b"] {
            assert!(said[file]["quality"]["vmaf"].is_null(), "{said}");
            assert_eq!(said[file]["quality"]["pictures"], 60, "{said}");
        }
        let sentence = said["vmaf_left_out"].as_str().unwrap();
        assert!(sentence.contains(why), "{sentence}");
        assert!(sentence.contains("MILLET_VMAF_FFMPEG"), "{sentence}");
    }
}

#[test]
fn without_a_reference_only_cost_is_compared() {
    let bench = Bench::made("a.mp4", &format!("{PICTURES} -c:v libx264"));
    let file = bench.input.to_str().unwrap();
    let run = compare(&[file, file]);
    let said: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(said["rate_a_to_b"], 1.0);
    assert!(said["a"]["quality"].is_null());
    assert!(said["vmaf_left_out"].is_null());
}

#[test]
fn what_is_no_media_is_refused_in_one_sentence() {
    let bench = Bench::with("notes.mp4", b"no film");
    let file = bench.input.to_str().unwrap();
    let run = compare(&[file, file]);
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.ends_with(".\n") && said.lines().count() == 1, "{said}");
}

/// As for every other command: a path that is wrong says nothing of a recording.
#[test]
fn a_path_that_is_wrong_is_no_bad_recording() {
    let bench = Bench::made("a.mp4", &format!("{PICTURES} -c:v libx264"));
    let file = bench.input.to_str().unwrap();
    let missing = "/nowhere/a.mp4";
    for arguments in [
        [file, missing].as_slice(),
        &[missing, file],
        &[file, file, "--reference", missing],
        &[file, file, "--reference", missing, "--plot", "plot.svg"],
        &[
            file,
            file,
            "--reference",
            file,
            "--plot",
            "/nowhere/plot.svg",
        ],
    ] {
        let run = compare(arguments);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(
            said.contains("/nowhere/") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn a_drawing_stays_as_it_was_until_there_is_another() {
    let bench = Bench::made("a.mp4", &format!("{PICTURES} -c:v libx264"));
    let film = bench.input.to_str().unwrap();
    let beside = |name: &str| bench.folder.path().join(name);
    let (sound, notes) = (beside("sound.m4a"), beside("notes.mp4"));
    crate::kit::ffmpeg("-f lavfi -i sine=duration=4 -c:a aac", &sound);
    std::fs::write(&notes, "no film").unwrap();
    let (old, new) = (beside("old.svg"), beside("new.svg"));
    std::fs::write(&old, "a drawing").unwrap();
    for (second, code, why) in [
        (sound.to_str().unwrap(), 2, "nothing to draw"),
        (notes.to_str().unwrap(), 2, "."),
        ("/nowhere/a.mp4", 1, "cannot be opened"),
    ] {
        for drawing in [&old, &new] {
            let drawing = drawing.to_str().unwrap();
            let run = compare(&[film, second, "--reference", film, "--plot", drawing]);
            let said = String::from_utf8(run.stderr).unwrap();
            assert_eq!(run.status.code(), Some(code), "{said}");
            assert!(said.contains(why) && said.lines().count() == 1, "{said}");
        }
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "a drawing");
        assert!(!new.exists());
    }
    let drawing = old.to_str().unwrap();
    let run = compare(&[film, film, "--reference", film, "--plot", drawing]);
    assert!(run.status.success());
    assert!(std::fs::read_to_string(&old).unwrap().starts_with("<svg"));
}

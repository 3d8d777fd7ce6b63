//! Files of captions beside a recording: `.srt` and `WebVTT`, good ones and hostile ones.

use std::process::Command;

use millet_manifest::BadInput;

use crate::kit::{Bench, Prepared, TONE};

/// Long enough for HLS to cut captions.
fn talk() -> Bench {
    let tone = TONE.replace("duration=3", "duration=150");
    Bench::made("talk.m4a", &format!("{tone} -c:a aac -b:a 32k"))
}

/// `LANGUAGE=FILE` of a file with these bytes.
fn file(bench: &Bench, language: &str, name: &str, bytes: &[u8]) -> String {
    let path = bench.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    format!("{language}={}", path.display())
}

fn text(prepared: &Prepared, name: &str) -> String {
    std::fs::read_to_string(prepared.file(name)).unwrap()
}

#[test]
fn files_beside_a_recording_become_its_captions() {
    let bench = talk();
    // "Bees" and "Water" in Chinese, as an editor in China saves them.
    let srt = b"1\r\n00:00:01,000 --> 00:00:02,000\r\n\xc3\xdb\xb7\xe4\r\n\r\n\
                2\r\n00:00:55,000 --> 00:02:20,000\r\nif a<b then \xcb\xae\r\n";
    let zh = file(&bench, "zh", "talk.srt", srt);
    let vtt =
        "WEBVTT\n\nNOTE none\n\n00:05.000 --> 99:00:00.000 line:0\n<v Li>Bees &amp; <b>water\n";
    let en = file(&bench, "en", "english.vtt", vtt.as_bytes());
    let run = bench.run_with(&["--captions", &zh, "--captions", &en]);
    let prepared = bench.prepared(&run);
    let captions = &prepared.timeline.captions;
    let languages: Vec<_> = captions.iter().map(|own| own.language.as_deref()).collect();
    assert_eq!(languages, [Some("zh"), Some("en")]);
    let first = "00:00:01.000 --> 00:00:02.000\n蜜蜂\n";
    let second = "00:00:55.000 --> 00:02:20.000\nif a&lt;b then 水\n";
    let whole = format!("WEBVTT\n\n{first}\n{second}");
    assert_eq!(text(&prepared, &captions[0].file), whole);
    assert_eq!(captions[0].bytes, whole.len() as u64);
    let english = text(&prepared, &captions[1].file);
    let end = prepared.timeline.duration_ms;
    let until = format!("00:02:{:02}.{:03}", end / 1_000 - 120, end % 1_000);
    assert_eq!(
        english,
        format!("WEBVTT\n\n00:00:05.000 --> {until}\nBees &amp; water\n")
    );

    let list = text(&prepared, "captions/0.m3u8");
    let pieces: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(pieces, ["0/00000.vtt", "0/00001.vtt", "0/00002.vtt"]);
    let lengths = list
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:"));
    let lengths: Vec<f64> = lengths
        .map(|length| length.trim_end_matches(',').parse().unwrap())
        .collect();
    let (whole_s, sum) = (end as f64 / 1_000.0, lengths.iter().sum::<f64>());
    assert!((sum - whole_s).abs() < 0.001, "{lengths:?} of {whole_s}");
    let head = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n";
    let piece = |number: usize| text(&prepared, &format!("captions/{}", pieces[number]));
    assert_eq!(piece(0), format!("{head}\n{first}\n{second}"));
    assert_eq!(piece(1), format!("{head}\n{second}"));
    assert_eq!(piece(2), format!("{head}\n{second}"));
    let master = text(&prepared, "master.m3u8");
    assert!(master.contains("NAME=\"zh\",LANGUAGE=\"zh\"") && master.contains("LANGUAGE=\"en\""));
}

#[test]
fn what_is_no_file_of_captions_is_refused_before_anything_is_made() {
    let bench = Bench::made("a.m4a", &format!("{TONE} -c:a aac"));
    let large = "1\n00:00:01,000 --> 00:00:02,000\nwords\n\n".repeat(30_000);
    let many = "0:01 --> 0:02\na\n".repeat(20_001);
    let cases: [(&[u8], &str); 7] = [
        (&[0x7f, b'E', b'L', b'F', 1, 2, 0xff, 0xfe], "UTF-8"),
        (b"\xff\xfe\x00\xd8\x00\x00", "UTF-16"),
        (b"", "no captions"),
        (b"Dear all,\nthis is a letter.\n", "no captions"),
        (b"1\n00:00:99,000 --> 00:00:02,000\nwords\n", "line 2"),
        (large.as_bytes(), "bytes"),
        (many.as_bytes(), "20000"),
    ];
    for (index, (bytes, why)) in cases.into_iter().enumerate() {
        let captions = file(&bench, "zh", &format!("{index}.srt"), bytes);
        let run = bench.run_with(&["--captions", &captions]);
        let sentence = bench.refused_by(&run, BadInput::Captions);
        assert!(
            sentence.contains(why) && sentence.contains(".srt"),
            "{sentence}"
        );
    }
    // Neither of them may be waited for, or read for ever.
    let pipe = bench.folder.path().join("pipe.srt");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for odd in [pipe.to_str().unwrap(), "/dev/zero", "/"] {
        let run = bench.run_with(&["--captions", &format!("zh={odd}")]);
        let sentence = bench.refused_by(&run, BadInput::Captions);
        assert!(sentence.contains("not a file"), "{sentence}");
    }
    let nine: Vec<String> = (0..9)
        .flat_map(|_| ["--captions".into(), file(&bench, "zh", "b.srt", TWICE)])
        .collect();
    let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
    let sentence = bench.refused_by(&bench.run_with(&nine), BadInput::Captions);
    assert!(sentence.contains("More than 8"), "{sentence}");
}

const TWICE: &[u8] = b"00:01,000 --> 00:02,000\nOnce\n\n00:01,000 --> 00:02,000\nTwice\n";

#[test]
fn a_language_is_told_and_a_file_is_there() {
    let bench = Bench::made("a.m4a", &format!("{TONE} -c:a aac"));
    let unnamed = bench.run_with(&["--captions", "lesson.srt"]);
    assert!(String::from_utf8_lossy(&unnamed.stderr).contains("LANGUAGE=FILE"));
    let missing = bench.run_with(&["--captions", "zh=/nowhere/lesson.srt"]);
    assert_eq!(missing.status.code(), Some(1));
    let words = String::from_utf8_lossy(&missing.stderr);
    assert!(
        words.contains("/nowhere/lesson.srt cannot be opened"),
        "{words}"
    );
}

//! Tries to get out of the sandbox, from inside.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use millet_manifest::{BadInput, Progress};
use millet_transcoder::sandbox::{self, Reach};

use crate::escape_calls::Calls;
use crate::kit::{Bench, transcoder};

/// Names what the process that is started for one attempt should try, and where it may work.
const ATTEMPT: &str = "MILLET_ESCAPE";
const FOLDER: &str = "MILLET_ESCAPE_FOLDER";
/// Set where that process is to have only pipes.
const PIPES: &str = "MILLET_ESCAPE_PIPES";

/// What is tried, and whether it was refused as it must be.
fn attempt(what: &str, folder: &Path) -> bool {
    let denied = |kind: ErrorKind| kind == ErrorKind::PermissionDenied;
    match what {
        "connect" => TcpStream::connect("127.0.0.1:9").is_err_and(|e| denied(e.kind())),
        "listen" => TcpListener::bind("127.0.0.1:0").is_err_and(|e| denied(e.kind())),
        "datagram" => UdpSocket::bind("127.0.0.1:0").is_err_and(|e| denied(e.kind())),
        "run" => Command::new("/bin/true")
            .status()
            .is_err_and(|e| denied(e.kind())),
        "read" => std::fs::read("/etc/passwd").is_err_and(|e| denied(e.kind())),
        "read beside" => {
            let beside = std::fs::read(folder.join("beside"));
            beside.is_err_and(|e| denied(e.kind()))
        }
        "write beside" => {
            let beside = std::fs::write(folder.join("beside"), "x");
            beside.is_err_and(|e| denied(e.kind()))
        }
        "overwrite the input" => {
            let input = std::fs::write(folder.join("input"), "x");
            input.is_err_and(|e| denied(e.kind()))
        }
        "read what is given" => {
            std::fs::read(folder.join("given/file")).is_ok_and(|text| text == b"as it was")
        }
        "write where others give" => {
            let own = std::fs::write(folder.join("given/own"), "x");
            let taken = std::fs::remove_file(folder.join("given/file"));
            own.is_err_and(|e| denied(e.kind())) && taken.is_err_and(|e| denied(e.kind()))
        }
        "allocate without end" => Vec::<u8>::new().try_reserve_exact(16 << 30).is_err(),
        "loop without end" => loop {
            std::hint::spin_loop();
        },
        "work inside" => work(&folder.join("out")).is_ok(),
        "give up" => std::process::abort(),
        "make a thread" => std::thread::spawn(|| 7)
            .join()
            .is_ok_and(|seven| seven == 7),
        other => panic!("{other} is no attempt"),
    }
}

/// All that is done in an output folder.
fn work(out: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(out.join("work/deep"))?;
    std::fs::write(out.join("work/part"), "x")?;
    std::fs::rename(out.join("work/part"), out.join("work/whole"))?;
    let whole = std::fs::File::options()
        .write(true)
        .open(out.join("work/whole"))?;
    whole.set_len(0)?;
    whole.sync_all()?;
    std::fs::read(out.join("work/whole"))?;
    std::fs::write(out.join("file"), "x")?;
    std::fs::remove_dir_all(out.join("work"))
}

/// Does nothing but in the processes that the other tests start.
#[test]
fn inside() {
    let (Ok(what), Some(folder)) = (std::env::var(ATTEMPT), std::env::var_os(FOLDER)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let (input, output) = (folder.join("input"), folder.join("out"));
    let given = folder.join("given");
    let only_pipes = std::env::var_os(PIPES).is_some();
    let mut calls = Calls::about(&folder);
    let reach = match only_pipes {
        true => Reach::Pipes,
        false => Reach::Files {
            input: &input,
            output: &output,
            given: given.exists().then_some(given.as_path()),
            captions: &[],
        },
    };
    sandbox::enter(reach).unwrap();
    match what.as_str() {
        "every call" => assert_eq!(calls.not_refused(only_pipes), Vec::<&str>::new()),
        what => assert!(attempt(what, &folder), "{what}"),
    }
}

/// Runs one attempt in a process of its own, behind the words of another command.
fn start(before: &[&str], what: &str, folder: &Path) -> Output {
    let this = std::env::current_exe().unwrap();
    let mut words = before.iter().map(OsStr::new).chain([this.as_os_str()]);
    Command::new(words.next().unwrap())
        .args(words)
        .args(["--exact", "escape::inside", "--nocapture"])
        .env(ATTEMPT, what)
        .env(FOLDER, folder)
        .output()
        .unwrap()
}

/// A folder as one attempt needs it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for inside in ["out", "given"] {
        std::fs::create_dir(folder.path().join(inside)).unwrap();
    }
    for file in ["input", "beside", "given/file"] {
        std::fs::write(folder.path().join(file), "as it was").unwrap();
    }
    folder
}

/// Nothing was done to any file that is not the process's own.
fn is_as_it_was(folder: &Path, what: &str) {
    for file in ["input", "beside", "given/file"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(text, "as it was", "{what}");
        let about = std::fs::metadata(folder.join(file)).unwrap();
        assert_ne!(about.permissions().mode() & 0o777, 0, "{what}");
    }
}

#[test]
fn nothing_gets_out_and_work_goes_on_inside() {
    for what in [
        "every call",
        "connect",
        "listen",
        "datagram",
        "run",
        "read",
        "read beside",
        "write beside",
        "overwrite the input",
        "read what is given",
        "write where others give",
        "allocate without end",
        "work inside",
        "make a thread",
    ] {
        let folder = folder();
        let run = start(&[], what, folder.path());
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{what}: {said}");
        is_as_it_was(folder.path(), what);
    }
}

/// The filter alone holds here, also where the kernel has no Landlock.
#[test]
fn a_process_that_has_only_pipes_reaches_no_file() {
    let folder = folder();
    let run = start(&["env", &format!("{PIPES}=1")], "every call", folder.path());
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
    is_as_it_was(folder.path(), "every call");
    let made = std::fs::read_dir(folder.path().join("out")).unwrap();
    assert_eq!(made.count(), 0);
}

#[test]
fn who_gives_up_can_end_itself() {
    let run = start(&[], "give up", folder().path());
    assert_eq!(run.status.signal(), Some(libc::SIGABRT), "{:?}", run.status);
}

/// At the soft limit of processor time, here one second, it says why; the hard one needs no consent.
#[test]
fn a_loop_without_end_is_ended() {
    let folder = folder();
    let sentence = "This file needs more than 1 second of processor time, which no recording does.";

    let told = start(
        &["prlimit", "--cpu=1:60"],
        "loop without end",
        folder.path(),
    );
    assert_eq!(told.status.code(), Some(2), "{:?}", told.status);
    let errors = String::from_utf8(told.stderr).unwrap();
    assert!(errors.ends_with(&format!("{sentence}\n")), "{errors}");
    let out = String::from_utf8(told.stdout).unwrap();
    let last: Progress = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let refused = Progress::Refused {
        reason: BadInput::OverLimit,
        sentence: sentence.into(),
    };
    assert_eq!(last, refused);

    let deaf = ["env", "--block-signal=XCPU", "prlimit", "--cpu=1:2"];
    let killed = start(&deaf, "loop without end", folder.path());
    assert_eq!(killed.status.signal(), Some(9), "{:?}", killed.status);
}

/// Names that libav would take for something else than a file.
#[test]
fn a_name_is_a_file_and_nothing_else() {
    let bench = Bench::with("a.mp4", b"no film");
    for name in [
        "concat:/etc/passwd|/etc/passwd",
        "subfile,,start,0,end,100,,:/etc/passwd",
        "data:video/mp4;base64,AAAA",
        "http://127.0.0.1:9/a.mp4",
        "pipe:0",
    ] {
        let run = Command::new(transcoder())
            .args(["prepare", name])
            .arg(bench.output())
            .output()
            .unwrap();
        assert!(!run.status.success(), "{name}");
        assert!(!bench.output().join("timeline.json").exists());
    }
}

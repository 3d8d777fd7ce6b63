//! Says why, before the kernel ends a process that computes without end.
//!
//! At the soft limit of processor time the kernel sends a signal, whose handler writes words made
//! beforehand and ends the process. The hard limit is the kernel's own and needs nobody's help.
#![allow(unsafe_code, reason = "a signal's handler has no safe wrapper in std")]

use std::io;
use std::sync::OnceLock;

use millet_manifest::{BadInput, ExitCode, Progress};

/// Written and done when time is up; the handler may neither allocate nor lock.
static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

struct LastWords {
    /// A line of progress; empty where standard output carries something else.
    out: Vec<u8>,
    /// For people.
    err: Vec<u8>,
    code: ExitCode,
}

/// To whom a process answers for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// The file is hostile, and who started us reads progress on standard output.
    FileInProgress,
    /// The file is hostile, and standard output carries the answer.
    File,
    /// A class may go on for long; its next run begins behind this one.
    Run,
}

/// From now on the process ends with a sentence when it has computed for `seconds`. The first call
/// counts. The limit itself is set by the caller.
///
/// # Errors
/// When the kernel refuses the handler.
pub(crate) fn explain(seconds: u64, blame: Blame) -> io::Result<()> {
    LAST_WORDS.get_or_init(|| last_words(seconds, blame));
    // SAFETY: the structure is plain data, zeroed and then filled as sigaction(2) asks; the handler
    // only reads what was made before and calls write(2) and _exit(2), both safe in a handler.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = time_is_up as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGXCPU, &raw const action, std::ptr::null_mut())
    };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn last_words(seconds: u64, blame: Blame) -> LastWords {
    let time = in_words(seconds);
    let sentence = match blame {
        Blame::FileInProgress | Blame::File => {
            format!("This file needs more than {time} of processor time, which no recording does.")
        }
        Blame::Run => format!("This run has had its {time} of processor time."),
    };
    let err = format!("{sentence}\n").into_bytes();
    let out = if blame == Blame::FileInProgress {
        let refused = Progress::Refused {
            reason: BadInput::OverLimit,
            sentence,
        };
        let json = serde_json::to_string(&refused).map(|json| format!("{json}\n"));
        json.unwrap_or_default().into_bytes()
    } else {
        Vec::new()
    };
    let code = match blame {
        Blame::FileInProgress | Blame::File => ExitCode::BAD_INPUT,
        Blame::Run => ExitCode::FAULT,
    };
    LastWords { out, err, code }
}

extern "C" fn time_is_up(_signal: libc::c_int) {
    let Some(words) = LAST_WORDS.get() else {
        return;
    };
    for (file, text) in [
        (libc::STDOUT_FILENO, &words.out),
        (libc::STDERR_FILENO, &words.err),
    ] {
        // SAFETY: the bytes live as long as the process. Shorter than PIPE_BUF, they come in one
        // piece between the lines of other threads; whoever reads may be gone.
        unsafe {
            libc::write(file, text.as_ptr().cast(), text.len());
        }
    }
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(words.code.0.into()) }
}

/// Whole hours as hours, everything else as seconds.
fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        3600.. if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ => (seconds, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(in_words(crate::limits::CPU_S), "12 hours");
        assert_eq!(in_words(3600), "1 hour");
        assert_eq!(in_words(1), "1 second");
        assert_eq!(in_words(5400), "5400 seconds");
    }

    #[test]
    fn last_words_come_in_one_piece_and_a_live_run_blames_nobody() {
        for blame in [Blame::FileInProgress, Blame::File, Blame::Run] {
            let words = last_words(43_200, blame);
            // _POSIX_PIPE_BUF: what is longer may be mixed with the lines of other threads.
            assert!(words.out.len() < 512 && words.err.len() < 512);
            assert_eq!(words.out.is_empty(), blame != Blame::FileInProgress);
            let code = if blame == Blame::Run { 1 } else { 2 };
            assert_eq!(words.code, ExitCode(code));
        }
    }
}

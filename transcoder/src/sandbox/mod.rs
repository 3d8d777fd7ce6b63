//! Takes away what a prepared run does not need, before a hostile file is opened.
//!
//! Order matters: limits, then files, then system calls. What the kernel
//! does not offer is said on standard error and left out; the rest still holds.
#![allow(unsafe_code, reason = "prctl has no safe wrapper in std")]

mod calls;

use std::fs::{File, Metadata};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
    make_bitflags,
};
use rlimit::Resource;

use crate::captions::CaptionFile;
use crate::error::Error;
use crate::limits;
use crate::overtime::{self, Blame};
use crate::raw;

/// Niceness of work that is done for another machine.
const STAND_BACK: libc::c_int = 15;
/// Steps of niceness (each takes a fifth of the share) by which workers are behind.
const BEHIND_OTHERS: libc::c_int = 5;

/// What a process may reach besides computing and the pipes that it was given.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// One file to read and some beside it, one folder to write into, perhaps one to read from.
    Files {
        /// To be read.
        input: &'a Path,
        /// Everything below may be written.
        output: &'a Path,
        /// What lies below may be read, also what is put there later.
        given: Option<&'a Path>,
        /// To be read.
        captions: &'a [CaptionFile],
    },
    /// Files to read.
    Inputs(&'a [&'a Path]),
    /// No file at all.
    Pipes,
}

/// Shuts this process in. To be called before any other thread runs.
///
/// # Errors
/// When a limit that the kernel does offer cannot be set.
pub fn enter(reach: Reach<'_>) -> Result<(), Error> {
    limit(reach)?;
    limit_time(reach)?;
    raw::quiet();
    raw::give_memory_back();
    raw::bound_allocations(limits::LARGEST_ALLOCATION);
    files(reach)?;
    calls::refuse(matches!(reach, Reach::Pipes))
}

/// Lets everything else on this machine go first: for work that is done for another one.
///
/// # Errors
/// When the system refuses.
pub fn stand_back() -> Result<(), Error> {
    // SAFETY: sets a number of this process; the arguments are plain numbers.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, STAND_BACK) };
    if set != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}

/// Lets other threads of this process go before the calling one: those that read and cut have to keep all
/// that encode busy.
pub(crate) fn let_others_first() {
    // SAFETY: changes a number of the calling thread; where that is refused, all are equal as before.
    unsafe {
        libc::nice(BEHIND_OTHERS);
    }
}

/// Kills this process when its parent dies, also when that happened a moment ago. To be called first of all.
///
/// # Errors
/// When the parent is gone already, or the system refuses.
pub fn die_with_parent() -> Result<(), Error> {
    let parent = std::os::unix::process::parent_id();
    // SAFETY: sets a flag of this process; the arguments are plain numbers.
    let set = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if set != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    if std::os::unix::process::parent_id() != parent {
        return Err(Error::Fault("the parent is gone".into()));
    }
    Ok(())
}

fn limit(reach: Reach<'_>) -> Result<(), Error> {
    let written = written();
    let (memory, file_bytes, open_files) = match reach {
        Reach::Files { .. } => (
            limits::ADDRESS_SPACE,
            limits::FILE_BYTES,
            limits::OPEN_FILES,
        ),
        Reach::Inputs(_) => (
            limits::ADDRESS_SPACE,
            limits::REPORT_BYTES,
            limits::OPEN_FILES,
        ),
        Reach::Pipes => (
            limits::LIVE_ADDRESS_SPACE,
            written.map_or(0, |_| limits::FILE_BYTES),
            limits::LIVE_OPEN_FILES,
        ),
    };
    // What is appended to a file counts from where the file begins.
    let file_bytes = file_bytes + written.unwrap_or(0);
    for (resource, most) in [
        (Resource::AS, memory),
        (Resource::FSIZE, file_bytes),
        (Resource::NOFILE, open_files),
        (Resource::CORE, 0),
    ] {
        let (_, hard) = resource.get()?;
        let most = most.min(hard);
        resource.set(most, most)?;
    }
    Ok(())
}

/// The bytes that are there already where standard output or standard error goes into a file.
fn written() -> Option<u64> {
    let said = [std::io::stdout().as_fd(), std::io::stderr().as_fd()].map(about);
    let files = said.into_iter().flatten().filter(Metadata::is_file);
    files.map(|file| file.len()).max()
}

fn about(open: BorrowedFd<'_>) -> Option<Metadata> {
    File::from(open.try_clone_to_owned().ok()?).metadata().ok()
}

/// Bounds processor time; who started us may have set less. At the soft limit it ends with a
/// sentence, at the hard one without.
fn limit_time(reach: Reach<'_>) -> Result<(), Error> {
    let (soft, hard) = Resource::CPU.get()?;
    let hard = hard.min(limits::CPU_S + limits::CPU_LAST_WORDS_S);
    // At equal limits the kernel kills at once.
    let soft = soft.min(limits::CPU_S).min(hard.saturating_sub(1).max(1));
    Resource::CPU.set(soft, hard)?;
    let blame = match reach {
        Reach::Files { .. } => Blame::FileInProgress,
        Reach::Inputs(_) => Blame::File,
        Reach::Pipes => Blame::Run,
    };
    Ok(overtime::explain(soft, blame)?)
}

fn files(reach: Reach<'_>) -> Result<(), Error> {
    let fault = |error: &dyn std::fmt::Display| Error::Fault(format!("landlock: {error}"));
    let abi = ABI::V10;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .map_err(|error| fault(&error))?;
    let (inputs, output): (Vec<&Path>, Option<&Path>) = match reach {
        Reach::Files {
            input,
            output,
            given,
            captions,
        } => {
            let captions = captions.iter().map(|file| file.path.as_path());
            let inputs = [input].into_iter().chain(given).chain(captions);
            (inputs.collect(), Some(output))
        }
        Reach::Inputs(inputs) => (inputs.to_vec(), None),
        Reach::Pipes => (Vec::new(), None),
    };
    let readable = inputs
        .into_iter()
        .map(|path| (path, AccessFs::ReadFile.into()));
    let writable = output.map(|path| (path, written_below()));
    for (path, access) in readable.chain(writable) {
        let file = PathFd::new(path).map_err(|error| fault(&error))?;
        ruleset = ruleset
            .add_rule(PathBeneath::new(file, access))
            .map_err(|error| fault(&error))?;
    }
    let status = ruleset.restrict_self().map_err(|error| fault(&error))?;
    if status.ruleset == RulesetStatus::NotEnforced {
        eprintln!("this kernel has no Landlock: the transcoder may open every file of its user");
    }
    Ok(())
}

/// What may be done in the output folder: files and folders, and nothing that leads elsewhere.
fn written_below() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir
    })
}

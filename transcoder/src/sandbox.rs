//! Takes away what a prepared run does not need, before a hostile file is opened.
//!
//! Order matters: the parent's death, then limits, then files, then system calls. What the kernel
//! does not offer is said on standard error and left out; the rest still holds.
#![allow(unsafe_code, reason = "prctl has no safe wrapper in std")]

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
};
use rlimit::Resource;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::captions::CaptionFile;
use crate::error::Error;
use crate::limits;
use crate::overtime::{self, Blame};
use crate::raw;

/// Calls by which a process reaches the network, another process, or more rights.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_open_by_handle_at,
    libc::SYS_memfd_create,
];

/// Niceness of work that is done for another machine.
const STAND_BACK: libc::c_int = 15;
/// Steps of niceness (each takes a fifth of the share) by which workers are behind.
const BEHIND_OTHERS: libc::c_int = 5;

/// The flag of a call that makes a thread.
const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;

/// Calls that make another process; threads are made by `clone` with a flag that says so.
const FORKING: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// Calls by which a process that has only pipes would reach a file, also where there is no Landlock.
const OPENING: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_truncate,
];

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
    die_with_parent()?;
    limit(reach)?;
    limit_time(reach)?;
    raw::quiet();
    raw::give_memory_back();
    raw::bound_allocations(limits::LARGEST_ALLOCATION);
    files(reach)?;
    calls(reach)
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

/// Kills this process when its parent dies, also when that happened a moment ago.
fn die_with_parent() -> Result<(), Error> {
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
        Reach::Pipes => (limits::LIVE_ADDRESS_SPACE, 0, limits::LIVE_OPEN_FILES),
    };
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
    let abi = ABI::V3;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .map_err(|error| fault(&error))?
        .create()
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
    let writable = output.map(|path| (path, AccessFs::from_all(abi)));
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

fn calls(reach: Reach<'_>) -> Result<(), Error> {
    let fault = |error: &dyn std::fmt::Display| Error::Fault(format!("seccomp: {error}"));
    let arch: TargetArch = std::env::consts::ARCH
        .try_into()
        .map_err(|error| fault(&error))?;
    let opening = match reach {
        Reach::Files { .. } | Reach::Inputs(_) => &[],
        Reach::Pipes => OPENING,
    };
    let forbidden = FORBIDDEN.iter().chain(FORKING).chain(opening);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        forbidden.map(|call| (*call, Vec::new())).collect();
    let thread = SeccompCmpOp::MaskedEq(CLONE_THREAD);
    let no_thread = SeccompCondition::new(0, SeccompCmpArgLen::Qword, thread, 0)
        .and_then(|condition| SeccompRule::new(vec![condition]))
        .map_err(|error| fault(&error))?;
    rules.insert(libc::SYS_clone, vec![no_thread]);
    apply(rules, libc::EPERM, arch)?;
    // Its flags lie in memory, where a filter cannot look; who is told that it does not exist takes
    // `clone`.
    apply(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        libc::ENOSYS,
        arch,
    )
}

/// Makes every call that a rule fits fail with `errno`.
fn apply(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: i32,
    arch: TargetArch,
) -> Result<(), Error> {
    let fault = |error: &dyn std::fmt::Display| Error::Fault(format!("seccomp: {error}"));
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(u32::try_from(errno).unwrap_or(1)),
        arch,
    )
    .map_err(|error| fault(&error))?;
    let program: BpfProgram = filter.try_into().map_err(|error| fault(&error))?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(()),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if error.raw_os_error() == Some(libc::EINVAL)
                || error.raw_os_error() == Some(libc::ENOSYS) =>
        {
            eprintln!("this kernel has no seccomp filters: the transcoder may make every call");
            Ok(())
        }
        Err(error) => Err(fault(&error)),
    }
}

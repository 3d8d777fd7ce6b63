//! Which system calls are refused.
//!
//! What libav, its libraries and the C library call differs from machine to machine, so a list of what may be called
//! would break runs that are in order. But the calls up to Linux 5.0 are a table that is closed: of these, here is
//! what is refused. What came later does not exist for this process, and who asks for it falls back on what does.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use crate::error::Error;

/// Calls by which a process reaches the network, another process, or more rights.
const REACHING: &[c_long] = &[
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
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_ioprio_set,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_inotify_init1,
    libc::SYS_memfd_create,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_inotify_init,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    // Threads are made by `clone`, with a flag that says so.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// Calls that change what is said about a file, which Landlock does not govern; and those that make in a folder
/// something else than files and folders, so that whoever looks into it is led elsewhere.
const MARKING: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
];

/// Calls by which a process that has only pipes would reach a file, also where there is no Landlock.
const OPENING: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_truncate,
    RENAMEAT,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
];

/// The `libc` crate does not know it everywhere.
#[cfg(target_arch = "x86_64")]
const RENAMEAT: c_long = libc::SYS_renameat;
#[cfg(not(target_arch = "x86_64"))]
const RENAMEAT: c_long = 38;

/// What may be asked of an open file's driver: whether it is a terminal, and how wide. Among all the rest are
/// letters typed into a terminal, and marks on a file that is open for reading.
const ASKING: &[u64] = &[
    libc::TCGETS,
    libc::TCGETS2,
    libc::TIOCGWINSZ,
    libc::FIONREAD,
    libc::FIONBIO,
    libc::FIOCLEX,
];

/// F_SETOWN, F_SETSIG and F_SETOWN_EX, of which the `libc` crate knows one: to whom the kernel sends which signal
/// when there is something to read.
const OWNING: [u64; 3] = [8, 10, 15];

/// The first call that Linux 5.0 did not have, the same on every processor.
const NEWER: u32 = 424;
/// From here on x86-64 has every call once more, for programs with short pointers.
const SHORT_POINTERS: u32 = 0x4000_0000;

/// Refuses what nobody inside needs; of a process that has only pipes, also every file.
pub(super) fn refuse(only_pipes: bool) -> Result<(), Error> {
    let opening = if only_pipes { OPENING } else { &[] };
    let refused = REACHING.iter().chain(MARKING).chain(opening);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        refused.map(|call| (*call, Vec::new())).collect();
    rules.extend(partly()?);
    let arch: TargetArch = std::env::consts::ARCH
        .try_into()
        .map_err(|error| fault(&error))?;
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch)
        .map_err(|error| fault(&error))?;
    install(&filter.try_into().map_err(|error| fault(&error))?)?;
    install(&numbers())
}

/// Calls that are refused where an argument says so; each of several rules is reason enough. What a pointer leads
/// to a filter cannot see.
fn partly() -> Result<BTreeMap<i64, Vec<SeccompRule>>, Error> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};
    let thread = libc::CLONE_THREAD as u64;
    let this = u64::from(std::process::id());
    let of_another = || vec![rule(&[(0, Ne, 0)])];
    let process = libc::PRIO_PROCESS as u64;
    let asking: Vec<_> = ASKING.iter().map(|asked| (1, Ne, *asked)).collect();
    let naming = OWNING.map(|command| rule(&[(1, Eq, command)]));
    let rules = [
        (libc::SYS_clone, vec![rule(&[(0, MaskedEq(thread), 0)])]),
        // A process that gives up ends itself by it.
        (libc::SYS_tgkill, vec![rule(&[(0, Ne, this)])]),
        (
            libc::SYS_prlimit64,
            vec![rule(&[(0, Ne, 0), (0, Ne, this)])],
        ),
        (
            libc::SYS_setpriority,
            vec![rule(&[(0, Ne, process)]), rule(&[(1, Ne, 0)])],
        ),
        (libc::SYS_sched_setaffinity, of_another()),
        (libc::SYS_sched_setattr, of_another()),
        (libc::SYS_sched_setparam, of_another()),
        (libc::SYS_sched_setscheduler, of_another()),
        (libc::SYS_fcntl, naming.into()),
        (libc::SYS_ioctl, vec![rule(&asking)]),
    ];
    rules
        .into_iter()
        .map(|(call, rules)| Ok((call, rules.into_iter().collect::<Result<_, Error>>()?)))
        .collect()
}

/// Fits when all of these hold: the argument of this place, compared as the 32 bits that the kernel looks at.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, Error> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|(place, operator, value)| {
            let (width, operator) = (SeccompCmpArgLen::Dword, operator.clone());
            SeccompCondition::new(*place, width, operator, *value)
        })
        .collect();
    conditions
        .and_then(SeccompRule::new)
        .map_err(|error| fault(&error))
}

/// Refuses calls by their number's size, which no list can: there is no end to them. Who is told that a newer call
/// does not exist takes an older one; threads are so made by `clone`, whose flags a filter can see.
fn numbers() -> BpfProgram {
    let refusal = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.unsigned_abs();
    let is_from = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    [
        // The number is what a filter is given first.
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        (is_from, SHORT_POINTERS, 3),
        (is_from, NEWER, 1),
        (end, libc::SECCOMP_RET_ALLOW, 0),
        (end, refusal(libc::ENOSYS), 0),
        (end, refusal(libc::EPERM), 0),
    ]
    .map(|(code, k, jt)| sock_filter {
        code: code as u16,
        jt,
        jf: 0,
        k,
    })
    .to_vec()
}

fn install(program: &BpfProgram) -> Result<(), Error> {
    match seccompiler::apply_filter(program) {
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

fn fault(error: &dyn std::fmt::Display) -> Error {
    Error::Fault(format!("seccomp: {error}"))
}

//! System calls by which a process would reach out of its sandbox: bare, as no library would make them.
#![allow(
    unsafe_code,
    reason = "a call that no library makes has no safe wrapper"
)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use libc::c_long;

/// Added to the number of a call of x86-64, it is the same for programs with short pointers.
const SHORT_POINTERS: c_long = 0x4000_0000;
const CWD: c_long = libc::AT_FDCWD as c_long;

/// A name, a number, arguments.
type Call = (&'static str, c_long, Vec<c_long>);

/// What calls are about. It is made before the process is shut in.
pub struct Calls {
    /// Another process, which is not to be reached.
    other: c_long,
    input: File,
    /// A file that is not to be touched.
    beside: CString,
    /// A place where something could be made.
    place: CString,
    info: Box<libc::siginfo_t>,
    /// Read and written as whatever a call takes.
    room: Box<[u64; 64]>,
}

fn address(text: &CStr) -> c_long {
    text.as_ptr() as c_long
}

impl Calls {
    pub fn about(folder: &Path) -> Self {
        let path = |name: &str| CString::new(folder.join(name).to_str().unwrap()).unwrap();
        // SAFETY: plain data, of which zeros are a value.
        let mut info: Box<libc::siginfo_t> = Box::new(unsafe { std::mem::zeroed() });
        info.si_code = libc::SI_QUEUE;
        Self {
            other: c_long::from(std::os::unix::process::parent_id()),
            input: File::open(folder.join("input")).unwrap(),
            beside: path("beside"),
            place: path("out/place"),
            info,
            room: Box::new([0; 64]),
        }
    }

    /// Makes every call that nobody inside may; names those that were not refused by the filter.
    pub fn not_refused(&mut self, only_pipes: bool) -> Vec<&'static str> {
        let mut refused = self.reaching();
        refused.extend(self.marking());
        if only_pipes {
            refused.extend(self.opening());
        }
        let newer = self.newer();
        let through = refused.iter().filter(|call| error(call) != libc::EPERM);
        let newer = newer.iter().filter(|call| error(call) != libc::ENOSYS);
        through.chain(newer).map(|(name, ..)| *name).collect()
    }

    fn fd(&self) -> c_long {
        self.input.as_raw_fd().into()
    }

    fn room(&mut self) -> c_long {
        self.room.as_mut_ptr() as c_long
    }

    fn reaching(&mut self) -> Vec<Call> {
        let (other, fd, room) = (self.other, self.fd(), self.room());
        let info = &raw const *self.info as c_long;
        vec![
            ("kill", libc::SYS_kill, vec![other, 0]),
            ("tkill", libc::SYS_tkill, vec![other, 0]),
            ("tgkill", libc::SYS_tgkill, vec![other, other, 0]),
            (
                "rt_sigqueueinfo",
                libc::SYS_rt_sigqueueinfo,
                vec![other, 0, info],
            ),
            (
                "rt_tgsigqueueinfo",
                libc::SYS_rt_tgsigqueueinfo,
                vec![other, other, 0, info],
            ),
            ("prlimit64", libc::SYS_prlimit64, vec![other, 7, 0, room]),
            ("setpriority", libc::SYS_setpriority, vec![0, other, 19]),
            (
                "setpriority of a group",
                libc::SYS_setpriority,
                vec![1, 0, 19],
            ),
            (
                "sched_setaffinity",
                libc::SYS_sched_setaffinity,
                vec![other, 8, room],
            ),
            (
                "sched_setscheduler",
                libc::SYS_sched_setscheduler,
                vec![other, 0, room],
            ),
            (
                "sched_setparam",
                libc::SYS_sched_setparam,
                vec![other, room],
            ),
            (
                "sched_setattr",
                libc::SYS_sched_setattr,
                vec![other, room, 0],
            ),
            ("ioprio_set", libc::SYS_ioprio_set, vec![1, other, 0]),
            (
                "migrate_pages",
                libc::SYS_migrate_pages,
                vec![other, 0, 0, 0],
            ),
            (
                "move_pages",
                libc::SYS_move_pages,
                vec![other, 0, 0, 0, 0, 0],
            ),
            ("kcmp", libc::SYS_kcmp, vec![other, other, 0, 0, 0]),
            ("shmget", libc::SYS_shmget, vec![0, 4096, 0o1600]),
            ("msgget", libc::SYS_msgget, vec![0, 0o1600]),
            ("fcntl F_SETOWN", libc::SYS_fcntl, vec![fd, 8, other]),
            ("fcntl F_SETSIG", libc::SYS_fcntl, vec![fd, 10, 9]),
            ("fcntl F_SETOWN_EX", libc::SYS_fcntl, vec![fd, 15, room]),
            ("ioctl TIOCSTI", libc::SYS_ioctl, vec![fd, 0x5412, room]),
            (
                "ioctl FS_IOC_SETFLAGS",
                libc::SYS_ioctl,
                vec![fd, 0x4008_6602, room],
            ),
            ("inotify_init1", libc::SYS_inotify_init1, vec![0]),
            ("io_setup", libc::SYS_io_setup, vec![1, room]),
            ("short pointers", SHORT_POINTERS | libc::SYS_getpid, vec![]),
            (
                "short pointers, kill",
                SHORT_POINTERS | libc::SYS_kill,
                vec![other, 0],
            ),
        ]
    }

    fn marking(&mut self) -> Vec<Call> {
        let (fd, room, name) = (self.fd(), self.room(), address(c"user.mark"));
        let (beside, place) = (address(&self.beside), address(&self.place));
        let calls = vec![
            ("fchmod", libc::SYS_fchmod, vec![fd, 0]),
            ("fchmodat", libc::SYS_fchmodat, vec![CWD, beside, 0]),
            ("fchown", libc::SYS_fchown, vec![fd, -1, -1]),
            ("fchownat", libc::SYS_fchownat, vec![CWD, beside, -1, -1, 0]),
            ("utimensat", libc::SYS_utimensat, vec![CWD, beside, 0, 0]),
            (
                "utimensat of an open file",
                libc::SYS_utimensat,
                vec![fd, 0, 0, 0],
            ),
            (
                "setxattr",
                libc::SYS_setxattr,
                vec![beside, name, room, 1, 0],
            ),
            (
                "lsetxattr",
                libc::SYS_lsetxattr,
                vec![beside, name, room, 1, 0],
            ),
            ("fsetxattr", libc::SYS_fsetxattr, vec![fd, name, room, 1, 0]),
            ("removexattr", libc::SYS_removexattr, vec![beside, name]),
            ("lremovexattr", libc::SYS_lremovexattr, vec![beside, name]),
            ("fremovexattr", libc::SYS_fremovexattr, vec![fd, name]),
            ("linkat", libc::SYS_linkat, vec![CWD, beside, CWD, place, 0]),
            ("symlinkat", libc::SYS_symlinkat, vec![beside, CWD, place]),
            ("mknodat", libc::SYS_mknodat, vec![CWD, place, 0o010_600, 0]),
        ];
        #[cfg(target_arch = "x86_64")]
        let calls = [
            calls,
            vec![
                ("chmod", libc::SYS_chmod, vec![beside, 0]),
                ("chown", libc::SYS_chown, vec![beside, -1, -1]),
                ("lchown", libc::SYS_lchown, vec![beside, -1, -1]),
                ("utime", libc::SYS_utime, vec![beside, 0]),
                ("utimes", libc::SYS_utimes, vec![beside, 0]),
                ("futimesat", libc::SYS_futimesat, vec![CWD, beside, 0]),
                ("link", libc::SYS_link, vec![beside, place]),
                ("symlink", libc::SYS_symlink, vec![beside, place]),
                ("mknod", libc::SYS_mknod, vec![place, 0o010_600, 0]),
            ],
        ]
        .concat();
        calls
    }

    /// Of a process that has only pipes.
    fn opening(&self) -> Vec<Call> {
        let (beside, place) = (address(&self.beside), address(&self.place));
        let calls = vec![
            ("openat", libc::SYS_openat, vec![CWD, beside, 0]),
            ("unlinkat", libc::SYS_unlinkat, vec![CWD, beside, 0]),
            (
                "renameat2",
                libc::SYS_renameat2,
                vec![CWD, beside, CWD, place, 0],
            ),
            ("mkdirat", libc::SYS_mkdirat, vec![CWD, place, 0o700]),
            ("truncate", libc::SYS_truncate, vec![beside, 0]),
        ];
        #[cfg(target_arch = "x86_64")]
        let calls = [
            calls,
            vec![
                ("open", libc::SYS_open, vec![beside, 0]),
                ("creat", libc::SYS_creat, vec![beside, 0o600]),
                ("unlink", libc::SYS_unlink, vec![beside]),
                ("rename", libc::SYS_rename, vec![beside, place]),
                (
                    "renameat",
                    libc::SYS_renameat,
                    vec![CWD, beside, CWD, place],
                ),
                ("mkdir", libc::SYS_mkdir, vec![place, 0o700]),
                ("rmdir", libc::SYS_rmdir, vec![place]),
            ],
        ]
        .concat();
        calls
    }

    /// Calls that came after Linux 5.0, by their numbers: no library knows them all.
    fn newer(&mut self) -> Vec<Call> {
        let (other, beside, room) = (self.other, address(&self.beside), self.room());
        let name = address(c"user.mark");
        vec![
            ("pidfd_send_signal", 424, vec![0, 0, 0, 0]),
            ("io_uring_setup", 425, vec![1, room]),
            ("open_tree", 428, vec![CWD, beside, 0]),
            ("pidfd_open", 434, vec![other, 0]),
            ("clone3", 435, vec![room, 64]),
            ("openat2", 437, vec![CWD, beside, room, 24]),
            ("process_madvise", 440, vec![0, 0, 0, 0, 0]),
            ("process_mrelease", 448, vec![0, 0]),
            ("fchmodat2", 452, vec![CWD, beside, 0, 0]),
            ("setxattrat", 463, vec![CWD, beside, 0, name, room, 16]),
            ("removexattrat", 466, vec![CWD, beside, 0, name]),
            ("file_setattr", 469, vec![CWD, beside, room, 24, 0]),
        ]
    }
}

/// Why a call failed; 0 if it did not.
fn error((_, number, arguments): &Call) -> i32 {
    let argument = |n: usize| arguments.get(n).copied().unwrap_or(0);
    // SAFETY: every address is of memory that lives on in [`Calls`] and is larger than any call needs.
    let result = unsafe {
        libc::syscall(
            *number,
            argument(0),
            argument(1),
            argument(2),
            argument(3),
            argument(4),
            argument(5),
        )
    };
    match result {
        -1 => std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
        _ => 0,
    }
}

//! What another process has used, as the kernel accounts for it.

/// Processor time and memory of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// Resident memory, KiB.
    pub resident_kib: f64,
}

/// Clock ticks a second in `/proc`; fixed at 100 on Linux (proc(5), `USER_HZ`).
const TICKS: f64 = 100.0;

/// Usage of a process so far.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn usage(pid: u32) -> Usage {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold spaces; fields are counted behind its bracket.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    Usage {
        cpu_s: (ticks(11) + ticks(12)) / TICKS,
        resident_kib: resident.unwrap(),
    }
}

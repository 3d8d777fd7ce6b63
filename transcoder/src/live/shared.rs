//! What the threads of a run tell each other without waiting: numbers, and records on their way out.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use millet_manifest::live::{Chunk, Output, Record as _};

use super::grid::PART;
use crate::error::Error;

/// Records that wait for whoever reads them; about two chunks of every rendition.
const WAITING: usize = 16;

/// A thread of a run.
pub(crate) type Thread = JoinHandle<Result<(), Error>>;

/// Numbers that several threads look at. Each is a hint of its own; none guards other memory, so
/// every access is relaxed.
#[derive(Default)]
pub(crate) struct Signs {
    heard: Presence,
    seen: Presence,
    sent_ms: AtomicI64,
    late: AtomicBool,
    resting: AtomicUsize,
    skipped: AtomicU64,
    damaged: AtomicU64,
}

impl Signs {
    pub(crate) fn new(start_ms: i64) -> Arc<Self> {
        let signs = Self::default();
        signs.sent_ms.store(start_ms, Ordering::Relaxed);
        Arc::new(signs)
    }

    /// In which parts the publisher's own sound came.
    pub(crate) fn heard(&self) -> &Presence {
        &self.heard
    }

    /// In which parts the publisher's own pictures came.
    pub(crate) fn seen(&self) -> &Presence {
        &self.seen
    }

    /// End of the newest chunk that left.
    pub(crate) fn sent_ms(&self) -> i64 {
        self.sent_ms.load(Ordering::Relaxed)
    }

    /// Whether this process has fallen behind, so that pictures must not be waited for.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    pub(crate) fn set_late(&self, late: bool) {
        self.late.store(late, Ordering::Relaxed);
    }

    /// How many of the largest rungs are left out.
    pub(crate) fn resting(&self) -> usize {
        self.resting.load(Ordering::Relaxed)
    }

    pub(crate) fn set_resting(&self, rungs: usize) {
        self.resting.store(rungs, Ordering::Relaxed);
    }

    /// Pictures that were left out because encoders were busy.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    pub(crate) fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// Packets that could not be decoded.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn damage(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Parts that are remembered: half a minute.
const REMEMBERED: usize = 64;

/// In which of the last parts of the grid something came.
pub(crate) struct Presence {
    /// At each number's place, modulo how many there are, the newest part's number.
    parts: [AtomicI64; REMEMBERED],
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            parts: [const { AtomicI64::new(i64::MIN) }; REMEMBERED],
        }
    }
}

impl Presence {
    fn part(&self, number: i64) -> &AtomicI64 {
        let place = number.rem_euclid(REMEMBERED as i64);
        &self.parts[usize::try_from(place).unwrap_or(0)]
    }

    /// Something came at `at_ms`.
    pub(crate) fn mark(&self, at_ms: i64) {
        let number = at_ms.div_euclid(PART);
        self.part(number).store(number, Ordering::Relaxed);
    }

    /// Whether something came in a part between these times, which are on the grid.
    pub(crate) fn any(&self, from_ms: i64, until_ms: i64) -> bool {
        let numbers = from_ms.div_euclid(PART)..until_ms.div_euclid(PART);
        numbers
            .take(REMEMBERED)
            .any(|number| self.part(number).load(Ordering::Relaxed) == number)
    }
}

/// The way out. Who sends waits while nobody reads.
#[derive(Clone)]
pub(crate) struct Sink {
    records: SyncSender<Output>,
    signs: Arc<Signs>,
}

impl Sink {
    /// Starts the thread that writes records to standard output.
    pub(crate) fn open(signs: Arc<Signs>) -> Result<(Self, Thread), Error> {
        let (records, waiting) = sync_channel::<Output>(WAITING);
        let writer = std::thread::Builder::new()
            .name("output".into())
            .spawn(move || {
                let mut out = std::io::stdout().lock();
                for record in waiting {
                    let bytes = record
                        .encode()
                        .map_err(|error| Error::Fault(error.to_string()))?;
                    out.write_all(&bytes)?;
                    out.flush()?;
                }
                Ok(())
            })?;
        Ok((Self { records, signs }, writer))
    }

    pub(crate) fn send(&self, record: Output) -> Result<(), Error> {
        self.records
            .send(record)
            .map_err(|_| Error::Fault("nobody reads the output".into()))
    }

    pub(crate) fn chunk(&self, chunk: Chunk) -> Result<(), Error> {
        let end_ms = chunk.start_ms + u64::from(chunk.duration_ms);
        self.send(Output::Chunk(chunk))?;
        let end_ms = i64::try_from(end_ms).unwrap_or(i64::MAX);
        self.signs.sent_ms.fetch_max(end_ms, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_remembered_by_parts() {
        let seen = Presence::default();
        seen.mark(1_700);
        assert!(seen.any(1_500, 2_000));
        assert!(seen.any(1_000, 2_000));
        assert!(!seen.any(2_000, 9_000));
        assert!(!seen.any(1_500, 1_500));
        // Half a minute later the same place holds another part.
        seen.mark(1_700 + 32_000);
        assert!(!seen.any(1_500, 2_000));
    }
}

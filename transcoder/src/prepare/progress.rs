//! How far the work is: what was read counts a little, what was encoded counts most.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use millet_manifest::{
    DECIDED_PERMILLE, ENCODED_PERMILLE, Progress as Line, Record, Segment, Stage,
};

use super::watchable::Watchable;
use crate::ladder::Rung;
use crate::report::Report;

/// Shared by the reader and the workers. The numbers are hints of their own; none guards other
/// memory, so every access is relaxed.
#[derive(Clone)]
pub(super) struct Progress {
    report: Report,
    inner: Arc<Inner>,
}

struct Inner {
    read_permille: AtomicU32,
    /// Milliseconds of the recording, times pixels, that were encoded.
    encoded: AtomicU64,
    /// The same of the whole work, 0 when the container does not say its length.
    whole: u64,
    /// Only the head is made: deciding goes on behind it, and others must not take that for done.
    is_head: bool,
    /// What can be watched early, until it is said.
    watchable: Mutex<Option<Watchable>>,
}

impl Progress {
    pub(super) fn new(
        report: &Report,
        announced_ms: i64,
        rungs: &[Rung],
        watchable: Option<Watchable>,
        is_head: bool,
    ) -> Self {
        let pixels: u64 = rungs.iter().map(weight).sum();
        let whole = u64::try_from(announced_ms)
            .unwrap_or(0)
            .saturating_mul(pixels);
        let progress = Self {
            report: report.clone(),
            inner: Arc::new(Inner {
                read_permille: AtomicU32::new(0),
                encoded: AtomicU64::new(0),
                whole,
                is_head,
                watchable: Mutex::new(watchable),
            }),
        };
        // Of sound alone everything is known at once.
        progress.begun(None);
        progress
    }

    /// A rung has its initialisation; says what can be watched once that is true of all that it takes.
    fn begun(&self, rung: Option<(&Rung, &Record)>) {
        let watchable = self.inner.watchable.lock();
        let mut watchable = watchable.unwrap_or_else(PoisonError::into_inner);
        if let (Some(watchable), Some((rung, record))) = (watchable.as_mut(), rung) {
            watchable.begun(rung, record);
        }
        if let Some(known) = watchable.take_if(|watchable| watchable.is_known()) {
            self.report.line(&known.line());
        }
    }

    /// So many thousandths of the input were read.
    pub(super) fn read(&self, permille: u32) {
        let permille = permille.min(1000);
        self.inner.read_permille.store(permille, Ordering::Relaxed);
        self.tell();
    }

    /// A segment is in place.
    pub(super) fn encoded(&self, rung: &Rung, index: usize, record: &Record) {
        self.begun(Some((rung, record)));
        let segment = &record.segment;
        let work = segment.duration_ms.saturating_mul(weight(rung));
        self.inner.encoded.fetch_add(work, Ordering::Relaxed);
        self.published(&rung.id, index, segment);
        self.tell();
    }

    /// Says that a segment can be played.
    pub(super) fn published(&self, rendition: &str, index: usize, segment: &Segment) {
        self.report.line(&Line::Published {
            rendition: rendition.to_owned(),
            index: index as u64,
            segment: segment.clone(),
        });
    }

    fn tell(&self) {
        if self.inner.is_head {
            return;
        }
        let read = self.inner.read_permille.load(Ordering::Relaxed);
        let encoded = self.inner.encoded.load(Ordering::Relaxed);
        let done = match self.inner.whole {
            0 => read,
            whole => {
                let encoded = encoded.min(whole).saturating_mul(1000) / whole;
                (u32::try_from(encoded).unwrap_or(1000) * 9 + read) / 10
            }
        };
        let permille = DECIDED_PERMILLE + done * (ENCODED_PERMILLE - DECIDED_PERMILLE) / 1000;
        self.report.step(Stage::Encode, permille);
    }
}

fn weight(rung: &Rung) -> u64 {
    u64::from(rung.width) * u64::from(rung.height) * u64::from(rung.rate_milli) / 1000 + 1
}

//! A run: what one publisher sends through a transcoder of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use millet_manifest::live::{Input, Output};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::asks::Told;
use super::pipeline::Pipeline;
use crate::id::RunId;

/// A publisher that is gone for this long must begin a new run.
const RUN_OUTLIVES_SOCKET: Duration = Duration::from_secs(30);
/// Without media for this long the teacher counts as gone.
const HOST_SILENT: Duration = Duration::from_secs(3);

/// Media of one publisher, through one transcoder.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) resumable: bool,
    pub(super) pipeline: Pipeline,
    pub(super) start_ms: u64,
    /// When its first chunk could begin: the run's own zero.
    pub(super) began: Option<Instant>,
    pub(super) next: Arc<AtomicU32>,
    pub(super) taken: CancellationToken,
    pub(super) told: watch::Sender<Told>,
    pub(super) left: Option<Instant>,
    pub(super) heard: Instant,
    pub(super) seen_next: u32,
}

impl Run {
    /// Notices media by its count.
    pub(super) fn listen(&mut self, now: Instant) {
        let next = self.next.load(Ordering::Relaxed);
        if next != self.seen_next {
            self.seen_next = next;
            self.heard = now;
            self.began.get_or_insert(now);
        }
    }

    pub(super) fn tell_time(&self, now: Instant) {
        let Some(began) = self.began else { return };
        let passed_ms = u64::try_from((now - began).as_millis()).unwrap_or(u64::MAX);
        let now_ms = i64::try_from(self.start_ms + passed_ms).unwrap_or(i64::MAX);
        // A child that is so far behind learns the time from the next one.
        let _ = self.pipeline.inputs.try_send(Input::Clock { now_ms });
    }

    pub(super) fn is_heard(&self, now: Instant) -> bool {
        self.began.is_some() && now - self.heard < HOST_SILENT
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.left
            .is_some_and(|left| !self.resumable || now - left > RUN_OUTLIVES_SOCKET)
    }
}

/// The next that the run makes, if there is one.
pub(super) async fn output(run: &mut Option<Run>) -> Option<Output> {
    match run {
        Some(run) => run.pipeline.outputs.recv().await,
        None => std::future::pending().await,
    }
}

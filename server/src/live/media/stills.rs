//! Pictures for the index on their way to the stores: one after the other, beside everything else.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::recorder::Recorder;
use crate::id::TimelineId;

/// Pictures that wait; when the stores are slower, the oldest is left out.
const MOST_WAITING: usize = 4;

/// The pictures of one class that are not stored yet.
pub(super) struct Stills {
    recorder: Recorder,
    timeline: TimelineId,
    waiting: VecDeque<(u64, Bytes)>,
    storing: Option<BoxFuture<'static, ()>>,
}

impl Stills {
    pub(super) fn new(recorder: Recorder, timeline: TimelineId) -> Self {
        Self {
            recorder,
            timeline,
            waiting: VecDeque::new(),
            storing: None,
        }
    }

    /// Takes a picture; it is stored while [`Stills::stored`] is waited for.
    pub(super) fn keep(&mut self, at_ms: u64, data: Bytes) {
        self.waiting.push_back((at_ms, data));
        self.begin();
        if self.waiting.len() > MOST_WAITING
            && let Some((at_ms, _)) = self.waiting.pop_front()
        {
            tracing::warn!(
                at_ms,
                "a picture for the index was left out: the stores are slow"
            );
        }
    }

    fn begin(&mut self) {
        if self.storing.is_some() {
            return;
        }
        let Some((at_ms, data)) = self.waiting.pop_front() else {
            return;
        };
        let (recorder, timeline) = (self.recorder.clone(), self.timeline);
        let storing = async move {
            if let Err(error) = recorder.still(timeline, at_ms, data).await {
                tracing::error!(%error, "a picture for the index could not be stored");
            }
        };
        self.storing = Some(storing.boxed());
    }

    /// Waits until one more is stored; for ever while there is none. Nothing is lost when this is given up.
    pub(super) async fn stored(&mut self) {
        match &mut self.storing {
            Some(storing) => storing.await,
            None => std::future::pending().await,
        }
        self.storing = None;
        self.begin();
    }

    /// Waits until all are stored.
    pub(super) async fn all_stored(&mut self) {
        while self.storing.is_some() {
            self.stored().await;
        }
    }
}

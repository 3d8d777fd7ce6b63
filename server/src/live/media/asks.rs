//! What a publisher asks the owner of a class's media, and is answered.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use millet_manifest::live::{Input, Report};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::id::RunId;

/// What the publisher's socket holds of a run.
#[derive(Debug)]
pub struct Publishing {
    /// Media for the transcoder; full when the machine or the link to it is too slow.
    pub inputs: mpsc::Sender<Input>,
    /// Number of the next message that the run has not got.
    pub next: Arc<AtomicU32>,
    /// Another publisher took over, or the class ended.
    pub taken: CancellationToken,
    /// What to tell the publisher.
    pub told: watch::Receiver<Told>,
    /// Timeline's clock.
    pub timeline_ms: u64,
}

/// What a publisher is told; the newest counts.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// End of what is durable.
    pub recorded_ms: u64,
    /// How the transcoder fares.
    pub report: Report,
    /// The run ended by itself: its media cannot be read.
    pub broken: bool,
}

/// Why a publisher was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// Somebody publishes already.
    Occupied,
    /// The class has ended.
    Ended,
    /// The transcoder could not be started.
    Fault,
}

/// What the owner is asked.
#[derive(Debug)]
pub enum Ask {
    /// A publisher wants to send a run's media.
    Publish {
        /// Made by the publisher.
        run: RunId,
        /// Whether the run outlives the socket: coded frames do, a container's bytes do not.
        resumable: bool,
        /// Take the place of whoever publishes.
        take: bool,
        /// The answer.
        reply: oneshot::Sender<Result<Publishing, NotNow>>,
    },
    /// A publisher's socket ended.
    Left {
        /// Its run.
        run: RunId,
    },
    /// The class ends: everything is recorded when the answer comes.
    End {
        /// The answer.
        reply: oneshot::Sender<Result<(), Error>>,
    },
}

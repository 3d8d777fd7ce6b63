//! The media of live classes: a publisher's picture and sound through a transcoder of its own into a
//! timeline that grows, and from there into a lesson.
//!
//! It knows nothing of the room; who wants to know whether the teacher's media comes gives a watch.

pub mod asks;
pub mod closing;
pub mod ladder;
pub mod owner;
pub mod pipeline;
pub mod recorder;
mod run;
mod stills;
pub mod store;
#[cfg(test)]
mod tests;
pub mod voices;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::TimelineId;
use crate::stream::growing::{Growing, GrowingTimelines};
use asks::Ask;
use closing::Closed;
use ladder::Ladder;
use owner::{HostWatch, Owner};
use recorder::Recorder;
use voices::Voices;

/// Questions that wait for an owner.
const ASKS_WAITING: usize = 32;

/// The media of one open class; cheap to clone.
#[derive(Clone, Debug)]
pub struct ClassMedia {
    /// Its timeline.
    pub growing: Arc<Growing>,
    /// Its owner.
    pub asks: mpsc::Sender<Ask>,
    /// Its sound as ADTS, for the endless address.
    pub sound: broadcast::Sender<Bytes>,
    /// Those who have the floor.
    pub voices: Voices,
}

/// The media of all open classes of a node; cheap to clone.
#[derive(Clone)]
pub struct LiveMedia {
    recorder: Recorder,
    transcoder: PathBuf,
    timelines: GrowingTimelines,
    ladder: Arc<OnceCell<Ladder>>,
    classes: Arc<Mutex<HashMap<TimelineId, ClassMedia>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl LiveMedia {
    /// Owners end when `stop` is cancelled; their tasks are counted in `tasks`.
    #[must_use]
    pub fn new(
        recorder: Recorder,
        transcoder: PathBuf,
        timelines: GrowingTimelines,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            recorder,
            transcoder,
            timelines,
            ladder: Arc::default(),
            classes: Arc::default(),
            stop,
            tasks,
        }
    }

    /// The media of a class that is open on this node.
    #[must_use]
    pub fn find(&self, timeline: TimelineId) -> Option<ClassMedia> {
        self.lock().get(&timeline).cloned()
    }

    /// Opens the media of a class, or goes on with it after a restart. A class that is open stays.
    ///
    /// # Errors
    /// When the transcoder or a store fails.
    pub async fn open(
        &self,
        timeline: TimelineId,
        began: Timestamp,
        host: HostWatch,
    ) -> Result<ClassMedia, Error> {
        if let Some(open) = self.find(timeline) {
            return Ok(open);
        }
        let ladder = self
            .ladder
            .get_or_try_init(|| ladder::ask(&self.transcoder))
            .await?;
        let growing = self
            .recorder
            .open(timeline, began, &ladder.renditions, &ladder.inits)
            .await?;
        let mut classes = self.lock();
        if let Some(open) = classes.get(&timeline) {
            // Somebody else opened it meanwhile.
            return Ok(open.clone());
        }
        let growing = self.timelines.add(Arc::new(growing));
        let (asks, asked) = mpsc::channel(ASKS_WAITING);
        let media = ClassMedia {
            growing: growing.clone(),
            asks,
            sound: owner::sound(),
            voices: Voices::default(),
        };
        let owner = Owner {
            growing,
            recorder: self.recorder.clone(),
            transcoder: self.transcoder.clone(),
            sound: media.sound.clone(),
            voices: media.voices.clone(),
            host,
            stop: self.stop.clone(),
        };
        self.tasks.spawn(owner.work(asked));
        classes.insert(timeline, media.clone());
        Ok(media)
    }

    /// Ends the media of a class: everything is recorded, and what is recorded is described, when this returns.
    /// Viewers come to its end when [`LiveMedia::forget`] is called. May be repeated, also after a restart.
    ///
    /// # Errors
    /// When the class is not open here, or a store fails.
    pub async fn end(&self, timeline: TimelineId) -> Result<Closed, Error> {
        let media = self.find(timeline).ok_or(Error::NotFound)?;
        let (reply, answer) = oneshot::channel();
        // An owner that has ended already has recorded everything.
        if media.asks.send(Ask::End { reply }).await.is_ok() {
            answer.await.map_err(|_| Error::Busy)??;
        }
        // Of what viewers saw, parts may have been lost before they were stored.
        let grown = media.growing.grown();
        let recorded = self.recorder.recorded(timeline, &grown).await?;
        closing::close(&self.recorder, timeline, &recorded).await
    }

    /// The class is closed in the database too: viewers come to the end, and who comes later finds a
    /// closed timeline.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, timeline: TimelineId) -> Result<(), Error> {
        let mut transaction = self.recorder.db.write().await?;
        let now = self.recorder.clock.now();
        store::close(&mut transaction, timeline, now).await?;
        transaction.commit().await?;
        let media = self.lock().remove(&timeline);
        if let Some(media) = media {
            media.growing.end();
        }
        self.timelines.remove(timeline);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TimelineId, ClassMedia>> {
        self.classes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Lets a lesson show a long recording before all of it is prepared.
//!
//! What the transcoder has published is stored as it comes, under the id that the finished timeline will
//! have: every attempt of a job goes on with the same one, so that what was watched early counts. A lesson
//! that shows something already keeps that until the new one is finished.

mod files;
pub mod growth;
pub mod testing;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use millet_manifest::Timeline;
use sqlx::AnyConnection;
use tokio::sync::watch;

use super::prepared::{self, NewTimeline};
use super::worker::Context;
use super::{Lease, store};
use crate::courses::shown;
use crate::error::Error;
use crate::id::TimelineId;
use crate::objects::{Key, ObjectsError};
use crate::timelines::EARLY_FILE;
use growth::{Growth, continues};

/// A longer description is published at most this often.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// Objects stored at the same time.
const AT_ONCE: usize = 4;

/// What a lesson shows of a job that is not done.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Its id, which the finished timeline gets.
    pub id: TimelineId,
    /// How far it was published; `None` when nothing of it is stored.
    pub published: Option<Timeline>,
}

/// What earlier attempts of the job, or this one, let the lesson show.
///
/// # Errors
/// When a store fails.
pub async fn begun(context: &Context, lease: &Lease) -> Result<Option<Begun>, Error> {
    let mut connection = context.db.read().await?;
    let id = prepared::unfinished(&mut connection, lease.job).await?;
    drop(connection);
    let Some(id) = id else { return Ok(None) };
    let published = match context.objects.get(&key(id, EARLY_FILE)?).await {
        Ok(json) => Timeline::from_json(&json).ok(),
        Err(ObjectsError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Begun { id, published }))
}

/// Publishes what there is, again and again, until the caller stops it. A fault is no reason to give up the
/// job: the recording is then shown when it is finished.
pub async fn publish(
    context: &Context,
    lease: &Lease,
    output: &Path,
    growth: watch::Receiver<Growth>,
) -> Infallible {
    match Publisher::begin(context, lease, output).await {
        Ok(Some(publisher)) => publisher.run(growth).await,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, job = %lease.job, "a recording is not shown early");
        }
    }
    std::future::pending().await
}

/// In a transaction that may have ended jobs without a result: lessons show no longer what they showed early
/// of those. The sweeper removes the objects.
///
/// # Errors
/// When the database fails.
pub async fn withdraw_ended(connection: &mut AnyConnection) -> Result<(), Error> {
    for id in prepared::let_go_of_ended(&mut *connection).await? {
        shown::exchange(&mut *connection, id, None).await?;
    }
    Ok(())
}

struct Publisher<'a> {
    context: &'a Context,
    lease: &'a Lease,
    output: &'a Path,
    id: TimelineId,
    /// The lesson shows it.
    shown: bool,
    published: Option<Timeline>,
}

impl<'a> Publisher<'a> {
    /// `None` when the lesson shows something else.
    async fn begin(
        context: &'a Context,
        lease: &'a Lease,
        output: &'a Path,
    ) -> Result<Option<Self>, Error> {
        let begun = begun(context, lease).await?;
        let mut connection = context.db.read().await?;
        let shows = shown::timeline(&mut connection, lease.lesson).await?;
        drop(connection);
        if shows != begun.as_ref().map(|begun| begun.id) {
            return Ok(None);
        }
        Ok(Some(Self {
            context,
            lease,
            output,
            shown: begun.is_some(),
            id: begun
                .as_ref()
                .map_or_else(TimelineId::new, |begun| begun.id),
            published: begun.and_then(|begun| begun.published),
        }))
    }

    async fn run(mut self, mut growth: watch::Receiver<Growth>) {
        while growth.changed().await.is_ok() {
            let timeline = growth.borrow_and_update().timeline();
            let Some(timeline) = timeline.filter(|timeline| self.is_longer(timeline)) else {
                continue;
            };
            if !self.goes_on(&timeline) {
                tracing::warn!(job = %self.lease.job, "an attempt does not go on with what is shown early");
                return;
            }
            match self.publish(timeline).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, job = %self.lease.job, "a recording does not grow just now");
                }
            }
            tokio::time::sleep(PUBLISH_EVERY).await;
        }
    }

    fn is_longer(&self, timeline: &Timeline) -> bool {
        let before = self.published.as_ref();
        before.is_none_or(|before| timeline.cuts_ms.len() > before.cuts_ms.len())
    }

    fn goes_on(&self, timeline: &Timeline) -> bool {
        let before = self.published.as_ref();
        before.is_none_or(|before| continues(timeline, before))
    }

    /// Stores what is new and then its description; false when the lease is lost or the lesson shows
    /// something else.
    async fn publish(&mut self, timeline: Timeline) -> Result<bool, Error> {
        let new = self.new_files(&timeline);
        let mut names: Vec<String> = new.iter().map(|(name, _)| name.clone()).collect();
        names.push(EARLY_FILE.to_owned());
        let mut transaction = self.context.db.write().await?;
        if !store::is_held(&mut transaction, self.lease).await? {
            return Ok(false);
        }
        let now = self.context.clock.now();
        prepared::go_on(&mut transaction, self.lease, self.id, &names, now).await?;
        transaction.commit().await?;
        self.put(new).await?;
        let json = serde_json::to_vec(&timeline)
            .map_err(|error| Error::Internal(format!("a description: {error}")))?;
        let description = key(self.id, EARLY_FILE)?;
        self.context.objects.put(&description, json.into()).await?;
        if !self.shown && !self.show(&timeline).await? {
            return Ok(false);
        }
        self.shown = true;
        self.published = Some(timeline);
        Ok(true)
    }

    /// Names and sizes of what is not stored yet.
    fn new_files(&self, timeline: &Timeline) -> Vec<(String, u64)> {
        let stored = |place: usize| {
            let before = self.published.as_ref()?;
            Some(before.renditions.get(place)?.segments.len())
        };
        let mut files = Vec::new();
        for (place, rendition) in timeline.renditions.iter().enumerate() {
            let stored = stored(place);
            if stored.is_none() {
                files.push((rendition.init.file.clone(), rendition.init.bytes));
            }
            let segments = rendition.segments.iter().skip(stored.unwrap_or(0));
            files.extend(segments.map(|segment| (segment.file.clone(), segment.bytes)));
        }
        files
    }

    async fn put(&self, files: Vec<(String, u64)>) -> Result<(), Error> {
        // Owned values: futures that borrow from the list could not move between threads.
        stream::iter(files)
            .map(|(name, size)| {
                let (objects, output) = (self.context.objects.clone(), self.output.to_owned());
                let key = key(self.id, &name);
                async move {
                    let bytes = files::read(&output, &name, size).await?;
                    objects.put(&key?, bytes).await?;
                    Ok::<_, Error>(())
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// One transaction: the timeline is there and the lesson shows it, or none of them.
    async fn show(&self, timeline: &Timeline) -> Result<bool, Error> {
        let (context, lease) = (self.context, self.lease);
        let new = NewTimeline {
            id: self.id,
            duration_ms: i64::try_from(timeline.duration_ms).unwrap_or(i64::MAX),
            total_bytes: 0,
        };
        let now = context.clock.now();
        let mut transaction = context.db.write().await?;
        let shows = store::is_held(&mut transaction, lease).await? && {
            prepared::show_unfinished(&mut transaction, lease, &new, now).await?;
            shown::first(&mut transaction, lease.lesson, self.id).await?
        };
        if shows {
            transaction.commit().await?;
        }
        Ok(shows)
    }
}

fn key(id: TimelineId, name: &str) -> Result<Key, Error> {
    Ok(Key::new(format!("{}/{name}", prepared::prefix(id)))?)
}

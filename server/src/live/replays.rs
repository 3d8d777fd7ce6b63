//! Recordings of classes beside sound and picture, read from the journal once and kept within a bound.

use std::sync::Arc;

use moka::future::Cache;

use super::journal;
use super::room::replay::{Replay, replay};
use super::store::Class;
use crate::db::Db;
use crate::error::Error;
use crate::id::LiveClassId;
use crate::timelines::trim::Trim;

/// Memory for recordings, in bytes.
const MOST_BYTES: u64 = 32 << 20;

/// A cache; what it forgets is in the journal. Cheap to clone.
#[derive(Clone)]
pub struct Replays {
    db: Db,
    cache: Cache<(LiveClassId, Trim), Arc<Replay>>,
}

impl Replays {
    /// Over the journal of this installation.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            cache: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(|_, replay: &Arc<Replay>| {
                    u32::try_from(replay.bytes()).unwrap_or(u32::MAX)
                })
                .build(),
        }
    }

    /// The recording of what is shown of a class that is over.
    ///
    /// # Errors
    /// [`Error::Conflict`] while the class goes on; when the database fails.
    pub async fn of(&self, class: &Class, trim: Trim) -> Result<Arc<Replay>, Error> {
        if class.ended_at.is_none() {
            return Err(Error::Conflict("class-goes-on"));
        }
        let key = (class.id, trim);
        let made = self.cache.try_get_with(key, self.make(class.id, trim));
        // The cache shares one error between all who waited for it.
        let made = made
            .await
            .map_err(|error| Error::Internal(error.to_string()))?;
        if !made.complete {
            self.cache.invalidate(&key).await;
        }
        Ok(made)
    }

    async fn make(&self, class: LiveClassId, trim: Trim) -> Result<Arc<Replay>, Error> {
        let mut connection = self.db.read().await?;
        let events = journal::events(&mut connection, class).await?;
        drop(connection);
        let number = |ms: i64| u64::try_from(ms).unwrap_or(0);
        let shown = number(trim.from_ms)..trim.until_ms.map_or(u64::MAX, number);
        let made = tokio::task::spawn_blocking(move || replay(&events, &shown)).await;
        let made = made.map_err(|error| Error::Internal(error.to_string()))?;
        let made = made.map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Arc::new(made))
    }
}

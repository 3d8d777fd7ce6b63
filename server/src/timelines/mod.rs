//! Prepared timelines as the transcoder described them, kept in memory within a bound.

pub mod trim;

use std::sync::Arc;
use std::time::{Duration, Instant};

use millet_manifest::{TIMELINE_FILE, Timeline};
use moka::Expiry;
use moka::future::Cache;

use crate::error::Error;
use crate::id::TimelineId;
use crate::jobs::prepared::prefix;
use crate::objects::{Key, Objects, ObjectsError};
use trim::Trim;

/// Memory for descriptions, in bytes of their JSON.
const MOST_BYTES: u64 = 64 << 20;
/// The description of an unfinished timeline is read again after this long.
const UNFINISHED_FOR: Duration = Duration::from_secs(1);
/// Name of the description of an unfinished timeline: a finished one that is there already counts.
pub const EARLY_FILE: &str = "early.json";
/// Name of an HLS playlist that is made when it is asked for, or when a class ends.
pub const MADE_PLAYLIST: &str = "live.m3u8";

/// A cache that reads each description once; it never changes after its job is done. One that is not
/// finished is read again and again.
#[derive(Clone)]
pub struct Timelines {
    objects: Objects,
    cache: Cache<(TimelineId, Trim), Arc<Described>>,
}

struct Described {
    timeline: Arc<Timeline>,
    json_bytes: u32,
}

/// How long a description holds.
struct Holds;

impl Holds {
    fn of(described: &Described) -> Option<Duration> {
        described.timeline.unfinished.then_some(UNFINISHED_FOR)
    }
}

impl Expiry<(TimelineId, Trim), Arc<Described>> for Holds {
    fn expire_after_create(
        &self,
        _: &(TimelineId, Trim),
        described: &Arc<Described>,
        _: Instant,
    ) -> Option<Duration> {
        Self::of(described)
    }

    fn expire_after_update(
        &self,
        _: &(TimelineId, Trim),
        described: &Arc<Described>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Self::of(described)
    }
}

impl Timelines {
    /// Over the objects of this installation.
    #[must_use]
    pub fn new(objects: Objects) -> Self {
        Self {
            objects,
            cache: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(|_, described: &Arc<Described>| described.json_bytes)
                .expire_after(Holds)
                .build(),
        }
    }

    /// The description of one timeline.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the objects fail or hold something else.
    pub async fn get(&self, id: TimelineId) -> Result<Arc<Timeline>, Error> {
        self.shown(id, Trim::default()).await
    }

    /// The description of what is shown of one timeline.
    ///
    /// # Errors
    /// As [`Timelines::get`].
    pub async fn shown(&self, id: TimelineId, trim: Trim) -> Result<Arc<Timeline>, Error> {
        let whole = self.described(id).await?;
        if trim.is_whole() {
            return Ok(whole.timeline.clone());
        }
        let made = async {
            Arc::new(Described {
                timeline: Arc::new(trim::trimmed(&whole.timeline, trim)),
                json_bytes: whole.json_bytes,
            })
        };
        let shown = self.cache.get_with((id, trim), made).await;
        Ok(shown.timeline.clone())
    }

    async fn described(&self, id: TimelineId) -> Result<Arc<Described>, Error> {
        let load = async {
            let key = |file: &str| Key::new(format!("{}/{file}", prefix(id)));
            let json = match self.objects.get(&key(TIMELINE_FILE)?).await {
                Err(ObjectsError::NotFound) => self.objects.get(&key(EARLY_FILE)?).await?,
                other => other?,
            };
            let timeline =
                Timeline::from_json(&json).map_err(|error| Error::Internal(error.to_string()))?;
            Ok::<_, Error>(Arc::new(Described {
                timeline: Arc::new(timeline),
                json_bytes: u32::try_from(json.len()).unwrap_or(u32::MAX),
            }))
        };
        match self.cache.try_get_with((id, Trim::default()), load).await {
            Ok(described) => Ok(described),
            // The cache shares one error between all who waited for it.
            Err(error) => Err(match &*error {
                Error::NotFound => Error::NotFound,
                other => Error::Internal(other.to_string()),
            }),
        }
    }
}

/// Path of a file of a timeline on this server.
#[must_use]
pub fn path(id: TimelineId, file: &str) -> String {
    format!("/media/{id}/{file}")
}

//! Joins the media of open classes to their rooms and their rows: what opens a class opens its media, what
//! ends it makes a lesson of what was recorded.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ends::Ends;
use super::floor::Floor;
use super::media::owner::HostWatch;
use super::media::{ClassMedia, LiveMedia};
use super::parting;
use super::proof::{InClass, Inside, Leader};
use super::publish::{rtmp, socket, wire};
use super::rooms::LiveRooms;
use super::store::{self, Class, Stage};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::{LiveClassId, TimelineId};
use crate::websocket::Upgrade;

/// Classes that are open on this node; cheap to clone.
#[derive(Clone)]
pub struct OnAir {
    db: Db,
    clock: Clock,
    media: LiveMedia,
    rooms: LiveRooms,
    tasks: TaskTracker,
}

impl OnAir {
    /// No class is open yet; see [`OnAir::resume`].
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        media: LiveMedia,
        rooms: LiveRooms,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            db,
            clock,
            media,
            rooms,
            tasks,
        }
    }

    /// Opens the media of every class that was open when the server stopped, before viewers come back. A
    /// class whose media cannot be opened is opened when its teacher publishes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self) -> Result<(), Error> {
        let mut connection = self.db.read().await?;
        let open = store::open_classes(&mut connection).await?;
        drop(connection);
        for class in open {
            if let Err(error) = self.of(&class).await {
                tracing::error!(%error, "the media of a class could not be opened again");
            }
        }
        Ok(())
    }

    /// The media of a class; opened if it was not.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the class is not open; when the transcoder or a store fails.
    pub async fn of(&self, class: &Class) -> Result<ClassMedia, Error> {
        let Some(began) = class.opened_at.filter(|_| class.stage() == Stage::Open) else {
            return Err(Error::Conflict("class-closed"));
        };
        let watch = self.host_watch(class.id);
        self.media.open(class.timeline_id, began, watch).await
    }

    fn host_watch(&self, class: LiveClassId) -> HostWatch {
        let (rooms, tasks) = (self.rooms.clone(), self.tasks.clone());
        Arc::new(move |present| {
            let rooms = rooms.clone();
            tasks.spawn(async move {
                if let Err(error) = rooms.host_present(class, present).await {
                    tracing::debug!(%error, present, "the room did not note the teacher's media");
                }
            });
        })
    }

    /// What a stream key opens, as encoders need it.
    #[must_use]
    pub fn by_key(&self) -> rtmp::OpenByKey {
        let on_air = self.clone();
        Arc::new(move |secret: String| {
            let on_air = on_air.clone();
            let open = async move {
                let class = on_air.rooms.class_of_key(&secret).await?;
                let Some(class) = class else {
                    return Ok::<_, Error>(None);
                };
                let mut connection = on_air.db.read().await?;
                let row = store::find(&mut connection, class).await?;
                drop(connection);
                match row {
                    Some(row) => on_air.of(&row).await.map(Some),
                    None => Ok(None),
                }
            };
            Box::pin(async move {
                open.await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "a stream key opened nothing");
                    None
                })
            })
        })
    }

    /// The right of somebody inside a class to be heard, if there is one now.
    #[must_use]
    pub fn floor(&self, proof: &InClass<Inside>) -> Option<Floor> {
        self.rooms.floor(proof)
    }

    /// The tasks of this node, which a stop waits for.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Who holds the timeline.
    #[must_use]
    pub fn find(&self, timeline: TimelineId) -> Option<ClassMedia> {
        self.media.find(timeline)
    }

    async fn end_class(&self, class: LiveClassId) -> Result<(), Error> {
        let mut connection = self.db.read().await?;
        let row = store::find(&mut connection, class).await?;
        drop(connection);
        let row = row.ok_or(Error::NotFound)?;
        if row.stage() == Stage::Open {
            self.of(&row).await?;
            let closed = self.media.end(row.timeline_id).await?;
            let lasted = i64::try_from(closed.duration_ms).unwrap_or(i64::MAX);
            let mut transaction = self.db.write().await?;
            store::close(&mut transaction, class, lasted, self.clock.now()).await?;
            transaction.commit().await?;
        }
        self.media.forget(row.timeline_id).await
    }
}

impl Ends for OnAir {
    fn end(&self, class: LiveClassId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.end_class(class))
    }
}

/// `GET /live/{class_id}/publish`
///
/// # Errors
/// [`Error::Malformed`] without the subprotocol, [`Error::Conflict`] when the class is not open.
pub async fn publish(
    proof: InClass<Leader>,
    State(on_air): State<OnAir>,
    upgrade: Upgrade,
) -> Result<Response, Error> {
    let agreed = upgrade.speaking(wire::SUBPROTOCOL)?;
    let media = on_air.of(proof.row()).await?;
    let tasks = on_air.tasks.clone();
    Ok(agreed.serve(socket::BOUNDS, move |socket| {
        let lost = async move { parting::lost(&on_air.db, &on_air.rooms, proof).await };
        tasks.track_future(socket::serve(media, lost, socket))
    }))
}

/// Noise that measures an uplink, at most.
pub const PROBE_BYTES: usize = 512 * 1024;

/// `POST /live/{class_id}/probe`: takes noise and throws it away, so that a teacher learns what the uplink
/// carries before the class.
pub async fn probe(_proof: InClass<Leader>, _noise: Bytes) -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /live/{class_id}/sound`: the sound of the class as it comes, as any phone's player opens it. It ends with
/// the class, with the listener's part in it, and when the server stops.
///
/// # Errors
/// [`Error::Conflict`] when the class is not open.
pub async fn sound(
    proof: InClass<Inside>,
    State(on_air): State<OnAir>,
    State(stop): State<CancellationToken>,
) -> Result<Response, Error> {
    let media = on_air.of(proof.row()).await?;
    let listener = media.sound.subscribe();
    drop(media);
    let over = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = parting::lost(&on_air.db, &on_air.rooms, proof) => {}
        }
    };
    let pieces = stream::unfold(listener, |mut listener| async {
        loop {
            match listener.recv().await {
                Ok(piece) => return Some((Ok::<_, std::convert::Infallible>(piece), listener)),
                // A listener that was too slow goes on with the present.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let pieces = pieces.take_until(Box::pin(over));
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/aac"));
    Ok(response)
}

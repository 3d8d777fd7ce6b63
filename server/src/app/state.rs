//! What every handler can ask for, each part on its own through `State<Part>`.

use std::sync::Arc;

use axum::extract::FromRef;
use millet_web::Renderer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::live::decks::Decks;
use crate::live::on_air::OnAir;
use crate::live::replays::Replays;
use crate::live::rooms::LiveRooms;
use crate::objects::Objects;
use crate::people::limit::SignInLimit;
use crate::people::password::Passwords;
use crate::stream::Streams;
use crate::timelines::Timelines;

/// Cheap to clone; built once at start.
#[derive(Clone, FromRef)]
pub struct App {
    /// Effective settings.
    pub config: Arc<Config>,
    /// Database.
    pub db: Db,
    /// Uploaded and prepared bytes.
    pub objects: Objects,
    /// Descriptions of prepared media.
    pub timelines: Timelines,
    /// Viewers of prepared media.
    pub streams: Streams,
    /// Rooms of live classes.
    pub rooms: LiveRooms,
    /// Media of open classes.
    pub on_air: OnAir,
    /// What happened in classes that are over.
    pub replays: Replays,
    /// Draws slides.
    pub decks: Decks,
    /// Time.
    pub clock: Clock,
    /// Templates and words.
    pub renderer: Arc<Renderer>,
    /// Argon2id workers.
    pub passwords: Passwords,
    /// Slows down guessing of passwords.
    pub sign_in_limit: SignInLimit,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
    /// Every task that outlives its request.
    pub tasks: TaskTracker,
}

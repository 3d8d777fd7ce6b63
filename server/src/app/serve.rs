//! Starts everything in order and stops it in the opposite order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use millet_web::Renderer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _};
use tower_http::compression::{CompressionLayer, DefaultPredicate};
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::accept::{self, Patience};
use super::{App, answer, guard, observe, routes};
use crate::clock::Clock;
use crate::completion::Completion;
use crate::config::{Config, FORM_LIMIT_BYTES};
use crate::db::{Db, OpenError};
use crate::error::Error;
use crate::jobs::worker;
use crate::learning::evidence::Evidence;
use crate::live::deck_store;
use crate::live::decks::Decks;
use crate::live::media::LiveMedia;
use crate::live::media::recorder::Recorder;
use crate::live::on_air::OnAir;
use crate::live::publish::rtmp;
use crate::live::remind;
use crate::live::replays::Replays;
use crate::live::rooms::LiveRooms;
use crate::objects::{Objects, ObjectsError};
use crate::people::limit::SignInLimit;
use crate::people::password::Passwords;
use crate::stream::Streams;
use crate::timelines::Timelines;

/// How long nothing of a request's body may come.
const BODY_STANDS: Duration = Duration::from_secs(60);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Objects.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Templates.
    #[error(transparent)]
    Web(#[from] millet_web::Error),
    /// An address cannot be listened on, or the data folder cannot be used.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        error: std::io::Error,
    },
}

/// A server that runs.
pub struct Running {
    /// Address that people reach.
    pub address: SocketAddr,
    /// Address of the metrics.
    pub admin_address: SocketAddr,
    /// Address where encoders publish, if they may.
    pub rtmp_address: Option<SocketAddr>,
    /// State, for demo content and tests.
    pub app: App,
    servers: Vec<JoinHandle<std::io::Result<()>>>,
}

/// Opens the stores, migrates, binds both listeners and serves until [`Running::stop`].
///
/// # Errors
/// When a store or an address cannot be used.
pub async fn start(config: Config, metrics: PrometheusHandle) -> Result<Running, ServeError> {
    let io = |what: String| move |error| ServeError::Io { what, error };
    tokio::fs::create_dir_all(&config.data)
        .await
        .map_err(io(format!("data folder {}", config.data.display())))?;
    let db = Db::open(&config.database_url).await?;
    db.migrate().await?;
    let objects = Objects::open(&config.objects).await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let timelines = Timelines::new(objects.clone());
    let evidence = Evidence::new(db.clone(), Clock::System, Arc::new(Completion));
    let rooms = LiveRooms::new(
        db.clone(),
        Clock::System,
        Arc::new(Completion),
        stop.clone(),
        tasks.clone(),
    );
    let streams = Streams::new(
        db.clone(),
        objects.clone(),
        timelines.clone(),
        evidence,
        stop.clone(),
        tasks.clone(),
    )
    .with_rooms(Arc::new(rooms.clone()));
    let recorder = Recorder {
        db: db.clone(),
        objects: objects.clone(),
        clock: Clock::System,
    };
    let media = LiveMedia::new(
        recorder,
        config.transcoder.clone(),
        streams.growing().clone(),
        stop.clone(),
        tasks.clone(),
    );
    let app = App {
        on_air: OnAir::new(
            db.clone(),
            Clock::System,
            media,
            rooms.clone(),
            tasks.clone(),
        ),
        streams,
        rooms,
        replays: Replays::new(db.clone()),
        decks: Decks::new(&config.data),
        timelines,
        objects,
        db,
        clock: Clock::System,
        renderer: Arc::new(Renderer::new()?),
        passwords: Passwords::default(),
        sign_in_limit: SignInLimit::default(),
        stop,
        tasks,
        config: Arc::new(config),
    };
    let bind = async |address: SocketAddr| {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    let listen = app.config.listen;
    let (listener, address) = bind(listen).await.map_err(io(format!("listen {listen}")))?;
    let admin_listen = app.config.admin_listen;
    let (admin_listener, admin_address) = bind(admin_listen)
        .await
        .map_err(io(format!("admin_listen {admin_listen}")))?;

    let workers = worker::Context {
        db: app.db.clone(),
        objects: app.objects.clone(),
        clock: app.clock.clone(),
        transcoder: app.config.transcoder.clone(),
        av1: app.config.av1,
        finished: Arc::new(Completion),
        stop: app.stop.clone(),
    };
    worker::start(workers, &app.config.data, app.config.workers, &app.tasks)
        .await
        .map_err(|error| io("workers".into())(std::io::Error::other(error)))?;

    let live = |error: Error| io("live classes".into())(std::io::Error::other(error));
    app.on_air.resume().await.map_err(live)?;
    app.rooms
        .start(Arc::new(app.on_air.clone()))
        .await
        .map_err(live)?;
    let mut rtmp_address = None;
    if let Some(listen) = app.config.rtmp_listen {
        let (listener, address) = bind(listen)
            .await
            .map_err(io(format!("rtmp_listen {listen}")))?;
        rtmp_address = Some(address);
        app.tasks.spawn(rtmp::run(
            listener,
            app.on_air.by_key(),
            app.stop.clone(),
            app.tasks.clone(),
        ));
    }
    app.tasks.spawn(deck_store::run(
        app.db.clone(),
        app.objects.clone(),
        app.clock.clone(),
        app.stop.clone(),
    ));
    app.tasks.spawn(remind::run(
        app.db.clone(),
        app.clock.clone(),
        app.stop.clone(),
    ));

    let public = accept::run(
        listener,
        router(app.clone()),
        Patience::default(),
        app.stop.clone(),
    );
    app.tasks
        .spawn(observe::keep_metrics(metrics.clone(), app.stop.clone()));
    let metrics_router = Router::new().route(
        "/metrics",
        get(move || std::future::ready(metrics.render())),
    );
    let admin = accept::run(
        admin_listener,
        metrics_router,
        Patience::default(),
        app.stop.clone(),
    );
    let servers = vec![tokio::spawn(public), tokio::spawn(admin)];
    Ok(Running {
        address,
        admin_address,
        rtmp_address,
        app,
        servers,
    })
}

/// The table with everything that stands around it.
pub fn router(app: App) -> Router {
    routes::router()
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            guard::same_origin,
        ))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            answer::for_people,
        ))
        .layer(DefaultBodyLimit::max(FORM_LIMIT_BYTES))
        // Sound and pictures are compressed already, and ranges of them are asked for.
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new()
                    .and(NotForContentType::new("video/"))
                    .and(NotForContentType::new("audio/")),
            ),
        )
        // A body may take long on a bad link, but not stand still.
        .layer(RequestBodyTimeoutLayer::new(BODY_STANDS))
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn(guard::headers))
        .layer(axum::middleware::from_fn(observe::request))
        .with_state(app)
}

impl Running {
    /// Stops taking connections, lets open requests, streams and jobs end, and closes the stores.
    pub async fn stop(self) {
        let drain = Duration::from_secs(self.app.config.drain_s);
        self.app.stop.cancel();
        self.app.tasks.close();
        let ended = tokio::time::timeout(drain, async {
            self.app.tasks.wait().await;
            for server in self.servers {
                match server.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "a listener failed"),
                    Err(error) => tracing::error!(%error, "a listener's task failed"),
                }
            }
        })
        .await;
        if ended.is_err() {
            tracing::warn!(drain_s = drain.as_secs(), "some work did not end in time");
        }
        self.app.db.close().await;
    }
}

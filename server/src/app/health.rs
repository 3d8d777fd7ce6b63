//! Whether this node is alive and whether it can work.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::config::Config;
use crate::db::Db;
use crate::objects::Objects;

/// `/healthz`
#[derive(Serialize)]
pub struct Alive {
    status: &'static str,
    version: &'static str,
}

/// `/readyz`
#[derive(Serialize)]
pub struct Ready {
    database: bool,
    objects: bool,
    transcoder: bool,
}

/// The process answers.
pub async fn alive() -> Json<Alive> {
    Json(Alive {
        status: "alive",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Database and objects answer and the transcoder's program is there; 503 otherwise.
pub async fn ready(
    State(db): State<Db>,
    State(objects): State<Objects>,
    State(config): State<Arc<Config>>,
) -> (StatusCode, Json<Ready>) {
    let database = match db.read().await {
        Ok(mut connection) => sqlx::query("select 1")
            .execute(&mut *connection)
            .await
            .inspect_err(|error| tracing::warn!(%error, "the database does not answer"))
            .is_ok(),
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            false
        }
    };
    let objects = objects
        .check()
        .await
        .inspect_err(|error| tracing::warn!(%error, "the objects do not answer"))
        .is_ok();
    let ready = Ready {
        database,
        objects,
        transcoder: is_program(&config.transcoder).await,
    };
    let status = if ready.database && ready.objects && ready.transcoder {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(ready))
}

/// Whether `program` is a file, or, when it is a bare name, stands in a folder of `PATH`.
async fn is_program(program: &Path) -> bool {
    let candidates: Vec<_> = if program.components().count() > 1 {
        vec![program.to_owned()]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .collect()
    };
    for candidate in candidates {
        if tokio::fs::metadata(candidate)
            .await
            .is_ok_and(|file| file.is_file())
        {
            return true;
        }
    }
    false
}

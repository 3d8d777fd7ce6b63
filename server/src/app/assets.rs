//! Style, scripts and pictures under an address that changes with them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use millet_web::Renderer;

use crate::error::Error;

/// `GET /static/{*path}`: kept by browsers for a year, since another content has another address.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn serve(
    State(renderer): State<Arc<Renderer>>,
    Path(path): Path<String>,
) -> Result<Response, Error> {
    let asset = renderer.asset(&path).ok_or(Error::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, asset.bytes).into_response())
}

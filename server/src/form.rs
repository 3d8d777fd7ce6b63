//! Forms and queries whose refusal is an [`Error`], so that it is answered like every other.

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::Deserializer;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// `application/x-www-form-urlencoded`.
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        use axum::extract::rejection::FormRejection;
        match axum::Form::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(FormRejection::InvalidFormContentType(_)) => Err(Error::UnsupportedType),
            Err(FormRejection::BytesRejection(rejection)) if rejection.status() == 413 => {
                Err(Error::TooLarge {
                    limit_bytes: crate::config::FORM_LIMIT_BYTES as u64,
                })
            }
            Err(other) => Err(Error::Malformed(other.body_text())),
        }
    }
}

/// What a multipart form that ended early, or grew past its limit, is refused with.
pub fn broken(limit_bytes: u64) -> impl Fn(MultipartError) -> Error {
    move |error| {
        if error.status() == 413 {
            Error::TooLarge { limit_bytes }
        } else {
            Error::Malformed(error.body_text())
        }
    }
}

/// The query of the address.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| Error::Malformed(rejection.body_text()))
    }
}

/// Longest reason, in characters.
const LONGEST_REASON: usize = 1_000;

/// The field `reason` of a decision that somebody has to explain.
///
/// # Errors
/// [`Error::Invalid`] when it is empty or too long.
pub fn reason(given: &str) -> Result<&str, Error> {
    let invalid = |reason| Error::Invalid {
        field: "reason",
        reason,
    };
    let reason = given.trim();
    if reason.is_empty() {
        return Err(invalid("required"));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(invalid("too-long"));
    }
    Ok(reason)
}

/// For `#[serde(deserialize_with)]`: an empty field of a form means "nothing".
///
/// # Errors
/// When a field that is not empty cannot be read.
pub fn empty_as_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: Option<String> = serde::Deserialize::deserialize(deserializer)?;
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

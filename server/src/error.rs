//! What can go wrong, and the one place where it is turned into an answer.
//!
//! Handlers and stores return [`Error`] by `?`. [`Error::into_response`] makes RFC 9457 problem
//! JSON; `app` rewrites it as a page in the reader's language when a browser asked.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::objects::ObjectsError;

/// Everything a request can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the session has ended.
    #[error("sign-in needed")]
    SignInNeeded,
    /// Name, phone, password or card do not fit; which one is not said.
    #[error("sign-in refused")]
    SignInRefused,
    /// A sign-in card was used, has expired or was withdrawn.
    #[error("card refused")]
    CardRefused,
    /// A form or socket came from another site.
    #[error("the request came from another site")]
    WrongOrigin,
    /// Signed in, but without the role for this.
    #[error("not allowed")]
    Forbidden,
    /// No such thing, or none that this person may know of.
    #[error("not found")]
    NotFound,
    /// The address is there for other methods.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// It was here and is not any more.
    #[error("gone")]
    Gone,
    /// A field's value cannot be used. `reason` is a text key below `invalid-`.
    #[error("field {field} is invalid: {reason}")]
    Invalid {
        /// Name of the form field.
        field: &'static str,
        /// Text key of the reason, without its `invalid-`.
        reason: &'static str,
    },
    /// The request itself is malformed.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// Somebody else changed it first, or its state does not allow this. The text key below
    /// `conflict-` says what was kept.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// More bytes than allowed.
    #[error("larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// A file of a kind that is not taken.
    #[error("unsupported media type")]
    UnsupportedType,
    /// The bytes of an upload's request do not have the checksum it announced; none were kept.
    #[error("the checksum does not fit")]
    ChecksumMismatch,
    /// Another version of the tus protocol than 1.0.0.
    #[error("Tus-Resumable must be 1.0.0")]
    TusVersion,
    /// Too many tries.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after_s: u64,
    },
    /// The system is starting, stopping or overloaded.
    #[error("busy")]
    Busy,
    /// The database failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The object store failed.
    #[error("objects: {0}")]
    Objects(ObjectsError),
    /// The machine failed.
    #[error("input/output: {0}")]
    Io(#[from] std::io::Error),
    /// A page could not be rendered.
    #[error("page: {0}")]
    Web(#[from] millet_web::Error),
    /// A rule of the program itself was broken.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<ObjectsError> for Error {
    fn from(error: ObjectsError) -> Self {
        match error {
            ObjectsError::NotFound => Self::NotFound,
            other => Self::Objects(other),
        }
    }
}

/// Which answer an error becomes; kept with the response so that `app` can say it in words.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// RFC 9457 `type`: a stable word below `urn:millet:problem:`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 9457 `title`.
    pub title: &'static str,
    /// HTTP status.
    pub status: u16,
    /// RFC 9457 `detail`: what happened, for a developer; pages use their own words.
    pub detail: String,
    /// Field that is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// Text key of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Limit in bytes, of a refusal by size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<u64>,
    /// Seconds until another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

impl Error {
    /// The table: code, title and status of each error.
    fn row(&self) -> (&'static str, &'static str, StatusCode) {
        use StatusCode as S;
        match self {
            Self::SignInNeeded => ("sign-in-needed", "Sign-in needed", S::UNAUTHORIZED),
            Self::SignInRefused => ("sign-in-refused", "Sign-in refused", S::UNAUTHORIZED),
            Self::CardRefused => ("card-refused", "Card refused", S::UNAUTHORIZED),
            Self::WrongOrigin => ("wrong-origin", "Request from another site", S::FORBIDDEN),
            Self::Forbidden => ("forbidden", "Not allowed", S::FORBIDDEN),
            Self::NotFound => ("not-found", "Not found", S::NOT_FOUND),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                "Method not allowed",
                S::METHOD_NOT_ALLOWED,
            ),
            Self::Gone => ("gone", "Gone", S::GONE),
            Self::Invalid { .. } => ("invalid", "Invalid field", S::UNPROCESSABLE_ENTITY),
            Self::Malformed(_) => ("malformed", "Malformed request", S::BAD_REQUEST),
            Self::Conflict(_) => ("conflict", "Conflict", S::CONFLICT),
            Self::TooLarge { .. } => ("too-large", "Too large", S::PAYLOAD_TOO_LARGE),
            Self::UnsupportedType => (
                "unsupported-type",
                "Unsupported type",
                S::UNSUPPORTED_MEDIA_TYPE,
            ),
            // The tus protocol's own status, which HTTP does not name.
            Self::ChecksumMismatch => (
                "checksum-mismatch",
                "Checksum mismatch",
                S::from_u16(460).unwrap_or(S::BAD_REQUEST),
            ),
            Self::TusVersion => ("tus-version", "Unsupported version", S::PRECONDITION_FAILED),
            Self::TooMany { .. } => ("too-many", "Too many requests", S::TOO_MANY_REQUESTS),
            Self::Busy | Self::Database(sqlx::Error::PoolTimedOut) => {
                ("busy", "Busy", S::SERVICE_UNAVAILABLE)
            }
            Self::Database(_)
            | Self::Objects(_)
            | Self::Io(_)
            | Self::Web(_)
            | Self::Internal(_) => ("fault", "Fault", S::INTERNAL_SERVER_ERROR),
        }
    }

    /// What the answer says.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (code, title, status) = self.row();
        // A fault's text may carry paths, SQL or data: it goes to the log, never to the person.
        let detail = if status.is_server_error() {
            "The fault was written to the log under this request's id.".to_owned()
        } else {
            self.to_string()
        };
        let (mut field, mut reason, mut limit_bytes, mut retry_after_s) = (None, None, None, None);
        match self {
            Self::Invalid {
                field: name,
                reason: why,
            } => (field, reason) = (Some(*name), Some(*why)),
            Self::Conflict(why) => reason = Some(*why),
            Self::TooLarge { limit_bytes: most } => limit_bytes = Some(*most),
            Self::TooMany { retry_after_s: s } => retry_after_s = Some(*s),
            _ => {}
        }
        Problem {
            kind: format!("urn:millet:problem:{code}"),
            title,
            status: status.as_u16(),
            detail,
            field,
            reason,
            limit_bytes,
            retry_after_s,
        }
    }
}

impl Problem {
    /// The last part of `type`, which is also the text key below `problem-`.
    #[must_use]
    pub fn code(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or(&self.kind)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if problem.status >= 500 {
            tracing::error!(error = %self, "a request failed");
        }
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        if let Some(seconds) = problem.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(problem);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_tells_nothing_of_its_inside() {
        let problem = Error::Internal("secret path".into()).problem();
        assert_eq!(problem.status, 500);
        assert!(!serde_json::to_string(&problem).unwrap().contains("secret"));
    }

    /// The sources of this crate without what only tests use.
    fn sources() -> Vec<String> {
        let mut places = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut sources = Vec::new();
        while let Some(path) = places.pop() {
            if path.is_dir() {
                let entries = std::fs::read_dir(path).unwrap();
                places.extend(entries.map(|entry| entry.unwrap().path()));
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // A test module that stands in a file of its own is only named.
            let mut parts = text.split("#[cfg(test)]\n");
            let mut source = parts.next().unwrap().to_owned();
            for part in parts.take_while(|part| !part.lines().next().unwrap().ends_with('{')) {
                source += part;
            }
            sources.push(source);
        }
        assert!(sources.len() > 50, "the sources were not found");
        sources
    }

    /// What stands between `before` and the next quotation mark, everywhere.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        let found = text.split(before).skip(1);
        found.map(|rest| rest.split('"').next().unwrap())
    }

    /// Reasons and fields are keys of texts; this finds every one in the sources and asks for its
    /// words.
    #[test]
    fn every_reason_and_field_has_words_in_every_language() {
        let texts = millet_web::text::Texts::new().unwrap();
        let mut keys = std::collections::BTreeSet::new();
        for text in sources() {
            for reason in quoted(&text, "Conflict(\"") {
                keys.insert(format!("conflict-{reason}"));
                keys.insert(format!("next-conflict-{reason}"));
            }
            keys.extend(quoted(&text, "notice(\"").map(|key| format!("notice-{key}")));
            if text.contains("Error::Invalid") {
                for found in text.split("invalid(\"").skip(1) {
                    let given = found.split(')').next().unwrap();
                    let reason = given.trim_end_matches('"').rsplit('"').next().unwrap();
                    keys.insert(format!("invalid-{reason}"));
                }
                let dense: String = text.split_whitespace().collect();
                keys.extend(
                    quoted(&dense, "Invalid{field:\"").map(|field| format!("field-{field}")),
                );
                for call in ["invalid(", "within(", "text(", "name(", "time(", "date("] {
                    for found in dense.split(&format!("{call}\"")).skip(1) {
                        // The field, if another argument follows.
                        if let Some((field, _)) = found.split_once("\",")
                            && !field.contains('"')
                        {
                            keys.insert(format!("field-{field}"));
                        }
                    }
                }
            }
        }
        let fields = keys.iter().filter(|key| key.starts_with("field-"));
        assert!(fields.count() > 25 && keys.len() > 80, "{keys:?}");
        for language in millet_web::Language::ALL {
            for key in &keys {
                assert!(
                    texts.find(language, key, None).is_some(),
                    "{language:?}: {key}"
                );
            }
        }
    }

    #[test]
    fn an_exhausted_pool_asks_to_try_again() {
        assert_eq!(Error::from(sqlx::Error::PoolTimedOut).problem().status, 503);
    }
}

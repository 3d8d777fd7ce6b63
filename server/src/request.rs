//! The id of a request: in every answer's `x-request-id`, on every log line, in the audit, and on the
//! page of a fault, so that a person's question leads to what happened.

use std::future::Future;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tracing::Instrument as _;

tokio::task_local! {
    /// Of the request that this task works for.
    static CURRENT: RequestId;
}

/// A UUID in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }

    /// The id of the request that the present task works for, if it works for one.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lets `work` know the id for as long as it runs.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// For work that outlives its request: the same, with a span of its own on every line.
    pub fn around<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        let span = tracing::info_span!(parent: None, "stream", id = self.as_str());
        self.scope(work.instrument(span))
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

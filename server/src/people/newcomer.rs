//! How a session begins, by whichever door.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::Cookie;

use super::session;
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::id::AccountId;

/// Somebody who is about to sign in from some device.
pub struct Newcomer {
    device: &'static str,
    clock: Clock,
    config: Arc<Config>,
}

impl<S> FromRequestParts<S> for Newcomer
where
    S: Send + Sync,
    Clock: FromRef<S>,
    Arc<Config>: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            device: device(&parts.headers),
            clock: Clock::from_ref(state),
            config: Arc::from_ref(state),
        })
    }
}

impl Newcomer {
    /// Begins a session of `account` and makes its cookie.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(
        &self,
        transaction: &mut sqlx::AnyConnection,
        account: AccountId,
    ) -> Result<Cookie<'static>, Error> {
        let now = self.clock.now();
        let token = session::begin(&mut *transaction, account, self.device, now).await?;
        let entry = Entry::about_self(account, "session.begun", now);
        audit::append(transaction, entry).await?;
        Ok(session::cookie(&token, self.config.is_secure()))
    }
}

/// A few words by which people tell their devices apart; never the whole header.
fn device(headers: &HeaderMap) -> &'static str {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or("");
    let known = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    ];
    known
        .into_iter()
        .find(|(part, _)| agent.contains(part))
        .map_or("–", |(_, words)| words)
}

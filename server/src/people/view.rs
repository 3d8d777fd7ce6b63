//! Renders pages for whoever asks, in the language of that person or browser.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use millet_web::{Frame, Language, Navigation, Notice, Page, Renderer};

use super::{Role, SignedIn, Visitor};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;

/// Cookie with the language that this browser chose.
pub const LANGUAGE_COOKIE: &str = "millet_language";

/// Words that a page can say after a form was done, each a key below `notice-`.
const DONE: [&str; 10] = [
    "enrolled",
    "saved",
    "published",
    "password-changed",
    "verified",
    "returned",
    "signed-out",
    "revoked",
    "account-closed",
    "account-opened",
];

/// Leads to `path`, where the page says that `key` is done.
pub fn done(path: &str, key: &'static str) -> Redirect {
    debug_assert!(DONE.contains(&key), "the page would say nothing");
    Redirect::to(&format!("{path}?done={key}"))
}

/// What a handler renders pages with.
#[derive(Clone)]
pub struct View {
    renderer: Arc<Renderer>,
    frame: Frame,
    visitor: Visitor,
}

impl View {
    /// The page as an answer.
    ///
    /// # Errors
    /// When template and page do not fit: a fault.
    pub fn page<P: Page>(&self, page: &P) -> Result<Response, Error> {
        Ok(Html(self.renderer.render(page, &self.frame)?).into_response())
    }

    /// The page with another status, for forms that were refused.
    ///
    /// # Errors
    /// As [`View::page`].
    pub fn page_with<P: Page>(&self, status: StatusCode, page: &P) -> Result<Response, Error> {
        Ok((status, self.page(page)?).into_response())
    }

    /// Where the language switch leads to, of a page that answers a form.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.frame.path);
        self
    }

    /// Says `key` (below `notice-`) at the top of the page.
    #[must_use]
    pub fn notice(mut self, key: &'static str) -> Self {
        self.frame.notice = Some(Notice { key });
        self
    }

    /// Language of the page.
    #[must_use]
    pub fn language(&self) -> Language {
        self.frame.language
    }

    /// Whoever asks.
    #[must_use]
    pub fn signed_in(&self) -> Option<&SignedIn> {
        self.visitor.0.as_ref()
    }
}

impl<S> FromRequestParts<S> for View
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
    Arc<Renderer>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        let person = visitor.0.as_ref();
        let has = |role| person.is_some_and(|person| person.has(role));
        let path = match parts.method {
            http::Method::GET => parts
                .uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str),
            // Going back to a form's address by GET would find nothing there.
            _ => "/courses",
        };
        let frame = Frame {
            language: language(parts, person),
            path: path.to_owned(),
            person: person.map(|person| person.name().to_owned()),
            navigation: Navigation {
                teacher: has(Role::Teacher),
                helper: has(Role::Helper),
                administrator: has(Role::Administrator),
                plan_news: person.map_or(0, |person| person.news().plan),
                support_news: person.map_or(0, |person| person.news().support),
            },
            notice: said(parts).map(|key| Notice { key }),
        };
        Ok(Self {
            renderer: Arc::from_ref(state),
            frame,
            visitor,
        })
    }
}

/// Which notice the address asks for, if it is a known one.
fn said(parts: &Parts) -> Option<&'static str> {
    let query = parts.uri.query()?;
    let (_, value) =
        url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    DONE.into_iter().find(|known| *known == value)
}

/// The account's choice, then this browser's choice, then what the browser asks for.
fn language(parts: &Parts, person: Option<&SignedIn>) -> Language {
    let cookie = || {
        let jar = CookieJar::from_headers(&parts.headers);
        jar.get(LANGUAGE_COOKIE)
            .and_then(|cookie| Language::from_code(cookie.value()))
    };
    let header = || {
        let header = parts.headers.get(header::ACCEPT_LANGUAGE)?;
        Language::from_header(header.to_str().ok()?)
    };
    person
        .and_then(|person| person.language().and_then(Language::from_code))
        .or_else(cookie)
        .or_else(header)
        .unwrap_or_default()
}

//! One's own account: where it is signed in, its password, its language.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use millet_web::Language;
use millet_web::pages::people as pages;
use serde::Deserialize;

use super::password::Passwords;
use super::routes::local;
use super::view::{LANGUAGE_COOKIE, View, done};
use super::{SignedIn, Visitor, accounts, cards, session};
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::Error;
use crate::form::Form;

/// `POST /account/password`
#[derive(Deserialize)]
pub struct PasswordForm {
    old: String,
    password: String,
}

/// `POST /language`
#[derive(Deserialize)]
pub struct LanguageForm {
    language: String,
    #[serde(default)]
    next: String,
}

/// `GET /account`
///
/// # Errors
/// When the database fails.
pub async fn account_page(
    person: SignedIn,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let own = accounts::own(&mut connection, person.account()).await?;
    let sessions = session::open(&mut connection, person.account(), clock.now()).await?;
    drop(connection);
    view.page(&pages::Account {
        name: own.name,
        sign_in_name: own.sign_in_name,
        has_password: own.password_hash.is_some(),
        sessions: sessions
            .into_iter()
            .map(|session| pages::Session {
                this_one: session.token_hash == person.session_hash(),
                device: session.device,
                seen_at: session.seen_at.0,
            })
            .collect(),
    })
}

/// `POST /account/password`: every other browser and every card is signed out.
///
/// # Errors
/// [`Error::Invalid`] when the old one is wrong or the new one too short.
pub async fn change_password(
    person: SignedIn,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(passwords): State<Passwords>,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Error> {
    let stored = {
        let mut connection = db.read().await?;
        accounts::own(&mut connection, person.account())
            .await?
            .password_hash
    };
    let wrong = Error::Invalid {
        field: "old",
        reason: "password-wrong",
    };
    let Some(stored) = stored else {
        return Err(wrong);
    };
    if !passwords.verify(&form.old, Some(stored.clone())).await? {
        return Err(wrong);
    }
    let hash = passwords.hash(&form.password).await?;
    let (account, now) = (person.account(), clock.now());
    let mut transaction = db.write().await?;
    accounts::set_password(&mut transaction, account, &stored, &hash).await?;
    session::end_all(&mut transaction, account, Some(person.session_hash()), now).await?;
    cards::withdraw(&mut transaction, account, now).await?;
    audit::append(
        &mut transaction,
        Entry::about_self(account, "password.changed", now),
    )
    .await?;
    transaction.commit().await?;
    Ok(done("/account", "password-changed").into_response())
}

/// `POST /language`: for the account, and for this browser before sign-in.
///
/// # Errors
/// [`Error::Invalid`] for a language that is not there.
pub async fn set_language(
    Visitor(visitor): Visitor,
    State(db): State<Db>,
    State(config): State<Arc<Config>>,
    Form(form): Form<LanguageForm>,
) -> Result<Response, Error> {
    let language = Language::from_code(&form.language).ok_or(Error::Invalid {
        field: "language",
        reason: "choice",
    })?;
    if let Some(person) = visitor {
        let mut transaction = db.write().await?;
        accounts::set_language(&mut transaction, person.account(), language.code()).await?;
        transaction.commit().await?;
    }
    let cookie = Cookie::build((LANGUAGE_COOKIE, language.code()))
        .path("/")
        .same_site(SameSite::Lax)
        .http_only(true)
        .secure(config.is_secure())
        .max_age(time::Duration::days(365));
    let next = Redirect::to(&local(&form.next));
    Ok((CookieJar::new().add(cookie), next).into_response())
}

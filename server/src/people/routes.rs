//! Signing in and out, by password and by card.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use millet_web::pages::people as pages;
use serde::Deserialize;

use super::accounts::GivenName;
use super::limit::{CameFrom, SignInLimit};
use super::newcomer::Newcomer;
use super::password::Passwords;
use super::session::{self, Token};
use super::view::{View, done};
use super::{SignedIn, Visitor, accounts, cards};
use crate::audit::{self, Entry};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, Query};

/// Where people go who did not say where.
const HOME: &str = "/learning";

/// `?next=` of the sign-in page.
#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
#[derive(Deserialize)]
pub struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /`
pub async fn start(Visitor(visitor): Visitor) -> Redirect {
    Redirect::to(if visitor.is_some() { HOME } else { "/courses" })
}

/// `GET /sign-in`
///
/// # Errors
/// When the page cannot be rendered.
pub async fn sign_in_page(view: View, Query(query): Query<Next>) -> Result<Response, Error> {
    if view.signed_in().is_some() {
        return Ok(Redirect::to(&local(&query.next)).into_response());
    }
    view.page(&pages::SignIn {
        next: query.next,
        ..pages::SignIn::default()
    })
}

/// `POST /sign-in`: a refusal shows the form again with what was typed.
///
/// # Errors
/// When a store fails.
pub async fn sign_in(
    view: View,
    State(db): State<Db>,
    State(passwords): State<Passwords>,
    State(limit): State<SignInLimit>,
    from: CameFrom,
    newcomer: Newcomer,
    Form(form): Form<SignInForm>,
) -> Result<Response, Error> {
    let refused = |status, refusal: &str| {
        view.page_with(
            status,
            &pages::SignIn {
                next: form.next.clone(),
                name: form.name.clone(),
                refusal: refusal.to_owned(),
            },
        )
    };
    let name = GivenName::new(&form.name);
    if let Err(Error::TooMany { retry_after_s }) = limit.check(&name, from) {
        let mut response = refused(StatusCode::TOO_MANY_REQUESTS, "sign-in-too-many")?;
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, retry_after_s.into());
        return Ok(response);
    }
    let found = {
        let mut connection = db.read().await?;
        accounts::by_name_or_phone(&mut connection, &name).await?
    };
    let stored = found.as_ref().and_then(|found| found.password_hash.clone());
    let fits = passwords.verify(&form.password, stored).await?;
    let Some(account) = found.filter(|_| fits) else {
        return refused(StatusCode::UNAUTHORIZED, "sign-in-refused");
    };
    let mut transaction = db.write().await?;
    let cookie = newcomer.begin(&mut transaction, account.id).await?;
    transaction.commit().await?;
    Ok((
        CookieJar::new().add(cookie),
        Redirect::to(&local(&form.next)),
    )
        .into_response())
}

/// `POST /sign-out`
///
/// # Errors
/// When the database fails.
pub async fn sign_out(
    person: SignedIn,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let mut transaction = db.write().await?;
    session::end(&mut transaction, person.session_hash(), clock.now()).await?;
    transaction.commit().await?;
    Ok(left())
}

/// `POST /sign-out-everywhere`: also withdraws printed cards, which are another way in.
///
/// # Errors
/// When the database fails.
pub async fn sign_out_everywhere(
    person: SignedIn,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    session::end_all(&mut transaction, person.account(), None, now).await?;
    cards::withdraw(&mut transaction, person.account(), now).await?;
    let entry = Entry::about_self(person.account(), "session.all_ended", now);
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(left())
}

fn left() -> Response {
    let gone = Cookie::build((session::COOKIE, "")).path("/");
    let jar = CookieJar::new().add(gone.max_age(time::Duration::ZERO));
    (jar, done("/courses", "signed-out")).into_response()
}

/// `GET /card/{token}`: only greets, so that whatever reads addresses ahead does not use the card.
///
/// # Errors
/// [`Error::CardRefused`] for a card that does not work.
pub async fn card_page(
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Path(token): Path<String>,
) -> Result<Response, Error> {
    let given = Token::received(&token).ok_or(Error::CardRefused)?;
    let mut connection = db.read().await?;
    let holder = cards::holder(&mut connection, &given, clock.now()).await?;
    drop(connection);
    view.page(&pages::CardLanding {
        name: holder.ok_or(Error::CardRefused)?.name,
        token,
    })
}

/// `POST /card/{token}`
///
/// # Errors
/// [`Error::CardRefused`] for a card that does not work.
pub async fn take_card(
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(limit): State<SignInLimit>,
    from: CameFrom,
    newcomer: Newcomer,
    Path(token): Path<String>,
) -> Result<Response, Error> {
    limit.check_card(&token, from)?;
    let token = Token::received(&token).ok_or(Error::CardRefused)?;
    let mut transaction = db.write().await?;
    let account = cards::take(&mut transaction, &token, clock.now()).await?;
    let cookie = newcomer.begin(&mut transaction, account).await?;
    transaction.commit().await?;
    Ok((CookieJar::new().add(cookie), Redirect::to(HOME)).into_response())
}

/// A path of this server, whatever the form said.
pub(super) fn local(next: &str) -> String {
    let path = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    if path && !next.chars().any(char::is_control) {
        next.to_owned()
    } else {
        HOME.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(local("/courses/1?x=2"), "/courses/1?x=2");
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\r\nb",
        ] {
            assert_eq!(local(bad), HOME);
        }
    }
}

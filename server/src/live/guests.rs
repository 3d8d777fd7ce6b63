//! Joining by class code: people of the school, and guests without an account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use millet_web::pages::live as pages;
use serde::Deserialize;

use super::proof::{InClass, Invited};
use super::room::limits::{MOST_PEOPLE, MOST_WAITING};
use super::routes::class_path;
use super::{participants, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, Query};
use crate::people::limit::{CameFrom, SignInLimit};
use crate::people::newcomer::Newcomer;
use crate::people::view::View;
use crate::people::{SignedIn, accounts};

/// Guests of one class, those who left and those who wait included.
const MOST_GUESTS: i64 = (MOST_PEOPLE + MOST_WAITING) as i64;

/// `?code=` of an address that a teacher gave out.
#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    code: String,
}

/// `POST /join`
#[derive(Deserialize)]
pub struct JoinForm {
    code: String,
    #[serde(default)]
    name: String,
}

/// `GET /join`
///
/// # Errors
/// When the page cannot be rendered.
pub async fn join_page(view: View, Query(given): Query<Given>) -> Result<Response, Error> {
    view.page(&pages::Join {
        code: given.code,
        signed_in: view.signed_in().is_some(),
        ..pages::Join::default()
    })
}

/// `POST /join`: a wrong code shows the form again.
///
/// # Errors
/// [`Error::TooMany`], [`Error::Invalid`] for a name that cannot be shown, or when the database fails.
pub async fn join(
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(limit): State<SignInLimit>,
    from: CameFrom,
    newcomer: Newcomer,
    Form(form): Form<JoinForm>,
) -> Result<Response, Error> {
    limit.check_address(from)?;
    let person = view.signed_in().map(SignedIn::account);
    let refused = |refusal: &str| {
        view.page_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &pages::Join {
                code: form.code.clone(),
                name: form.name.clone(),
                refusal: refusal.to_owned(),
                signed_in: person.is_some(),
            },
        )
    };
    let now = clock.now();
    let mut transaction = db.write().await?;
    let tx = &mut *transaction;
    let Some(class) = store::class_of_code(&mut *tx, &form.code).await? else {
        return refused("join-unknown");
    };
    let place = Redirect::to(&class_path(class.id));
    if let Some(account) = person {
        match InClass::<Invited>::prove(&mut *tx, account, class.id).await {
            Ok(_) => return Ok(place.into_response()),
            Err(Error::NotFound) => {}
            Err(other) => return Err(other),
        }
        let before = participants::find(&mut *tx, class.id, account).await?;
        if before.is_some() {
            // Was sent out, or left the course: the code does not undo that.
            return refused("join-unknown");
        }
    }
    if participants::guests(&mut *tx, class.id).await? >= MOST_GUESTS {
        return refused("join-full");
    }
    let (account, cookie) = match person {
        Some(account) => (account, None),
        None => {
            let account = accounts::create_guest(&mut *tx, &form.name, now).await?;
            let cookie = newcomer.begin(&mut *tx, account).await?;
            (account, Some(cookie))
        }
    };
    participants::invite(&mut *tx, &class, account, now).await?;
    transaction.commit().await?;
    let jar = cookie.map_or_else(CookieJar::new, |cookie| CookieJar::new().add(cookie));
    Ok((jar, place).into_response())
}

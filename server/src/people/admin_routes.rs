//! Accounts, roles and areas, for administrators of these areas.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use millet_web::pages::{admin as pages, people as people_pages, teaching::Choice};
use serde::Deserialize;
use sqlx::AnyConnection;

use super::access::path_id;
use super::accounts::{self, NewAccount};
use super::areas::{self, NewArea};
use super::grants::{self, ManagedAccount};
use super::password::Passwords;
use super::view::{View, done};
use super::{Administrator, Has, Role, cards};
use crate::audit::{self, Entry};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, empty_as_none};
use crate::id::{AccountId, AreaId, CardId, GrantId};

/// `POST /admin/areas`
#[derive(Deserialize)]
pub struct AreaForm {
    parent_id: AreaId,
    code: String,
    level: String,
    #[serde(default)]
    name_zh: String,
    #[serde(default)]
    name_en: String,
}

/// `POST /admin/accounts`
#[derive(Deserialize)]
pub struct AccountForm {
    name: String,
    sign_in_name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    password: String,
    area_id: AreaId,
}

/// `POST /admin/accounts/search`
#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    name: String,
}

/// `POST /admin/grants`
#[derive(Deserialize)]
pub struct GrantForm {
    account_id: AccountId,
    role: String,
    area_id: AreaId,
}

/// The forms that print a card.
#[derive(Deserialize)]
pub struct CardForm {
    #[serde(default, deserialize_with = "empty_as_none")]
    card_id: Option<CardId>,
    #[serde(default)]
    single_use: String,
}

impl<S> FromRequestParts<S> for ManagedAccount
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let administrator = Has::<Administrator>::from_request_parts(parts, state).await?;
        let account = path_id(parts, state, "account_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, &administrator, account).await
    }
}

/// `GET /admin/areas`
///
/// # Errors
/// When the database fails.
pub async fn areas_page(
    administrator: Has<Administrator>,
    view: View,
    State(db): State<Db>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let rows = covered(&mut connection, &administrator, &view).await?;
    drop(connection);
    let areas = areas::as_tree(rows)
        .into_iter()
        .map(|(area, depth)| pages::Area {
            id: area.id.to_string(),
            code: area.code,
            name: area.name,
            level: area.level,
            depth,
        })
        .collect();
    view.page(&pages::Areas { areas })
}

async fn covered(
    connection: &mut AnyConnection,
    administrator: &Has<Administrator>,
    view: &View,
) -> Result<Vec<areas::AreaRow>, Error> {
    let language = view.language().code();
    areas::covered(
        connection,
        administrator.account(),
        Role::Administrator,
        language,
    )
    .await
}

/// `POST /admin/areas`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::NotFound`] for a parent outside.
pub async fn add_area(
    administrator: Has<Administrator>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<AreaForm>,
) -> Result<Redirect, Error> {
    let new = NewArea::new(&form.code, &form.level, &form.name_zh, &form.name_en)?;
    let now = clock.now();
    let mut transaction = db.write().await?;
    let area =
        areas::create_below(&mut transaction, &administrator, form.parent_id, &new, now).await?;
    note(
        &mut transaction,
        administrator.account(),
        "area.created",
        "area",
        area,
        now,
    )
    .await?;
    transaction.commit().await?;
    Ok(done("/admin/areas", "saved"))
}

/// `GET /admin/accounts`
///
/// # Errors
/// When the database fails.
pub async fn accounts_page(
    administrator: Has<Administrator>,
    view: View,
    State(db): State<Db>,
) -> Result<Response, Error> {
    list(&administrator, &view, &db, String::new()).await
}

/// `POST /admin/accounts/search`: the same list. Names and phone numbers of people do not belong into
/// addresses, which stay in the browser's history and in the log of a proxy.
///
/// # Errors
/// When the database fails.
pub async fn search_accounts(
    administrator: Has<Administrator>,
    view: View,
    State(db): State<Db>,
    Form(search): Form<Search>,
) -> Result<Response, Error> {
    let view = view.at("/admin/accounts");
    list(&administrator, &view, &db, search.name).await
}

/// `GET /admin/accounts/search`: whoever opens the address of the search begins a new one.
pub async fn begin_search(_administrator: Has<Administrator>) -> Redirect {
    Redirect::to("/admin/accounts")
}

async fn list(
    administrator: &Has<Administrator>,
    view: &View,
    db: &Db,
    name: String,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let (accounts, grants) = grants::managed(&mut connection, administrator, &name).await?;
    let areas = covered(&mut connection, administrator, view).await?;
    drop(connection);
    let name_of = |area: AreaId| {
        let found = areas.iter().find(|row| row.id == area);
        found.map(|row| row.name.clone()).unwrap_or_default()
    };
    let line = |account: grants::ManagedRow| pages::AccountLine {
        grants: grants
            .iter()
            .filter(|grant| grant.account_id == account.id)
            .map(|grant| pages::GrantLine {
                id: grant.id.to_string(),
                role: grant.role.clone(),
                area: name_of(grant.area_id),
            })
            .collect(),
        id: account.id.to_string(),
        name: account.name,
        sign_in_name: account.sign_in_name,
        disabled: account.disabled_at.is_some(),
        card_id: CardId::new().to_string(),
    };
    let accounts = accounts.into_iter().map(line).collect();
    let areas = areas::as_tree(areas)
        .into_iter()
        .map(|(area, _)| Choice {
            value: area.id.to_string(),
            name: area.name,
            chosen: false,
        })
        .collect();
    view.page(&pages::Accounts {
        name,
        accounts,
        areas,
    })
}

/// `POST /admin/accounts`
///
/// # Errors
/// [`Error::Invalid`], or [`Error::Forbidden`] for an area outside.
pub async fn add_account(
    administrator: Has<Administrator>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(passwords): State<Passwords>,
    Form(form): Form<AccountForm>,
) -> Result<Redirect, Error> {
    let mut new = NewAccount::new(&form.name, &form.sign_in_name, &form.phone)?;
    if !form.password.is_empty() {
        new.password_hash = Some(passwords.hash(&form.password).await?);
    }
    new.area = Some(form.area_id);
    let now = clock.now();
    let mut transaction = db.write().await?;
    if !administrator.covers(&mut transaction, form.area_id).await? {
        return Err(Error::Forbidden);
    }
    let by = administrator.account();
    let account = accounts::create(&mut transaction, &new, Some(by), now).await?;
    note(
        &mut transaction,
        by,
        "account.created",
        "account",
        account,
        now,
    )
    .await?;
    transaction.commit().await?;
    Ok(done("/admin/accounts", "saved"))
}

/// `POST /admin/grants`
///
/// # Errors
/// [`Error::NotFound`] for an account outside, [`Error::Forbidden`] for an area outside.
pub async fn add_grant(
    administrator: Has<Administrator>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    Form(form): Form<GrantForm>,
) -> Result<Redirect, Error> {
    let role = Role::from_word(&form.role).ok_or(Error::Invalid {
        field: "role",
        reason: "choice",
    })?;
    let now = clock.now();
    let mut transaction = db.write().await?;
    let managed = ManagedAccount::prove(&mut transaction, &administrator, form.account_id).await?;
    grants::give(&mut transaction, &managed, role, form.area_id, now).await?;
    let (by, account) = (managed.administrator(), managed.account());
    note(&mut transaction, by, "grant.given", "account", account, now).await?;
    transaction.commit().await?;
    Ok(done("/admin/accounts", "saved"))
}

/// `POST /admin/grants/{grant_id}/revoke`
///
/// # Errors
/// As [`grants::revoke`].
pub async fn revoke_grant(
    administrator: Has<Administrator>,
    State(db): State<Db>,
    State(clock): State<Clock>,
    axum::extract::Path(grant): axum::extract::Path<String>,
) -> Result<Redirect, Error> {
    // The store asks whether the administrator may; there is no proof for a grant's id.
    let grant: GrantId = grant.parse().map_err(|_| Error::NotFound)?;
    let now = clock.now();
    let mut transaction = db.write().await?;
    let account = grants::revoke(&mut transaction, &administrator, grant, now).await?;
    let by = administrator.account();
    note(
        &mut transaction,
        by,
        "grant.revoked",
        "account",
        account,
        now,
    )
    .await?;
    transaction.commit().await?;
    Ok(done("/admin/accounts", "saved"))
}

/// `POST /admin/accounts/{account_id}/cards`
///
/// # Errors
/// [`Error::Forbidden`] when the account has a role outside the administrator's areas.
pub async fn print_card(
    managed: ManagedAccount,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(config): State<Arc<Config>>,
    headers: HeaderMap,
    Form(form): Form<CardForm>,
) -> Result<Response, Error> {
    let now = clock.now();
    let mut transaction = db.write().await?;
    let (by, account) = (managed.administrator(), managed.account());
    if !grants::is_below(&mut transaction, by, account).await? {
        return Err(Error::Forbidden);
    }
    let card = card(
        &mut transaction,
        CardId::of_form(form.card_id),
        account,
        by,
        !form.single_use.is_empty(),
        &config.origin(&headers),
        now,
    )
    .await?;
    transaction.commit().await?;
    Ok(view
        .page(&people_pages::CardSheet { cards: vec![card] })?
        .into_response())
}

/// Issues a card, writes it down, and draws it. Whoever calls has proved that `by` may.
///
/// # Errors
/// As [`cards::issue`].
pub async fn card(
    transaction: &mut AnyConnection,
    id: CardId,
    account: AccountId,
    by: AccountId,
    single_use: bool,
    origin: &str,
    now: Timestamp,
) -> Result<people_pages::Card, Error> {
    let own = accounts::own(&mut *transaction, account).await?;
    let issued = cards::issue(&mut *transaction, id, account, by, single_use, now).await?;
    note(transaction, by, "card.issued", "account", account, now).await?;
    let url = format!("{origin}/card/{}", issued.token.reveal());
    Ok(people_pages::Card {
        name: own.name,
        qr_svg: cards::qr_svg(&url)?,
        url,
        expires_at: issued.expires_at.0,
        single_use,
    })
}

pub(super) async fn note(
    transaction: &mut AnyConnection,
    by: AccountId,
    action: &'static str,
    subject_kind: &'static str,
    subject: impl ToString + Send,
    at: Timestamp,
) -> Result<(), Error> {
    let entry = Entry {
        account: Some(by),
        action,
        subject_kind,
        subject_id: subject.to_string(),
        reason: None,
        at,
    };
    Ok(audit::append(transaction, entry).await?)
}

//! A household's plan, for its people and its helper. Every look by a helper is written down.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use millet_web::pages::{learning as learner_pages, people as people_pages, support as pages};
use serde::Deserialize;
use sqlx::AnyConnection;

use super::store::{self, Load, MeasureRow};
use crate::audit::{self, Entry};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::db::Db;
use crate::error::Error;
use crate::form::{Form, empty_as_none};
use crate::households;
use crate::households::proof::InHousehold;
use crate::households::store::HouseholdRow;
use crate::id::{AccountId, CardId, HouseholdId, MeasureId};
use crate::notices;
use crate::people::view::View;
use crate::people::{Has, Helper, SignedIn, admin_routes, grants};

/// `GET /plan`: one's own household's.
///
/// # Errors
/// When the database fails.
pub async fn my_plan(
    person: SignedIn,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let mut connection = db.read().await?;
    let belonging = households::store::of_account(&mut connection, person.account()).await?;
    let plan = match belonging {
        Some(belonging) => plan_page(&mut connection, belonging.household_id).await?,
        None => None,
    };
    drop(connection);
    if person.news().plan > 0 {
        let mut transaction = db.write().await?;
        let kind = notices::Kind::MeasureReturned;
        notices::read_all(&mut transaction, person.account(), kind, clock.now()).await?;
        transaction.commit().await?;
    }
    view.page(&learner_pages::MyPlan { plan })
}

/// `GET /support`
///
/// # Errors
/// When the database fails.
pub async fn households_page(
    helper: Has<Helper>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let account = helper.account();
    let mut connection = db.read().await?;
    let rows = households::store::own(&mut connection, &helper, view.language().code()).await?;
    let loads = store::loads(&mut connection, account).await?;
    drop(connection);
    let lines: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let load = loads.iter().find(|load| load.household_id == row.id);
            line(row, load)
        })
        .collect();
    note_read(&db, listed(account, clock.now())).await?;
    view.page(&pages::Households {
        to_verify: lines.iter().map(|line| line.to_verify).sum(),
        households: lines,
    })
}

fn line(row: HouseholdRow, load: Option<&Load>) -> pages::HouseholdLine {
    pages::HouseholdLine {
        id: row.id.to_string(),
        code: row.code,
        head: row.head,
        area: row.area,
        status: row.status,
        measures: load.map_or(0, |load| load.measures),
        to_verify: load.map_or(0, |load| load.to_verify),
        news: load.map_or(0, |load| load.news),
    }
}

/// `GET /support/households/{household_id}`
///
/// # Errors
/// When the database fails.
pub async fn household_page(
    proof: InHousehold<Helper>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let (household, by) = (proof.household(), proof.account());
    let mut connection = db.read().await?;
    let row = households::store::find(&mut connection, &proof, view.language().code()).await?;
    let loads = store::loads(&mut connection, by).await?;
    let load = loads.iter().find(|load| load.household_id == household);
    let address = row.address.clone();
    let line = line(row, load);
    let members = households::store::members(&mut connection, household).await?;
    let mut plan = plan_page(&mut connection, household).await?;
    for measure in plan.iter_mut().flat_map(|plan| &mut plan.measures) {
        measure.path = Some(format!("/support/measures/{}", measure.id));
    }
    drop(connection);
    let read = looked(by, "household.read", "household", household, clock.now());
    note_read(&db, read).await?;
    view.page(&pages::Household {
        line,
        address,
        members: members
            .into_iter()
            .map(|member| pages::Member {
                name: member.name,
                relationship: member.relationship,
                account_id: member.account_id.map(|account| account.to_string()),
                card_id: CardId::new().to_string(),
            })
            .collect(),
        plan,
    })
}

/// `POST /support/households/{household_id}/cards`
#[derive(Deserialize)]
pub struct CardForm {
    account_id: AccountId,
    #[serde(default, deserialize_with = "empty_as_none")]
    card_id: Option<CardId>,
    #[serde(default)]
    single_use: String,
}

/// `POST /support/households/{household_id}/cards`: for a member who cannot type.
///
/// # Errors
/// [`Error::NotFound`] for who is no member, [`Error::Conflict`] for a member with a role, who gets
/// a card from an administrator.
pub async fn print_card(
    proof: InHousehold<Helper>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
    State(config): State<Arc<Config>>,
    headers: HeaderMap,
    Form(form): Form<CardForm>,
) -> Result<Response, Error> {
    let mut transaction = db.write().await?;
    let members = households::store::members(&mut transaction, proof.household()).await?;
    let member = form.account_id;
    if !members.iter().any(|row| row.account_id == Some(member)) {
        return Err(Error::NotFound);
    }
    if grants::has_any(&mut transaction, member).await? {
        return Err(Error::Conflict("card-elsewhere"));
    }
    let card = admin_routes::card(
        &mut transaction,
        CardId::of_form(form.card_id),
        member,
        proof.account(),
        !form.single_use.is_empty(),
        &config.origin(&headers),
        clock.now(),
    )
    .await?;
    transaction.commit().await?;
    view.page(&people_pages::CardSheet { cards: vec![card] })
}

/// `GET /support/verify`
///
/// # Errors
/// When the database fails.
pub async fn waiting_page(
    helper: Has<Helper>,
    view: View,
    State(db): State<Db>,
    State(clock): State<Clock>,
) -> Result<Response, Error> {
    let account = helper.account();
    let mut connection = db.read().await?;
    let waiting = store::waiting(&mut connection, account).await?;
    drop(connection);
    note_read(&db, listed(account, clock.now())).await?;
    view.page(&pages::ToVerify {
        measures: waiting
            .into_iter()
            .map(|waiting| pages::VerifyLine {
                id: waiting.id.to_string(),
                title: waiting.title,
                member: waiting.member,
                household: waiting.household,
                status: waiting.status,
                fulfilled_at: waiting.fulfilled_at.0,
            })
            .collect(),
    })
}

async fn plan_page(
    connection: &mut AnyConnection,
    household: HouseholdId,
) -> Result<Option<pages::Plan>, Error> {
    let Some(plan) = store::live(&mut *connection, household).await? else {
        return Ok(None);
    };
    let measures = store::measures(&mut *connection, plan.id).await?;
    let mut names: HashMap<MeasureId, Vec<String>> = HashMap::new();
    for part in store::parts(connection, plan.id).await? {
        names.entry(part.measure_id).or_default().push(part.name);
    }
    Ok(Some(pages::Plan {
        version: plan.number,
        status: plan.status,
        goals: plan.goals,
        starts_on: plan.starts_on,
        ends_on: plan.ends_on,
        helper: plan.helper,
        measures: measures
            .into_iter()
            .map(|measure| {
                let members = names.remove(&measure.id).unwrap_or_default();
                measure_page(measure, members)
            })
            .collect(),
    }))
}

/// A measure as pages show it.
#[must_use]
pub fn measure_page(measure: MeasureRow, members: Vec<String>) -> pages::Measure {
    let allowance = measure.allowance();
    pages::Measure {
        id: measure.id.to_string(),
        kind: measure.kind,
        title: measure.title,
        members,
        course_id: measure.course_id.map(|course| course.to_string()),
        course_title: measure.course_title,
        due_on: measure.due_on,
        allowance: match allowance.minor {
            0 => String::new(),
            _ => allowance.to_string(),
        },
        status: measure.status,
        reason: measure.reason,
        path: None,
    }
}

/// Somebody looked at household data.
pub fn looked(
    by: AccountId,
    action: &'static str,
    subject_kind: &'static str,
    subject: impl ToString,
    at: Timestamp,
) -> Entry<'static> {
    Entry {
        account: Some(by),
        action,
        subject_kind,
        subject_id: subject.to_string(),
        reason: None,
        at,
    }
}

fn listed(by: AccountId, at: Timestamp) -> Entry<'static> {
    looked(by, "household.listed", "account", by, at)
}

/// Writes down what was read, before anybody sees it; readers do not wait for each other until then.
async fn note_read(db: &Db, entry: Entry<'_>) -> Result<(), Error> {
    let mut transaction = db.write().await?;
    audit::append(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

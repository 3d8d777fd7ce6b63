//! Attendance: what was really received and played of a class, never how long somebody was connected.
//! It is the same evidence that completes any other lesson.

use std::collections::HashMap;

use sqlx::{AnyConnection, FromRow};

use super::proof::{InClass, Leader};
use super::room::act::Role;
use super::store;
use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, LiveClassId};
use crate::learning::enrolment;
use crate::learning::evidence::Watched;
use crate::learning::watched::{Interval, Intervals};

/// What one person attended.
#[derive(Clone, Debug)]
pub struct Attended {
    /// Shown name.
    pub name: String,
    /// Part.
    pub role: Role,
    /// Came by the class code alone; leaves no evidence.
    pub guest: bool,
    /// Was in the room.
    pub came: bool,
    /// What was played.
    pub played: Intervals,
    /// The lesson is complete.
    pub completed: bool,
}

#[derive(FromRow)]
struct PersonRow {
    account_id: AccountId,
    name: String,
    role: Option<String>,
    guest_since: Option<Timestamp>,
    admitted_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

/// Everybody who takes the course or was in the class, by name.
///
/// # Errors
/// When the database fails.
pub async fn of_class(
    connection: &mut AnyConnection,
    proof: &InClass<Leader>,
) -> Result<Vec<Attended>, Error> {
    let class = proof.row();
    let people: Vec<PersonRow> = sqlx::query_as(
        "select account.id as account_id, account.name, part.role, part.guest_since, \
         part.admitted_at, done.completed_at from account \
         left join live_participant part on part.account_id = account.id and part.class_id = $1 \
         left join lesson_completion done on done.account_id = account.id and done.lesson_id = $3 \
         where account.id in (select account_id from live_participant where class_id = $1) \
         or account.id in (select account_id from enrolment where course_id = $2 \
         and withdrawn_at is null) order by account.name, account.id limit 3000",
    )
    .bind(class.id)
    .bind(class.course_id)
    .bind(class.lesson_id)
    .fetch_all(&mut *connection)
    .await?;
    let rows: Vec<(AccountId, i64, i64)> = sqlx::query_as(
        "select account_id, from_ms, until_ms from watch_interval where timeline_id = $1",
    )
    .bind(class.timeline_id)
    .fetch_all(connection)
    .await?;
    let mut played: HashMap<AccountId, Vec<Interval>> = HashMap::new();
    for (account, from_ms, until_ms) in rows {
        let part = Interval { from_ms, until_ms };
        played.entry(account).or_default().push(part);
    }
    Ok(people
        .into_iter()
        .map(|person| Attended {
            role: person
                .role
                .as_deref()
                .and_then(Role::from_word)
                .unwrap_or(Role::Learner),
            guest: person.guest_since.is_some(),
            came: person.admitted_at.is_some(),
            played: Intervals::merge(played.remove(&person.account_id).unwrap_or_default()),
            completed: person.completed_at.is_some(),
            name: person.name,
        })
        .collect())
}

/// Looks at everybody's attendance once the class is closed, one transaction for each learner: whoever
/// attended enough has completed the lesson, perhaps the course. Cut off, it goes on at the next start;
/// again, it changes nothing.
///
/// # Errors
/// When the database fails; those who were looked at keep what followed.
pub async fn settle(
    db: &Db,
    clock: &Clock,
    watched: &dyn Watched,
    class: LiveClassId,
) -> Result<(), Error> {
    let mut connection = db.read().await?;
    let row = store::find(&mut connection, class)
        .await?
        .ok_or(Error::NotFound)?;
    if row.ended_at.is_none() {
        return Err(Error::Conflict("class-begun"));
    }
    drop(connection);
    // What is being credited by those who still saw the class go on is not missed.
    let mut transaction = db.write().await?;
    enrolment::hold_all(&mut transaction, row.course_id).await?;
    transaction.commit().await?;
    let mut connection = db.read().await?;
    let attended: Vec<(AccountId,)> = sqlx::query_as(
        "select distinct account_id from watch_interval where timeline_id = $1 \
         and lesson_id = $2 order by account_id",
    )
    .bind(row.timeline_id)
    .bind(row.lesson_id)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    for (account,) in attended {
        let mut transaction = db.write().await?;
        watched
            .watched(&mut transaction, account, row.lesson_id, clock.now())
            .await?;
        transaction.commit().await?;
    }
    let mut transaction = db.write().await?;
    store::settled(&mut transaction, class, clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

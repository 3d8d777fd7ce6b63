//! The table `live_participant`: who is in a class, and what follows from the room's events for it.

use sqlx::{AnyConnection, FromRow};

use super::proof::{InClass, PartKind};
use super::room::act::{Act, Role};
use super::room::decide::Newcomer;
use super::room::told::Happened;
use super::store::{self, Class};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, LiveClassId, ParticipantId, TimelineId};
use crate::learning::{access, enrolment};

/// Somebody in a class.
#[derive(Clone, Debug, FromRow)]
pub struct Participant {
    /// Who, in this class.
    pub id: ParticipantId,
    /// Account.
    pub account_id: AccountId,
    /// Word of a [`Role`].
    pub role: String,
    /// Set for who came by the class code alone.
    pub guest_since: Option<Timestamp>,
    /// Absent while he or she waits.
    pub admitted_at: Option<Timestamp>,
    /// Was sent out.
    pub removed_at: Option<Timestamp>,
    /// A leader of the class gave him or her the part.
    pub role_given_at: Option<Timestamp>,
}

impl Participant {
    /// Part.
    ///
    /// # Errors
    /// [`Error::Internal`] when the database holds another word.
    pub fn role(&self) -> Result<Role, Error> {
        Role::from_word(&self.role)
            .ok_or_else(|| Error::Internal(format!("live role {}", self.role)))
    }
}

/// Somebody's place in a class.
///
/// # Errors
/// When the database fails.
pub async fn find(
    connection: &mut AnyConnection,
    class: LiveClassId,
    account: AccountId,
) -> Result<Option<Participant>, Error> {
    Ok(sqlx::query_as(
        "select id, account_id, role, guest_since, admitted_at, removed_at, role_given_at \
         from live_participant where class_id = $1 and account_id = $2",
    )
    .bind(class)
    .bind(account)
    .fetch_optional(connection)
    .await?)
}

/// Gives somebody with a right to be in the class a place in it; again it is the same place. A part that the
/// course does not give any more becomes the one that it gives.
///
/// # Errors
/// [`Error::NotFound`] for who was sent out meanwhile, or when the database fails.
pub async fn enter<K: PartKind>(
    connection: &mut AnyConnection,
    proof: &InClass<K>,
    now: Timestamp,
) -> Result<Newcomer, Error> {
    let class = proof.row();
    sqlx::query(
        "insert into live_participant (id, class_id, account_id, role, joined_at, admitted_at) \
         values ($1, $2, $3, $4, $5, $5) on conflict (class_id, account_id) do nothing",
    )
    .bind(ParticipantId::new())
    .bind(class.id)
    .bind(proof.account())
    .bind(proof.role().word())
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if proof.is_lowered() {
        sqlx::query(
            "update live_participant set role = $1 \
             where class_id = $2 and account_id = $3 and role_given_at is null",
        )
        .bind(proof.role().word())
        .bind(class.id)
        .bind(proof.account())
        .execute(&mut *connection)
        .await?;
    }
    newcomer(connection, class.id, proof.account())
        .await?
        .ok_or(Error::NotFound)
}

#[derive(FromRow)]
struct NewcomerRow {
    id: ParticipantId,
    name: String,
    role: String,
    admitted_at: Option<Timestamp>,
}

/// Somebody with a place in the class, as the room takes them in.
///
/// # Errors
/// When the database fails.
pub async fn newcomer(
    connection: &mut AnyConnection,
    class: LiveClassId,
    account: AccountId,
) -> Result<Option<Newcomer>, Error> {
    let row: Option<NewcomerRow> = sqlx::query_as(
        "select part.id, account.name, part.role, part.admitted_at from live_participant part \
         join account on account.id = part.account_id \
         where part.class_id = $1 and part.account_id = $2 and part.removed_at is null",
    )
    .bind(class)
    .bind(account)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let role = Role::from_word(&row.role)
            .ok_or_else(|| Error::Internal(format!("live role {}", row.role)))?;
        Ok(Newcomer {
            id: row.id,
            name: row.name,
            role,
            admitted: row.admitted_at.is_some(),
        })
    })
    .transpose()
}

/// Gives somebody who came by the class code a place; again it is the same place. Where there is no
/// waiting room, the way in is open at once.
///
/// # Errors
/// When the database fails.
pub async fn invite(
    connection: &mut AnyConnection,
    class: &Class,
    account: AccountId,
    now: Timestamp,
) -> Result<(), Error> {
    let admitted = class.lobby_since.is_none();
    sqlx::query(
        "insert into live_participant (id, class_id, account_id, role, guest_since, joined_at, \
         admitted_at) values ($1, $2, $3, 'learner', $4, $4, $5) \
         on conflict (class_id, account_id) do nothing",
    )
    .bind(ParticipantId::new())
    .bind(class.id)
    .bind(account)
    .bind(now)
    .bind(admitted.then_some(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// Guests who have a place in the class.
///
/// # Errors
/// When the database fails.
pub async fn guests(connection: &mut AnyConnection, class: LiveClassId) -> Result<i64, Error> {
    let (count,): (i64,) = sqlx::query_as(
        "select count(*) from live_participant \
         where class_id = $1 and guest_since is not null and removed_at is null",
    )
    .bind(class)
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// Account of somebody in the class.
///
/// # Errors
/// When the database fails.
pub async fn account_of(
    connection: &mut AnyConnection,
    class: LiveClassId,
    participant: ParticipantId,
) -> Result<Option<AccountId>, Error> {
    let row: Option<(AccountId,)> =
        sqlx::query_as("select account_id from live_participant where id = $1 and class_id = $2")
            .bind(participant)
            .bind(class)
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|(account,)| account))
}

/// What an event means for the class and its people outside the room. In the transaction that makes
/// the event durable.
///
/// # Errors
/// When the database fails.
pub async fn follow(
    connection: &mut AnyConnection,
    class: LiveClassId,
    timeline: TimelineId,
    happened: &Happened,
    now: Timestamp,
) -> Result<(), Error> {
    match happened {
        Happened::Came { person } => {
            sqlx::query(
                "update live_participant set admitted_at = coalesce(admitted_at, $1) \
                 where id = $2 and class_id = $3",
            )
            .bind(now)
            .bind(person.id)
            .bind(class)
            .execute(&mut *connection)
            .await?;
            watches(connection, class, timeline, person.id, now).await
        }
        Happened::Done {
            act: Act::SetRole { who, role },
            ..
        } => {
            sqlx::query(
                "update live_participant set role = $1, role_given_at = $2 \
                 where id = $3 and class_id = $4",
            )
            .bind(role.word())
            .bind(now)
            .bind(*who)
            .bind(class)
            .execute(&mut *connection)
            .await?;
            watches(connection, class, timeline, *who, now).await
        }
        Happened::Done {
            act: Act::Remove { who },
            ..
        } => {
            sqlx::query(
                "update live_participant set removed_at = $1 where id = $2 and class_id = $3",
            )
            .bind(now)
            .bind(*who)
            .bind(class)
            .execute(&mut *connection)
            .await?;
            match account_of(&mut *connection, class, *who).await? {
                Some(account) => access::bar(connection, timeline, account, now).await,
                None => Ok(()),
            }
        }
        Happened::Done { act: Act::End, .. } => store::ending(connection, class, now).await,
        _ => Ok(()),
    }
}

/// Lets somebody in the class watch; of learners of the course it counts.
async fn watches(
    connection: &mut AnyConnection,
    class: LiveClassId,
    timeline: TimelineId,
    participant: ParticipantId,
    now: Timestamp,
) -> Result<(), Error> {
    let row: Option<Participant> = sqlx::query_as(
        "select id, account_id, role, guest_since, admitted_at, removed_at, role_given_at \
         from live_participant where id = $1 and class_id = $2",
    )
    .bind(participant)
    .bind(class)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let of = store::find(&mut *connection, class)
        .await?
        .ok_or(Error::NotFound)?;
    let enrolled = enrolment::find(&mut *connection, of.course_id, row.account_id).await?;
    let counts = enrolled.is_some() && row.guest_since.is_none() && row.role()? != Role::Observer;
    access::admit(connection, timeline, row.account_id, counts, now).await
}

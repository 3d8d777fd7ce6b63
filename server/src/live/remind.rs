//! Reminds learners of classes: a notice for each, left once.

use std::time::Duration;

use sqlx::AnyConnection;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, LiveClassId};
use crate::notices;

/// How often classes are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A class that began this long ago needs no reminder any more.
const TOO_LATE: Duration = Duration::from_secs(15 * 60);

/// Looks until the server stops.
pub async fn run(db: Db, clock: Clock, stop: CancellationToken) {
    let mut beat = interval(LOOK_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = remind(&db, clock.now()).await {
            tracing::error!(%error, "learners could not be reminded of a class");
        }
    }
}

/// Leaves the notices that are due; those of one class all or none.
///
/// # Errors
/// When the database fails.
pub async fn remind(db: &Db, now: Timestamp) -> Result<(), Error> {
    let mut connection = db.read().await?;
    let due: Vec<(LiveClassId,)> = sqlx::query_as(
        "select id from live_class where remind_minutes is not null and reminded_at is null \
         and cancelled_at is null and ended_at is null \
         and starts_at - remind_minutes * 60000 <= $1 and starts_at > $2 order by starts_at",
    )
    .bind(now)
    .bind(Timestamp(
        now.0 - i64::try_from(TOO_LATE.as_millis()).unwrap_or(0),
    ))
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    for (class,) in due {
        let mut transaction = db.write().await?;
        remind_of(&mut transaction, class, now).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn remind_of(
    connection: &mut AnyConnection,
    class: LiveClassId,
    now: Timestamp,
) -> Result<(), Error> {
    // Of several nodes, one reminds.
    let taken = sqlx::query(
        "update live_class set reminded_at = $1 where id = $2 and reminded_at is null \
         and cancelled_at is null",
    )
    .bind(now)
    .bind(class)
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() != 1 {
        return Ok(());
    }
    let learners: Vec<(AccountId,)> = sqlx::query_as(
        "select enrolment.account_id from enrolment \
         join live_class class on class.course_id = enrolment.course_id \
         where class.id = $1 and enrolment.withdrawn_at is null",
    )
    .bind(class)
    .fetch_all(&mut *connection)
    .await?;
    for (learner,) in learners {
        let kind = notices::Kind::ClassStarts;
        notices::leave(&mut *connection, learner, kind, class, now).await?;
    }
    Ok(())
}

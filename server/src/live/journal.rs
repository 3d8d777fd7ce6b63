//! The table `live_event`: a room's journal in the database.

use std::collections::HashMap;

use sqlx::{AnyConnection, FromRow};

use super::room::owner::{Journal, JournalFault, Recorded, Story};
use super::room::told::Event;
use super::{participants, store};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::{ActId, LiveClassId, ParticipantId, TimelineId};

/// The journal of one class.
pub struct SqlJournal {
    db: Db,
    clock: Clock,
    class: LiveClassId,
    timeline: TimelineId,
}

#[derive(FromRow)]
struct EventRow {
    sequence: i64,
    at_ms: i64,
    act_id: Option<ActId>,
    body: String,
}

fn fault(error: impl std::fmt::Display) -> JournalFault {
    JournalFault(error.to_string())
}

impl SqlJournal {
    /// The journal of a class and its timeline.
    #[must_use]
    pub fn new(db: Db, clock: Clock, class: LiveClassId, timeline: TimelineId) -> Self {
        Self {
            db,
            clock,
            class,
            timeline,
        }
    }

    async fn keep(&self, connection: &mut AnyConnection, recorded: &Recorded) -> Result<(), Error> {
        let now = self.clock.now();
        let event = &recorded.event;
        let body = serde_json::to_string(&event.happened)
            .map_err(|error| Error::Internal(error.to_string()))?;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let added = sqlx::query(
            "insert into live_event (class_id, sequence, at_ms, act_id, body, recorded_at) \
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(self.class)
        .bind(number(event.sequence))
        .bind(number(event.at_ms))
        .bind(recorded.act)
        .bind(body)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if added.rows_affected() != 1 {
            // Another owner wrote: this one must read what happened first.
            return Err(Error::Conflict("state"));
        }
        participants::follow(connection, self.class, self.timeline, &event.happened, now).await
    }
}

/// Everything that happened in a class, in order.
///
/// # Errors
/// When the database fails or holds something else.
pub async fn events(
    connection: &mut AnyConnection,
    class: LiveClassId,
) -> Result<Vec<Event>, Error> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "select sequence, at_ms, act_id, body from live_event where class_id = $1 \
         order by sequence",
    )
    .bind(class)
    .fetch_all(connection)
    .await?;
    let fault = |error: &dyn std::fmt::Display| Error::Internal(format!("an event: {error}"));
    // A long class's journal takes a while to parse.
    let parse = move || {
        let number = |value: i64| u64::try_from(value).map_err(|error| fault(&error));
        let event = |row: EventRow| {
            Ok(Event {
                sequence: number(row.sequence)?,
                at_ms: number(row.at_ms)?,
                happened: serde_json::from_str(&row.body).map_err(|error| fault(&error))?,
            })
        };
        rows.into_iter().map(event).collect()
    };
    tokio::task::spawn_blocking(parse)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?
}

impl Journal for SqlJournal {
    async fn load(&mut self) -> Result<Story, JournalFault> {
        let mut connection = self.db.read().await.map_err(fault)?;
        let class = store::find(&mut connection, self.class)
            .await
            .map_err(fault)?
            .ok_or_else(|| fault("no such class"))?;
        let rows: Vec<EventRow> = sqlx::query_as(
            "select sequence, at_ms, act_id, body from live_event where class_id = $1 \
             order by sequence",
        )
        .bind(self.class)
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            events.push(Recorded {
                event: Event {
                    sequence: u64::try_from(row.sequence).map_err(fault)?,
                    at_ms: u64::try_from(row.at_ms).map_err(fault)?,
                    happened: serde_json::from_str(&row.body).map_err(fault)?,
                },
                act: row.act_id,
            });
        }
        Ok(Story {
            opened_at: class.opened_at,
            ended: class.ended_at.is_some(),
            events,
        })
    }

    async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalFault> {
        let mut transaction = self.db.write().await.map_err(fault)?;
        for recorded in events {
            self.keep(&mut transaction, recorded).await.map_err(fault)?;
        }
        transaction.commit().await.map_err(fault)
    }

    async fn minutes(&mut self) -> Result<Vec<(ParticipantId, u32)>, JournalFault> {
        let mut connection = self.db.read().await.map_err(fault)?;
        let rows: Vec<(ParticipantId, i64)> = sqlx::query_as(
            "select part.id, cast(sum(played.until_ms - played.from_ms) as bigint) \
             from watch_interval played \
             join live_participant part on part.account_id = played.account_id \
             and part.class_id = $1 where played.timeline_id = $2 group by part.id",
        )
        .bind(self.class)
        .bind(self.timeline)
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;
        let minutes: HashMap<ParticipantId, u32> = rows
            .into_iter()
            .map(|(who, ms)| (who, u32::try_from(ms / 60_000).unwrap_or(u32::MAX)))
            .collect();
        Ok(minutes.into_iter().collect())
    }
}

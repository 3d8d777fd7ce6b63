//! The tables `play_session`, `watch_interval`, `play_clock` and `evidence_flag`, and the key for
//! receipts in `installation_secret`.

use sqlx::AnyConnection;

use super::delivered::Wall;
use super::receipt::KEY_BYTES;
use super::{Claim, Reason};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::{AccountId, IntervalId, LessonId, PlaySessionId, TimelineId};
use crate::learning::access::MayWatch;
use crate::learning::progress::LESSON_COUNTS_FROM;
use crate::learning::watched::{Interval, Intervals};

const KEY_NAME: &str = "receipt_key";
/// Flags that an account can leave of a lesson.
pub const MOST_FLAGS: i64 = 200;

/// The stored key, made now when there is none.
///
/// # Errors
/// When the database or the machine's randomness fails.
pub async fn receipt_key(connection: &mut AnyConnection, now: Timestamp) -> Result<String, Error> {
    let mut fresh = [0_u8; KEY_BYTES];
    getrandom::fill(&mut fresh).map_err(|error| Error::Internal(error.to_string()))?;
    sqlx::query(
        "insert into installation_secret (name, value, created_at) values ($1, $2, $3) \
         on conflict (name) do nothing",
    )
    .bind(KEY_NAME)
    .bind(hex::encode(fresh))
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let (value,): (String,) =
        sqlx::query_as("select value from installation_secret where name = $1")
            .bind(KEY_NAME)
            .fetch_one(connection)
            .await?;
    Ok(value)
}

/// Opens the play session if it is new.
///
/// # Errors
/// [`Error::NotFound`] when the id is that of somebody else's, or of another timeline.
pub async fn open_session(
    connection: &mut AnyConnection,
    right: MayWatch,
    session: PlaySessionId,
    device: &str,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into play_session (id, account_id, timeline_id, lesson_id, device, started_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing",
    )
    .bind(session)
    .bind(right.account())
    .bind(right.timeline())
    .bind(right.lesson())
    .bind(device)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let own: Option<(PlaySessionId,)> = sqlx::query_as(
        "select id from play_session where id = $1 and account_id = $2 and timeline_id = $3",
    )
    .bind(session)
    .bind(right.account())
    .bind(right.timeline())
    .fetch_optional(connection)
    .await?;
    own.map(|_| ()).ok_or(Error::NotFound)
}

/// Until when the account's wall clock is used up. Locks it until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock_clock(
    connection: &mut AnyConnection,
    account: AccountId,
) -> Result<Timestamp, Error> {
    let (used,): (Timestamp,) = sqlx::query_as(
        "insert into play_clock (account_id, used_until) values ($1, 0) \
         on conflict (account_id) do update set used_until = play_clock.used_until \
         returning used_until",
    )
    .bind(account)
    .fetch_one(connection)
    .await?;
    Ok(used)
}

/// Intervals that were credited, and in how many rows.
pub struct Pieces {
    /// Joined.
    pub parts: Intervals,
    /// As they were claimed.
    pub rows: usize,
}

impl Pieces {
    fn of(rows: Vec<(i64, i64)>) -> Self {
        Self {
            rows: rows.len(),
            parts: Intervals::merge(
                rows.into_iter()
                    .map(|(from_ms, until_ms)| Interval { from_ms, until_ms }),
            ),
        }
    }

    /// One row more.
    pub fn add(&mut self, part: Interval) {
        self.parts.add(part);
        self.rows += 1;
    }
}

/// The wall clock after `since` that was credited, in epoch milliseconds.
///
/// # Errors
/// When the database fails.
pub async fn taken(
    connection: &mut AnyConnection,
    account: AccountId,
    since: Timestamp,
) -> Result<Pieces, Error> {
    let rows = sqlx::query_as(
        "select wall_from, wall_until from watch_interval \
         where account_id = $1 and wall_until > $2",
    )
    .bind(account)
    .bind(since)
    .fetch_all(connection)
    .await?;
    Ok(Pieces::of(rows))
}

/// What was credited of the timeline and counts, whether it is shown or not.
///
/// # Errors
/// When the database fails.
pub async fn played(connection: &mut AnyConnection, right: MayWatch) -> Result<Pieces, Error> {
    let sql = format!(
        "select from_ms, until_ms from watch_interval \
         where account_id = $1 and lesson_id = $2 and timeline_id = $3 \
         and wall_from >= {LESSON_COUNTS_FROM}"
    );
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(right.account())
        .bind(right.lesson())
        .bind(right.timeline())
        .fetch_all(connection)
        .await?;
    Ok(Pieces::of(rows))
}

/// Playback of this session is here now.
///
/// # Errors
/// When the database fails.
pub async fn reach(
    connection: &mut AnyConnection,
    session: PlaySessionId,
    reached_ms: i64,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query("update play_session set reached_ms = $1, reached_at = $2 where id = $3")
        .bind(reached_ms)
        .bind(now)
        .bind(session)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves the clock from `used` on; false when another transaction moved it meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn move_clock(
    connection: &mut AnyConnection,
    account: AccountId,
    used: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    let moved = sqlx::query(
        "update play_clock set used_until = $1 \
         where account_id = $2 and used_until = $3 and used_until <= $1",
    )
    .bind(until)
    .bind(account)
    .bind(used)
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Whose interval an id is, and of which lesson, when it was credited before.
///
/// # Errors
/// When the database fails.
pub async fn credited_before(
    connection: &mut AnyConnection,
    id: IntervalId,
) -> Result<Option<(AccountId, TimelineId)>, Error> {
    Ok(
        sqlx::query_as("select account_id, timeline_id from watch_interval where id = $1")
            .bind(id)
            .fetch_optional(connection)
            .await?,
    )
}

/// Appends a credited interval.
///
/// # Errors
/// When the database fails.
pub async fn append_interval(
    connection: &mut AnyConnection,
    right: MayWatch,
    session: PlaySessionId,
    claim: Claim,
    wall: Wall,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into watch_interval (id, play_session_id, account_id, timeline_id, lesson_id, \
         from_ms, until_ms, wall_from, wall_until, recorded_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(claim.id)
    .bind(session)
    .bind(right.account())
    .bind(right.timeline())
    .bind(right.lesson())
    .bind(claim.from_ms)
    .bind(claim.until_ms)
    .bind(wall.from)
    .bind(wall.until)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Appends a flag; a repeated report is flagged once, and an account leaves no more than [`MOST_FLAGS`] of a
/// lesson: whoever looks at them has seen enough by then.
///
/// # Errors
/// When the database fails.
pub async fn append_flag(
    connection: &mut AnyConnection,
    right: MayWatch,
    session: PlaySessionId,
    claim: Claim,
    reason: Reason,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "insert into evidence_flag (id, play_session_id, account_id, lesson_id, reason, from_ms, \
         until_ms, recorded_at) select $1, $2, $3, $4, $5, $6, $7, $8 \
         where (select count(*) from evidence_flag where account_id = $3 and lesson_id = $4) < $9 \
         on conflict (id) do nothing",
    )
    .bind(claim.id)
    .bind(session)
    .bind(right.account())
    .bind(right.lesson())
    .bind(reason.word())
    .bind(claim.from_ms)
    .bind(claim.until_ms)
    .bind(now)
    .bind(MOST_FLAGS)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether another play session of the account used wall clock after `since`.
///
/// # Errors
/// When the database fails.
pub async fn another_session_used(
    connection: &mut AnyConnection,
    account: AccountId,
    session: PlaySessionId,
    since: Timestamp,
) -> Result<bool, Error> {
    let row: Option<(IntervalId,)> = sqlx::query_as(
        "select id from watch_interval where account_id = $1 and play_session_id <> $2 \
         and wall_until > $3 limit 1",
    )
    .bind(account)
    .bind(session)
    .bind(since)
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Credited and refused intervals of one lesson, for pages and tests.
///
/// # Errors
/// When the database fails.
pub async fn flags(
    connection: &mut AnyConnection,
    account: AccountId,
    lesson: LessonId,
) -> Result<Vec<(String, i64, i64)>, Error> {
    Ok(sqlx::query_as(
        "select reason, from_ms, until_ms from evidence_flag \
         where account_id = $1 and lesson_id = $2 order by recorded_at, id",
    )
    .bind(account)
    .bind(lesson)
    .fetch_all(connection)
    .await?)
}

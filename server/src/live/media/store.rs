//! The tables `live_recording` and `live_segment`.

use millet_manifest::Segment;
use millet_manifest::live::LiveRendition;
use sqlx::AnyConnection;

use crate::clock::Timestamp;
use crate::error::Error;
use crate::id::TimelineId;

/// Writes down that a timeline begins to grow; what was written before stays.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    began: Timestamp,
    ladder: &[LiveRendition],
) -> Result<(), Error> {
    sqlx::query(
        "insert into live_recording (timeline_id, began_at, ladder) values ($1, $2, $3) \
         on conflict do nothing",
    )
    .bind(timeline)
    .bind(began)
    .bind(json(&ladder)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// When a recording began and its renditions; `None` for a timeline that never grew or is closed.
///
/// # Errors
/// When the database fails.
pub async fn open(
    connection: &mut AnyConnection,
    timeline: TimelineId,
) -> Result<Option<(Timestamp, Vec<LiveRendition>)>, Error> {
    let row: Option<(Timestamp, String)> = sqlx::query_as(
        "select began_at, ladder from live_recording where timeline_id = $1 and closed_at is null",
    )
    .bind(timeline)
    .fetch_optional(connection)
    .await?;
    row.map(|(began, ladder)| Ok((began, from_json(&ladder)?)))
        .transpose()
}

/// Adds segments of one number; their objects are durable. The same again changes nothing.
///
/// # Errors
/// [`Error::Conflict`] when others have this number, or when the database fails.
pub async fn append(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    sequence: usize,
    segments: &[Segment],
    now: Timestamp,
) -> Result<(), Error> {
    let added = sqlx::query(
        "insert into live_segment (timeline_id, sequence, segments, recorded_at) \
         values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(timeline)
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .bind(json(&segments)?)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 1 {
        return Ok(());
    }
    let known = segment(connection, timeline, sequence).await?;
    same(&known.unwrap_or_default(), segments)
}

/// Whether what is recorded under a number is this.
///
/// # Errors
/// [`Error::Conflict`] when it is something else.
pub fn same(recorded: &[Segment], segments: &[Segment]) -> Result<(), Error> {
    if recorded == segments {
        Ok(())
    } else {
        Err(Error::Conflict("state"))
    }
}

/// The segments of one number, of each rendition; `None` while they are not recorded.
///
/// # Errors
/// When the database fails.
pub async fn segment(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    sequence: usize,
) -> Result<Option<Vec<Segment>>, Error> {
    let row: Option<(String,)> = sqlx::query_as(
        "select segments from live_segment where timeline_id = $1 and sequence = $2",
    )
    .bind(timeline)
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .fetch_optional(connection)
    .await?;
    row.map(|(segments,)| from_json(&segments)).transpose()
}

/// All recorded segments in order: the number, and the segment of each rendition.
///
/// # Errors
/// When the database fails.
pub async fn segments(
    connection: &mut AnyConnection,
    timeline: TimelineId,
) -> Result<Vec<(usize, Vec<Segment>)>, Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "select sequence, segments from live_segment where timeline_id = $1 order by sequence",
    )
    .bind(timeline)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(sequence, segments)| {
            let sequence = usize::try_from(sequence)
                .map_err(|_| Error::Internal(format!("live segment {sequence}")))?;
            Ok((sequence, from_json(&segments)?))
        })
        .collect()
}

/// Adds a picture for the index.
///
/// # Errors
/// When the database fails.
pub async fn append_still(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    at_ms: u64,
    file: &str,
    bytes: u64,
) -> Result<(), Error> {
    sqlx::query(
        "insert into live_still (timeline_id, at_ms, file, bytes) values ($1, $2, $3, $4) \
         on conflict do nothing",
    )
    .bind(timeline)
    .bind(i64::try_from(at_ms).unwrap_or(i64::MAX))
    .bind(file)
    .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
}

/// The pictures of a recording in order: when, which file, how many bytes.
///
/// # Errors
/// When the database fails.
pub async fn stills(
    connection: &mut AnyConnection,
    timeline: TimelineId,
) -> Result<Vec<(i64, String, i64)>, Error> {
    Ok(sqlx::query_as(
        "select at_ms, file, bytes from live_still where timeline_id = $1 order by at_ms",
    )
    .bind(timeline)
    .fetch_all(connection)
    .await?)
}

/// The description of the whole is among the objects.
///
/// # Errors
/// When the database fails.
pub async fn close(
    connection: &mut AnyConnection,
    timeline: TimelineId,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update live_recording set closed_at = $1 where timeline_id = $2 and closed_at is null",
    )
    .bind(now)
    .bind(timeline)
    .execute(connection)
    .await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("recording: {error}")))
}

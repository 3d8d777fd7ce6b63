//! Media that a lesson shows before they are finished. Only for transactions in which a job's lease, or its
//! end, stands for the proof.

use sqlx::AnyConnection;

use crate::error::Error;
use crate::id::{LessonId, TimelineId};

/// What the draft shows.
///
/// # Errors
/// When the database fails.
pub async fn timeline(
    connection: &mut AnyConnection,
    lesson: LessonId,
) -> Result<Option<TimelineId>, Error> {
    let shown: Option<(Option<TimelineId>,)> =
        sqlx::query_as("select timeline_id from lesson where id = $1")
            .bind(lesson)
            .fetch_optional(connection)
            .await?;
    Ok(shown.and_then(|(timeline,)| timeline))
}

/// Lets a draft that shows nothing show this; false when it shows something.
///
/// # Errors
/// When the database fails.
pub async fn first(
    connection: &mut AnyConnection,
    lesson: LessonId,
    timeline: TimelineId,
) -> Result<bool, Error> {
    let shown =
        sqlx::query("update lesson set timeline_id = $1 where id = $2 and timeline_id is null")
            .bind(timeline)
            .bind(lesson)
            .execute(connection)
            .await?;
    Ok(shown.rows_affected() == 1)
}

/// Another takes the place of an unfinished timeline, or nothing does: in the draft, and in versions that
/// were published meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn exchange(
    connection: &mut AnyConnection,
    unfinished: TimelineId,
    by: Option<TimelineId>,
) -> Result<(), Error> {
    for sql in [
        "update lesson set timeline_id = $1 where timeline_id = $2",
        "update version_lesson set timeline_id = $1 where timeline_id = $2",
    ] {
        sqlx::query(sql)
            .bind(by)
            .bind(unfinished)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

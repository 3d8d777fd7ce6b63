//! Planning classes in `live_class`: scheduling, changing, cancelling; a course's list of them.

use sqlx::AnyConnection;

use super::schedule::NewClass;
use super::store::{Class, class};
use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::courses::{outline, store as courses};
use crate::error::Error;
use crate::id::{CourseId, LiveClassId, ModuleId, SeriesId, TimelineId};
use crate::people::Teacher;

/// Letters of a class code: none that is mistaken for another when it is read out or typed.
const CODE_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Letters in a code: 40 bits, which nobody guesses through the limit on tries.
const CODE_LENGTH: usize = 8;
/// Classes of one course that were not cancelled.
const MOST_CLASSES: i64 = 500;

fn new_code() -> Result<String, Error> {
    let mut bytes = [0_u8; CODE_LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(CODE_LETTERS[usize::from(byte % 32)]))
        .collect())
}

/// Schedules one class or a series, each a lesson at the end of a module with a timeline of its own.
///
/// # Errors
/// [`Error::NotFound`] for a module of another course, [`Error::Conflict`] when the course is full.
pub async fn schedule(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    module: ModuleId,
    new: &NewClass,
    moments: &[Timestamp],
    zone: &str,
    now: Timestamp,
) -> Result<Vec<LiveClassId>, Error> {
    let (first, at) = (LiveClassId::new(), Moments { moments, zone });
    schedule_as(connection, proof, first, module, new, at, now)
        .await?
        .ok_or_else(|| Error::Internal("a new id is taken".into()))
}

/// When the classes of a series begin.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    /// In order; a class by itself has one.
    pub moments: &'a [Timestamp],
    /// IANA name of the time zone in which they were chosen.
    pub zone: &'a str,
}

/// As [`schedule`], with the id that a form carries for its first class. `None` when the same form scheduled it before;
/// nothing was done then.
///
/// # Errors
/// As [`schedule`]; [`Error::NotFound`] also for the id of another course's class.
pub async fn schedule_as(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    first: LiveClassId,
    module: ModuleId,
    new: &NewClass,
    Moments { moments, zone }: Moments<'_>,
    now: Timestamp,
) -> Result<Option<Vec<LiveClassId>>, Error> {
    courses::hold(&mut *connection, proof.course()).await?;
    let known: Option<(CourseId, String, Timestamp)> =
        sqlx::query_as("select course_id, title, starts_at from live_class where id = $1")
            .bind(first)
            .fetch_optional(&mut *connection)
            .await?;
    let first = match known {
        None => first,
        Some((course, ..)) if course != proof.course() => return Err(Error::NotFound),
        Some((_, title, at)) if title == new.title && moments.first() == Some(&at) => {
            return Ok(None);
        }
        // Who went back to the form and wrote something else means another class.
        Some(_) => LiveClassId::new(),
    };
    let series = (moments.len() > 1).then(SeriesId::new);
    let mut classes = Vec::with_capacity(moments.len());
    for moment in moments {
        let timeline = TimelineId::new();
        let lesson =
            outline::add_live_lesson(&mut *connection, proof, module, &new.title, timeline, now)
                .await?;
        sqlx::query(
            "insert into timeline (id, lesson_id, duration_ms, object_prefix, total_bytes, \
             created_at) values ($1, $2, 0, $3, 0, $4)",
        )
        .bind(timeline)
        .bind(lesson)
        .bind(crate::jobs::prepared::prefix(timeline))
        .bind(now)
        .execute(&mut *connection)
        .await?;
        let class = match classes.is_empty() {
            true => first,
            false => LiveClassId::new(),
        };
        let code = if new.guests { Some(new_code()?) } else { None };
        sqlx::query(
            "insert into live_class (id, course_id, lesson_id, timeline_id, series_id, title, \
             starts_at, time_zone, planned_minutes, remind_minutes, code, lobby_since, \
             created_by, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(class)
        .bind(proof.course())
        .bind(lesson)
        .bind(timeline)
        .bind(series)
        .bind(&new.title)
        .bind(*moment)
        .bind(zone)
        .bind(new.minutes)
        .bind(new.remind_minutes)
        .bind(code)
        .bind(new.lobby.then_some(now))
        .bind(proof.account())
        .bind(now)
        .execute(&mut *connection)
        .await?;
        classes.push(class);
    }
    let (count,): (i64,) = sqlx::query_as(
        "select count(*) from live_class where course_id = $1 and cancelled_at is null",
    )
    .bind(proof.course())
    .fetch_one(connection)
    .await?;
    if count > MOST_CLASSES {
        return Err(Error::Conflict("course-full"));
    }
    Ok(Some(classes))
}

/// Changes a class that has not begun. A reminder that was sent is sent again when the time changes.
///
/// # Errors
/// [`Error::Conflict`] when it has begun or was cancelled.
pub async fn change(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    class: LiveClassId,
    new: &NewClass,
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let before = of_course(&mut *connection, proof, class).await?;
    let code = match (new.guests, before.code) {
        (false, _) => None,
        (true, Some(code)) => Some(code),
        (true, None) => Some(new_code()?),
    };
    let changed = sqlx::query(
        "update live_class set title = $1, planned_minutes = $2, remind_minutes = $3, code = $4, \
         lobby_since = $5, \
         reminded_at = case when starts_at = $6 then reminded_at else null end, starts_at = $6 \
         where id = $7 and course_id = $8 and opened_at is null and cancelled_at is null",
    )
    .bind(&new.title)
    .bind(new.minutes)
    .bind(new.remind_minutes)
    .bind(code)
    .bind(new.lobby.then_some(now))
    .bind(starts_at)
    .bind(class)
    .bind(proof.course())
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() != 1 {
        return Err(Error::Conflict("class-begun"));
    }
    if before.title != new.title {
        let title = &new.title;
        match outline::edit_lesson(connection, proof, before.lesson_id, title, "", now).await {
            // The teacher took the lesson out of the outline.
            Err(Error::NotFound) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Cancels a class that has not begun, and with `following` those of its series that come later. Their
/// lessons leave the draft.
///
/// # Errors
/// [`Error::Conflict`] when it has begun or was cancelled before.
pub async fn cancel(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    class: LiveClassId,
    following: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let first = of_course(&mut *connection, proof, class).await?;
    let mut all = vec![first.clone()];
    if let Some(series) = first.series_id.filter(|_| following) {
        let later: Vec<Class> = sqlx::query_as(class!(
            "where class.course_id = $1 and class.series_id = $2 and class.starts_at > $3 \
             and class.opened_at is null and class.cancelled_at is null"
        ))
        .bind(proof.course())
        .bind(series)
        .bind(first.starts_at)
        .fetch_all(&mut *connection)
        .await?;
        all.extend(later);
    }
    for class in all {
        let changed = sqlx::query(
            "update live_class set cancelled_at = $1, code = null where id = $2 \
             and course_id = $3 and opened_at is null and cancelled_at is null",
        )
        .bind(now)
        .bind(class.id)
        .bind(proof.course())
        .execute(&mut *connection)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(Error::Conflict("class-begun"));
        }
        match outline::remove_lesson(&mut *connection, proof, class.lesson_id, now).await {
            Err(Error::NotFound) => {}
            other => other?,
        }
    }
    Ok(())
}

/// One class of a course.
///
/// # Errors
/// [`Error::NotFound`] when the course has no such class.
pub async fn of_course(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    class: LiveClassId,
) -> Result<Class, Error> {
    sqlx::query_as(class!("where class.id = $1 and class.course_id = $2"))
        .bind(class)
        .bind(proof.course())
        .fetch_optional(connection)
        .await?
        .ok_or(Error::NotFound)
}

/// The classes of a course in order of time; cancelled ones are left out after their day.
///
/// # Errors
/// When the database fails.
pub async fn all_of_course(
    connection: &mut AnyConnection,
    proof: &InCourse<Teacher>,
    now: Timestamp,
) -> Result<Vec<Class>, Error> {
    Ok(sqlx::query_as(class!(
        "where class.course_id = $1 and (class.cancelled_at is null or class.starts_at > $2) \
         order by class.starts_at, class.id limit 600"
    ))
    .bind(proof.course())
    .bind(now)
    .fetch_all(connection)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::testing;
    use crate::live::testing::{START, World, new_class};

    fn in_shanghai(moments: &[Timestamp]) -> Moments<'_> {
        Moments {
            moments,
            zone: "Asia/Shanghai",
        }
    }

    #[tokio::test]
    async fn a_form_that_is_sent_twice_schedules_one_series_and_none_in_another_course() {
        for (db, _folder) in testing::both().await {
            let (own, other) = (World::new(&db).await, World::new(&db).await);
            let id = LiveClassId::new();
            let moments = [START, Timestamp(START.0 + 86_400_000)];
            let send = async |world: &World| {
                let (course, module) = (&world.course, world.module);
                let (new, at) = (new_class(), in_shanghai(&moments));
                let mut tx = world.db.write().await.unwrap();
                let made = schedule_as(&mut tx, course, id, module, &new, at, START).await?;
                if made.is_some() {
                    tx.commit().await.unwrap();
                }
                Ok::<_, Error>(made)
            };
            // Both at once, as after a double tap, and once more later.
            let (one, two) = tokio::join!(send(&own), send(&own));
            let made: Vec<_> = [one, two, send(&own).await]
                .into_iter()
                .filter_map(Result::unwrap)
                .collect();
            assert_eq!(made.len(), 1);
            assert_eq!((made[0].len(), made[0][0]), (2, id));
            assert!(matches!(send(&other).await, Err(Error::NotFound)));
            let mut tx = db.write().await.unwrap();
            let (course, new, later) = (&own.course, new_class(), in_shanghai(&moments[1..]));
            let made = schedule_as(&mut tx, course, id, own.module, &new, later, START);
            assert_ne!(made.await.unwrap().unwrap(), [id]);
            drop(tx);
            let mut connection = db.read().await.unwrap();
            let classes = all_of_course(&mut connection, &own.course, START).await;
            assert_eq!(classes.unwrap().len(), 3);
            let lessons = outline::lessons(&mut connection, &own.course)
                .await
                .unwrap();
            assert_eq!(lessons.len(), 3);
        }
    }
}

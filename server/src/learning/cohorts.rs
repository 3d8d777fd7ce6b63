//! The table `cohort`: learners who take a course together.

use sqlx::{AnyConnection, FromRow};

use crate::clock::Timestamp;
use crate::courses::proof::InCourse;
use crate::error::Error;
use crate::id::CohortId;
use crate::people::Teacher;

/// Longest name, in characters.
pub const LONGEST_NAME: usize = 120;

/// A cohort of a course.
#[derive(Clone, Debug, FromRow)]
pub struct Cohort {
    /// Its id.
    pub id: CohortId,
    /// Name.
    pub name: String,
}

/// Adds a cohort with the id that a form carries: the same form again adds nothing.
///
/// # Errors
/// [`Error::Invalid`] for an empty or long name, [`Error::NotFound`] for the id of another course's.
pub async fn create(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
    id: CohortId,
    name: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let invalid = |reason| Error::Invalid {
        field: "name",
        reason,
    };
    let name = name.trim();
    if name.is_empty() {
        return Err(invalid("required"));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(invalid("too-long"));
    }
    let made = sqlx::query(
        "insert into cohort (id, course_id, name, created_by, created_at) \
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(id)
    .bind(course.course())
    .bind(name)
    .bind(course.account())
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let known = list(connection, course).await?;
    if made.rows_affected() == 1 || known.iter().any(|own| own.id == id) {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

/// The cohorts of a course, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
) -> Result<Vec<Cohort>, Error> {
    Ok(sqlx::query_as(
        "select id, name from cohort where course_id = $1 order by id desc limit 500",
    )
    .bind(course.course())
    .fetch_all(connection)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::courses::testing as courses;
    use crate::db::testing;

    #[tokio::test]
    async fn a_form_that_is_sent_twice_adds_one_cohort_and_none_to_another_course() {
        for (db, _folder) in testing::both().await {
            let mut tx = db.write().await.unwrap();
            let (own, other) = (
                courses::video_lesson(&mut tx).await,
                courses::video_lesson(&mut tx).await,
            );
            let (id, now) = (CohortId::new(), courses::NOW);
            for _ in 0..2 {
                create(&mut tx, own.course(), id, "Spring", now)
                    .await
                    .unwrap();
            }
            assert_eq!(list(&mut tx, own.course()).await.unwrap().len(), 1);
            let stolen = create(&mut tx, other.course(), id, "Spring", now).await;
            assert!(matches!(stolen, Err(Error::NotFound)));
            assert!(list(&mut tx, other.course()).await.unwrap().is_empty());
        }
    }
}

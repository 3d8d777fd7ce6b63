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

/// Adds a cohort.
///
/// # Errors
/// [`Error::Invalid`] for an empty or long name.
pub async fn create(
    connection: &mut AnyConnection,
    course: &InCourse<Teacher>,
    name: &str,
    now: Timestamp,
) -> Result<CohortId, Error> {
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
    let id = CohortId::new();
    sqlx::query(
        "insert into cohort (id, course_id, name, created_by, created_at) \
         values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(course.course())
    .bind(name)
    .bind(course.account())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
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

//! Proofs that an account teaches a course. They are made only here, after asking the database, and
//! keep the ids that they proved; stores put these into their `WHERE`.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use sqlx::AnyConnection;

use super::LessonKind;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::{AccountId, CourseId, LessonId};
use crate::people::access::path_id;
use crate::people::{SignedIn, Teacher};

/// Proof of a role in the course `{course_id}` of the path.
#[derive(Clone, Debug)]
pub struct InCourse<R> {
    account: AccountId,
    course: CourseId,
    role: PhantomData<R>,
}

/// Proof of a role in the course of a lesson, and that the lesson is in that course.
#[derive(Clone, Debug)]
pub struct InLesson<R> {
    course: InCourse<R>,
    lesson: LessonId,
    kind: LessonKind,
}

impl<R> InCourse<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// In which course.
    #[must_use]
    pub fn course(&self) -> CourseId {
        self.course
    }
}

impl<R> InLesson<R> {
    /// Who.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.course.account
    }

    /// Proof for the course.
    #[must_use]
    pub fn course(&self) -> &InCourse<R> {
        &self.course
    }

    /// Which lesson.
    #[must_use]
    pub fn lesson(&self) -> LessonId {
        self.lesson
    }

    /// What it is made of.
    #[must_use]
    pub fn kind(&self) -> LessonKind {
        self.kind
    }

    /// Whether a video can be uploaded for it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is of another kind.
    pub fn takes_file(&self) -> Result<(), Error> {
        if self.kind == LessonKind::Video {
            Ok(())
        } else {
            Err(Error::Conflict("lesson-kind"))
        }
    }
}

impl InCourse<Teacher> {
    /// Asks whether `account` teaches `course`: it is one of the course's teachers and still is a
    /// teacher at the course's area.
    ///
    /// # Errors
    /// [`Error::NotFound`] when not, as for a course that does not exist.
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        course: CourseId,
    ) -> Result<Self, Error> {
        let row: Option<(i64,)> = sqlx::query_as(
            "select closure.depth from course \
             join course_teacher on course_teacher.course_id = course.id \
             join account_grant on account_grant.account_id = course_teacher.account_id \
             join area_closure closure on closure.ancestor_id = account_grant.area_id \
               and closure.descendant_id = course.area_id \
             where course.id = $1 and course_teacher.account_id = $2 \
             and course_teacher.removed_at is null and account_grant.role = 'teacher' \
             and account_grant.revoked_at is null limit 1",
        )
        .bind(course)
        .bind(account)
        .fetch_optional(connection)
        .await?;
        row.ok_or(Error::NotFound)?;
        Ok(Self {
            account,
            course,
            role: PhantomData,
        })
    }
}

impl InCourse<Teacher> {
    /// Whether a person belongs to the part of the tree where this teacher may teach this course.
    /// A teacher enrols nobody else and hands out no cards elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reaches(
        &self,
        connection: &mut AnyConnection,
        person: AccountId,
    ) -> Result<bool, Error> {
        let row: Option<(i64,)> = sqlx::query_as(
            "select here.depth from course \
             join area_closure here on here.descendant_id = course.area_id \
             join account_grant on account_grant.area_id = here.ancestor_id \
             join area_closure home on home.ancestor_id = account_grant.area_id \
             join account person on person.home_area_id = home.descendant_id \
             where course.id = $1 and account_grant.account_id = $2 \
             and account_grant.role = 'teacher' and account_grant.revoked_at is null \
             and person.id = $3 limit 1",
        )
        .bind(self.course)
        .bind(self.account)
        .bind(person)
        .fetch_optional(connection)
        .await?;
        Ok(row.is_some())
    }
}

impl InLesson<Teacher> {
    /// As [`InCourse::prove`] for the course of a lesson that is not removed.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn prove(
        connection: &mut AnyConnection,
        account: AccountId,
        lesson: LessonId,
    ) -> Result<Self, Error> {
        let row: Option<(CourseId, String)> = sqlx::query_as(
            "select course_id, kind from lesson where id = $1 and removed_at is null",
        )
        .bind(lesson)
        .fetch_optional(&mut *connection)
        .await?;
        let (course, kind) = row.ok_or(Error::NotFound)?;
        let kind = LessonKind::from_word(&kind)
            .ok_or_else(|| Error::Internal(format!("lesson kind {kind}")))?;
        Ok(Self {
            course: InCourse::prove(connection, account, course).await?,
            lesson,
            kind,
        })
    }
}

impl<S> FromRequestParts<S> for InCourse<Teacher>
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        let course = path_id(parts, state, "course_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        Self::prove(&mut connection, signed_in.account(), course).await
    }
}

impl<S> FromRequestParts<S> for InLesson<Teacher>
where
    S: Send + Sync,
    Db: FromRef<S>,
    Clock: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        let lesson = path_id(parts, state, "lesson_id").await?;
        let mut connection = Db::from_ref(state).read().await?;
        let proof = Self::prove(&mut connection, signed_in.account(), lesson).await?;
        // Where the path names the course too, the lesson must be of that course.
        match path_id::<S, CourseId>(parts, state, "course_id").await {
            Ok(course) if course != proof.course.course => Err(Error::NotFound),
            _ => Ok(proof),
        }
    }
}

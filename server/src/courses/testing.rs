//! People and courses for the tests of this and the upper folders.

use sqlx::AnyConnection;

use super::proof::{InCourse, InLesson};
use super::{Draft, LessonKind, outline, store};
use crate::clock::Timestamp;
use crate::id::{AccountId, AreaId, GrantId, ModuleId};
use crate::people::Teacher;

/// A moment in 2023.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A new area of its own.
pub async fn area(connection: &mut AnyConnection) -> AreaId {
    let area = AreaId::new();
    for sql in [
        "insert into area (id, code, level, created_at) values ($1, $1, 'county', 0)",
        "insert into area_closure (ancestor_id, descendant_id, depth) values ($1, $1, 0)",
    ] {
        sqlx::query(sql)
            .bind(area)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    area
}

/// A new account with the teacher's role at `area`.
pub async fn teacher(connection: &mut AnyConnection, area: AreaId) -> AccountId {
    let account = AccountId::new();
    sqlx::query(
        "insert into account (id, name, sign_in_name, created_at) values ($1, 'Li Na', $1, 0)",
    )
    .bind(account)
    .execute(&mut *connection)
    .await
    .unwrap();
    sqlx::query(
        "insert into account_grant (id, account_id, role, area_id, granted_at) \
         values ($1, $2, 'teacher', $3, 0)",
    )
    .bind(GrantId::new())
    .bind(account)
    .bind(area)
    .execute(connection)
    .await
    .unwrap();
    account
}

/// A course with one module.
pub async fn course(
    connection: &mut AnyConnection,
    account: AccountId,
    area: AreaId,
) -> (InCourse<Teacher>, ModuleId) {
    let draft = Draft::new("Beekeeping", "en").unwrap();
    let course = store::create(&mut *connection, account, area, &draft, NOW)
        .await
        .unwrap();
    let module = outline::add_module(connection, &course, "Basics", NOW)
        .await
        .unwrap();
    (course, module)
}

/// A video lesson in a course of its own, with its teacher.
pub async fn video_lesson(connection: &mut AnyConnection) -> InLesson<Teacher> {
    let area = area(&mut *connection).await;
    let account = teacher(&mut *connection, area).await;
    let (course, module) = course(&mut *connection, account, area).await;
    let kind = LessonKind::Video;
    let lesson = outline::add_lesson(&mut *connection, &course, module, "Hives", kind, NOW)
        .await
        .unwrap();
    InLesson::prove(connection, account, lesson).await.unwrap()
}

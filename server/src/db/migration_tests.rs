//! Databases that hold something already when a migration comes.

use sqlx::migrate::Migrator;

use super::testing::unmigrated;
use super::{Db, MIGRATIONS};

/// Brings the tables to what they were after the migration `version`.
async fn migrate_to(db: &Db, version: i64) {
    let before = MIGRATIONS.iter().filter(|one| one.version <= version);
    let before = Migrator::with_migrations(before.cloned().collect());
    before.run(&db.writers).await.unwrap();
}

async fn write(db: &Db, lines: &[&'static str]) {
    let mut transaction = db.write().await.unwrap();
    for line in lines {
        sqlx::query(*line).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

async fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    let mut connection = db.read().await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as(sql)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    rows.into_iter().map(|(text,)| text).collect()
}

/// Two learners with a certificate each; that of `lost` was revoked.
const EARNED: [&str; 16] = [
    "insert into account (id, name, sign_in_name, created_at) values ('lost', 'Li', 'li', 0), \
     ('kept', 'Wu', 'wu', 0)",
    "insert into area (id, code, level, created_at) values ('area', '1', 'county', 0)",
    "insert into course (id, area_id, title, description, language, isced_level, isced_field, \
     estimated_minutes, required_percent, created_by, created_at, changed_at, revision) \
     values ('course', 'area', 'Bees', '', 'en', 2, '0811', 10, 90, 'kept', 0, 0, 1)",
    "insert into module (id, course_id, title, position, created_at) \
     values ('module', 'course', 'One', 0, 0)",
    "insert into lesson (id, course_id, module_id, title, kind, body, position, created_at) \
     values ('lesson', 'course', 'module', 'Hives', 'text', 'Bees.', 0, 0)",
    "insert into course_version (id, course_id, number, title, description, language, isced_level, \
     isced_field, estimated_minutes, required_percent, published_at, published_by, draft_revision) \
     values ('version', 'course', 1, 'Bees', '', 'en', 2, '0811', 10, 90, 0, 'kept', 1)",
    "update course set published_version_id = 'version'",
    "insert into enrolment (id, course_id, version_id, account_id, source, enrolled_by, \
     enrolled_at, completed_at) values ('e-lost', 'course', 'version', 'lost', 'self', 'lost', 0, 5), \
     ('e-kept', 'course', 'version', 'kept', 'self', 'kept', 0, 5)",
    "insert into lesson_completion (account_id, lesson_id, version_id, watched_percent, completed_at) \
     values ('lost', 'lesson', 'version', 100, 5), ('kept', 'lesson', 'version', 100, 5)",
    "insert into credential (id, enrolment_id, account_id, course_id, learner_name, course_title, \
     issuer_name, isced_level, isced_field, estimated_minutes, evidence, issued_at, revoked_at, \
     revoked_by, revoked_reason) values \
     ('c-lost', 'e-lost', 'lost', 'course', 'Li', 'Bees', 'A', 2, '0811', 10, '{}', 5, 9, 'kept', 'x'), \
     ('c-kept', 'e-kept', 'kept', 'course', 'Wu', 'Bees', 'A', 2, '0811', 10, '{}', 5, null, null, null)",
    "insert into household (id, code, area_id, address, status, registered_at, registered_by) \
     values ('household', 'H', 'area', '', 'registered', 0, 'kept')",
    "insert into member (id, name, sex, created_at) values ('member', 'Wu', 1, 0)",
    "insert into support_plan (id, household_id, created_by, created_at) \
     values ('plan', 'household', 'kept', 0)",
    "insert into measure (id, plan_id, kind, title, officer_id, course_id, beneficiaries, due_on, \
     allowance_minor, currency, status, fulfilled_at, credential_id, created_by, created_at) values \
     ('measure', 'plan', 'vocational_training', 'Bees', 'kept', 'course', 'any', '2026-12-31', 1, \
     'CNY', 'verified', 5, 'c-kept', 'kept', 0)",
    "insert into measure_member (measure_id, member_id, credential_id, fulfilled_at) \
     values ('measure', 'member', 'c-kept', 5)",
    "insert into measure_event (id, measure_id, kind, recorded_at) \
     values ('event', 'measure', 'created', 0)",
];

#[tokio::test]
async fn certificates_and_measures_outlive_the_change_that_lets_a_course_be_completed_again() {
    for (db, _folder) in unmigrated().await {
        migrate_to(&db, 12).await;
        write(&db, &EARNED).await;
        db.migrate().await.unwrap();
        assert_eq!(
            texts(&db, "select id from credential order by id").await,
            ["c-kept", "c-lost"]
        );
        let of_measure = "select measure.status || part.member_id || part.credential_id \
            || event.kind from measure join measure_member part on part.measure_id = measure.id \
            join measure_event event on event.measure_id = measure.id";
        assert_eq!(
            texts(&db, of_measure).await,
            ["verifiedmemberc-keptcreated"]
        );
        // What was revoked before can be earned again.
        let open = "select id from enrolment where completed_at is null and counts_from = 9";
        assert_eq!(texts(&db, open).await, ["e-lost"]);
        let done = "select account_id from lesson_completion";
        assert_eq!(texts(&db, done).await, ["kept"]);
        let kept = "select account_id from revoked_completion";
        assert_eq!(texts(&db, kept).await, ["lost"]);
        let left = match db.engine() {
            super::Engine::Sqlite => "select name from sqlite_master where name like 'kept%'",
            super::Engine::Postgres => {
                "select relname::text from pg_class where relname like 'kept%'"
            }
        };
        assert!(texts(&db, left).await.is_empty());

        let mut transaction = db.write().await.unwrap();
        let changed = sqlx::query("delete from measure_event")
            .execute(&mut *transaction)
            .await;
        assert!(changed.unwrap_err().to_string().contains("append-only"));
        drop(transaction);
        let mut transaction = db.write().await.unwrap();
        // One valid certificate for each enrolment, as before.
        let copy = |id: &str, of: &str| {
            format!(
                "insert into credential select '{id}', enrolment_id, account_id, course_id, \
                 learner_name, course_title, issuer_name, isced_level, isced_field, \
                 estimated_minutes, evidence, issued_at, null, null, null from credential \
                 where id = '{of}'"
            )
        };
        let sql = sqlx::AssertSqlSafe(copy("again", "c-lost"));
        sqlx::query(sql).execute(&mut *transaction).await.unwrap();
        let sql = sqlx::AssertSqlSafe(copy("twice", "c-kept"));
        assert!(sqlx::query(sql).execute(&mut *transaction).await.is_err());
    }
}

//! Tables that only grow: the database itself refuses to change or delete their rows.

use sqlx::{AnyConnection, Executor};

use super::Engine;

const APPEND_ONLY: [&str; 8] = [
    "audit",
    "watch_interval",
    "evidence_flag",
    "measure_event",
    "revoked_completion",
    "live_event",
    "live_segment",
    "live_still",
];
/// Key of PostgreSQL's advisory lock: one node at a time installs the triggers. Two that replaced
/// the same function at once would make one of them fail.
const LOCK: i64 = 0x6d69_6c6c_6574;

/// Installs the triggers that are missing. In a transaction of its own.
///
/// # Errors
/// When the database fails.
pub(super) async fn guard(
    connection: &mut AnyConnection,
    engine: Engine,
) -> Result<(), sqlx::Error> {
    if engine == Engine::Postgres {
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *connection)
            .await?;
    }
    let mut missing = Vec::new();
    for table in APPEND_ONLY {
        for operation in operations(engine) {
            let name = format!("{table}_refuse_{operation}");
            if !exists(connection, engine, table, &name).await? {
                missing.push((table, *operation, name));
            }
        }
    }
    if engine == Engine::Postgres && !missing.is_empty() {
        connection
            .execute(
                "create or replace function refuse_change() returns trigger language plpgsql as \
                 $$ begin raise exception 'append-only'; end $$",
            )
            .await?;
    }
    for (table, operation, name) in missing {
        let statement = match engine {
            Engine::Sqlite => format!(
                "create trigger {name} before {operation} on {table} \
                 begin select raise(abort, 'append-only'); end"
            ),
            Engine::Postgres => format!(
                "create trigger {name} before {operation} on {table} \
                 for each statement execute function refuse_change()"
            ),
        };
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
            .await?;
    }
    Ok(())
}

/// What takes rows away or changes them. SQLite has no `truncate`; its `insert or replace` fires the
/// trigger of `delete`, since every connection turns recursive triggers on.
fn operations(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Sqlite => &["update", "delete"],
        Engine::Postgres => &["update", "delete", "truncate"],
    }
}

/// A start must not lock tables that other nodes are writing to, so what is there stays.
async fn exists(
    connection: &mut AnyConnection,
    engine: Engine,
    table: &str,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let count = match engine {
        Engine::Sqlite => {
            "select count(*) from sqlite_master where type = 'trigger' and tbl_name = $1 \
             and name = $2"
        }
        Engine::Postgres => {
            "select count(*) from pg_trigger where tgrelid = to_regclass($1) and tgname = $2"
        }
    };
    let (count,): (i64,) = sqlx::query_as(count)
        .bind(table)
        .bind(name)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

#[cfg(test)]
mod tests {
    use super::APPEND_ONLY;
    use crate::db::testing::{both, unmigrated};
    use crate::db::{Db, Engine};

    #[tokio::test]
    async fn many_nodes_may_migrate_at_once_and_a_row_stays_as_it_was_written() {
        for (db, _folder) in unmigrated().await {
            let nodes = (0..8).map(|_| {
                let db: Db = db.clone();
                tokio::spawn(async move { db.migrate().await })
            });
            for node in futures_util::future::join_all(nodes).await {
                node.unwrap().unwrap();
            }
            refuses_change(&db).await;
        }
    }

    #[tokio::test]
    async fn a_trigger_that_is_gone_comes_back_at_the_next_start() {
        for (db, _folder) in both().await {
            let mut transaction = db.write().await.unwrap();
            let drop = match db.engine() {
                Engine::Sqlite => "drop trigger audit_refuse_delete",
                Engine::Postgres => "drop trigger audit_refuse_delete on audit",
            };
            sqlx::query(drop).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            db.migrate().await.unwrap();
            refuses_change(&db).await;
        }
    }

    #[tokio::test]
    async fn no_statement_takes_away_what_only_grows() {
        for (db, _folder) in both().await {
            refuses_change(&db).await;
            if db.engine() == Engine::Postgres {
                for table in APPEND_ONLY {
                    let mut transaction = db.write().await.unwrap();
                    let statement = sqlx::AssertSqlSafe(format!("truncate {table} cascade"));
                    let emptied = sqlx::query(statement).execute(&mut *transaction).await;
                    let refusal = emptied.unwrap_err().to_string();
                    assert!(refusal.contains("append-only"), "{table}: {refusal}");
                }
            }
        }
    }

    async fn refuses_change(db: &Db) {
        let takes_away = match db.engine() {
            Engine::Sqlite => "insert or replace into audit select * from audit",
            Engine::Postgres => "truncate audit",
        };
        let changes = [
            "update audit set number = 7",
            "delete from audit",
            takes_away,
        ];
        for change in changes {
            let mut transaction = db.write().await.unwrap();
            let entry = crate::audit::Entry {
                account: None,
                action: "test",
                subject_kind: "test",
                subject_id: String::new(),
                reason: None,
                at: crate::clock::Timestamp(1),
            };
            crate::audit::append(&mut transaction, entry).await.unwrap();
            let changed = sqlx::query(change).execute(&mut *transaction).await;
            let refusal = changed.expect_err(change).to_string();
            assert!(refusal.contains("append-only"), "{change}: {refusal}");
        }
    }
}

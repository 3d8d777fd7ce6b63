//! Tables that only grow: the database itself refuses to change or delete their rows.

use sqlx::{AnyConnection, Executor};

use super::Engine;

const APPEND_ONLY: [&str; 4] = ["audit", "watch_interval", "evidence_flag", "measure_event"];

/// Installs triggers that refuse update and delete on the append-only tables.
///
/// # Errors
/// When the database fails.
pub(super) async fn guard(
    connection: &mut AnyConnection,
    engine: Engine,
) -> Result<(), sqlx::Error> {
    if engine == Engine::Postgres {
        connection
            .execute(
                "create or replace function refuse_change() returns trigger language plpgsql as \
                 $$ begin raise exception 'append-only'; end $$",
            )
            .await?;
    }
    for table in APPEND_ONLY {
        for operation in ["update", "delete"] {
            let name = format!("{table}_refuse_{operation}");
            let statement = match engine {
                Engine::Sqlite => format!(
                    "create trigger if not exists {name} before {operation} on {table} \
                     begin select raise(abort, 'append-only'); end"
                ),
                Engine::Postgres => format!(
                    "create or replace trigger {name} before {operation} on {table} \
                     for each statement execute function refuse_change()"
                ),
            };
            connection
                .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
                .await?;
        }
    }
    Ok(())
}

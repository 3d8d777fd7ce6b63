//! The database: one SQL text on SQLite and PostgreSQL. What differs between the two stands here
//! and nowhere else.

mod append_only;
#[cfg(test)]
mod migration_tests;
mod transaction;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, ConnectOptions, Executor};

pub use transaction::Transaction;

/// Connections that only read, for each node.
const READERS: u32 = 8;
/// Connections that write on PostgreSQL, for each node; SQLite has one writer.
const WRITERS: u32 = 8;
/// How long a request waits for a connection before it is answered with "try again".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The engines that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file on this machine.
    Sqlite,
    /// A server.
    Postgres,
}

/// What can go wrong before there is a database to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("the database URL must begin with sqlite: or postgres:")]
    UnknownEngine,
    /// The folder or the lock file of the database.
    #[error("cannot prepare the database's folder: {0}")]
    Folder(#[from] std::io::Error),
    /// The engine refused.
    #[error("cannot open the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A migration failed or was changed after it ran.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// A handle that is cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    readers: AnyPool,
    writers: AnyPool,
    /// Of SQLite: a lock file beside the database, held while migrating.
    migration_lock: Option<PathBuf>,
}

impl Db {
    /// Opens (and on SQLite creates) the database behind `url`; does not migrate it.
    ///
    /// # Errors
    /// When the URL is of no known engine or the engine cannot be reached.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        if let Some(path) = url.strip_prefix("sqlite:") {
            Self::open_sqlite(path.trim_start_matches("//")).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::open_postgres(url).await
        } else {
            Err(OpenError::UnknownEngine)
        }
    }

    async fn open_sqlite(path: &str) -> Result<Self, OpenError> {
        let file = Path::new(path.split('?').next().unwrap_or(path)).to_owned();
        if let Some(folder) = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            tokio::fs::create_dir_all(folder).await?;
        }
        let options =
            AnyConnectOptions::from_str(&format!("sqlite://{}?mode=rwc", file.display()))?
                .disable_statement_logging();
        let pool = |most: u32| {
            AnyPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        connection
                            .execute(
                                "pragma busy_timeout = 10000; pragma journal_mode = wal; \
                                 pragma synchronous = full; pragma foreign_keys = on; \
                                 pragma recursive_triggers = on;",
                            )
                            .await?;
                        Ok(())
                    })
                })
        };
        // The writer connects first: it creates the file and turns WAL on.
        let writers = pool(1).connect_with(options.clone()).await?;
        let readers = pool(READERS).connect_with(options).await?;
        let mut lock = file.into_os_string();
        lock.push(".migrate-lock");
        Ok(Self {
            engine: Engine::Sqlite,
            readers,
            writers,
            migration_lock: Some(lock.into()),
        })
    }

    async fn open_postgres(url: &str) -> Result<Self, OpenError> {
        let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
        let pool = |most: u32| {
            AnyPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE_TIMEOUT)
        };
        Ok(Self {
            engine: Engine::Postgres,
            readers: pool(READERS).connect_with(options.clone()).await?,
            writers: pool(WRITERS).connect_with(options).await?,
            migration_lock: None,
        })
    }

    /// Brings the tables up to date. Two nodes may do so at once: one waits for the other.
    ///
    /// # Errors
    /// When a migration fails or differs from the one that ran before.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        // PostgreSQL locks by an advisory lock inside sqlx; for SQLite sqlx has none.
        let _lock = match self.migration_lock.clone() {
            Some(path) => Some(
                tokio::task::spawn_blocking(move || {
                    let file = std::fs::File::create(path)?;
                    file.lock()?;
                    Ok::<_, std::io::Error>(file)
                })
                .await
                .map_err(std::io::Error::other)??,
            ),
            None => None,
        };
        MIGRATIONS.run(&self.writers).await?;
        let mut transaction = self.write().await?;
        append_only::guard(&mut transaction, self.engine).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Which engine this is. For messages to the operator and tests.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// When none is free in time or the engine is gone.
    pub async fn read(&self) -> Result<PoolConnection<Any>, sqlx::Error> {
        self.readers.acquire().await
    }

    /// Begins a transaction that may write. Drop it to roll back.
    ///
    /// On SQLite it takes the write lock at once: a transaction that reads first and writes later
    /// would fail with "database is locked" as soon as two run side by side.
    ///
    /// # Errors
    /// When no connection is free in time or the engine is gone.
    pub async fn write(&self) -> Result<Transaction, sqlx::Error> {
        let asked = Instant::now();
        let begun = match self.engine {
            Engine::Sqlite => self.writers.begin_with("begin immediate").await?,
            Engine::Postgres => self.writers.begin().await?,
        };
        Ok(Transaction::new(begun, asked))
    }

    /// Closes all connections, after the work that is under way.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

#[cfg(test)]
pub mod testing {
    //! Databases for store tests: every test runs on both engines.

    use tokio::task::JoinHandle;

    use super::Db;

    /// Waits until a transaction of PostgreSQL waits for another one, or `work` came to its end without.
    pub async fn until_blocked<T>(db: &Db, work: &JoinHandle<T>) {
        let mut connection = db.read().await.unwrap();
        while !work.is_finished() {
            let (waiting,): (i64,) = sqlx::query_as(
                "select count(*) from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut *connection)
            .await
            .unwrap();
            if waiting > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// PostgreSQL alone: where two transactions may write side by side.
    pub async fn postgres() -> Db {
        let (db, _) = both().await.remove(1);
        db
    }

    /// Both engines, fresh and migrated. PostgreSQL must run (the test command brings it up):
    /// its administration URL stands in `TEST_POSTGRES`.
    pub async fn both() -> Vec<(Db, Option<tempfile::TempDir>)> {
        let all = unmigrated().await;
        for (db, _) in &all {
            db.migrate().await.unwrap();
        }
        all
    }

    /// The same without any table.
    pub async fn unmigrated() -> Vec<(Db, Option<tempfile::TempDir>)> {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Db::open(&format!("sqlite:{}/millet.db", folder.path().display()))
            .await
            .unwrap();
        let admin_url = std::env::var("TEST_POSTGRES")
            .expect("PostgreSQL is needed: run the tests by `make test`, which starts it");
        let admin = Db::open(&admin_url).await.unwrap();
        let name = format!("store_{}", uuid::Uuid::now_v7().simple());
        let create = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::query(create)
            .execute(&mut *admin.writers.acquire().await.unwrap())
            .await
            .unwrap();
        admin.close().await;
        let mut url = url::Url::parse(&admin_url).unwrap();
        url.set_path(&name);
        let postgres = Db::open(url.as_str()).await.unwrap();
        vec![(sqlite, Some(folder)), (postgres, None)]
    }
}

//! The two pairs of engines that everything must run on.

use std::path::{Path, PathBuf};

use millet_server::db::Db;
use tempfile::TempDir;

/// Which pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engines {
    /// SQLite and a folder.
    Embedded,
    /// PostgreSQL and S3.
    Grown,
}

/// A fresh place to keep everything of one test.
pub struct Storage {
    folder: TempDir,
    database_url: String,
    objects: String,
}

impl Engines {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Grown];

    /// A fresh database and a place for objects.
    pub async fn storage(self) -> Storage {
        let folder = tempfile::Builder::new()
            .prefix("millet-test-")
            .tempdir()
            .unwrap();
        let (database_url, objects) = match self {
            Self::Embedded => (
                format!("sqlite:{}", folder.path().join("millet.db").display()),
                format!("file:{}", folder.path().join("objects").display()),
            ),
            Self::Grown => (fresh_postgres().await, setting("TEST_OBJECTS")),
        };
        Storage {
            folder,
            database_url,
            objects,
        }
    }
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}: run the tests by `make test`"))
}

async fn fresh_postgres() -> String {
    let admin_url = setting("TEST_POSTGRES");
    let name = format!(
        "whole_{}",
        millet_server::id::JobId::new().to_string().replace('-', "")
    );
    let admin = Db::open(&admin_url).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    // Creating a database cannot stand in a transaction, so a reading connection does it.
    let mut connection = admin.read().await.unwrap();
    sqlx::query(create).execute(&mut *connection).await.unwrap();
    drop(connection);
    admin.close().await;
    let mut url = url::Url::parse(&admin_url).unwrap();
    url.set_path(&name);
    url.to_string()
}

impl Storage {
    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder of the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Setting `database_url`.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Setting `objects`.
    #[must_use]
    pub fn objects(&self) -> &str {
        &self.objects
    }

    /// The same database that the server uses, migrated.
    pub async fn db(&self) -> Db {
        let db = Db::open(&self.database_url).await.unwrap();
        db.migrate().await.unwrap();
        db
    }
}

impl Drop for Storage {
    /// What the server said is what a failed test is understood by.
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.folder.path().join("server.log"))
        {
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- the server's log\n{}\n---", tail.join("\n"));
        }
    }
}

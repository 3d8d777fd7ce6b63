//! Content for a demonstration: an area tree, people, households with plans, and a course whose
//! lessons are really prepared at first start.
//!
//! Every step looks at what is there already, so that a start that was cut off goes on.

mod course;
mod people;
mod plans;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::App;
use crate::error::Error;
use crate::people::accounts;
use crate::people::session::Token;

/// File in the data folder that keeps the made-up password, readable by its owner only.
const SIGN_INS: &str = "demo-password";
/// How often the progress line is written.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Who can sign in to the demonstration.
pub struct SignIns {
    /// Sign-in name and what the person is.
    pub names: Vec<(&'static str, &'static str)>,
    /// The same for all of them; made up at first start.
    pub password: String,
}

/// Fills an empty installation, or goes on where an earlier start was cut off.
///
/// # Errors
/// [`Error::Conflict`] when there are accounts that are not of a demonstration.
pub async fn fill(app: &App) -> Result<SignIns, Error> {
    let place = app.config.data.join(SIGN_INS);
    let known = read(&place).await?;
    let empty = {
        let mut connection = app.db.read().await?;
        accounts::is_empty(&mut connection).await?
    };
    let password = match known {
        Some(password) => password,
        None if empty => {
            let password: String = Token::new()?.reveal().chars().take(10).collect();
            keep(place, password.clone()).await?;
            password
        }
        None => return Err(Error::Conflict("demo-not-empty")),
    };
    if empty {
        let hash = app.passwords.hash(&password).await?;
        let now = app.clock.now();
        let mut transaction = app.db.write().await?;
        let people = people::create(&mut transaction, &hash, now).await?;
        let course = course::create(&mut transaction, &people, now).await?;
        plans::create(&mut transaction, &people, course, now).await?;
        transaction.commit().await?;
    }
    // Boxed: a future as deep as this is more than the compiler follows.
    Box::pin(course::prepare(app)).await?;
    Ok(SignIns {
        names: people::SIGN_INS.to_vec(),
        password,
    })
}

async fn read(place: &Path) -> Result<Option<String>, Error> {
    match tokio::fs::read_to_string(place).await {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn keep(place: PathBuf, password: String) -> Result<(), Error> {
    tokio::task::spawn_blocking(move || {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(place)?;
        file.write_all(password.as_bytes())?;
        file.sync_all()
    })
    .await
    .map_err(|error| Error::Internal(error.to_string()))??;
    Ok(())
}

//! What ending a class needs from whoever holds its media.

use futures_util::future::BoxFuture;

use super::store;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Error;
use crate::id::LiveClassId;

/// Closes the media of a class that a leader ended, and then the class by [`store::close`]. Called once
/// or more often, and after a restart again, until the class is closed.
pub trait Ends: Send + Sync {
    /// Ends the media of the class.
    fn end(&self, class: LiveClassId) -> BoxFuture<'_, Result<(), Error>>;
}

/// For classes whose media nobody holds: the class lasts until now.
#[derive(Clone, Debug)]
pub struct EndsAtOnce {
    /// Where the class is.
    pub db: Db,
    /// Time.
    pub clock: Clock,
}

impl Ends for EndsAtOnce {
    fn end(&self, class: LiveClassId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let now = self.clock.now();
            let mut transaction = self.db.write().await?;
            let row = store::find(&mut transaction, class).await?;
            let opened = row.and_then(|row| row.opened_at).unwrap_or(now);
            let lasted = i64::try_from(now.since(opened).as_millis()).unwrap_or(i64::MAX);
            store::close(&mut transaction, class, lasted, now).await?;
            transaction.commit().await?;
            Ok(())
        })
    }
}

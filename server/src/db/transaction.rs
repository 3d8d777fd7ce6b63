//! A transaction that may write, and what it adds to the figures.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use sqlx::{Any, AnyConnection};

/// Rolled back when it is dropped without [`Transaction::commit`].
pub struct Transaction {
    inner: sqlx::Transaction<'static, Any>,
    figures: Figures,
}

impl Transaction {
    /// `asked` is when the caller began to wait for the connection and the write lock.
    pub(super) fn new(inner: sqlx::Transaction<'static, Any>, asked: Instant) -> Self {
        Self {
            inner,
            figures: Figures {
                asked,
                outcome: "rolled_back",
            },
        }
    }

    /// Makes everything that was written durable, or nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.inner.commit().await?;
        self.figures.outcome = "committed";
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

/// Counted when the transaction ends, however it ends.
struct Figures {
    asked: Instant,
    outcome: &'static str,
}

impl Drop for Figures {
    fn drop(&mut self) {
        metrics::counter!("millet_transactions_total", "outcome" => self.outcome).increment(1);
        metrics::histogram!("millet_transaction_seconds").record(self.asked.elapsed());
    }
}

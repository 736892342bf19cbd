//! Ends sessions that stand in the way and do nothing: those of a process that was frozen or cut off in the middle of a
//! transaction, be it this process's own of before. Without this, its locks would hold up everybody until the server notices, which
//! it never does behind a proxy that keeps the connection open: in the middle of a COPY no timeout of Postgres counts.
//!
//! What such a session holds is safe to lose. Its transaction checks a fence first, and whoever waits for it has raised that fence, or
//! holds it and has given the session up.

use std::time::Duration;

use super::{Database, Transaction};

/// How long a statement waits for a lock before whoever holds it idly is ended.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

impl Database {
    /// Runs a statement that waits for a lock of others, in a transaction of this database, and ends meanwhile the idle sessions of
    /// opstream that block it. SQLite's one writer cannot be held by a stranger.
    ///
    /// # Errors
    /// Those of the statement, and what the database answers about who blocks it.
    pub async fn without_blockers<T>(
        &self,
        tx: &mut Transaction,
        statement: impl AsyncFnOnce(&mut Transaction) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let Some(backend) = own_backend(tx).await? else { return statement(tx).await };
        // Boxed, because it is held across the other arm and futures of the driver are large.
        let mut statement = Box::pin(statement(tx));
        loop {
            tokio::select! {
                outcome = &mut statement => return outcome,
                () = tokio::time::sleep(LOCK_PATIENCE) => self.terminate_blockers(backend).await?,
            }
        }
    }

    async fn terminate_blockers(&self, backend: i64) -> Result<(), sqlx::Error> {
        let ended = self.fetch_all(include_str!("terminate_blockers.sql"), &[backend.into()]).await?;
        if !ended.is_empty() {
            tracing::warn!(backends = ended.len(), "ended sessions that held a lock and did nothing");
        }
        Ok(())
    }
}

/// Process id of our Postgres backend.
async fn own_backend(tx: &mut Transaction) -> Result<Option<i64>, sqlx::Error> {
    match tx {
        Transaction::Sqlite(_) => Ok(None),
        Transaction::Postgres(_) => {
            let row = tx.fetch_optional("select pg_backend_pid()::bigint as pid", &[]).await?;
            row.map(|row| row.int("pid")).transpose()
        }
    }
}

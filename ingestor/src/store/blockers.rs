//! Ends sessions that stand in the way and do nothing: those of an ingestor that was frozen or cut off in the middle of a
//! transaction. Without this, its locks would hold up everybody until the server notices.

use std::time::Duration;

use opstream_schemas::database::{Database, Transaction};

use super::StoreError;

/// How long a statement waits for a lock before whoever holds it idly is ended.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Process id of our Postgres backend; SQLite has none, and its one writer cannot be held by a frozen stranger.
pub(super) async fn own_backend(tx: &mut Transaction) -> Result<Option<i64>, StoreError> {
    match tx {
        Transaction::Sqlite(_) => Ok(None),
        Transaction::Postgres(_) => {
            let row = tx.fetch_optional("select pg_backend_pid()::bigint as pid", &[]).await?;
            Ok(row.map(|row| row.int("pid")).transpose()?)
        }
    }
}

/// Waits for a statement of the session `backend`, ending meanwhile the idle sessions of opstream that block it.
pub(super) async fn without_blockers<T>(
    database: &Database,
    backend: i64,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    tokio::pin!(statement);
    loop {
        tokio::select! {
            outcome = &mut statement => return Ok(outcome?),
            () = tokio::time::sleep(LOCK_PATIENCE) => terminate_blockers(database, backend).await?,
        }
    }
}

async fn terminate_blockers(database: &Database, backend: i64) -> Result<(), StoreError> {
    let ended = database.fetch_all(include_str!("terminate_blockers.sql"), &[backend.into()]).await?;
    if !ended.is_empty() {
        tracing::warn!(backends = ended.len(), "ended sessions that held a lock and did nothing");
    }
    Ok(())
}

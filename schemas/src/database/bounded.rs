//! Snapshots whose statements end after a time, for questions that anybody may ask: a statement goes on although nobody waits
//! for it any more, and would keep its connection from everybody else.

use std::time::{Duration, Instant};

use super::{Database, Transaction};

/// SQLite looks at the clock after so many steps of its machine, about every ten microseconds.
const STEPS_PER_LOOK: i32 = 1000;

impl Database {
    /// As [`Database::begin_snapshot`]. SQLite breaks off what is still running `limit` after the beginning, Postgres each
    /// statement that takes longer than `limit`.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_snapshot_within(&self, limit: Duration) -> Result<Transaction, sqlx::Error> {
        let setting = format!("SET LOCAL statement_timeout = {}", limit.as_millis().max(1));
        let mut snapshot = self.begin_snapshot_with(&setting).await?;
        if let Transaction::Sqlite(tx) = &mut snapshot {
            let began = Instant::now();
            tx.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, move || began.elapsed() < limit);
        }
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use crate::database::DatabaseUrl;

    use super::*;

    const ENDLESS: &str = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as i from n";

    #[tokio::test]
    async fn an_endless_statement_is_broken_off_and_the_connection_serves_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        // More often than there are connections: each has been broken off before.
        for _ in 0..6 {
            let mut snapshot = database.begin_snapshot_within(Duration::from_millis(20)).await.unwrap();
            let error = snapshot.fetch_all(ENDLESS, &[]).await.unwrap_err();
            assert!(error.to_string().contains("interrupted"), "{error}");
            drop(snapshot);
            let long = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select count(*) as i from n";
            assert_eq!(database.fetch_all(long, &[]).await.unwrap()[0].int("i").unwrap(), 300_000);
        }
    }
}

//! Rows one by one, for answers that are too long to be held.

use sqlx::SqlSafeStr;

use super::transaction::{postgres_query, sqlite_query};
use super::{Row, Transaction, Value};

impl Transaction {
    /// Runs a query and hands on each row as it arrives. Returns how many there were. What `on_row` does holds up the thread.
    ///
    /// # Errors
    /// What the database answers, and the first error of `on_row`, after which no row follows.
    pub async fn fetch_each(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value],
        mut on_row: impl FnMut(Row) -> Result<(), sqlx::Error> + Send,
    ) -> Result<usize, sqlx::Error> {
        let sql = sql.into_sql_str();
        // The collected units take no memory.
        let rows = match self {
            Self::Postgres(tx) => {
                postgres_query(sql, values).try_map(|row| on_row(Row::Postgres(row))).fetch_all(&mut **tx).await?
            }
            Self::Sqlite(tx) => {
                sqlite_query(sql, values).try_map(|row| on_row(Row::Sqlite(row))).fetch_all(&mut **tx).await?
            }
        };
        Ok(rows.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::database::{Database, DatabaseUrl};

    const THREE: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) select i from n";

    #[tokio::test]
    async fn rows_come_in_order_until_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        let mut reading = database.begin_snapshot().await.unwrap();
        let mut seen = Vec::new();
        let count = reading.fetch_each(THREE, &[], |row| row.int("i").map(|i| seen.push(i))).await.unwrap();
        assert_eq!((count, seen), (3, vec![1, 2, 3]));
        let mut seen = Vec::new();
        let until_two = reading
            .fetch_each(THREE, &[], |row| {
                seen.push(row.int("i")?);
                if seen.len() < 2 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
            })
            .await;
        assert!(matches!(until_two, Err(sqlx::Error::RowNotFound)));
        assert_eq!(seen, [1, 2]);
    }
}

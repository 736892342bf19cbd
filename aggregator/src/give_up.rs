//! Giving up a file of operations that is lost for good, so that completeness and a rebuild stop waiting for it.

use opstream_schemas::database::Database;

use crate::lease;

/// What was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Operations in the file, as the manifest says.
    pub operations: i64,
    /// Whether its operations, or some of them, are in windows: a rebuild makes windows without them.
    pub is_in_windows: bool,
}

/// Why nothing was given up.
#[derive(Debug, thiserror::Error)]
pub enum GiveUpError {
    /// Look at the number again.
    #[error("the manifest lists no live file of operations with the number {number}")]
    Unlisted {
        /// The number.
        number: i64,
    },
    /// Try again.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// Takes a file of operations, with its contents, out of the manifest and remembers that it was lost, for `opstream verify`. An active aggregator is
/// fenced out, so that it cannot be adding the file meanwhile; it takes the lease again at once.
///
/// # Errors
/// When there is no such file, or the database fails.
pub async fn give_up_file(database: &Database, number: i64) -> Result<GivenUp, GiveUpError> {
    let now = lease::database_now(database).await?;
    let mut tx = lease::begin_instead(database).await?;
    let remove = "update lake_files set removed_at_ms = $2 \
                  where file_number = $1 and kind = 'operations' and removed_at_ms is null returning rows";
    let Some(row) = tx.fetch_optional(remove, &[number.into(), now.into()]).await? else {
        tx.rollback().await?;
        return Err(GiveUpError::Unlisted { number });
    };
    let operations = row.int("rows")?;
    // Nobody finds contents without their operations.
    let contents = "update lake_files set removed_at_ms = $2 where operations_file = $1 and removed_at_ms is null";
    tx.execute(contents, &[number.into(), now.into()]).await?;
    let insert = "insert into given_up_files (file_number, given_up_at_ms) values ($1, $2) \
                  on conflict (file_number) do update set given_up_at_ms = excluded.given_up_at_ms";
    tx.execute(insert, &[number.into(), now.into()]).await?;
    let windowed = "select 1 from windowed_files where file_number = $1 union all \
                    select 1 from window_progress where file_number = $1 limit 1";
    let is_in_windows = tx.fetch_optional(windowed, &[number.into()]).await?.is_some();
    tx.commit().await?;
    Ok(GivenUp { operations, is_in_windows })
}

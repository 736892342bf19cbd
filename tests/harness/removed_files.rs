//! Files that were merged into others are deleted an hour later, which no story waits for.

use opstream_schemas::database::Database;

/// Lets an hour pass for the files that have been removed from the lake so far.
///
/// # Errors
/// When Postgres broke it off: the aggregator changes the same rows, in another order, and one of two that wait for each other must
/// give way. Nothing has changed then.
pub(crate) async fn age_removed_files(database: &Database) -> Result<(), String> {
    let aged = "update lake_files set removed_at_ms = removed_at_ms - 3600000 where removed_at_ms is not null";
    let age = async {
        let mut tx = database.begin().await?;
        tx.execute(aged, &[]).await?;
        tx.commit().await
    };
    age.await.map_err(|error| error.to_string())
}

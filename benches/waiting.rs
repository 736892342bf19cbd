//! Waits for what a pipeline brings about, without disturbing it much.

use std::time::{Duration, Instant};

use opstream_schemas::database::Database;

/// Long enough for a million operations on a slow machine.
const PATIENCE: Duration = Duration::from_mins(30);

/// Operations whose offsets are stored.
pub(crate) const STORED: &str =
    "select cast(coalesce(sum(next_offset - start_offset), 0) as bigint) as n from stream_partitions";
/// Operations whose offsets are in windows; the topic began empty.
pub(crate) const WINDOWED: &str = "select cast(coalesce(sum(next_offset), 0) as bigint) as n from windowed_offsets";

/// Asks every `pause` until the condition holds, and returns when it was seen to.
///
/// # Panics
/// After half an hour.
pub(crate) async fn moment_when(pause: Duration, mut condition: impl AsyncFnMut() -> bool) -> Instant {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "the pipeline did not get there within {PATIENCE:?}");
        tokio::time::sleep(pause).await;
    }
    Instant::now()
}

/// Returns when the number that the query gives as `n` has reached `goal`.
pub(crate) async fn moment_reached(database: &Database, query: &'static str, goal: u64) -> Instant {
    moment_when(Duration::from_millis(10), async || {
        u64::try_from(number(database, query).await).is_ok_and(|reached| reached >= goal)
    })
    .await
}

/// The number that a query gives as `n`.
///
/// # Panics
/// When the database does not answer.
pub(crate) async fn number(database: &Database, query: &'static str) -> i64 {
    let row = database.fetch_optional(query, &[]).await.expect("the database answers");
    row.expect("an aggregate has a row").int("n").expect("the query names its number n")
}

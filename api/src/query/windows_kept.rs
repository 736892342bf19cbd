//! Which windows are still kept.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Transaction;

/// The first minute whose windows of a minute are kept; wider windows are kept for ever.
///
/// # Errors
/// What the database answers.
pub(crate) async fn minutes_kept_from(reading: &mut Transaction) -> Result<UtcMillis, sqlx::Error> {
    let sql = "select value from settings where name = 'window_minute_floor_ms'";
    let row = reading.fetch_optional(sql, &[]).await?;
    row.map_or(Ok(UtcMillis::from_millis(0)), |row| row.int("value").map(UtcMillis::from_millis))
}

//! Alerts that were over long ago go, with what webhooks were told of them. No rule looks back as far, so none of them is raised again.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;

use super::RetentionError;
use crate::lease;

/// How long an alert that is over is kept: more than a year, so that a budget can be compared with that of the year before.
const KEPT_DAYS: i64 = 400;

/// Forgets the next alerts. Returns whether there may be more. One that is still to be told stays.
pub(super) async fn forget_slice(database: &Database, fence: Fence, now: UtcMillis) -> Result<bool, RetentionError> {
    let before = now.plus_millis(-KEPT_DAYS * DAY_MILLIS);
    let rows = database.fetch_all(include_str!("past_alerts.sql"), &[before.into()]).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let mut tx = lease::begin(database, fence).await?;
    for row in &rows {
        let id = [row.text("alert_id")?.into()];
        tx.execute("delete from webhook_deliveries where alert_id = $1", &id).await?;
        tx.execute("delete from alerts where alert_id = $1", &id).await?;
    }
    tx.commit().await?;
    Ok(true)
}

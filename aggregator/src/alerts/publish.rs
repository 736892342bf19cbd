//! The outbox of the topic `llm.alerts`: alerts whose last revision is not there yet. `published_revision` follows the broker's
//! acknowledgement, so whoever holds the lease next sends again what its predecessor did not finish.

use opstream_schemas::alerts::Alert;
use opstream_schemas::avro::encode_alert_as;
use opstream_schemas::database::Database;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;

use crate::lease;
use crate::metrics;
use crate::publish::PublishError;
use crate::topic::{WindowRecord, WindowTopic};

const SLICE: usize = 200;

/// Sends every alert that has changed, slice by slice. Returns how many.
///
/// # Errors
/// See [`PublishError`]; what was acknowledged and not marked is sent again.
pub(super) async fn publish(database: &Database, topic: &mut WindowTopic, fence: Fence) -> Result<usize, PublishError> {
    let mut published = 0;
    loop {
        let sql = format!(
            "select * from alerts where published_revision < revision order by raised_at_ms, alert_id limit {SLICE}"
        );
        let rows = database.fetch_all(sqlx::AssertSqlSafe(sql), &[]).await?;
        if rows.is_empty() {
            return Ok(published);
        }
        let id = topic.schema_id().ok_or(PublishError::SchemaUnknown)?;
        let alerts: Vec<Alert> = rows.iter().map(Alert::from_row).collect::<Result<_, _>>()?;
        let record = |alert: &Alert| {
            let mut value = Vec::with_capacity(512);
            encode_alert_as(alert, id, &mut value);
            WindowRecord { key: alert.alert_id.clone(), value: Some(value) }
        };
        topic.send(&alerts.iter().map(record).collect::<Vec<_>>()).await?;
        failpoint::reach(Step::AlertsSent).await.map_err(sqlx::Error::from)?;
        let mut tx = lease::begin(database, fence).await?;
        for alert in &alerts {
            let mark = "update alerts set published_revision = $2 where alert_id = $1 and published_revision < $2";
            tx.execute(mark, &[alert.alert_id.as_str().into(), alert.revision.into()]).await?;
        }
        tx.commit().await?;
        failpoint::reach(Step::AlertsMarked).await.map_err(sqlx::Error::from)?;
        metrics::record_published_alerts(alerts.len());
        published += alerts.len();
        if rows.len() < SLICE {
            return Ok(published);
        }
    }
}

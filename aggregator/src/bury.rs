//! Tombstones: windows that were deleted from the tables and whose last value may still be on the topic.
//!
//! Deleting a window and noting its tombstone is one transaction (`expire`), whether a value of it is known to be on the topic or
//! not: one that was sent may not have been marked. Whether a window is there again is asked right before its tombstone is
//! sent; publication is the same loop, so that no value of it is overtaken.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{Level, window_key};

use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::publish::{PublishError, UNMARK, read_combination};
use crate::settings::WindowSettings;
use crate::topic::{WindowRecord, WindowTopic};

static KEY: [&str; 4] = ["dimension_set", "level", "window_start_ms", "dimension_id"];

/// Sends all tombstones, slice by slice.
pub(crate) async fn bury(database: &Database, topic: &mut WindowTopic, fence: Fence) -> Result<(), PublishError> {
    loop {
        let rows = noted(database).await?;
        if rows.is_empty() {
            return Ok(());
        }
        bury_slice(database, topic, fence, &rows).await?;
    }
}

/// The next tombstones, and whether their windows are still gone.
pub(crate) async fn noted(database: &Database) -> Result<Vec<Row>, sqlx::Error> {
    database.fetch_all(include_str!("tombstones.sql"), &[]).await
}

/// Sends those of [`noted`], right after it.
pub(crate) async fn bury_slice(
    database: &Database,
    topic: &mut WindowTopic,
    fence: Fence,
    rows: &[Row],
) -> Result<(), PublishError> {
    let Some(last) = rows.last() else { return Ok(()) };
    let mut gone = Vec::new();
    for row in rows {
        if row.bool("is_gone")? {
            gone.push(row);
        }
    }
    let tombstones: Vec<WindowRecord> = gone.iter().map(|row| tombstone(row)).collect::<Result<_, _>>()?;
    topic.send(&tombstones).await?;
    metrics::record_tombstones(tombstones.len());
    match lease::begin(database, fence).await {
        Ok(mut tx) => {
            // Only the lease's holder notes tombstones, in this same loop: none came in between.
            let sent = "delete from window_tombstones \
                        where (dimension_set, level, window_start_ms, dimension_id) <= ($1, $2, $3, $4)";
            tx.execute(sent, &key_of(last)?).await?;
            Ok(tx.commit().await?)
        }
        Err(LeaseError::Replaced { fence }) => {
            publish_again(database, &gone).await?;
            Err(LeaseError::Replaced { fence }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A replaced holder's tombstones may be behind values of its successor, which sends those once more.
async fn publish_again(database: &Database, gone: &[&Row]) -> Result<(), sqlx::Error> {
    let generation = WindowSettings::read(database).await?.generation;
    let mut tx = database.begin().await?;
    for (range, text) in UNMARK.chunks(tx.engine(), gone.len()) {
        let mut values = vec![Value::from(generation)];
        for row in &gone[range] {
            values.extend(key_of(row)?);
            values.push(0_i64.into());
        }
        tx.execute(text, &values).await?;
    }
    tx.commit().await
}

fn key_of(row: &Row) -> Result<Vec<Value>, sqlx::Error> {
    KEY.into_iter().map(|column| row.int(column).map(Value::from)).collect()
}

fn tombstone(row: &Row) -> Result<WindowRecord, sqlx::Error> {
    let (set, dimensions) = read_combination(row)?;
    let code = row.int("level")?;
    let level = Level::from_code(code)
        .ok_or_else(|| sqlx::Error::Decode(format!("window_tombstones has the unknown level {code}").into()))?;
    let start = UtcMillis::from_millis(row.int("window_start_ms")?);
    Ok(WindowRecord { key: window_key(set, level, start, &dimensions), value: None })
}

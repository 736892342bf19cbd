//! What is deleted: minutes after seven days, and the windows of generations that were replaced. In slices, each with its
//! tombstones on the topic first, so that a crash in between only repeats them.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::window::{DimensionSet, Level};

use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::publish::{PublishError, tombstone};
use crate::settings::WindowSettings;
use crate::topic::{WindowRecord, WindowTopic};

/// How long windows of one minute are kept.
const MINUTES_KEPT_MILLIS: i64 = 7 * DAY_MILLIS;

/// Windows of a slice: the limit in `expired_minutes.sql`.
const SLICE: usize = 500;

/// Moves the first minute that has windows on, by whole hours. Done before files are added, by the one who adds them: below the
/// floor nothing is ever added again, so what is deleted there stays deleted.
pub(crate) async fn advance_minute_floor(
    database: &Database,
    fence: Fence,
    settings: WindowSettings,
    now: UtcMillis,
) -> Result<WindowSettings, LeaseError> {
    let minute_floor = Level::Hour.window_start(now.plus_millis(-MINUTES_KEPT_MILLIS));
    if minute_floor <= settings.minute_floor {
        return Ok(settings);
    }
    let mut tx = lease::begin(database, fence).await?;
    let advance = "update settings set value = $1 where name = 'window_minute_floor_ms' and value < $1";
    tx.execute(advance, &[minute_floor.into()]).await?;
    tx.commit().await?;
    Ok(WindowSettings { minute_floor, ..settings })
}

/// Deletes a slice of expired minutes of each set. Returns whether there may be more.
pub(crate) async fn delete_expired_minutes(
    database: &Database,
    topic: &WindowTopic,
    fence: Fence,
    settings: WindowSettings,
) -> Result<bool, PublishError> {
    let mut more = false;
    for set in DimensionSet::ALL {
        let values: [Value; 3] = [settings.generation.into(), set.code().into(), settings.minute_floor.into()];
        let rows = database.fetch_all(include_str!("expired_minutes.sql"), &values).await?;
        let Some(last) = rows.last() else { continue };
        let mut tombstones: Vec<WindowRecord> = Vec::new();
        for row in &rows {
            if row.int("published_revision")? > 0 {
                tombstones.push(tombstone(row, Level::Minute)?);
            }
        }
        bury(topic, &tombstones).await?;
        let mut tx = lease::begin(database, fence).await?;
        let delete = "delete from windows where generation = $1 and dimension_set = $2 and level = 0 \
                      and (window_start_ms, dimension_id) <= ($3, $4)";
        let (start, dimension_id) = (last.int("window_start_ms")?, last.int("dimension_id")?);
        let values: [Value; 4] = [settings.generation.into(), set.code().into(), start.into(), dimension_id.into()];
        tx.execute(delete, &values).await?;
        tx.commit().await?;
        more |= rows.len() >= SLICE;
    }
    Ok(more)
}

/// Deletes a slice of the windows of generations before the current one, and at last their marks of files. Returns whether
/// there may be more.
pub(crate) async fn delete_replaced_generations(
    database: &Database,
    topic: &WindowTopic,
    fence: Fence,
    settings: WindowSettings,
) -> Result<bool, PublishError> {
    let values: [Value; 1] = [settings.generation.into()];
    let rows = database.fetch_all(include_str!("replaced_windows.sql"), &values).await?;
    let Some(last) = rows.last() else { return forget_files(database, fence, settings).await };
    let mut tombstones: Vec<WindowRecord> = Vec::new();
    for row in &rows {
        if row.bool("is_gone")? {
            let code = row.int("level")?;
            let level = Level::from_code(code)
                .ok_or_else(|| sqlx::Error::Decode(format!("windows has the unknown level {code}").into()))?;
            tombstones.push(tombstone(row, level)?);
        }
    }
    bury(topic, &tombstones).await?;
    let mut tx = lease::begin(database, fence).await?;
    let delete = "delete from windows where generation < $1 and \
                  (generation, dimension_set, level, window_start_ms, dimension_id) <= ($2, $3, $4, $5, $6)";
    let mut values: Vec<Value> = vec![settings.generation.into()];
    for column in ["generation", "dimension_set", "level", "window_start_ms", "dimension_id"] {
        values.push(last.int(column)?.into());
    }
    tx.execute(delete, &values).await?;
    tx.commit().await?;
    Ok(true)
}

async fn forget_files(database: &Database, fence: Fence, settings: WindowSettings) -> Result<bool, PublishError> {
    let generation: [Value; 1] = [settings.generation.into()];
    let old = "select 1 from windowed_files where generation < $1 limit 1";
    if database.fetch_optional(old, &generation).await?.is_none() {
        return Ok(false);
    }
    let mut tx = lease::begin(database, fence).await?;
    let slice = "delete from windowed_files where generation < $1 and file_number in \
                 (select file_number from windowed_files where generation < $1 order by generation, file_number limit 5000)";
    tx.execute(slice, &generation).await?;
    tx.commit().await?;
    Ok(true)
}

async fn bury(topic: &WindowTopic, tombstones: &[WindowRecord]) -> Result<(), PublishError> {
    if !tombstones.is_empty() {
        topic.send(tombstones).await?;
        metrics::record_tombstones(tombstones.len());
    }
    Ok(())
}

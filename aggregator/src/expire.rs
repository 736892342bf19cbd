//! What is deleted: minutes after seven days, the windows of generations that nobody reads, and marks of completeness that say no
//! more than their neighbours. In slices, each a transaction that also notes the tombstones that are due on the topic (`bury`).

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::window::{DimensionSet, Level};

use crate::lease::{self, LeaseError};
use crate::settings::WindowSettings;

/// How long windows of one minute are kept.
const MINUTES_KEPT_MILLIS: i64 = 7 * DAY_MILLIS;
/// Windows of a slice: the limit of its query.
const SLICE: usize = 500;

/// The first minute that is kept at the time `now`; a whole hour.
pub(crate) fn minutes_kept_from(now: UtcMillis) -> UtcMillis {
    Level::Hour.window_start(now.plus_millis(-MINUTES_KEPT_MILLIS))
}

/// Moves the first minute that has windows on, by whole hours. Done before files are added, by the one who adds them: below the
/// floor nothing is added any more, so what is deleted there stays deleted.
///
/// It never passes what the newest operations allow, which are at most a day ahead of the clock of their time: a clock that is
/// wrong deletes nothing of the present, unless operations come with its time as well. A rebuild lowers the floor again.
pub(crate) async fn advance_minute_floor(
    database: &Database,
    fence: Fence,
    settings: WindowSettings,
    now: UtcMillis,
) -> Result<WindowSettings, LeaseError> {
    let by_clock = minutes_kept_from(now);
    if by_clock <= settings.minute_floor {
        return Ok(settings);
    }
    let newest = "select max(window_start_ms) as newest from windows \
                  where generation = $1 and dimension_set = $2 and level = $3";
    let values = [settings.generation, DimensionSet::Workspace.code(), Level::Hour.code()].map(Value::from);
    let row = database.fetch_optional(newest, &values).await?;
    let newest = row.map(|row| row.optional_int("newest")).transpose()?.flatten().map(UtcMillis::from_millis);
    let by_operations = newest.map_or(by_clock, |newest| minutes_kept_from(newest.plus_millis(DAY_MILLIS)));
    let minute_floor = by_clock.min(by_operations);
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
    fence: Fence,
    settings: WindowSettings,
) -> Result<bool, LeaseError> {
    let mut more = false;
    for set in DimensionSet::ALL {
        let slice = "select window_start_ms, dimension_id from windows \
                     where generation = $1 and dimension_set = $2 and level = 0 and window_start_ms < $3 \
                     order by window_start_ms, dimension_id limit 500";
        let place: [Value; 2] = [settings.generation.into(), set.code().into()];
        let [generation, code] = place.clone();
        let rows = database.fetch_all(slice, &[generation, code, settings.minute_floor.into()]).await?;
        let Some(last) = rows.last() else { continue };
        let mut values = Vec::from(place);
        values.extend(ints(last, &["window_start_ms", "dimension_id"])?);
        let mut tx = lease::begin(database, fence).await?;
        let note = "insert into window_tombstones (dimension_set, level, window_start_ms, dimension_id) \
                    select dimension_set, level, window_start_ms, dimension_id from windows \
                    where generation = $1 and dimension_set = $2 and level = 0 \
                    and (window_start_ms, dimension_id) <= ($3, $4) on conflict do nothing";
        tx.execute(note, &values).await?;
        let delete = "delete from windows where generation = $1 and dimension_set = $2 and level = 0 \
                      and (window_start_ms, dimension_id) <= ($3, $4)";
        tx.execute(delete, &values).await?;
        tx.commit().await?;
        more |= rows.len() >= SLICE;
    }
    Ok(more)
}

/// Deletes a slice of the windows of generations that were replaced or called off, and at last their marks of files. Returns
/// whether there may be more.
pub(crate) async fn delete_other_generations(
    database: &Database,
    fence: Fence,
    settings: WindowSettings,
) -> Result<bool, LeaseError> {
    let present: [Value; 2] = [settings.generation.into(), settings.rebuild.unwrap_or(i64::MAX).into()];
    let Some(row) = database.fetch_optional(include_str!("other_generation.sql"), &present).await? else {
        return Ok(false);
    };
    let other = row.int("generation")?;
    let slice = "select cast(dimension_set as bigint) as dimension_set, cast(level as bigint) as level, window_start_ms, \
                 dimension_id from windows where generation = $1 \
                 order by dimension_set, level, window_start_ms, dimension_id limit 500";
    let rows = database.fetch_all(slice, &[other.into()]).await?;
    let Some(last) = rows.last() else { return forget_files(database, fence, other).await };
    let mut values = ints(last, &["dimension_set", "level", "window_start_ms", "dimension_id"])?;
    values.insert(0, other.into());
    let mut tx = lease::begin(database, fence).await?;
    tx.execute(include_str!("note_other_generation.sql"), &values).await?;
    let delete = "delete from windows where generation = $1 \
                  and (dimension_set, level, window_start_ms, dimension_id) <= ($2, $3, $4, $5)";
    tx.execute(delete, &values).await?;
    tx.commit().await?;
    Ok(true)
}

async fn forget_files(database: &Database, fence: Fence, generation: i64) -> Result<bool, LeaseError> {
    let mut tx = lease::begin(database, fence).await?;
    let slice = "delete from windowed_files where generation = $1 and file_number in \
                 (select file_number from windowed_files where generation = $1 order by file_number limit 5000)";
    tx.execute(slice, &[generation.into()]).await?;
    tx.execute("delete from window_progress where generation = $1", &[generation.into()]).await?;
    tx.commit().await?;
    Ok(true)
}

/// Deletes marks that completeness can do without: of those older than ten minutes one per minute stays, of those older than a day
/// one per hour. They only grow old while windows stand still, and every answer walks back over them.
pub(crate) async fn thin_marks(database: &Database, fence: Fence) -> Result<(), LeaseError> {
    let now = lease::database_now(database).await?.millis();
    let aged = [(10 * 60_000, Level::Minute), (DAY_MILLIS, Level::Hour)];
    for (age, kept_per) in aged {
        let values = [now - age, kept_per.width_millis()].map(Value::from);
        if database.fetch_optional(include_str!("superfluous_marks.sql"), &values).await?.is_none() {
            continue;
        }
        let mut tx = lease::begin(database, fence).await?;
        tx.execute(include_str!("thin_marks.sql"), &values).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn ints(row: &Row, columns: &[&str]) -> Result<Vec<Value>, sqlx::Error> {
    columns.iter().map(|column| row.int(column).map(Value::from)).collect()
}

//! The floor: the first moment that is kept, always the start of a UTC day.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Engine};
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::window::{DimensionSet, Level};

use super::{KeepDays, RetentionError, read_floor};
use crate::{lease, metrics};

/// Moves the floor up to where it is at the time `now`. Not while windows are rebuilt: the new ones are made from the files above
/// the floor that the rebuild began with.
pub(super) async fn advance(
    database: &Database,
    fence: Fence,
    (keep_days, now): (KeepDays, UtcMillis),
) -> Result<(), RetentionError> {
    let Some(floor) = floor_at(database, keep_days, now).await? else { return Ok(()) };
    if floor <= read_floor(database).await? {
        return Ok(());
    }
    let mut tx = lease::begin(database, fence).await?;
    if database.engine() == Engine::Postgres {
        // Every batch of every ingestor holds the floor's row for a moment. An update alone could wait for ever, since those who
        // share a row do not queue; behind this lock they do, and no longer than the time below.
        tx.execute("set local lock_timeout = '5s'", &[]).await?;
        tx.execute("lock table settings in exclusive mode", &[]).await?;
    }
    let has_moved = tx.execute(include_str!("advance_floor.sql"), &[floor.into()]).await? == 1;
    tx.commit().await?;
    if has_moved {
        metrics::record_retention_floor(floor);
        tracing::info!(%floor, "operations before {floor} are no longer kept and no longer accepted");
    } else {
        tracing::info!(%floor, "the retention floor waits until the windows are rebuilt");
    }
    Ok(())
}

/// Where the floor is at the time `now`; `None` as long as no operation is in windows.
pub(super) async fn floor_at(
    database: &Database,
    keep_days: KeepDays,
    now: UtcMillis,
) -> Result<Option<UtcMillis>, sqlx::Error> {
    let newest = "select max(window_start_ms) as newest from windows \
                  where generation = (select value from settings where name = 'window_generation') \
                  and dimension_set = $1 and level = $2";
    let values = [DimensionSet::Workspace.code().into(), Level::Day.code().into()];
    let row = database.fetch_optional(newest, &values).await?;
    let newest = row.map(|row| row.optional_int("newest")).transpose()?.flatten().map(UtcMillis::from_millis);
    Ok(newest.map(|newest| kept_from(keep_days, now, newest)))
}

/// The days are counted back from today, or from the day of the newest operation if that is earlier: a clock that is ahead drops
/// nothing of the last days that have operations, and a pipeline that stood still accepts what waited meanwhile.
fn kept_from(keep_days: KeepDays, now: UtcMillis, newest: UtcMillis) -> UtcMillis {
    now.min(newest).day_start().plus_millis(-i64::from(keep_days.days()) * DAY_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 20_000 * DAY_MILLIS;

    fn kept(days: u16, now: i64, newest: i64) -> i64 {
        let keep_days = KeepDays::new(days).unwrap();
        kept_from(keep_days, UtcMillis::from_millis(now), UtcMillis::from_millis(newest)).millis()
    }

    #[test]
    fn the_floor_is_a_whole_day_behind_today_and_behind_the_newest_operation() {
        assert_eq!(kept(1, DAY + 1, DAY), DAY - DAY_MILLIS);
        assert_eq!(kept(30, DAY + DAY_MILLIS - 1, DAY), DAY - 30 * DAY_MILLIS);
        assert_eq!(kept(1, DAY + 1, DAY + DAY_MILLIS), DAY - DAY_MILLIS, "operations may be a day ahead");
        assert_eq!(kept(1, DAY + 400 * DAY_MILLIS, DAY), DAY - DAY_MILLIS, "the clock is ahead");
        assert_eq!(KeepDays::new(0), None);
    }
}

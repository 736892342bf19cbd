//! The tables of days below the floor in Postgres: each is detached and dropped.
//!
//! `detach partition … concurrently` blocks nobody, and must be outside a transaction, on a connection of its own. It has two parts: the
//! first marks the day as leaving, the second waits until nobody uses the old state. When the process or the patience ends in between,
//! `finalize` completes it. A table that is detached and not dropped yet is known by its comment, which it gets first, so that a
//! table that somebody detached to keep it is never taken for ours.

use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, within};
use opstream_schemas::time::DAY_MILLIS;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use super::days::report_dropped;
use crate::metrics;

/// Comment of a table that is being dropped.
const MARK: &str = "opstream is dropping this day";
/// A lock that cannot be had for so long is given up for this pass: whoever came behind in the queue waits as long.
const PATIENCE: &str = "set lock_timeout = '5s'";
/// Counting the rows of a day must not keep it from being dropped.
const COUNTING_PATIENCE: &str = "set statement_timeout = '60s'";
/// How long one statement may take: it waits for locks, and deletes the files of a table.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);
/// Postgres' code of a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// Postgres' code of a statement that took longer than it may.
const QUERY_CANCELED: &str = "57014";

/// A table of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DayTable {
    name: String,
    day: UtcMillis,
    is_attached: bool,
    /// Detaching it has begun.
    is_leaving: bool,
    is_marked: bool,
}

/// Drops the earliest day that is below the floor. Returns whether there are more.
pub(super) async fn drop_next(database: &Database, pool: &PgPool, floor: UtcMillis) -> Result<bool, sqlx::Error> {
    let rows = database.fetch_all(include_str!("day_tables.sql"), &[MARK.into()]).await?;
    let tables = rows.iter().filter_map(|row| read_table(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    let due: Vec<&DayTable> = tables.iter().filter(|table| table.is_due(floor)).collect();
    // Only one day at a time can be leaving.
    let Some(next) = due.iter().find(|table| table.is_leaving).or_else(|| due.first()) else { return Ok(false) };
    let mut connection = within(ANSWER_LIMIT, pool.acquire()).await?.detach();
    let dropped = drop_day(&mut connection, next).await;
    match dropped {
        Ok(operations) => {
            metrics::record_removed_operations(operations);
            report_dropped(next.day, operations);
            within(ANSWER_LIMIT, connection.close()).await?;
            Ok(due.len() > 1)
        }
        Err(error) if is_patience_at_its_end(&error) => {
            tracing::info!(
                table = next.name,
                "a transaction still uses a day that is to be dropped; trying again later"
            );
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

impl DayTable {
    fn is_due(&self, floor: UtcMillis) -> bool {
        self.day.plus_millis(DAY_MILLIS) <= floor && (self.is_attached || self.is_marked)
    }
}

/// Drops the table and returns how many rows it had.
async fn drop_day(connection: &mut PgConnection, table: &DayTable) -> Result<u64, sqlx::Error> {
    let DayTable { name, is_attached, is_leaving, is_marked, .. } = table;
    run(connection, PATIENCE.to_owned()).await?;
    if !is_marked {
        run(connection, format!("comment on table {name} is '{MARK}'")).await?;
    }
    if *is_leaving {
        run(connection, format!("alter table operations detach partition {name} finalize")).await?;
    } else if *is_attached {
        run(connection, format!("alter table operations detach partition {name} concurrently")).await?;
    }
    let operations = count_rows(connection, name).await?;
    run(connection, format!("drop table {name}")).await?;
    Ok(operations)
}

/// Rows of a table that nobody uses any more; what the planner takes for their number where counting takes too long.
async fn count_rows(connection: &mut PgConnection, name: &str) -> Result<u64, sqlx::Error> {
    run(connection, COUNTING_PATIENCE.to_owned()).await?;
    let exact = format!("select count(*) from {name}");
    let counted = within(ANSWER_LIMIT, sqlx::query_scalar::<_, i64>(AssertSqlSafe(exact)).fetch_one(&mut *connection));
    let rows = match counted.await {
        Err(error) if has_code(&error, QUERY_CANCELED) => {
            let estimate =
                format!("select greatest(reltuples, 0)::bigint from pg_class where oid = '{name}'::regclass");
            let estimated = sqlx::query_scalar::<_, i64>(AssertSqlSafe(estimate)).fetch_one(&mut *connection);
            within(ANSWER_LIMIT, estimated).await?
        }
        counted => counted?,
    };
    run(connection, "reset statement_timeout".to_owned()).await?;
    Ok(rows.unsigned_abs())
}

/// Each statement by itself: several at once would be one transaction. Names are made of letters and digits.
async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    within(ANSWER_LIMIT, sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection)).await.map(drop)
}

fn is_patience_at_its_end(error: &sqlx::Error) -> bool {
    has_code(error, LOCK_NOT_AVAILABLE)
}

fn has_code(error: &sqlx::Error, expected: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == expected)
}

/// `None` for a table whose name says no day.
fn read_table(row: &Row) -> Result<Option<DayTable>, sqlx::Error> {
    let name = row.text("name")?;
    let Some(day) = day_of(&name) else { return Ok(None) };
    Ok(Some(DayTable {
        name,
        day,
        is_attached: row.bool("is_attached")?,
        is_leaving: row.bool("is_leaving")?,
        is_marked: row.bool("is_marked")?,
    }))
}

/// The day that `operations_YYYYMMDD` names.
fn day_of(table: &str) -> Option<UtcMillis> {
    let date = table.strip_prefix("operations_")?;
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..8)?);
    let moment = opstream_schemas::UtcMicros::parse_rfc3339(&format!("{year}-{month}-{day}T00:00:00Z")).ok()?;
    (date.len() == 8).then_some(moment.to_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_due_once_its_whole_day_is_below_the_floor() {
        let day = day_of("operations_20261123").unwrap();
        assert_eq!(day.to_string(), "2026-11-23T00:00:00.000Z");
        let table = |is_attached, is_marked| {
            let name = "operations_20261123".to_owned();
            DayTable { name, day, is_attached, is_leaving: false, is_marked }
        };
        let next_day = day.plus_millis(DAY_MILLIS);
        assert!(table(true, false).is_due(next_day));
        assert!(!table(true, true).is_due(next_day.plus_millis(-1)));
        assert!(table(false, true).is_due(next_day));
        assert!(!table(false, false).is_due(next_day), "somebody detached it to keep it");
        for other in ["operations_archive", "operations_20261341", "operations_202611230", "operations", "operations_1"]
        {
            assert_eq!(day_of(other), None, "{other}");
        }
    }
}

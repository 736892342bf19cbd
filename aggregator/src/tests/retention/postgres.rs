//! What only Postgres has: tables of days that others may be using, and locks that are waited for.

use std::time::Duration;

use opstream_schemas::database::{Database, Engine};
use sqlx::PgPool;

use super::{FLOOR, NOON, OPERATIONS, Station, YESTERDAY, days_ago, take_all};
use crate::retention::Step;

const LEAVING: &str = "select count(*) as n from pg_inherits where inhdetachpending";
const TABLES: &str = "select count(*) as n from pg_class where relname ~ '^operations_[0-9]{8}$' and relkind = 'r'";

/// Runs a test where there is a Postgres.
async fn on_postgres(test: impl AsyncFn(&mut Station, PgPool)) {
    Station::each(async |station| {
        if station.database.engine() == Engine::Sqlite {
            return;
        }
        let Database::Postgres(pool) = &station.database else { return };
        let pool = pool.clone();
        Box::pin(test(station, pool)).await;
    })
    .await;
}

#[tokio::test]
async fn a_day_that_somebody_still_reads_is_dropped_by_a_later_pass() {
    on_postgres(async |station, pool| {
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(3)]).await;
        station.commit_with_rows(&[days_ago(2)]).await;
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let fence = windower.fence().unwrap();
        take_all(station, Step::AdvanceFloor, fence, NOON).await;
        let mut reader = pool.begin().await.unwrap();
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *reader).await.unwrap();
        let count = "select count(*) from operations";
        assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *reader).await.unwrap(), 3);
        // The patience ends between the two parts of detaching.
        take_all(station, Step::DropRows, fence, NOON).await;
        assert_eq!((station.int(LEAVING).await, station.int(TABLES).await), (1, 3));
        assert_eq!(
            sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *reader).await.unwrap(),
            3,
            "its snapshot has them"
        );
        assert_eq!(station.int(OPERATIONS).await, 2, "whoever begins now does not see the day");
        // The ingestor goes on meanwhile, with another day too.
        station.commit_with_rows(&[days_ago(-1)]).await;

        reader.rollback().await.unwrap();
        take_all(station, Step::DropRows, fence, NOON).await;
        assert_eq!((station.int(LEAVING).await, station.int(TABLES).await, station.int(OPERATIONS).await), (0, 2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_table_that_was_detached_by_us_goes_and_one_that_somebody_keeps_stays() {
    on_postgres(async |station, pool| {
        let mut windower = station.windower();
        for days in [4, 3, 0] {
            station.commit_with_rows(&[days_ago(days)]).await;
        }
        station.settle(&mut windower).await;
        let fence = windower.fence().unwrap();
        take_all(station, Step::AdvanceFloor, fence, NOON).await;
        // Killed between detaching and dropping.
        for sql in [
            "comment on table operations_20261119 is 'opstream is dropping this day'",
            "alter table operations detach partition operations_20261119",
            "alter table operations detach partition operations_20261120",
        ] {
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        }
        take_all(station, Step::DropRows, fence, NOON).await;
        assert_eq!(station.int(TABLES).await, 2);
        let kept: i64 = sqlx::query_scalar("select count(*) from operations_20261120").fetch_one(&pool).await.unwrap();
        assert_eq!(kept, 1);
    })
    .await;
}

#[tokio::test]
async fn the_floor_waits_for_batches_under_way_and_goes_before_those_that_come() {
    on_postgres(async |station, pool| {
        let mut windower = station.windower();
        station.commit(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let fence = windower.fence().unwrap();
        let share = "select value from settings where name = 'retention_floor_ms' for share";
        let mut batch = pool.begin().await.unwrap();
        let seen: i64 = sqlx::query_scalar(share).fetch_one(&mut *batch).await.unwrap();
        let advance = take_all(station, Step::AdvanceFloor, fence, NOON);
        let others = async {
            until_waiting(&pool, 1).await;
            let mut late = pool.begin().await.unwrap();
            let late_seen = sqlx::query_scalar::<_, i64>(share).fetch_one(&mut *late);
            let finish = async {
                until_waiting(&pool, 2).await;
                batch.commit().await.unwrap();
            };
            let (late_seen, ()) = tokio::join!(late_seen, finish);
            late_seen.unwrap()
        };
        let ((), late_seen) = tokio::join!(advance, others);
        assert!(seen < YESTERDAY);
        assert_eq!((late_seen, station.int(FLOOR).await), (YESTERDAY, YESTERDAY));
    })
    .await;
}

/// Waits until so many sessions of this database wait for a lock.
async fn until_waiting(pool: &PgPool, sessions: i64) {
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let reached = async {
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.unwrap() < sessions {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the sessions wait for a lock");
}

//! Days are dropped whole and windows stay, whatever ends a process in between.

mod alerts;
mod counters;
mod floor;
mod letters;
mod postgres;

use opstream_schemas::database::{Engine, Transaction, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{OperationId, UtcMillis};
use sqlx::AssertSqlSafe;

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::Station;
use super::{MINUTE, NOON, at};
use crate::give_up::give_up_file;
use crate::removed_files::RemovedFiles;
use crate::retention::{KeepDays, Retention, Step};
use crate::windower::Windower;

/// Start of the day before that of the tests' clock: what is kept with one day.
pub(super) const YESTERDAY: i64 = NOON - 12 * 60 * MINUTE - DAY_MILLIS;
pub(super) const FLOOR: &str = "select value as n from settings where name = 'retention_floor_ms'";
const OPERATIONS: &str = "select count(*) as n from operations";
const LISTED: &str = "select count(*) as n from lake_files";
const LIVE: &str = "select count(*) as n from lake_files where removed_at_ms is null";
const HOUR: i64 = 60 * MINUTE;

/// An operation that many days before noon.
pub(super) fn days_ago(days: i64) -> TestOperation {
    TestOperation::at(NOON - days * DAY_MILLIS)
}

/// Takes a step to its end with one day kept. Each slice is taken by a new process, as if the one before had been killed behind it.
pub(super) async fn take_all(station: &Station, step: Step, fence: Fence, now: i64) {
    for _ in 0..1000 {
        let mut retention = Retention::new(station.database.clone(), KeepDays::new(1));
        if !retention.take(step, fence, at(now)).await.unwrap() {
            return;
        }
    }
    panic!("{step:?} never ends");
}

pub(super) async fn take_everything(station: &Station, windower: &Windower, now: i64) {
    for step in Step::ALL {
        take_all(station, step, windower.fence().unwrap(), now).await;
    }
    delete_files(station, windower.fence().unwrap(), now).await;
}

/// Deletes what may go at that time, each slice by a new process.
async fn delete_files(station: &Station, fence: Fence, now: i64) {
    while RemovedFiles::new(station.database.clone(), station.lake()).delete_slice(fence, at(now)).await.unwrap() {}
}

impl Station {
    /// Writes a file, and its rows too, as the ingestor does.
    pub(super) async fn commit_with_rows(&mut self, operations: &[TestOperation]) -> i64 {
        for operation in operations {
            self.insert_row(operation.time_ms).await;
        }
        self.commit(operations).await
    }

    /// Inserts a row of `operations`, and one of its contents. The offsets do not matter here.
    async fn insert_row(&self, time_ms: i64) {
        let id = OperationId::generate(at(time_ms));
        let mut tx = self.database.begin().await.unwrap();
        if self.database.engine() == Engine::Postgres {
            create_day(&mut tx, at(time_ms).day_start()).await;
        }
        let values: [Value; 2] = [id.into(), time_ms.into()];
        tx.execute(include_str!("retention/insert_row.sql"), &values).await.unwrap();
        let contents = "insert into operation_contents (operation_id, system_prompt) values ($1, 'be kind')";
        tx.execute(contents, &[id.into()]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Creates the table of a day as the ingestor does.
async fn create_day(tx: &mut Transaction, day: UtcMillis) {
    let table = format!("operations_{}", day.to_string()[..10].replace('-', ""));
    let exists = "select 1 as found from pg_class where oid = to_regclass($1)";
    if tx.fetch_optional(exists, &[table.as_str().into()]).await.unwrap().is_some() {
        return;
    }
    let [from, to] = [day, day.plus_millis(DAY_MILLIS)].map(OperationId::lowest_at);
    let create = format!("create table {table} (like operations including all)");
    tx.execute(AssertSqlSafe(create), &[]).await.unwrap();
    let attach = format!("alter table operations attach partition {table} for values from ('{from}') to ('{to}')");
    tx.execute(AssertSqlSafe(attach), &[]).await.unwrap();
}

#[tokio::test]
async fn whole_days_go_with_their_files_and_windows_stay() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let two_days = [days_ago(2), days_ago(1)];
        let old = station.commit_with_rows(&[days_ago(3), days_ago(3)]).await;
        let older = station.commit_with_rows(&[days_ago(2)]).await;
        let straddling = station.commit_with_rows(&two_days).await;
        let new = station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let windows = stored_windows(&station.database, 1).await;
        let (path, fence) = (station.file(old).await, windower.fence().unwrap());

        take_all(station, Step::AdvanceFloor, fence, NOON).await;
        assert_eq!((station.int(FLOOR).await, station.int(OPERATIONS).await), (YESTERDAY, 6));
        take_all(station, Step::RemoveFiles, fence, NOON).await;
        let live = "select count(*) as n from lake_files where removed_at_ms is null and file_number in ($1, $2)";
        let row = station.database.fetch_optional(live, &[straddling.into(), new.into()]).await.unwrap().unwrap();
        assert_eq!((station.int(LIVE).await, row.int("n").unwrap()), (2, 2), "the straddling file stays whole");
        assert!(path.is_file(), "who is reading it has an hour");

        take_all(station, Step::DropRows, fence, NOON).await;
        assert_eq!(station.int(OPERATIONS).await, 2);
        assert_eq!(station.int("select count(*) as n from operation_contents").await, 2);
        assert_eq!(station.int("select min(time_ms) as n from operations").await, NOON - DAY_MILLIS);

        take_all(station, Step::MergeRanges, fence, NOON).await;
        let ranges = "select count(*) as n from applied_ranges";
        assert_eq!(station.int(ranges).await, 3, "the first two are one, the straddling file's is not over");
        let merged =
            "select from_offset * 100 + to_offset * 10 + rows as n from applied_ranges where merged_at_ms is not null";
        assert_eq!(station.int(merged).await, 33);

        delete_files(station, fence, NOON + HOUR - 1).await;
        assert!(path.is_file() && station.int(LISTED).await == 4);
        delete_files(station, fence, NOON + HOUR).await;
        assert!(!path.is_file());
        assert_eq!((station.int(LISTED).await, station.int("select count(*) as n from windowed_files").await), (2, 2));
        let gone = "select count(*) as n from lake_files where file_number in ($1, $2)";
        let row = station.database.fetch_optional(gone, &[old.into(), older.into()]).await.unwrap().unwrap();
        assert_eq!(row.int("n").unwrap(), 0);

        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON + HOUR).await;
        assert_eq!(stored_windows(&station.database, 1).await, windows);
        assert_eq!((station.int(LISTED).await, station.int(OPERATIONS).await), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_straddling_file_goes_when_the_floor_has_passed_it() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(2), days_ago(1)]).await;
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        assert_eq!(station.int(LIVE).await, 2);
        station.commit_with_rows(&[TestOperation::at(NOON + DAY_MILLIS)]).await;
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON + DAY_MILLIS).await;
        assert_eq!((station.int(LIVE).await, station.int(OPERATIONS).await), (2, 2));
        assert_eq!(station.int("select count(*) as n from applied_ranges").await, 3);
        take_everything(station, &windower, NOON + DAY_MILLIS + HOUR).await;
        assert_eq!(station.int(LISTED).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_file_whose_operations_are_not_in_windows_waits_below_the_floor() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let late = station.commit_with_rows(&[days_ago(3)]).await;
        let file = station.file(late).await;
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        station.settle(&mut windower).await;
        assert_eq!(windower.failed_files(), 1);
        take_everything(station, &windower, NOON).await;
        assert_eq!((station.int(FLOOR).await, station.int(LIVE).await), (YESTERDAY, 2));

        std::fs::write(&file, bytes).unwrap();
        windower.try_failed_files_now();
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        assert_eq!(station.int(LIVE).await, 1);
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&[days_ago(0), days_ago(3)], 0));
    })
    .await;
}

#[tokio::test]
async fn dropped_files_do_not_hold_up_a_partition_that_waited_for_another() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let lost = station.commit(&[days_ago(0)]).await;
        std::fs::remove_file(station.file(lost).await).unwrap();
        station.commit(&[days_ago(3)]).await;
        station.commit(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        take_everything(station, &windower, NOON + HOUR).await;
        assert_eq!(station.int(LISTED).await, 2, "the file behind the lost one is dropped");
        assert_eq!(station.int("select count(*) as n from applied_ranges").await, 3, "ranges ahead of windows stay");
        give_up_file(&station.database, lost).await.unwrap();
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        assert_eq!(station.int("select next_offset as n from windowed_offsets").await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_stays_listed() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let [stuck, other] = [station.commit(&[days_ago(3)]).await, station.commit(&[days_ago(3)]).await];
        station.commit(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let (stuck, other) = (station.file(stuck).await, station.file(other).await);
        // A folder in its place cannot be removed as a file.
        std::fs::remove_file(&stuck).unwrap();
        std::fs::create_dir(&stuck).unwrap();
        take_everything(station, &windower, NOON).await;
        take_everything(station, &windower, NOON + HOUR).await;
        assert!(!other.exists() && station.int(LISTED).await == 2);
        std::fs::remove_dir(&stuck).unwrap();
        take_everything(station, &windower, NOON + HOUR).await;
        assert_eq!(station.int(LISTED).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_replaced_aggregator_drops_nothing() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(3)]).await;
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let replaced = Fence(windower.fence().unwrap().0 - 1);
        let mut retention = Retention::new(station.database.clone(), KeepDays::new(1));
        let refused = retention.take(Step::AdvanceFloor, replaced, at(NOON)).await;
        assert!(matches!(refused, Err(crate::retention::RetentionError::Replaced { .. })), "{refused:?}");
        take_all(station, Step::AdvanceFloor, windower.fence().unwrap(), NOON).await;
        for step in [Step::RemoveFiles, Step::DropRows, Step::MergeRanges] {
            let refused = retention.take(step, replaced, at(NOON)).await;
            assert!(matches!(refused, Err(crate::retention::RetentionError::Replaced { .. })), "{step:?}: {refused:?}");
        }
        assert_eq!((station.int(LIVE).await, station.int(OPERATIONS).await), (2, 2));
    })
    .await;
}

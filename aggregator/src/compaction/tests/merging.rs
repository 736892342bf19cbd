//! What merging changes, and what it does not.

use opstream_schemas::lake::{FileKind, local_path};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::super::decode::Decoded;
use super::super::merge::{Workplace, write_outputs};
use super::yard::{DAY, HOUR, MINUTE, Operation, Yard, batch_of, operation, read_file};
use crate::rebuild::ask;
use crate::rewriting::listed::{Input, ListedFile};
use crate::rewriting::summary::Summary;
use crate::tests::station::Station;
use crate::tests::{NOON, at};

#[tokio::test]
async fn many_small_files_become_one_of_the_day_and_nothing_else_changes() {
    Yard::each(async |yard| {
        for n in 0..40 {
            yard.commit(&[operation(NOON + n * MINUTE, 3 * n), operation(NOON - 5 * HOUR + n, 3 * n + 1)]).await;
        }
        let fence = yard.window().await;
        let (windows, sums) = (yard.windows(1).await, yard.manifest_sums().await);
        let mut compactor = yard.compactor();
        yard.compact(&mut compactor, fence, NOON + DAY).await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 1);
        assert_eq!(yard.live(FileKind::Contents).await.len(), 1);
        yard.assert_same_rows().await;
        assert_eq!(yard.manifest_sums().await, sums);
        assert_eq!(yard.station.int("select max(merges) as n from lake_files").await, 1);

        // Nothing is left for the aggregator to do, and what it has is what a rebuild makes.
        assert_eq!(yard.window().await, fence);
        assert_eq!(yard.windows(1).await, windows);
        ask(&yard.station.database).await.unwrap();
        yard.window().await;
        assert_eq!(yard.windows(2).await, windows);
    })
    .await;
}

#[tokio::test]
async fn files_over_midnight_become_files_of_single_days() {
    Yard::each(async |yard| {
        let midnight = at(NOON).day_start().millis();
        for n in 0..6 {
            yard.commit(&[operation(midnight - 1 - n, 2 * n), operation(midnight + n, 2 * n + 1)]).await;
        }
        let fence = yard.window().await;
        yard.compact(&mut yard.compactor(), fence, NOON).await;
        yard.assert_same_rows().await;
        let files = yard.live(FileKind::Operations).await;
        assert_eq!(files.len(), 2);
        let over = "select count(*) as n from applied_ranges where file_number in (select file_number from lake_files where merges > 0)";
        assert_eq!(yard.station.int(over).await, 0, "ranges go on naming the file that they came with");
    })
    .await;
}

#[tokio::test]
async fn files_that_are_not_wholly_in_windows_are_left_alone() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON, n))).await;
    let fence = yard.window().await;
    yard.commit_each((10..30).map(|n| operation(NOON, n))).await;
    yard.compact(&mut yard.compactor(), fence, NOON).await;
    assert_eq!(yard.live(FileKind::Operations).await.len(), 1 + 20);
    // Marked for a generation that is not the current one.
    yard.station.execute("update windowed_files set generation = 7", &[]).await;
    yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
    assert_eq!(yard.live(FileKind::Operations).await.len(), 1 + 20);
}

#[tokio::test]
async fn what_lies_below_the_retention_floor_is_not_merged_any_more() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON, n))).await;
    let fence = yard.window().await;
    yard.station
        .execute("update settings set value = $1 where name = 'retention_floor_ms'", &[(NOON + HOUR).into()])
        .await;
    yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
    assert_eq!(yard.live(FileKind::Operations).await.len(), 10);
}

#[tokio::test]
async fn content_that_is_in_sql_and_content_that_is_not_stay_apart() {
    Yard::each(async |yard| {
        let operations: Vec<Operation> = (0..20).map(|n| operation(NOON, 3 * n)).collect();
        yard.commit_each(operations.clone()).await;
        for operation in &operations[..10] {
            let sql = "insert into operation_contents (operation_id) values ($1)";
            if yard.station.database.engine() == opstream_schemas::database::Engine::Sqlite {
                yard.station.execute(sql, &[operation.id.into()]).await;
            }
        }
        let fence = yard.window().await;
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        yard.assert_same_rows().await;
        let is_apart = yard.station.database.engine() == opstream_schemas::database::Engine::Sqlite;
        assert_eq!(yard.live(FileKind::Contents).await.len(), if is_apart { 2 } else { 1 });
    })
    .await;
}

/// Files in memory, as if they had been decoded.
fn decoded(files: &[Vec<Operation>]) -> Vec<Decoded> {
    let listed = |number: i64, kind| ListedFile {
        number,
        path: String::new(),
        kind,
        operations_file: None,
        merges: number,
        bytes: 0,
        summary: Summary::default(),
    };
    let input = |(number, file): (i64, &Vec<Operation>)| {
        let with_content: Vec<Operation> = file.iter().copied().filter(|operation| operation.has_content).collect();
        Decoded {
            input: Input { operations: listed(number, FileKind::Operations), contents: Vec::new() },
            operations: vec![batch_of(FileKind::Operations, file)],
            contents: vec![batch_of(FileKind::Contents, &with_content)],
            bytes: 0,
        }
    };
    (1..).zip(files).map(input).collect()
}

fn files() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    let time = prop_oneof![3 => NOON..NOON + 20, 1 => NOON - 3 * DAY..NOON + DAY];
    let file = proptest::collection::vec((time, 0..1_000_000_i64), 1..200);
    // Some operations come twice among the random ones; ids are unique in the lake.
    proptest::collection::vec(file, 1..6).prop_map(|files| {
        let mut seen = std::collections::HashSet::new();
        let unique = |file: Vec<(i64, i64)>| -> Vec<Operation> {
            let operations = file.into_iter().map(|(time, seed)| operation(time, seed));
            operations.filter(|operation| seen.insert(operation.id)).collect()
        };
        files.into_iter().map(unique).filter(|file: &Vec<Operation>| !file.is_empty()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn new_files_hold_the_rows_of_the_old_ones_in_order_and_by_day(files in files()) {
        let lake = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let place = Workplace { lake: lake.path(), named_at: at(NOON), stop: &stop };
        let outputs = write_outputs(&decoded(&files), &place).unwrap();
        prop_assert_eq!(outputs.merges, i64::try_from(files.len()).unwrap() + 1);

        let mut expected: Vec<Operation> = files.concat();
        expected.sort_unstable();
        let days: Vec<&[Operation]> =
            expected.chunk_by(|one, other| one.id.time().day_start() == other.id.time().day_start()).collect();
        prop_assert_eq!(outputs.files.len(), days.len());
        for (output, day) in outputs.files.iter().zip(days) {
            let read = |path: &str, kind| read_file(&local_path(lake.path(), path).unwrap(), kind);
            prop_assert_eq!(read(&output.operations.path, FileKind::Operations), batch_of(FileKind::Operations, day));
            let with_content: Vec<Operation> = day.iter().copied().filter(|operation| operation.has_content).collect();
            match &output.contents {
                Some(contents) => {
                    prop_assert_eq!(read(&contents.path, FileKind::Contents), batch_of(FileKind::Contents, &with_content));
                }
                None => prop_assert!(with_content.is_empty()),
            }
        }
    }
}

//! Files that are missing are written again from the tables, and the verification is as clean as before.

use super::fixture::TestOperation;
use super::*;
use crate::restore_files::{Outcome, check_lake, restore};

pub(super) async fn restored(fixture: &Fixture) -> Outcome {
    restore(fixture.database(), fixture.lake(), false).await.unwrap()
}

pub(super) fn reasons(outcome: &Outcome) -> Vec<&str> {
    outcome.missing.iter().map(|(_, reason)| reason.as_str()).collect()
}

#[tokio::test]
async fn every_missing_file_comes_back() {
    let fixture = Fixture::filled().await;
    std::fs::remove_dir_all(fixture.lake()).unwrap();
    std::fs::create_dir(fixture.lake()).unwrap();
    assert!(!fixture.verify().await.clean);
    let planned = restore(fixture.database(), fixture.lake(), true).await.unwrap();
    assert_eq!((planned.written.len(), planned.missing.len()), (0, 6), "a dry run writes nothing");

    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (6, 0), "{outcome:?}");
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(restored(&fixture).await.written, Vec::<String>::new(), "a second run finds nothing to do");
}

#[tokio::test]
async fn a_lake_with_another_name_is_refused_and_a_file_that_was_cut_is_named() {
    let fixture = Fixture::filled().await;
    check_lake(fixture.database(), fixture.lake()).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = check_lake(fixture.database(), elsewhere.path()).await.unwrap_err().to_string();
    assert!(refused.contains("has none of the 6 files") && refused.contains("--whole-lake"), "{refused}");
    let file = fixture.file(1).await;
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let outcome = restored(&fixture).await;
    let reason = format!("it has {} bytes and {} are listed", bytes.len() - 1, bytes.len());
    assert!(outcome.written.is_empty() && reasons(&outcome)[0].starts_with(&reason), "{outcome:?}");
}

#[tokio::test]
async fn a_merged_file_is_made_of_the_rows_of_those_that_it_replaced() {
    let mut fixture = Fixture::empty().await;
    let plain = |partition: i64, n: i64| {
        let operation = operation(partition, n, (n % 4) * MINUTE_MS);
        TestOperation { has_content: false, ..operation }
    };
    let operations: Vec<_> = (0..40).map(|n| plain(0, n)).collect();
    let first = fixture.commit(0, operations[..20].to_vec(), &[]).await;
    let other = fixture.commit(1, (0..10).map(|n| plain(1, n)).collect(), &[]).await;
    let second = fixture.commit(0, operations[20..].to_vec(), &[]).await;
    let mut sorted = operations;
    sorted.sort_by_key(|operation| operation.id);
    let merged = fixture.list_file(&sorted).await;
    for input in [first, second] {
        fixture.run("update lake_files set removed_at_ms = 1 where file_number = $1", &[input.into()]).await;
        fixture.delete_file(input).await;
    }
    fixture.aggregate(&[]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    // Both span the same time: only the ranges tell whose a row is.
    fixture.delete_file(merged).await;
    fixture.delete_file(other).await;
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (2, 0), "{outcome:?}");
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
}

#[tokio::test]
async fn a_file_whose_rows_are_not_all_there_stays_missing_and_is_named() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from operations where source_partition = 0 and source_offset = 3", &[]).await;
    fixture.run("update operations set cost_nano_usd = 1 where source_partition = 1 and source_offset = 4", &[]).await;
    fixture.run("delete from operation_contents", &[]).await;
    std::fs::remove_dir_all(fixture.lake()).unwrap();
    let outcome = restored(&fixture).await;
    assert_eq!(outcome.written.len(), 1, "{outcome:?}");
    let reasons = reasons(&outcome);
    assert!(reasons[0].contains("19 of its 20 rows") && reasons[0].contains("--give-up-file 1"), "{reasons:?}");
    let changed = reasons.iter().find(|reason| reason.contains("not what they were")).unwrap();
    assert!(changed.contains("cost_nano_usd") && !changed.contains("give-up"), "all of its rows are there: {changed}");
    assert!(reasons.iter().any(|reason| reason.contains("not kept in SQL")), "{reasons:?}");
    let left = std::fs::read_dir(fixture.lake().join("operations/2026-09-22")).unwrap().count();
    assert_eq!(left, 1, "nothing is left of those that could not be written");
}

#[tokio::test]
async fn a_file_whose_ranges_are_gone_is_not_to_be_given_up_while_its_rows_may_be_there() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from applied_ranges where partition = 0 and from_offset = 0", &[]).await;
    std::fs::remove_dir_all(fixture.lake()).unwrap();
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (4, 2), "{outcome:?}");
    assert!(reasons(&outcome).iter().all(|reason| !reason.contains("give-up")), "{outcome:?}");
}

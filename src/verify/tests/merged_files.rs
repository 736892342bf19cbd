//! The state that compaction leaves: merged files, and ranges whose files are gone.

use opstream_schemas::UtcMillis;

use super::fixture::{Fixture, MINUTE_MS, START_MS, TestOperation, operation};
use super::{failing, found};

/// A filled state an hour after its first and third file were merged.
async fn merged() -> Fixture {
    let fixture = Fixture::filled().await;
    let first = (0..20).map(|n| operation(0, n, (n % 3) * MINUTE_MS));
    let third = (22..42).map(|n| operation(0, n, (n % 4) * MINUTE_MS));
    let operations: Vec<TestOperation> = first.chain(third).collect();
    // Each file of operations is followed by its contents.
    fixture.merge(&[1, 5], &operations).await;
    fixture
}

#[tokio::test]
async fn merged_files_and_ranges_whose_files_are_gone_are_as_promised() {
    let fixture = merged().await;
    let report = fixture.verify().await;
    assert!(failing(&report).is_empty(), "{report:#?}");
    assert!(failing(&fixture.verify_in_small_steps().await).is_empty());
}

#[tokio::test]
async fn a_range_is_compared_with_what_is_known_of_its_past_file() {
    let fixture = merged().await;
    fixture.run("update past_files set rows = rows + 1 where file_number = 5", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges"]);
    assert!(found(&report, "applied_ranges")[0].contains('5'), "{report:#?}");
    // A range whose file nobody knows was dropped with it, and then it has no rows.
    fixture.run("delete from past_files where file_number = 5", &[]).await;
    assert_eq!(failing(&fixture.verify().await), ["source_offsets"]);
}

#[tokio::test]
async fn a_deleted_row_of_a_merged_file_is_named_with_that_file_and_its_range() {
    let fixture = merged().await;
    let id = operation(0, 5, 2 * MINUTE_MS).id;
    assert_eq!(fixture.run("delete from operations where operation_id = $1", &[id.into()]).await, 1);
    assert_eq!(failing(&fixture.verify().await), ["rows_and_files", "source_offsets", "totals"]);
}

#[tokio::test]
async fn rows_below_the_retention_floor_may_be_absent_although_their_file_is_gone() {
    let fixture = merged().await;
    let floor = UtcMillis::from_millis(START_MS + MINUTE_MS);
    fixture.run("update settings set value = $1 where name = 'retention_floor_ms'", &[floor.into()]).await;
    fixture.run("delete from operation_contents where operation_id in (select operation_id from operations where time_ms < $1)", &[floor.into()]).await;
    assert!(fixture.run("delete from operations where time_ms < $1", &[floor.into()]).await > 0);
    let report = fixture.verify().await;
    assert!(!failing(&report).contains(&"source_offsets"), "{report:#?}");
}

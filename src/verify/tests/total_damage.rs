//! Damage as totals by day and workspace show it, and which days are compared.

use opstream_schemas::window::{DimensionSet, Level, WindowSums};
use opstream_schemas::{NanoUsd, UtcMillis};

use super::fixture::{Fixture, MINUTE_MS, START_MS};
use super::{compared, failing, found};
use crate::verify::totals::TotalsCheck;

#[tokio::test]
async fn totals_name_workspace_day_and_both_sums() {
    let fixture = Fixture::filled().await;
    let more = "update operations set input_tokens = 1 where source_partition = 1 and source_offset = 5";
    assert_eq!(fixture.run(more, &[]).await, 1);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["rows_and_files", "totals"]);
    let found = found(&report, "totals");
    assert_eq!(found.len(), 1);
    let start = "\"core\" on 2026-09-22: rows ≠ files: input_tokens: ";
    let sums = found[0].strip_prefix(start).unwrap().split_once(" ≠ ").unwrap();
    let [rows, files] = [sums.0, sums.1].map(|sum| sum.parse::<i64>().unwrap());
    assert_eq!(rows, files + 1);
}

#[tokio::test]
async fn totals_of_days_that_are_kept_in_part_are_not_held_against_their_windows() {
    let fixture = Fixture::filled().await;
    let floor = START_MS + 2 * MINUTE_MS;
    fixture.run("update settings set value = $1 where name = 'window_minute_floor_ms'", &[floor.into()]).await;
    fixture.run("delete from windows where level = 0 and window_start_ms < $1", &[floor.into()]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(compared(&report, "totals", "sums"), 2 * (1 + 7 * 3) * 30);
}

#[tokio::test]
async fn totals_of_files_that_cannot_be_read_are_not_compared() {
    let fixture = Fixture::filled().await;
    fixture.delete_file(1).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files", "rows_and_files"]);
    assert_eq!(compared(&report, "totals", "days of workspaces"), 0);
    assert_eq!(compared(&report, "totals", "days of workspaces not compared, their files being unreadable"), 2);
}

/// A window that stands for every set and level at the start of a day.
fn add_windows(totals: &mut TotalsCheck, workspace: &str, day: i64, operations: i64) {
    let sums = WindowSums { operations, cost: NanoUsd::from_nanos(operations), ..WindowSums::default() };
    for set in DimensionSet::ALL {
        for level in Level::ALL {
            totals.add_window((set, level, UtcMillis::from_millis(START_MS + day * 86_400_000)), workspace, sums);
        }
    }
}

#[test]
fn workspaces_beyond_a_number_are_added_up_together_until_their_day_is_over() {
    let mut totals = TotalsCheck::new([UtcMillis::default(); 4], &[]).with_most(2);
    for workspace in ["a", "b", "c", "d"] {
        add_windows(&mut totals, workspace, 0, 1);
    }
    // Once a day is full, a place that became free is not given to what was added up with others.
    totals.close_before(UtcMillis::from_millis(START_MS));
    add_windows(&mut totals, "d", 0, 1);
    totals.close_before(UtcMillis::from_millis(START_MS + 86_400_000));
    add_windows(&mut totals, "d", 1, 1);
    let check = totals.finish();
    let of = |what: &str| check.findings.iter().filter(|finding| finding.what.starts_with(what)).count();
    assert_eq!(check.findings_total, 4 * 28, "no row and no file stands behind any of the windows");
    assert_eq!(of("the other workspaces on 2026-09-22: minute windows of the set base ≠ files: operations: 3 ≠ 0"), 1);
}

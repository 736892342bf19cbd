//! Retention leaves nothing that looks like a loss, after whatever step a snapshot is taken; and what is kept is checked as before.

use opstream_aggregator::retention::{Retention, Step};
use opstream_aggregator::{KeepDays, RemovedFiles};
use opstream_schemas::UtcMillis;
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;

use super::fixture::{Fixture, START_MS, operation};
use super::{compared, failing, found};

/// Noon of the second day after the fixture's first, whose operations go when one day is kept.
const NOW_MS: i64 = START_MS + 2 * DAY_MILLIS + DAY_MILLIS / 2;
const HOUR_MS: i64 = 3_600_000;
/// The holder of the fixture's lease.
const FENCE: Fence = Fence(5);

/// A day that goes, a file on both sides of its end, and one that stays.
async fn filled() -> Fixture {
    let mut fixture = Fixture::filled().await;
    let straddling = (20..40).map(|n| operation(1, n, (n % 2) * DAY_MILLIS)).collect();
    fixture.commit(1, straddling, &[]).await;
    let new = (44..60).map(|n| operation(0, n, 2 * DAY_MILLIS)).collect();
    fixture.commit(0, new, &[61]).await;
    fixture.aggregate(&[]).await;
    let windowed = "insert into windowed_offsets (stream_id, partition, next_offset) \
                    select stream_id, partition, next_offset from stream_partitions";
    fixture.run(windowed, &[]).await;
    fixture.run("update dead_letters set published_at_ms = 1", &[]).await;
    let last = "update applied_ranges set applied_at_ms = $1 where from_offset = 44";
    fixture.run(last, &[NOW_MS.into()]).await;
    fixture
}

fn retention(fixture: &Fixture) -> Retention {
    Retention::new(fixture.database().clone(), KeepDays::new(1))
}

/// Takes every step to its end, an hour later those again that wait so long, and verifies after each slice.
async fn drop_first_day(fixture: &Fixture) {
    for now in [NOW_MS, NOW_MS + HOUR_MS] {
        let now = UtcMillis::from_millis(now);
        let mut removed = RemovedFiles::new(fixture.database().clone(), fixture.lake().to_owned());
        removed.delete_slice(FENCE, now).await.unwrap();
        for step in Step::ALL {
            loop {
                let more = retention(fixture).take(step, FENCE, now).await.unwrap();
                let report = fixture.verify().await;
                assert!(report.clean, "after a slice of {step:?}: {report:#?}");
                if !more {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_snapshot_after_any_slice_is_clean_and_what_is_kept_is_compared() {
    let fixture = filled().await;
    let before = fixture.verify().await;
    assert!(before.clean, "{before:#?}");
    let windows = fixture.count("windows").await;
    drop_first_day(&fixture).await;
    assert_eq!(fixture.count("operations").await, 10 + 16);
    // The straddling file and the new one, each with one of contents.
    assert_eq!(fixture.count("lake_files").await, 4);
    assert_eq!((fixture.count("dead_letters").await, fixture.count("windows").await), (1, windows));
    let report = fixture.verify().await;
    assert_eq!(compared(&report, "rows_and_files", "rows"), 26);
    assert_eq!(compared(&report, "rows_and_files", "rows of files"), 26);
    assert_eq!(compared(&report, "applied_ranges", "offsets"), 62 + 40);
    assert!(compared(&report, "windows", "windows") > 0);
    // One for both ranges of partition 0 and one for partition 1; the straddling file's and the new one's.
    assert_eq!(compared(&report, "applied_ranges", "ranges"), 4);
}

#[tokio::test]
async fn damage_above_the_floor_is_found_beside_what_was_dropped() {
    let damages: [(&str, &[&str]); 6] = [
        ("delete from operations where source_offset = 21 and source_partition = 1", &["rows_and_files", "totals"]),
        ("delete from operations where source_offset = 45", &["rows_and_files", "source_offsets", "totals"]),
        (
            "update windows set operations = operations + 1 where window_start_ms = 1790208000000 and level = 3",
            &["windows", "totals"],
        ),
        ("update operations set source_offset = 7 where source_offset = 45", &["rows_and_files", "source_offsets"]),
        ("delete from applied_ranges where merged_at_ms is not null and partition = 1", &["applied_ranges"]),
        ("delete from dead_letters", &["source_offsets"]),
    ];
    for (sql, expected) in damages {
        let fixture = filled().await;
        drop_first_day(&fixture).await;
        assert!(fixture.run(sql, &[]).await > 0, "{sql}");
        assert_eq!(failing(&fixture.verify().await), expected, "{sql}");
    }
}

#[tokio::test]
async fn a_dead_letter_in_what_was_merged_is_one_too_many() {
    let fixture = filled().await;
    drop_first_day(&fixture).await;
    fixture.run("update dead_letters set source_offset = 20", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["source_offsets"]);
    let merged = "range [0, 44) counts 40 rows, all dropped by retention, and 0 dead letters, the tables hold 0 and 1";
    assert!(found(&report, "source_offsets")[0].ends_with(merged), "{report:#?}");
}

#[tokio::test]
async fn a_manifest_row_of_a_kept_file_that_was_deleted_is_found() {
    let fixture = filled().await;
    fixture.run("delete from windowed_files where file_number = 1", &[]).await;
    fixture.run("delete from lake_files where operations_file = 1", &[]).await;
    fixture.run("delete from lake_files where file_number = 1", &[]).await;
    let report = fixture.verify().await;
    let failing = failing(&report);
    assert!(failing.contains(&"rows_and_files") && failing.contains(&"source_offsets"), "{failing:?}");
}

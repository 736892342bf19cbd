//! Damage to rows, files, the manifest, ranges and checkpoints.

use opstream_schemas::lake::OPERATION_COLUMNS;

use super::fixture::{Fixture, MINUTE_MS, operation, write_parquet};
use super::{check, compared, failing, found};

/// The checks that say that a row is gone or too many: by file, by range, by day.
const ROWS: [&str; 3] = ["rows_and_files", "source_offsets", "totals"];

#[tokio::test]
async fn a_deleted_row_is_named_with_its_file() {
    let fixture = Fixture::filled().await;
    let id = operation(0, 5, 2 * MINUTE_MS).id;
    assert_eq!(fixture.run("delete from operations where operation_id = $1", &[id.into()]).await, 1);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ROWS);
    let expected = format!("operation {id} is in file 1 (operations/2026-09-22/1.parquet) but not in operations");
    assert_eq!(found(&report, "rows_and_files"), [expected]);
    assert!(
        found(&report, "source_offsets")[0].contains("[0, 21) counts 20 rows and 1 dead letters, the tables hold 19")
    );
}

#[tokio::test]
async fn a_deleted_row_with_content_leaves_its_content_astray() {
    let fixture = Fixture::filled().await;
    let id = operation(0, 4, MINUTE_MS).id;
    fixture.run("delete from operations where operation_id = $1", &[id.into()]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["contents", "rows_and_files", "source_offsets", "totals"]);
    assert!(found(&report, "contents")[0].contains(&id.to_string()));
}

#[tokio::test]
async fn an_extra_row_is_named() {
    let fixture = Fixture::filled().await;
    let copy = "insert into operations select * from operations where false";
    fixture.run(copy, &[]).await;
    let extra = operation(0, 3, 9 * MINUTE_MS).id;
    fixture.run("create temporary table copied as select * from operations where source_partition = 0 and source_offset = 3", &[]).await;
    fixture
        .run("update copied set operation_id = $1, time_ms = $2, has_content = 0", &[extra.into(), extra.time().into()])
        .await;
    fixture.run("insert into operations select * from copied", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ROWS);
    assert_eq!(
        found(&report, "rows_and_files"),
        [format!("operation {extra} is in operations but in no live file that can be read")]
    );
    assert!(found(&report, "source_offsets")[0].contains(&format!("operation {extra} claims offset 3 of partition 0")));
}

#[tokio::test]
async fn one_nano_dollar_in_a_row_is_found() {
    let fixture = Fixture::filled().await;
    let changed = fixture
        .run(
            "update operations set cost_nano_usd = cost_nano_usd + 1 where source_partition = 1 and source_offset = 9",
            &[],
        )
        .await;
    assert_eq!(changed, 1);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["rows_and_files", "costs", "totals"]);
    assert!(found(&report, "rows_and_files")[0].ends_with("cost_nano_usd: 9002 ≠ 9001"), "{report:#?}");
}

#[tokio::test]
async fn another_dimension_in_a_row_is_found() {
    let fixture = Fixture::filled().await;
    fixture
        .run("update operations set workspace = 'thief' where source_partition = 1 and source_offset = 9", &[])
        .await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["rows_and_files", "totals"]);
    assert!(found(&report, "rows_and_files")[0].ends_with("workspace: \"thief\" ≠ \"lab\""), "{report:#?}");
}

#[tokio::test]
async fn a_time_that_is_not_that_of_the_id_is_found() {
    let fixture = Fixture::filled().await;
    fixture
        .run("update operations set time_ms = time_ms + 1 where source_partition = 1 and source_offset = 9", &[])
        .await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["rows_and_files"]);
    assert!(found(&report, "rows_and_files").iter().any(|what| what.contains("its id says")), "{report:#?}");
}

#[tokio::test]
async fn one_nano_dollar_in_the_manifest_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("update lake_files set cost_nano_usd = cost_nano_usd + 1 where file_number = 3", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files"]);
    assert!(found(&report, "files")[0].starts_with("file 3 (operations/2026-09-22/3.parquet): cost_nano_usd "));
}

#[tokio::test]
async fn every_column_of_the_manifest_is_compared() {
    for column in [
        "rows",
        "id_hash",
        "failures",
        "unpriced",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reported_cost_nano_usd",
        "bytes",
    ] {
        let fixture = Fixture::filled().await;
        let sql = format!("update lake_files set {column} = {column} + 1 where file_number = 1");
        let mut tx = fixture.database().begin().await.unwrap();
        tx.execute(sqlx::AssertSqlSafe(sql), &[]).await.unwrap();
        tx.commit().await.unwrap();
        let report = fixture.verify().await;
        assert!(found(&report, "files")[0].contains(column), "{column}: {report:#?}");
    }
}

#[tokio::test]
async fn a_deleted_file_is_named() {
    let fixture = Fixture::filled().await;
    fixture.delete_file(1).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files", "rows_and_files"]);
    assert_eq!(found(&report, "files"), ["file 1 (operations/2026-09-22/1.parquet): file is missing"]);
    // Windows of its time are not held against files that lack it, those of the other hour are.
    assert!(compared(&report, "windows", "windows") > 0);
    assert!(compared(&report, "windows", "windows not compared, their files being unreadable") > 0);
}

#[tokio::test]
async fn a_deleted_file_of_contents_is_named() {
    let fixture = Fixture::filled().await;
    fixture.delete_file(2).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files"]);
    assert_eq!(found(&report, "files"), ["file 2 (contents/2026-09-22/2.parquet): file is missing"]);
}

#[tokio::test]
async fn a_file_taken_out_of_the_manifest_leaves_its_rows_astray() {
    let fixture = Fixture::filled().await;
    fixture.run("update lake_files set removed_at_ms = 1 where file_number = 5", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["contents", "rows_and_files", "windows", "totals"]);
    assert_eq!(check(&report, "rows_and_files").findings_total, 20);
    assert_eq!(check(&report, "rows_and_files").findings.len(), 10);
}

#[tokio::test]
async fn contents_that_the_manifest_lost_are_named() {
    let fixture = Fixture::filled().await;
    fixture.run("update lake_files set removed_at_ms = 1 where file_number = 2", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["contents"]);
    assert_eq!(check(&report, "contents").findings_total, 5);
    assert!(found(&report, "contents")[0].contains("has content in no live file"));
}

#[tokio::test]
async fn a_truncated_file_is_named_with_both_lengths() {
    let fixture = Fixture::filled().await;
    let path = fixture.file(3).await;
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files", "rows_and_files"]);
    let (has, lists) = (bytes.len() - 100, bytes.len());
    let expected = format!("file 3 (operations/2026-09-22/3.parquet) has {has} bytes, the manifest lists {lists}");
    assert_eq!(found(&report, "files"), [expected]);
}

#[tokio::test]
async fn a_file_with_damaged_bytes_of_the_same_length_is_named() {
    let fixture = Fixture::filled().await;
    let path = fixture.file(3).await;
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 40..end - 8].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files", "rows_and_files"]);
    assert!(found(&report, "files")[0].starts_with("file 3 (operations/2026-09-22/3.parquet): "), "{report:#?}");
}

#[tokio::test]
async fn a_file_with_other_rows_than_committed_is_named() {
    let fixture = Fixture::filled().await;
    let mut operations: Vec<_> = (0..20).map(|n| operation(1, n, (n % 3) * MINUTE_MS + 3_600_000)).collect();
    operations[9].cost = Some(9002);
    write_parquet(&fixture.file(3).await, OPERATION_COLUMNS, &operations);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["files", "rows_and_files", "windows", "totals"]);
    assert!(found(&report, "rows_and_files")[0].contains("cost_nano_usd: 9001 ≠ 9002"));
}

#[tokio::test]
async fn a_path_out_of_the_lake_is_not_followed() {
    let fixture = Fixture::filled().await;
    std::fs::copy(fixture.file(3).await, fixture.folder().join("3.parquet")).unwrap();
    fixture.run("update lake_files set path = '../3.parquet' where file_number = 3", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(found(&report, "files"), ["file 3 (../3.parquet): path leaves the lake"]);
}

#[tokio::test]
async fn an_id_in_two_files_is_named_with_both() {
    let fixture = Fixture::filled().await;
    let twice = operation(0, 5, 2 * MINUTE_MS);
    fixture.list_file(std::slice::from_ref(&twice)).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["rows_and_files", "totals"]);
    let expected = format!(
        "operation {} is in the files file 1 (operations/2026-09-22/1.parquet) and file 7 (operations/2026-09-22/7.parquet)",
        twice.id
    );
    assert_eq!(found(&report, "rows_and_files"), [expected]);
}

#[tokio::test]
async fn a_moved_checkpoint_is_found_in_both_directions() {
    for (moved, expected) in [(43, "the checkpoint is at 43"), (45, "the checkpoint is at 45")] {
        let fixture = Fixture::filled().await;
        fixture
            .run("update stream_partitions set next_offset = $1 where partition = 0", &[i64::from(moved).into()])
            .await;
        let report = fixture.verify().await;
        assert_eq!(failing(&report), ["applied_ranges"]);
        assert!(found(&report, "applied_ranges")[0].contains(expected), "{report:#?}");
    }
}

#[tokio::test]
async fn deleted_last_ranges_are_told_from_a_moved_checkpoint() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from applied_ranges where partition = 0 and from_offset = 21", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges", "source_offsets"]);
    let finding = &check(&report, "applied_ranges").findings[0];
    assert!(
        finding.what.ends_with("the ranges end at 21, and 21 rows and dead letters come from beyond"),
        "{finding:?}"
    );
    assert!(finding.way_out.starts_with("bring applied_ranges and stream_partitions back"), "{finding:?}");
}

#[tokio::test]
async fn a_hole_is_found_with_the_rows_in_it() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from applied_ranges where partition = 0 and from_offset = 0", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges"]);
    assert!(
        found(&report, "applied_ranges")[0]
            .ends_with("hole, no range covers the offsets [0, 21), from which there are 20 rows and 1 dead letters"),
        "{report:#?}"
    );
}

#[tokio::test]
async fn an_overlap_is_found() {
    let fixture = Fixture::filled().await;
    let sql = "update applied_ranges set from_offset = 19, duplicates = duplicates + 2 where partition = 0 and from_offset = 21";
    assert_eq!(fixture.run(sql, &[]).await, 1);
    let report = fixture.verify().await;
    // The overlapping range now also covers rows and a dead letter that it does not count.
    assert_eq!(failing(&report), ["applied_ranges", "source_offsets"]);
    assert!(
        found(&report, "applied_ranges")[0]
            .ends_with("overlap, range [19, 44) begins before 21, where the last one ended")
    );
}

#[tokio::test]
async fn a_range_that_does_not_add_up_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("pragma ignore_check_constraints = on", &[]).await;
    fixture
        .run("update applied_ranges set duplicates = duplicates + 1 where partition = 0 and from_offset = 21", &[])
        .await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges"]);
    assert!(found(&report, "applied_ranges")[0].contains("does not add up"), "{report:#?}");
}

#[tokio::test]
async fn a_range_that_counts_other_rows_than_its_file_is_found() {
    let fixture = Fixture::filled().await;
    fixture
        .run("update applied_ranges set rows = rows - 1, duplicates = duplicates + 1 where partition = 1", &[])
        .await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges", "source_offsets"]);
    assert_eq!(found(&report, "applied_ranges"), ["file 3: its ranges count 19 rows, the manifest lists 20"]);
}

#[tokio::test]
async fn a_deleted_dead_letter_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from dead_letters where source_offset = 20", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["source_offsets"]);
}

#[tokio::test]
async fn an_offset_that_is_both_row_and_dead_letter_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("update dead_letters set source_offset = 5 where source_offset = 20", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["source_offsets"]);
    assert_eq!(
        found(&report, "source_offsets"),
        ["llm.operations[0] of stream 1: offset 5 is both a row and a dead letter"]
    );
}

#[tokio::test]
async fn rows_of_a_partition_without_a_checkpoint_are_found() {
    let fixture = Fixture::filled().await;
    fixture.run("delete from stream_partitions where partition = 1", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges", "source_offsets"]);
    assert!(found(&report, "source_offsets")[0].contains("20 rows come from partition 1 of stream 1"));
}

/// What earlier versions wrote has neither the columns in its files nor values in its rows.
#[tokio::test]
async fn columns_of_later_versions_are_null_in_a_file_without_them() {
    let fixture = Fixture::filled().await;
    let earlier: Vec<_> = OPERATION_COLUMNS.iter().copied().filter(|column| !column.is_later).collect();
    let operations: Vec<_> = (0..20).map(|n| operation(1, n, (n % 3) * MINUTE_MS + 3_600_000)).collect();
    write_parquet(&fixture.file(3).await, &earlier, &operations);
    let report = fixture.verify().await;
    let findings = found(&report, "rows_and_files");
    assert!(findings[0].contains("input_cost_nano_usd: ") && findings[0].contains("≠ null"), "{report:#?}");
    let changed = fixture
        .run(
            "update operations set price_key = null, input_cost_nano_usd = null, cache_read_cost_nano_usd = null, \
             cache_write_cost_nano_usd = null, output_cost_nano_usd = null, unit_cost_nano_usd = null, \
             cache_savings_nano_usd = null, catalogue_cost_nano_usd = null \
             where source_partition = 1 and source_offset < 20",
            &[],
        )
        .await;
    assert_eq!(changed, 20);
    let report = fixture.verify().await;
    assert!(!failing(&report).iter().any(|name| ["rows_and_files", "costs"].contains(name)), "{report:#?}");
    assert!(compared(&report, "costs", "costs from before there were parts") > 0);
}

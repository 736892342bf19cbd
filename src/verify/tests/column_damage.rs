//! Damage to single columns of rows, files and contents, also of those that count nowhere.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use opstream_schemas::lake::{ColumnKind, OPERATION_COLUMNS};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use sqlx::AssertSqlSafe;

use super::fixture::Fixture;
use super::{check, compared, failing, found};

#[tokio::test]
async fn a_change_of_any_column_of_a_row_is_found_and_named() {
    let fixture = Fixture::filled().await;
    let one = "select operation_id from operations where source_partition = 1 and source_offset = 9";
    let id = fixture.database().fetch_optional(one, &[]).await.unwrap().unwrap().id("operation_id").unwrap();
    fixture.run("create table kept as select * from operations where operation_id = $1", &[id.into()]).await;
    for column in OPERATION_COLUMNS.iter().filter(|column| column.kind != ColumnKind::Id) {
        let value = match column.kind {
            ColumnKind::Bool => format!("not coalesce({}, false)", column.name),
            ColumnKind::Float => "0.5".to_owned(),
            ColumnKind::Text | ColumnKind::Json => "'\"changed\"'".to_owned(),
            _ => format!("coalesce({}, 0) + 7", column.name),
        };
        let sql = format!("update operations set {} = {value} where operation_id = $1", column.name);
        let mut tx = fixture.database().begin().await.unwrap();
        tx.execute(AssertSqlSafe(sql), &[id.into()]).await.unwrap();
        tx.commit().await.unwrap();
        let report = fixture.verify().await;
        let named = found(&report, "rows_and_files").iter().any(|what| what.contains(&format!("{}: ", column.name)));
        assert!(named, "{}: {report:#?}", column.name);
        fixture.run("delete from operations where operation_id = $1", &[id.into()]).await;
        fixture.run("insert into operations select * from kept", &[]).await;
    }
    assert!(fixture.verify().await.clean);
}

/// Overwrites the data of one column of a file, and nothing else.
async fn damage_column(fixture: &Fixture, file: i64, column: &str) {
    let path = fixture.file(file).await;
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == column).unwrap();
    let (start, length) = chunk.byte_range();
    let damage = vec![0xff; usize::try_from(length).unwrap()];
    File::options().write(true).open(&path).unwrap().write_all_at(&damage, start).unwrap();
}

#[tokio::test]
async fn a_damaged_column_is_found_even_if_it_counts_nowhere() {
    for (file, column) in [(3, "error_message"), (3, "tags"), (3, "temperature"), (4, "input_messages")] {
        let fixture = Fixture::filled().await;
        damage_column(&fixture, file, column).await;
        let report = fixture.verify().await;
        assert!(failing(&report).contains(&"files"), "{column}: {report:#?}");
        assert!(found(&report, "files")[0].starts_with(&format!("file {file} (")), "{column}: {report:#?}");
    }
}

#[tokio::test]
async fn contents_in_sql_are_those_of_the_file() {
    let fixture = Fixture::filled().await;
    assert_eq!(compared(&fixture.verify().await, "contents", "contents in SQL"), 15);
    let changed = "update operation_contents set output_messages = 'other' where operation_id = (select min(operation_id) from operation_contents)";
    fixture.run(changed, &[]).await;
    let gone = "delete from operation_contents where operation_id = (select max(operation_id) from operation_contents)";
    fixture.run(gone, &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["contents"]);
    let found = found(&report, "contents");
    assert_eq!(found.len(), 2);
    assert!(found[0].ends_with("(contents/2026-09-22/2.parquet) differs from that in operation_contents"), "{found:?}");
    assert!(found[1].ends_with("is not in operation_contents, unlike others of that file"), "{found:?}");

    // A fleet keeps none in SQL.
    fixture.run("delete from operation_contents", &[]).await;
    assert!(fixture.verify().await.clean);
}

#[tokio::test]
async fn offsets_that_retention_took_are_counted_and_noted() {
    let fixture = Fixture::filled().await;
    let gap = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, applied_at_ms) values (1, 1, 20, 120, 'retention_gap', 0, 0, 0, 100, 0)";
    fixture.run(gap, &[]).await;
    fixture.run("update stream_partitions set next_offset = 120 where partition = 1", &[]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(compared(&report, "applied_ranges", "offsets lost to retention"), 100);
    assert_eq!(compared(&report, "applied_ranges", "duplicates"), 2);
    let notes: Vec<&String> = report.checks.iter().flat_map(|check| &check.notes).collect();
    assert_eq!(
        notes,
        [
            "llm.operations[1] of stream 1: the broker had deleted 100 offsets before they were read; the operations in them \
          are lost"
        ]
    );

    fixture.run("update applied_ranges set duplicates = 1, skipped = 99 where reason = 'retention_gap'", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["applied_ranges"]);
    assert!(found(&report, "applied_ranges")[0].ends_with("is a retention gap and counts records"), "{report:#?}");
}

#[tokio::test]
async fn offsets_without_a_record_are_counted_and_noted() {
    let fixture = Fixture::filled().await;
    let sql = "update applied_ranges set skipped = duplicates, duplicates = 0 where duplicates > 0";
    assert!(fixture.run(sql, &[]).await > 0);
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert!(compared(&report, "applied_ranges", "offsets without a record") > 0);
    assert!(check(&report, "applied_ranges").notes[0].contains("held no record"), "{report:#?}");
}

#[tokio::test]
async fn findings_beyond_a_page_are_counted() {
    let fixture = Fixture::filled().await;
    let strays = "with recursive n (i) as (select 0 union all select i + 1 from n where i < 1199) \
                  insert into operation_contents (operation_id) select cast(printf('%016d', i) as blob) from n";
    fixture.run(strays, &[]).await;
    assert_eq!(check(&fixture.verify().await, "contents").findings_total, 1200);
}

//! What the tables and the files say, compared with the reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use opstream_schemas::OperationId;
use opstream_schemas::lake::{FileKind, local_path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::ingestor::World;
use super::records::operation_id;
use super::reference::{Place, Range};
use crate::columns::operation_ids;
use crate::lake_file::{SUMMED, summarise};

/// Compares every table that a batch changes.
pub(super) async fn check_tables(world: &World) {
    check_partitions(world).await;
    check_ranges(world).await;
    check_rows(world).await;
    let sql = "select partition, source_offset from dead_letters";
    let dead = world.config.database.fetch_all(sql, &[]).await.unwrap();
    let dead: BTreeSet<Place> =
        dead.iter().map(|row| (place(row.int("partition")), row.int("source_offset").unwrap())).collect();
    assert_eq!(dead, world.reference.dead, "dead letters");
}

async fn check_partitions(world: &World) {
    let sql = "select partition, fence, start_offset, next_offset from stream_partitions";
    let rows = world.config.database.fetch_all(sql, &[]).await.unwrap();
    let found: BTreeMap<usize, [i64; 3]> = rows
        .iter()
        .map(|row| {
            let numbers = ["fence", "start_offset", "next_offset"].map(|name| row.int(name).unwrap());
            (place(row.int("partition")), numbers)
        })
        .collect();
    let claimed = world.reference.partitions.iter().enumerate().filter(|(_, topic)| topic.fence > 0);
    let expected: BTreeMap<usize, [i64; 3]> =
        claimed.map(|(partition, topic)| (partition, [topic.fence, topic.start, topic.next])).collect();
    assert_eq!(found, expected, "fences and checkpoints");
}

async fn check_ranges(world: &World) {
    let sql = "select partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped from applied_ranges \
               order by partition, from_offset";
    let rows = world.config.database.fetch_all(sql, &[]).await.unwrap();
    let int = |row: &opstream_schemas::database::Row, name: &str| row.int(name).unwrap();
    let found: Vec<Range> = rows
        .iter()
        .map(|row| Range {
            partition: place(row.int("partition")),
            from: int(row, "from_offset"),
            to: int(row, "to_offset"),
            is_gap: row.text("reason").unwrap() == "retention_gap",
            rows: int(row, "rows"),
            duplicates: int(row, "duplicates"),
            dead: int(row, "dead"),
            skipped: int(row, "skipped"),
        })
        .collect();
    let mut expected = world.reference.ranges.clone();
    expected.sort_unstable();
    assert_eq!(found, expected, "applied ranges");
    for (partition, topic) in world.reference.partitions.iter().enumerate() {
        let mut end = topic.start;
        for range in found.iter().filter(|range| range.partition == partition) {
            assert_eq!(range.from, end, "ranges touch");
            assert_eq!(range.rows + range.duplicates + range.dead + range.skipped, range.to - range.from);
            end = range.to;
        }
        assert_eq!(end, topic.next, "ranges reach the checkpoint");
    }
}

async fn check_rows(world: &World) {
    let sql = "select operation_id, workspace, source_partition, source_offset from operations";
    let rows = world.config.database.fetch_all(sql, &[]).await.unwrap();
    let found: BTreeMap<OperationId, (Place, bool)> = rows
        .iter()
        .map(|row| {
            let place = (place(row.int("source_partition")), row.int("source_offset").unwrap());
            (row.id("operation_id").unwrap(), (place, row.text("workspace").unwrap() == "lab"))
        })
        .collect();
    let expected: BTreeMap<OperationId, (Place, bool)> =
        world.reference.rows.iter().map(|(number, row)| (operation_id(*number), *row)).collect();
    assert_eq!(found, expected, "rows");
}

/// Every row lies in exactly one live file, the one of its range, and every file holds what the manifest says.
pub(super) async fn check_files(world: &World) {
    let sql = "select file_number, path, rows, id_hash, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
               cost_nano_usd, reported_cost_nano_usd from lake_files where kind = 'operations' and removed_at_ms is null";
    let mut ids: Vec<OperationId> = Vec::new();
    for file in world.config.database.fetch_all(sql, &[]).await.unwrap() {
        let path = local_path(&world.config.lake, &file.text("path").unwrap()).unwrap();
        let columns = read(File::open(path).expect("a listed file is there"));
        let summary = summarise(FileKind::Operations, &columns);
        assert_eq!((summary.rows, summary.id_hash), (file.int("rows").unwrap(), file.int("id_hash").unwrap()));
        assert_eq!(summary.sums, SUMMED.map(|name| file.int(name).unwrap()));
        let of_file = [file.int("file_number").unwrap().into()];
        let sql = "select cast(sum(rows) as bigint) as n from applied_ranges where file_number = $1";
        let row = world.config.database.fetch_optional(sql, &of_file).await.unwrap().unwrap();
        assert_eq!(row.int("n").unwrap(), summary.rows, "ranges of a file");
        ids.extend(operation_ids(&columns));
    }
    ids.sort_unstable();
    let mut expected: Vec<OperationId> = world.reference.rows.keys().map(|number| operation_id(*number)).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected, "operations in files");
}

fn read(file: File) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let [batch] = batches.as_slice() else { panic!("a file has {} batches", batches.len()) };
    assert!(batch.column_by_name("workspace").unwrap().as_string::<i32>().iter().all(|workspace| workspace.is_some()));
    batch.clone()
}

fn place(partition: Result<i64, sqlx::Error>) -> usize {
    usize::try_from(partition.unwrap()).unwrap()
}

//! A database and a lake with files of whole rows, and what compaction must not change about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt32Array,
};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use opstream_schemas::database::Value;
use opstream_schemas::lake::{
    CONTENT_COLUMNS, Column, ColumnKind, FileKind, Nullable, OPERATION_COLUMNS, file_path, id_hash, local_path,
};
use opstream_schemas::offsets::Fence;
use opstream_schemas::{OperationId, UtcMillis};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_util::sync::CancellationToken;

use super::super::Compactor;
use crate::lease;
use crate::removed_files::RemovedFiles;
use crate::rewriting::stored_columns::stored_schema;
use crate::tests::oracle::{Windows, stored_windows};
use crate::tests::station::Station;
use crate::tests::{NOON, at};
use crate::windower::Windower;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// An operation whose columns all follow from a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operation {
    pub(super) id: OperationId,
    pub(super) seed: i64,
    pub(super) has_content: bool,
}

/// An operation at this time.
pub(super) fn operation(time_ms: i64, seed: i64) -> Operation {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&seed.to_be_bytes());
    Operation { id: OperationId::mint(at(time_ms), random), seed, has_content: seed % 3 == 0 }
}

/// Everything that a test needs.
pub(super) struct Yard<'a> {
    pub(super) station: &'a mut Station,
    pub(super) operations: Vec<Operation>,
    windower: Windower,
}

impl<'a> Yard<'a> {
    /// Runs a test on an empty yard of every database there is.
    pub(super) async fn each(test: impl AsyncFn(&mut Yard<'_>)) {
        Station::each(async |station| Box::pin(test(&mut Yard::new(station))).await).await;
    }

    pub(super) fn new(station: &'a mut Station) -> Self {
        let windower = station.windower();
        Self { station, operations: Vec::new(), windower }
    }

    pub(super) fn compactor(&self) -> Compactor {
        Compactor::new(self.station.database.clone(), self.station.lake())
    }

    pub(super) fn removed_files(&self) -> RemovedFiles {
        RemovedFiles::new(self.station.database.clone(), self.station.lake())
    }

    /// What the ingestor commits: the files, their rows in the manifest, the range and the checkpoint. Returns the number of the
    /// operations' file.
    pub(super) async fn commit(&mut self, operations: &[Operation]) -> i64 {
        let from = i64::try_from(self.operations.len()).unwrap();
        let to = from + i64::try_from(operations.len()).unwrap();
        let number = self.list(operations, None).await;
        let with_content: Vec<Operation> =
            operations.iter().copied().filter(|operation| operation.has_content).collect();
        if !with_content.is_empty() {
            self.list(&with_content, Some(number)).await;
        }
        let range = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, \
                     skipped, file_number, applied_at_ms) values (1, 0, $1, $2, 'batch', $2 - $1, 0, 0, 0, $3, 0)";
        self.station.execute(range, &[from.into(), to.into(), number.into()]).await;
        let checkpoint = "update stream_partitions set next_offset = $1 where partition = 0";
        self.station.execute(checkpoint, &[to.into()]).await;
        self.operations.extend(operations);
        number
    }

    /// Commits one file for each operation.
    pub(super) async fn commit_each(&mut self, operations: impl IntoIterator<Item = Operation>) -> Vec<i64> {
        let mut numbers = Vec::new();
        for operation in operations {
            numbers.push(self.commit(&[operation]).await);
        }
        numbers
    }

    /// Writes a file and lists it: of operations, or of the contents of `parent`.
    pub(super) async fn list(&self, operations: &[Operation], parent: Option<i64>) -> i64 {
        let kind = if parent.is_some() { FileKind::Contents } else { FileKind::Operations };
        let path = file_path(kind, at(NOON), uuid::Uuid::new_v4());
        write_file(&self.station.lake().join(&path), &batch_of(kind, operations));
        let sum = |name: &str| -> i64 {
            if kind == FileKind::Contents {
                0
            } else {
                operations.iter().filter_map(|operation| int_of(name, operation.seed)).sum()
            }
        };
        let count = |is: fn(&Operation) -> bool| {
            let counted = operations.iter().filter(|operation| kind == FileKind::Operations && is(operation));
            i64::try_from(counted.count()).unwrap()
        };
        let ids: Vec<[u8; 16]> = operations.iter().map(|operation| operation.id.bytes()).collect();
        let values: Vec<Value> = vec![
            path.into(),
            kind.name().into(),
            parent.into(),
            NOON.into(),
            i64::try_from(operations.len()).unwrap().into(),
            id_hash(ids.iter().map(|id| &id[..])).into(),
            operations.iter().map(|operation| operation.id).min().unwrap().into(),
            operations.iter().map(|operation| operation.id).max().unwrap().into(),
            count(|operation| !is_success(operation.seed)).into(),
            count(|operation| int_of("cost_nano_usd", operation.seed).is_none()).into(),
            sum("input_tokens").into(),
            sum("output_tokens").into(),
            sum("cache_read_tokens").into(),
            sum("cache_write_tokens").into(),
            sum("cost_nano_usd").into(),
            sum("reported_cost_nano_usd").into(),
        ];
        let sql = "insert into lake_files (path, kind, operations_file, named_at_ms, committed_at_ms, rows, bytes, id_hash, \
                   min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, \
                   cache_write_tokens, cost_nano_usd, reported_cost_nano_usd) \
                   values ($1, $2, $3, $4, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) returning file_number";
        let mut tx = self.station.database.begin().await.unwrap();
        let row = tx.fetch_optional(sql, &values).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        row.int("file_number").unwrap()
    }

    /// Adds everything to windows; returns the lease that was used.
    pub(super) async fn window(&mut self) -> Fence {
        self.station.settle(&mut self.windower).await;
        self.windower.fence().unwrap()
    }

    pub(super) async fn windows(&self, generation: i64) -> Windows {
        stored_windows(&self.station.database, generation).await
    }

    /// Merges until there is nothing to merge at `now`.
    pub(super) async fn compact(&self, compactor: &mut Compactor, fence: Fence, now: i64) {
        while compactor.step((fence, at(now)), &CancellationToken::new()).await.unwrap() {}
    }

    /// The database's clock.
    pub(super) async fn now(&self) -> UtcMillis {
        lease::database_now(&self.station.database).await.unwrap()
    }

    pub(super) async fn live(&self, kind: FileKind) -> Vec<PathBuf> {
        let sql = "select path from lake_files where kind = $1 and removed_at_ms is null order by min_operation_id, file_number";
        let rows = self.station.database.fetch_all(sql, &[kind.name().into()]).await.unwrap();
        rows.iter().map(|row| local_path(&self.station.lake(), &row.text("path").unwrap()).unwrap()).collect()
    }

    /// Every file on disk.
    pub(super) fn on_disk(&self) -> usize {
        files_below(&self.station.lake())
    }

    /// The live files hold exactly the rows that were committed; contents belong to the operations beside which they are.
    pub(super) async fn assert_same_rows(&self) {
        for kind in [FileKind::Operations, FileKind::Contents] {
            let mut expected = self.operations.clone();
            expected.retain(|operation| kind == FileKind::Operations || operation.has_content);
            expected.sort_unstable();
            let files = self.live(kind).await;
            let batches: Vec<RecordBatch> = files.iter().map(|file| read_file(file, kind)).collect();
            let found = sorted(&concat_batches(&stored_schema(kind), &batches).unwrap());
            assert_eq!(found, batch_of(kind, &expected), "{}", kind.name());
        }
        let strays = "select count(*) as n from lake_files contents \
                      join lake_files operations on operations.file_number = contents.operations_file \
                      where contents.removed_at_ms is null and (operations.removed_at_ms is not null \
                      or contents.min_operation_id < operations.min_operation_id \
                      or contents.max_operation_id > operations.max_operation_id)";
        assert_eq!(self.station.int(strays).await, 0);
        let unmarked = "select count(*) as n from lake_files f where f.kind = 'operations' and f.removed_at_ms is null \
                        and not exists (select 1 from windowed_files w where w.generation = 1 and w.file_number = f.file_number)";
        assert_eq!(self.station.int(unmarked).await, 0);
    }

    /// Numbers and sums of the live files of operations as the manifest states them.
    pub(super) async fn manifest_sums(&self) -> BTreeMap<&'static str, i64> {
        let names = [
            "rows",
            "failures",
            "unpriced",
            "input_tokens",
            "output_tokens",
            "cost_nano_usd",
            "reported_cost_nano_usd",
        ];
        let sums: Vec<String> = names.iter().map(|name| format!("cast(sum({name}) as bigint) as {name}")).collect();
        let sql =
            format!("select {} from lake_files where kind = 'operations' and removed_at_ms is null", sums.join(", "));
        let row = self.station.database.fetch_optional(sqlx::AssertSqlSafe(sql), &[]).await.unwrap().unwrap();
        names.into_iter().map(|name| (name, row.int(name).unwrap())).collect()
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

pub(super) fn write_file(path: &Path, batch: &RecordBatch) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(super) fn read_file(path: &Path, kind: FileKind) -> RecordBatch {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(&stored_schema(kind), &batches).unwrap()
}

/// The rows in the order of their ids.
pub(super) fn sorted(batch: &RecordBatch) -> RecordBatch {
    let ids = batch.column(0).as_fixed_size_binary();
    let mut rows: Vec<u32> = (0..u32::try_from(ids.len()).unwrap()).collect();
    rows.sort_by_key(|row| ids.value(usize::try_from(*row).unwrap()).to_vec());
    take_record_batch(batch, &UInt32Array::from(rows)).unwrap()
}

/// The columns of these operations, or of their contents.
pub(super) fn batch_of(kind: FileKind, operations: &[Operation]) -> RecordBatch {
    let columns = if kind == FileKind::Operations { OPERATION_COLUMNS } else { CONTENT_COLUMNS };
    RecordBatch::try_new(stored_schema(kind), columns.iter().map(|column| array_of(column, operations)).collect())
        .unwrap()
}

fn array_of(column: &Column, operations: &[Operation]) -> ArrayRef {
    let seeds = || operations.iter().map(|operation| operation.seed);
    let is_null =
        |seed: i64| column.nullable == Nullable::Yes && (seed + i64::try_from(column.name.len()).unwrap()) % 4 == 0;
    let text = |seed: i64| (!is_null(seed)).then(|| format!("{} {} \u{e9}", column.name, seed % 7));
    match (column.kind, column.name) {
        (ColumnKind::Id, _) if operations.is_empty() => Arc::new(FixedSizeBinaryArray::new_null(16, 0)),
        (ColumnKind::Id, _) => {
            let ids = operations.iter().map(|operation| operation.id.bytes());
            Arc::new(FixedSizeBinaryArray::try_from_iter(ids).unwrap())
        }
        (_, "time_ms") => Arc::new(Int64Array::from_iter_values(operations.iter().map(|o| o.id.time().millis()))),
        (_, "has_content") => Arc::new(operations.iter().map(|o| Some(o.has_content)).collect::<BooleanArray>()),
        (ColumnKind::Int, name) => Arc::new(seeds().map(|seed| int_of(name, seed)).collect::<Int64Array>()),
        (ColumnKind::SmallInt, _) => {
            let value = |seed: i64| (!is_null(seed)).then(|| i32::try_from(seed % 600).unwrap());
            Arc::new(seeds().map(value).collect::<Int32Array>())
        }
        (ColumnKind::Float, _) => {
            let value = |seed: i64| (!is_null(seed)).then(|| f64::from(i32::try_from(seed % 20).unwrap()) / 10.0);
            Arc::new(seeds().map(value).collect::<Float64Array>())
        }
        (ColumnKind::Bool, "success") => Arc::new(seeds().map(|seed| Some(is_success(seed))).collect::<BooleanArray>()),
        (ColumnKind::Bool, _) => {
            Arc::new(seeds().map(|seed| (!is_null(seed)).then_some(seed % 2 == 0)).collect::<BooleanArray>())
        }
        (ColumnKind::Text | ColumnKind::Json, _) => Arc::new(seeds().map(text).collect::<StringArray>()),
    }
}

fn int_of(name: &str, seed: i64) -> Option<i64> {
    let nullable = OPERATION_COLUMNS.iter().any(|column| column.name == name && column.nullable == Nullable::Yes);
    let length = i64::try_from(name.len()).unwrap();
    (!nullable || (seed + length) % 4 != 0).then_some(length * 1000 + seed)
}

fn is_success(seed: i64) -> bool {
    seed % 5 != 0
}

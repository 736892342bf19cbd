//! A database and a lake with priced operations, and what they must come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    new_null_array,
};
use arrow_select::concat::concat_batches;
use opstream_pricing::Pricer;
use opstream_schemas::database::{Engine, Row, Value};
use opstream_schemas::lake::{
    Column, ColumnKind, FileKind, MANIFEST_SUMS, Nullable, OPERATION_COLUMNS, file_path, local_path,
};
use opstream_schemas::offsets::Fence;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::{OperationId, UtcMillis};
use parquet::arrow::ArrowWriter;
use sqlx::AssertSqlSafe;

use super::super::asked::{RepricingRequest, ask};
use super::super::price_columns::{NUMBERS, RevisedColumns, TEXTS};
use crate::rewriting::stored_columns::{stored_schema, to_stored};
use crate::rewriting::summary::{Summary, id_of};
use crate::tests::oracle::{Windows, stored_windows};
use crate::tests::station::Station;
use crate::tests::{NOON, at};
use crate::windower::Windower;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;

/// What decides the price of an operation here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: OperationId,
    pub(super) model: &'static str,
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) reported: Option<i64>,
}

/// A call of the `seed`th kind at this time.
pub(super) fn call(time_ms: i64, seed: i64) -> Call {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&seed.to_be_bytes());
    let models = ["m", "n", "never-heard-of"];
    Call {
        id: OperationId::mint(at(time_ms), random),
        model: models[usize::try_from(seed % 3).unwrap()],
        input: 1000 + seed,
        output: seed % 50,
        reported: (seed % 4 == 0).then_some(seed * 7),
    }
}

/// Prices of the deployment: those of the model `m` changed at noon.
pub(super) fn price_file(before_noon: &str, from_noon: &str, others: &str) -> BTreeMap<String, String> {
    let text = format!(
        "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"house\"\n\n\
         [[model]]\nid = \"m\"\nsource = \"a contract\"\nchecked_on = 2026-11-24\n\n\
         [[model.interval]]\nvalid_to = 2026-11-23T12:00:00Z\nrates = {{ input = \"{before_noon}\", output = \"3\" }}\n\n\
         [[model.interval]]\nvalid_from = 2026-11-23T12:00:00Z\nrates = {{ input = \"{from_noon}\", output = \"3\" }}\n\n{others}"
    );
    BTreeMap::from([("house.toml".to_owned(), text)])
}

/// The model `n`, which the first catalogue does not know.
pub(super) const N: &str = "[[model]]\nid = \"n\"\nsource = \"a contract\"\nchecked_on = 2026-11-24\n\n\
                            [[model.interval]]\nrates = { input = \"0.5\", output = \"1\" }\n";

pub(super) fn catalogue(files: &BTreeMap<String, String>) -> Arc<Catalogue> {
    let texts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Arc::new(Catalogue::embedded().overlay(&texts).unwrap())
}

/// What the operations were priced with first.
pub(super) fn first_prices() -> BTreeMap<String, String> {
    price_file("1", "1", "")
}

/// Everything that a test needs.
pub(super) struct Till<'a> {
    pub(super) station: &'a mut Station,
    pub(super) calls: Vec<Call>,
    pub(super) windower: Windower,
    next_offset: i64,
}

impl<'a> Till<'a> {
    /// Runs a test on an empty till of every database there is.
    pub(super) async fn each(test: impl AsyncFn(&mut Till<'_>)) {
        Station::each(async |station| Box::pin(test(&mut Till::new(station).await)).await).await;
    }

    pub(super) async fn new(station: &'a mut Station) -> Self {
        if station.database.engine() == Engine::Postgres {
            station.execute("create table operations_of_all_days partition of operations default", &[]).await;
        }
        let windower = station.windower();
        Self { station, calls: Vec::new(), windower, next_offset: 0 }
    }

    /// Stores operations as the ingestor does, in one file; returns its number.
    pub(super) async fn commit(&mut self, calls: &[Call]) -> i64 {
        let batch = priced(calls, &catalogue(&first_prices()));
        let path = file_path(FileKind::Operations, at(NOON), uuid::Uuid::new_v4());
        let local = local_path(&self.station.lake(), &path).unwrap();
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(local).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let number = self.list(&path, &batch).await;
        self.insert_rows(&batch).await;
        let from = self.next_offset;
        self.next_offset += i64::try_from(calls.len()).unwrap();
        let range = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, \
                     skipped, file_number, applied_at_ms) values (1, 0, $1, $2, 'batch', $2 - $1, 0, 0, 0, $3, 0)";
        self.station.execute(range, &[from.into(), self.next_offset.into(), number.into()]).await;
        let checkpoint = "update stream_partitions set next_offset = $1 where partition = 0";
        self.station.execute(checkpoint, &[self.next_offset.into()]).await;
        self.calls.extend_from_slice(calls);
        number
    }

    async fn list(&self, path: &str, batch: &RecordBatch) -> i64 {
        let mut summary = Summary::default();
        summary.add_batch(FileKind::Operations, batch);
        let (lowest, highest) = summary.ids.unwrap();
        let mut values: Vec<Value> = vec![path.into(), NOON.into(), summary.rows.into(), summary.id_hash.into()];
        values.extend([lowest, highest].map(Value::from));
        values.extend(summary.sums.iter().map(|sum| Value::from(i64::try_from(*sum).unwrap())));
        let sql = format!(
            "insert into lake_files (path, kind, named_at_ms, committed_at_ms, rows, bytes, id_hash, min_operation_id, \
             max_operation_id, {}) values ($1, 'operations', $2, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             returning file_number",
            MANIFEST_SUMS.join(", ")
        );
        let mut tx = self.station.database.begin().await.unwrap();
        let number = tx.fetch_optional(AssertSqlSafe(sql), &values).await.unwrap().unwrap().int("file_number").unwrap();
        tx.commit().await.unwrap();
        number
    }

    async fn insert_rows(&self, batch: &RecordBatch) {
        let names: Vec<&str> = OPERATION_COLUMNS.iter().map(|column| column.name).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let sql = format!("insert into operations ({}) values ({})", names.join(", "), places.join(", "));
        let mut tx = self.station.database.begin().await.unwrap();
        for row in 0..batch.num_rows() {
            let values: Vec<Value> = OPERATION_COLUMNS
                .iter()
                .zip(batch.columns())
                .map(|(column, array)| value(column, array, row))
                .collect();
            tx.execute(AssertSqlSafe(sql.clone()), &values).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Asks for this time around noon to be priced with these files.
    pub(super) async fn ask(&self, span: (i64, i64), files: &BTreeMap<String, String>) -> i64 {
        self.ask_with(span, files, CostPolicy::Catalogue).await
    }

    /// The same under a policy.
    pub(super) async fn ask_with(
        &self,
        (from, to): (i64, i64),
        files: &BTreeMap<String, String>,
        cost_policy: CostPolicy,
    ) -> i64 {
        let request = RepricingRequest {
            from: at(NOON + from),
            to: at(NOON + to),
            price_version: catalogue(files).version().to_owned(),
            price_files: files.clone(),
            cost_policy,
        };
        ask(&self.station.database, &request).await.unwrap()
    }

    /// Takes turns until there is nothing to do.
    pub(super) async fn settle(&mut self) -> Fence {
        self.station.settle(&mut self.windower).await;
        self.windower.fence().unwrap()
    }

    /// Takes a single turn.
    pub(super) async fn turn(&mut self) {
        self.windower.turn(at(NOON)).await.unwrap();
    }

    pub(super) async fn state(&self, repricing: i64) -> String {
        let sql = "select state from repricings where repricing = $1";
        let row = self.station.database.fetch_optional(sql, &[repricing.into()]).await.unwrap().unwrap();
        row.text("state").unwrap()
    }

    pub(super) async fn windows(&self) -> Windows {
        stored_windows(&self.station.database, 1).await
    }

    /// The live files' rows in the order of their ids.
    pub(super) async fn live_rows(&self) -> RecordBatch {
        let sql = "select path, rows from lake_files where kind = 'operations' and removed_at_ms is null";
        let mut batches = Vec::new();
        for row in self.station.database.fetch_all(sql, &[]).await.unwrap() {
            let path = local_path(&self.station.lake(), &row.text("path").unwrap()).unwrap();
            for batch in crate::rewriting::opened::open(&path, FileKind::Operations).unwrap() {
                batches.push(to_stored(FileKind::Operations, &batch.unwrap()).unwrap());
            }
        }
        sorted(&concat_batches(&stored_schema(FileKind::Operations), &batches).unwrap())
    }

    /// Rows, files, the manifest and windows are as if `expected` said what each operation costs, in the order of ids.
    pub(super) async fn assert_costs(&self, expected: &RecordBatch) {
        let found = self.live_rows().await;
        for (column, (found, expected)) in OPERATION_COLUMNS.iter().zip(found.columns().iter().zip(expected.columns()))
        {
            assert_eq!(found, expected, "{} of the files", column.name);
        }
        self.assert_table(expected).await;
        let mut summary = Summary::default();
        summary.add_batch(FileKind::Operations, expected);
        for (name, sum) in MANIFEST_SUMS.into_iter().zip(summary.sums) {
            let sql = format!("select cast(sum({name}) as bigint) as n from lake_files where removed_at_ms is null");
            let row = self.station.database.fetch_optional(AssertSqlSafe(sql), &[]).await.unwrap().unwrap();
            assert_eq!(i128::from(row.int("n").unwrap()), sum, "{name} of the manifest");
        }
        let mut fresh = Station::on_sqlite().await;
        let fresh = Till { calls: Vec::new(), windower: fresh.windower(), next_offset: 0, station: &mut fresh };
        assert_eq!(self.windows().await, Box::pin(fresh.windows_of(expected)).await);
    }

    async fn assert_table(&self, expected: &RecordBatch) {
        let names = [&NUMBERS[..], &TEXTS[..]].concat().join(", ");
        let sql = format!("select operation_id, {names} from operations order by operation_id");
        let rows = self.station.database.fetch_all(AssertSqlSafe(sql), &[]).await.unwrap();
        assert_eq!(rows.len(), expected.num_rows());
        let columns = RevisedColumns::of(expected);
        for (place, row) in rows.iter().enumerate() {
            let number = |name: &&str| Value::from(row.optional_int(name).unwrap());
            let text = |name: &&str| Value::from(row.optional_text(name).unwrap());
            let found: Vec<Value> = NUMBERS.iter().map(number).chain(TEXTS.iter().map(text)).collect();
            assert_eq!(row_id(row), id_of(expected.column(0).as_fixed_size_binary().value(place)));
            assert_eq!(found, columns.values(place).collect::<Vec<_>>(), "row {place} of the table");
        }
    }

    /// Windows of operations that cost this from the beginning.
    async fn windows_of(mut self, batch: &RecordBatch) -> Windows {
        let path = file_path(FileKind::Operations, at(NOON), uuid::Uuid::new_v4());
        let local = local_path(&self.station.lake(), &path).unwrap();
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(local).unwrap(), batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        self.list(&path, batch).await;
        self.settle().await;
        self.windows().await
    }
}

fn row_id(row: &Row) -> OperationId {
    row.id("operation_id").unwrap()
}

/// The stored columns of these calls, priced, in the order of their ids.
pub(super) fn priced(calls: &[Call], catalogue: &Arc<Catalogue>) -> RecordBatch {
    priced_with(calls, catalogue, CostPolicy::Catalogue)
}

fn priced_with(calls: &[Call], catalogue: &Arc<Catalogue>, policy: CostPolicy) -> RecordBatch {
    let mut calls = calls.to_vec();
    calls.sort_unstable_by_key(|call| call.id);
    let columns = OPERATION_COLUMNS.iter().map(|column| array_of(column, &calls)).collect();
    let batch = RecordBatch::try_new(stored_schema(FileKind::Operations), columns).unwrap();
    let prices = Pricer::new(Arc::clone(catalogue), policy).price(&batch);
    let stored = RevisedColumns::of(&batch);
    let everywhere = BooleanArray::from(vec![true; calls.len()]);
    let priced = RevisedColumns::priced(&prices, &stored, 0).put_into(&batch, &everywhere);
    with_ints(
        &with_ints(&priced, "repricing", vec![None; calls.len()]),
        "billed_cost_nano_usd",
        vec![None; calls.len()],
    )
}

/// A re-pricing as it is asked for.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    pub(super) catalogue: &'a Arc<Catalogue>,
    pub(super) policy: CostPolicy,
    pub(super) number: i64,
    pub(super) span: (i64, i64),
}

/// The rows that a re-pricing by the catalogue leaves.
pub(super) fn repriced(
    before: &RecordBatch,
    calls: &[Call],
    by: (&Arc<Catalogue>, i64),
    span: (i64, i64),
) -> RecordBatch {
    repriced_by(before, calls, By { catalogue: by.0, policy: CostPolicy::Catalogue, number: by.1, span })
}

/// The rows that a re-pricing leaves: those within its span around noon that cost something else than before are changed.
pub(super) fn repriced_by(before: &RecordBatch, calls: &[Call], by: By<'_>) -> RecordBatch {
    let new = RevisedColumns::of(&priced_with(calls, by.catalogue, by.policy));
    let (stored, times) = (RevisedColumns::of(before), ints(before, "time_ms"));
    let is_changed = |row: usize| {
        let time = times[row].unwrap() - NOON;
        time >= by.span.0 && time < by.span.1 && new.is_other_price(&stored, row)
    };
    let marked: Vec<bool> = (0..before.num_rows()).map(is_changed).collect();
    let costs = ints(before, "cost_nano_usd");
    let (mut billed, mut last) = (ints(before, "billed_cost_nano_usd"), ints(before, "repricing"));
    for row in (0..marked.len()).filter(|row| marked[*row]) {
        if last[row].is_none() {
            billed[row] = costs[row];
        }
        last[row] = Some(by.number);
    }
    let after = new.put_into(before, &BooleanArray::from(marked));
    with_ints(&with_ints(&after, "repricing", last), "billed_cost_nano_usd", billed)
}

pub(super) fn ints(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}

fn with_ints(batch: &RecordBatch, name: &str, values: Vec<Option<i64>>) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(name).unwrap()] = Arc::new(Int64Array::from(values));
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

fn sorted(batch: &RecordBatch) -> RecordBatch {
    let ids = batch.column(0).as_fixed_size_binary();
    let mut rows: Vec<u32> = (0..u32::try_from(ids.len()).unwrap()).collect();
    rows.sort_by_key(|row| ids.value(usize::try_from(*row).unwrap()).to_vec());
    arrow_select::take::take_record_batch(batch, &arrow_array::UInt32Array::from(rows)).unwrap()
}

fn array_of(column: &Column, calls: &[Call]) -> ArrayRef {
    let n = calls.len();
    let texts = |of: fn(&Call) -> &str| -> ArrayRef {
        Arc::new(calls.iter().map(|call| Some(of(call))).collect::<StringArray>())
    };
    let numbers = |of: fn(&Call) -> Option<i64>| -> ArrayRef { Arc::new(calls.iter().map(of).collect::<Int64Array>()) };
    match (column.name, column.kind) {
        ("operation_id", _) => {
            Arc::new(FixedSizeBinaryArray::try_from_iter(calls.iter().map(|call| call.id.bytes())).unwrap())
        }
        ("time_ms", _) => numbers(|call| Some(call.id.time().millis())),
        ("started_at_us", _) => numbers(|call| Some(call.id.time().millis() * 1000)),
        ("workspace", _) => texts(|call| if call.input % 2 == 0 { "even" } else { "odd" }),
        ("operation_type", _) => texts(|_| "chat"),
        ("provider", _) => texts(|_| "house"),
        ("model", _) => texts(|call| call.model),
        ("input_tokens", _) => numbers(|call| Some(call.input)),
        ("output_tokens", _) => numbers(|call| Some(call.output)),
        ("reported_cost_nano_usd", _) => numbers(|call| call.reported),
        ("success", _) => Arc::new(BooleanArray::from(vec![true; n])),
        (_, kind) if column.nullable == Nullable::Yes => {
            new_null_array(stored_schema(FileKind::Operations).field_with_name(column.name).unwrap().data_type(), n)
                .slice(0, n * usize::from(kind != ColumnKind::Id))
        }
        (_, ColumnKind::Int) => Arc::new(Int64Array::from(vec![0; n])),
        (_, ColumnKind::SmallInt) => Arc::new(Int32Array::from(vec![0; n])),
        (_, ColumnKind::Bool) => Arc::new(BooleanArray::from(vec![false; n])),
        (_, _) => texts(|_| "x"),
    }
}

fn value(column: &Column, array: &ArrayRef, row: usize) -> Value {
    let is_valid = array.is_valid(row);
    match column.kind {
        ColumnKind::Id => id_of(array.as_fixed_size_binary().value(row)).into(),
        ColumnKind::Int => is_valid.then(|| array.as_primitive::<Int64Type>().value(row)).into(),
        ColumnKind::SmallInt => is_valid.then(|| array.as_primitive::<Int32Type>().value(row)).into(),
        ColumnKind::Float => is_valid.then(|| array.as_primitive::<Float64Type>().value(row)).into(),
        ColumnKind::Bool => is_valid.then(|| array.as_boolean().value(row)).into(),
        ColumnKind::Text | ColumnKind::Json => is_valid.then(|| array.as_string::<i32>().value(row)).into(),
    }
}

/// The clock of the tests at so many milliseconds after noon.
pub(super) fn after_noon(millis: i64) -> UtcMillis {
    at(NOON + millis)
}

//! A small pipeline state, written by plain SQL and a plain Parquet writer, that tests then damage.

mod columns;
mod operations;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use opstream_schemas::database::{Database, DatabaseUrl, Transaction, Value};
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, FileKind, OPERATION_COLUMNS, id_hash};
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, KeyHash, Level, SUM_COLUMNS, WindowSums};
use opstream_schemas::{NanoUsd, UtcMillis};

use self::columns::value_of;
pub(super) use self::columns::write_parquet;
use self::operations::dimensions_of;
pub(super) use self::operations::{TestOperation, operation};
use crate::verify::report::Report;
use crate::verify::snapshot::{Limits, Snapshot};

/// Time of the first operation: the start of a UTC day.
pub(super) const START_MS: i64 = 1_790_035_200_000;
pub(super) const MINUTE_MS: i64 = 60_000;

/// A database and a lake in a temporary folder.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    lake: PathBuf,
    database: Database,
    windowed: Vec<TestOperation>,
    pending: Vec<TestOperation>,
    next_offsets: BTreeMap<i64, i64>,
}

impl Fixture {
    /// Tables in SQLite, a stream with two partitions, and no operation.
    pub(super) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        let database = Database::connect(&url).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        Self::on(folder, database).await
    }

    /// The same in a database whose tables are there and empty.
    pub(super) async fn on(folder: tempfile::TempDir, database: Database) -> Self {
        let lake = folder.path().join("lake");
        std::fs::create_dir(&lake).unwrap();
        let next_offsets = BTreeMap::from([(0, 0), (1, 0)]);
        let fixture = Self { folder, lake, database, windowed: vec![], pending: vec![], next_offsets };
        let stream =
            "insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ('c', 'llm.operations', 't', 0)";
        fixture.run(stream, &[]).await;
        let partitions = "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) values (1, 0, 1, '', 0, 0, 0), (1, 1, 1, '', 0, 0, 0)";
        fixture.run(partitions, &[]).await;
        fixture.run("update aggregator_lease set fence = 5", &[]).await;
        fixture
    }

    /// Three committed and windowed files: 60 operations over six minutes and two hours, two dead letters, two
    /// duplicates. The second file of partition 0 reaches back into the time of the first.
    pub(super) async fn filled() -> Self {
        let mut fixture = Self::empty().await;
        fixture.fill().await;
        fixture
    }

    pub(super) async fn fill(&mut self) {
        let first = (0..20).map(|n| operation(0, n, (n % 3) * MINUTE_MS)).collect();
        self.commit(0, first, &[20]).await;
        let other = (0..20).map(|n| operation(1, n, (n % 3) * MINUTE_MS + 3_600_000)).collect();
        self.commit(1, other, &[]).await;
        let second = (22..42).map(|n| operation(0, n, (n % 4) * MINUTE_MS)).collect();
        self.commit(0, second, &[43]).await;
        self.aggregate(&[]).await;
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn lake(&self) -> &Path {
        &self.lake
    }

    /// Runs one statement in a transaction of its own.
    pub(super) async fn run(&self, sql: &'static str, values: &[Value]) -> u64 {
        let mut tx = self.database.begin().await.unwrap();
        let changed = tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
        changed
    }

    /// Rows of a table.
    pub(super) async fn count(&self, table: &str) -> u64 {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) as n from {table}"));
        let row = self.database.fetch_optional(sql, &[]).await.unwrap().unwrap();
        u64::try_from(row.int("n").unwrap()).unwrap()
    }

    pub(super) async fn verify(&self) -> Report {
        super::verify(&self.database, &self.lake, UtcMillis::from_millis(START_MS)).await.unwrap()
    }

    /// The same in the smallest steps: every page, slice and set of open windows has a few members.
    pub(super) async fn verify_in_small_steps(&self) -> Report {
        let limits = Limits { page: 3, slice_rows: 7, open_windows: 10 };
        let snapshot = Snapshot::begin(self.database.clone(), &self.lake).await.unwrap().with_limits(limits);
        super::verify_snapshot(snapshot, UtcMillis::from_millis(START_MS)).await.unwrap()
    }

    /// Path of a file of the manifest on this machine.
    pub(super) async fn file(&self, number: i64) -> PathBuf {
        let sql = "select path from lake_files where file_number = $1";
        let row = self.database.fetch_optional(sql, &[number.into()]).await.unwrap().unwrap();
        self.lake.join(row.text("path").unwrap())
    }

    pub(super) async fn delete_file(&self, number: i64) {
        std::fs::remove_file(self.file(number).await).unwrap();
    }

    /// What the ingestor commits for one partition: the files, the rows, the dead letters, the range from the checkpoint
    /// on, and the new checkpoint. Offsets that are neither row nor dead letter were duplicates. Returns the file's number.
    pub(super) async fn commit(&mut self, partition: i64, operations: Vec<TestOperation>, dead: &[i64]) -> i64 {
        let from = self.next_offsets[&partition];
        let last = operations.iter().map(|operation| operation.offset).chain(dead.iter().copied()).max();
        let to = last.map_or(from, |last| last + 1);
        let mut tx = self.database.begin().await.unwrap();
        for operation in &operations {
            insert(&mut tx, "operations", OPERATION_COLUMNS, operation).await;
            if operation.has_content {
                insert(&mut tx, "operation_contents", CONTENT_COLUMNS, operation).await;
            }
        }
        let file = self.write_and_list(&mut tx, &operations, None).await;
        let with_content: Vec<_> = operations.iter().filter(|operation| operation.has_content).cloned().collect();
        if !with_content.is_empty() {
            self.write_and_list(&mut tx, &with_content, Some(file)).await;
        }
        for offset in dead {
            let sql = "insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, record_headers, stored_at_ms) values (1, $1, $2, 'x', 'x', '[]', 0)";
            tx.execute(sql, &[partition.into(), (*offset).into()]).await.unwrap();
        }
        let (rows, n_dead) = (i64::try_from(operations.len()).unwrap(), i64::try_from(dead.len()).unwrap());
        let sql = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, file_number, applied_at_ms) values (1, $1, $2, $3, 'batch', $4, $5, $6, 0, $7, 0)";
        let duplicates = to - from - rows - n_dead;
        let numbers = [partition, from, to, rows, duplicates, n_dead, file].map(Value::from);
        tx.execute(sql, &numbers).await.unwrap();
        let sql = "update stream_partitions set next_offset = $2 where partition = $1";
        tx.execute(sql, &[partition.into(), to.into()]).await.unwrap();
        tx.commit().await.unwrap();
        self.next_offsets.insert(partition, to);
        self.pending.extend(operations);
        file
    }

    /// Writes a file of operations and lists it in the manifest, and does nothing else.
    pub(super) async fn list_file(&self, operations: &[TestOperation]) -> i64 {
        let mut tx = self.database.begin().await.unwrap();
        let number = self.write_and_list(&mut tx, operations, None).await;
        tx.commit().await.unwrap();
        number
    }

    /// Lists files of these operations and of their contents as compaction does, in place of these files of operations with those of
    /// their contents, which are deleted and forgotten as an hour later. Returns the number of the file of operations.
    pub(super) async fn merge(&self, inputs: &[i64], operations: &[TestOperation]) -> i64 {
        let mut sorted = operations.to_vec();
        sorted.sort_by_key(|operation| operation.id);
        let with_content: Vec<_> = sorted.iter().filter(|operation| operation.has_content).cloned().collect();
        let mut tx = self.database.begin().await.unwrap();
        let number = self.write_and_list(&mut tx, &sorted, None).await;
        if !with_content.is_empty() {
            self.write_and_list(&mut tx, &with_content, Some(number)).await;
        }
        tx.commit().await.unwrap();
        self.run("update lake_files set merges = 1 where file_number >= $1", &[number.into()]).await;
        let mark = "insert into windowed_files (generation, file_number, windowed_at_ms) values (1, $1, 0)";
        self.run(mark, &[number.into()]).await;
        for input in inputs {
            self.forget(*input).await;
        }
        number
    }

    async fn forget(&self, number: i64) {
        let files = "select file_number from lake_files where file_number = $1 or operations_file = $1";
        for row in self.database.fetch_all(files, &[number.into()]).await.unwrap() {
            self.delete_file(row.int("file_number").unwrap()).await;
        }
        let remember = "insert into past_files (file_number, rows, min_operation_id, max_operation_id) \
                        select file_number, rows, min_operation_id, max_operation_id from lake_files where file_number = $1";
        assert_eq!(self.run(remember, &[number.into()]).await, 1);
        self.run("delete from windowed_files where file_number = $1", &[number.into()]).await;
        self.run("delete from lake_files where operations_file = $1", &[number.into()]).await;
        self.run("delete from lake_files where file_number = $1", &[number.into()]).await;
    }

    /// Contents have a parent, operations have none.
    pub(super) async fn write_and_list(
        &self,
        tx: &mut Transaction,
        operations: &[TestOperation],
        parent: Option<i64>,
    ) -> i64 {
        let kind = if parent.is_some() { FileKind::Contents } else { FileKind::Operations };
        let listed = tx
            .fetch_optional("select coalesce(max(file_number), 0) + 1 as n from lake_files", &[])
            .await
            .unwrap()
            .unwrap();
        let path = format!("{}/2026-09-22/{}.parquet", kind.name(), listed.int("n").unwrap());
        let local = self.lake.join(&path);
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let columns = if kind == FileKind::Operations { OPERATION_COLUMNS } else { CONTENT_COLUMNS };
        write_parquet(&local, columns, operations);
        let ids: Vec<[u8; 16]> = operations.iter().map(|operation| operation.id.bytes()).collect();
        let sum = |value: fn(&TestOperation) -> i64| -> Value {
            (if kind == FileKind::Operations { operations.iter().map(value).sum() } else { 0_i64 }).into()
        };
        let values = [
            path.as_str().into(),
            kind.name().into(),
            parent.into(),
            i64::try_from(operations.len()).unwrap().into(),
            i64::try_from(std::fs::metadata(&local).unwrap().len()).unwrap().into(),
            id_hash(ids.iter().map(|id| &id[..])).into(),
            operations.iter().map(|operation| operation.id).min().unwrap().into(),
            operations.iter().map(|operation| operation.id).max().unwrap().into(),
            sum(|operation| i64::from(!operation.success)),
            sum(|operation| i64::from(operation.cost.is_none())),
            sum(|operation| operation.input_tokens.unwrap_or(0)),
            sum(|operation| operation.output_tokens),
            sum(|operation| operation.cost.unwrap_or(0)),
            sum(|operation| operation.reported_cost.unwrap_or(0)),
        ];
        let row = tx.fetch_optional(include_str!("list_file.sql"), &values).await.unwrap().unwrap();
        row.int("file_number").unwrap()
    }

    /// Marks every file as windowed and makes the windows again. Operations of these models add to `(other)` in every
    /// set that keeps the model.
    pub(super) async fn aggregate(&mut self, others: &[&str]) {
        self.windowed.append(&mut self.pending);
        let mut windows: BTreeMap<(DimensionSet, Level, i64, KeyHash), Vec<&TestOperation>> = BTreeMap::new();
        let mut combinations = BTreeMap::new();
        for operation in &self.windowed {
            for set in DimensionSet::ALL {
                let kept = dimensions_of(operation).kept_by(set);
                let is_other = kept.model.as_deref().is_some_and(|model| others.contains(&model));
                let kept = if is_other { Dimensions::other(set, operation.workspace) } else { kept };
                let hash = kept.key_hash(set);
                combinations.insert(hash, (set, kept));
                for level in Level::ALL {
                    let start = level.window_start(operation.id.time()).millis();
                    windows.entry((set, level, start, hash)).or_default().push(operation);
                }
            }
        }
        let mut tx = self.database.begin().await.unwrap();
        tx.execute("delete from windows", &[]).await.unwrap();
        tx.execute("delete from windowed_files", &[]).await.unwrap();
        let mark = "insert into windowed_files (generation, file_number, windowed_at_ms) select 1, file_number, 0 from lake_files where kind = 'operations' and removed_at_ms is null";
        tx.execute(mark, &[]).await.unwrap();
        for (hash, (set, dimensions)) in combinations {
            let texts = Dimension::ALL.map(|dimension| Value::from(dimensions.get(dimension).map(str::to_owned)));
            let values = [vec![hash.0.to_vec().into(), set.code().into()], texts.to_vec()].concat();
            tx.execute(include_str!("add_combination.sql"), &values).await.unwrap();
        }
        for ((set, level, start, hash), operations) in windows {
            let place = [set.code().into(), level.code().into(), start.into(), hash.0.to_vec().into()];
            add_window(&mut tx, place, &operations).await;
        }
        tx.commit().await.unwrap();
    }

    /// The temporary folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn insert(tx: &mut Transaction, table: &str, columns: &[Column], operation: &TestOperation) {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let binds: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let sql = format!("insert into {table} ({}) values ({})", names.join(", "), binds.join(", "));
    let values: Vec<Value> = columns.iter().map(|column| value_of(operation, column)).collect();
    tx.execute(sqlx::AssertSqlSafe(sql), &values).await.unwrap();
}

/// Inserts the window of these operations at a set, level, start and combination.
async fn add_window(tx: &mut Transaction, place: [Value; 4], operations: &[&TestOperation]) {
    let latencies = || operations.iter().filter_map(|operation| operation.latency_us);
    let sketch = Sketch::from_values(latencies().map(|micros| u64::try_from(micros).unwrap())).to_bytes();
    let count = |is: fn(&TestOperation) -> bool| {
        i64::try_from(operations.iter().filter(|operation| is(operation)).count()).unwrap()
    };
    let sum = |value: fn(&TestOperation) -> i64| operations.iter().map(|operation| value(operation)).sum::<i64>();
    let sums = WindowSums {
        operations: count(|_| true),
        failures: count(|operation| !operation.success),
        unpriced: count(|operation| operation.cost.is_none()),
        reported: count(|operation| operation.reported_cost.is_some()),
        input_tokens: sum(|operation| operation.input_tokens.unwrap_or(0)),
        output_tokens: sum(|operation| operation.output_tokens),
        cost: NanoUsd::from_nanos(sum(|operation| operation.cost.unwrap_or(0))),
        reported_cost: NanoUsd::from_nanos(sum(|operation| operation.reported_cost.unwrap_or(0))),
        latency_count: count(|operation| operation.latency_us.is_some()),
        latency_sum_us: latencies().sum(),
        input_cost: NanoUsd::from_nanos(sum(|operation| operation.parts().map_or(0, |[input, _]| input))),
        output_cost: NanoUsd::from_nanos(sum(|operation| operation.parts().map_or(0, |[_, output]| output))),
        cache_savings: NanoUsd::from_nanos(sum(|operation| operation.parts().map_or(0, |[input, _]| -input))),
        compared: count(|operation| operation.catalogue_cost().is_some()),
        reported_difference: NanoUsd::from_nanos(sum(|operation| {
            operation.catalogue_cost().map_or(0, |catalogue| operation.reported_cost.unwrap_or(0) - catalogue)
        })),
        reported_as_cost: NanoUsd::from_nanos(sum(|operation| match operation.cost_status() {
            "reported" => operation.cost.unwrap_or(0),
            _ => 0,
        })),
        ..WindowSums::default()
    };
    let binds: Vec<String> = (7..7 + SUM_COLUMNS.len()).map(|n| format!("${n}")).collect();
    let sql = include_str!("add_window.sql").replace("{sums}", &SUM_COLUMNS.join(", "));
    let sql = sql.replace("{binds}", &binds.join(", "));
    let sketches: [Value; 2] = [sketch.into(), Vec::<u8>::new().into()];
    let values = [place.to_vec(), sketches.to_vec(), sums.to_array().map(Value::from).to_vec()].concat();
    assert_eq!(tx.execute(sqlx::AssertSqlSafe(sql), &values).await.unwrap(), 1);
}

//! A database, a lake, and an ingestor's hand.

use std::path::PathBuf;

use opstream_schemas::database::{Database, DatabaseUrl, Transaction, Value};
use opstream_schemas::lake::{COST_PARTS, FileKind, file_path, local_path};
use opstream_schemas::offsets::Fence;
use opstream_schemas::{OperationId, UtcMillis};
use polars::prelude::*;
use sqlx::AssertSqlSafe;

use super::oracle::TestOperation;
use super::{NOON, at};
use crate::config::LeaseStart;
use crate::windower::{Turn, Windower};

/// Fences of the first and the second holder of the lease: far ahead of the clock, which fences otherwise begin from.
pub(crate) const FIRST_FENCE: Fence = Fence(1 << 60);
pub(crate) const SECOND_FENCE: Fence = Fence(FIRST_FENCE.0 + 1);

/// One partition whose operations are committed by hand.
pub(crate) struct Station {
    pub(crate) database: Database,
    folder: tempfile::TempDir,
    next_offset: i64,
}

impl Station {
    /// Runs a test on an empty station of every database there is.
    pub(crate) async fn each(test: impl AsyncFn(&mut Self)) {
        Box::pin(test(&mut Self::on_sqlite().await)).await;
        if let Some((database, place)) = postgres().await {
            let mut station = Self::with(database, tempfile::tempdir().unwrap()).await;
            Box::pin(test(&mut station)).await;
            station.database.close().await;
            place.drop().await;
        }
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        Self::with(Database::connect(&url).await.unwrap(), folder).await
    }

    async fn with(database: Database, folder: tempfile::TempDir) -> Self {
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let station = Self { database, folder, next_offset: 0 };
        station
            .execute("insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ('c', 't', 'i', 0)", &[])
            .await;
        station
            .execute(
                "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) \
                 values (1, 0, 1, 'test', 0, 0, 0), (1, 1, 1, 'test', 0, 0, 0)",
                &[],
            )
            .await;
        let before_first = [(FIRST_FENCE.0 - 1).into()];
        station.execute("update aggregator_lease set fence = $1", &before_first).await;
        station
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub(crate) fn windower(&self) -> Windower {
        Windower::new(self.database.clone(), self.lake(), "test".to_owned(), LeaseStart::AtOnce)
    }

    pub(crate) async fn execute(&self, sql: &'static str, values: &[Value]) {
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(sql, values).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn int(&self, sql: &'static str) -> i64 {
        self.database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap()
    }

    /// Writes a file of these operations and commits it as the ingestor does; returns its number.
    pub(crate) async fn commit(&mut self, operations: &[TestOperation]) -> i64 {
        let from = self.next_offset;
        let mut tx = self.database.begin().await.unwrap();
        let number = self.insert(&mut tx, operations, (0, from), None).await;
        tx.commit().await.unwrap();
        self.next_offset = from + i64::try_from(operations.len()).unwrap();
        number
    }

    /// Writes a file and inserts what the ingestor inserts, for the partition's offsets from `from` on. SQLite lets the
    /// number be chosen.
    pub(crate) async fn insert(
        &self,
        tx: &mut Transaction,
        operations: &[TestOperation],
        (partition, from): (i64, i64),
        number: Option<i64>,
    ) -> i64 {
        let n_rows = i64::try_from(operations.len()).unwrap();
        let (path, to) = (self.write(operations), from + n_rows);
        let times = || operations.iter().map(|operation| operation.time_ms);
        let id = |time: Option<i64>| OperationId::lowest_at(at(time.unwrap_or(NOON)));
        let (min, max) = (id(times().min()), id(times().max()));
        let mut values: Vec<Value> = vec![path.into(), NOON.into(), n_rows.into(), min.into(), max.into()];
        values.extend(number.map(Value::from));
        let (column, bind) = if number.is_some() { ("file_number, ", "$6, ") } else { ("", "") };
        let manifest = format!(
            "insert into lake_files ({column}path, kind, named_at_ms, committed_at_ms, rows, bytes, id_hash, min_operation_id, \
             max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
             cost_nano_usd, reported_cost_nano_usd) \
             values ({bind}$1, 'operations', $2, $2, $3, 0, 0, $4, $5, 0, 0, 0, 0, 0, 0, 0, 0) returning file_number"
        );
        let row = tx.fetch_optional(AssertSqlSafe(manifest), &values).await.unwrap().unwrap();
        let number = row.int("file_number").unwrap();
        let range = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, \
                     skipped, file_number, applied_at_ms) values (1, $4, $1, $2, 'batch', $2 - $1, 0, 0, 0, $3, 0)";
        tx.execute(range, &[from.into(), to.into(), number.into(), partition.into()]).await.unwrap();
        let checkpoint = "update stream_partitions set next_offset = $1 where partition = $2";
        tx.execute(checkpoint, &[to.into(), partition.into()]).await.unwrap();
        number
    }

    /// Where a file is.
    pub(crate) async fn file(&self, number: i64) -> PathBuf {
        let query = "select path from lake_files where file_number = $1";
        let row = self.database.fetch_optional(query, &[number.into()]).await.unwrap().unwrap();
        local_path(&self.lake(), &row.text("path").unwrap()).unwrap()
    }

    /// Takes turns until there is nothing to do, at noon.
    pub(crate) async fn settle(&self, windower: &mut Windower) -> usize {
        self.settle_at(windower, at(NOON)).await
    }

    pub(crate) async fn settle_at(&self, windower: &mut Windower, now: UtcMillis) -> usize {
        let mut files = 0;
        loop {
            let Turn { files: added, more, .. } = windower.turn(now).await.unwrap();
            files += added;
            if !more {
                return files;
            }
        }
    }

    fn write(&self, operations: &[TestOperation]) -> String {
        let path = file_path(FileKind::Operations, at(NOON), uuid::Uuid::new_v4());
        let local = local_path(&self.lake(), &path).unwrap();
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let mut frame = frame_of(operations);
        ParquetWriter::new(std::fs::File::create(local).unwrap()).finish(&mut frame).unwrap();
        path
    }
}

fn frame_of(operations: &[TestOperation]) -> DataFrame {
    let texts = |get: fn(&TestOperation) -> Option<&String>| -> Vec<Option<&str>> {
        operations.iter().map(|o| get(o).map(String::as_str)).collect()
    };
    let ints = |get: fn(&TestOperation) -> Option<i64>| -> Vec<Option<i64>> { operations.iter().map(get).collect() };
    let frame = df!(
        "time_ms" => ints(|o| Some(o.time_ms)),
        "workspace" => texts(|o| Some(&o.dimensions.workspace)),
        "project" => texts(|o| o.dimensions.project.as_ref()),
        "team" => texts(|o| o.dimensions.team.as_ref()),
        "environment" => texts(|o| o.dimensions.environment.as_ref()),
        "provider" => texts(|o| o.dimensions.provider.as_ref()),
        "model" => texts(|o| o.dimensions.model.as_ref()),
        "operation_type" => texts(|o| o.dimensions.operation_type.as_ref()),
        "agent_id" => texts(|o| o.dimensions.agent_id.as_ref()),
        "action_id" => texts(|o| o.dimensions.action_id.as_ref()),
        "success" => operations.iter().map(|o| o.success).collect::<Vec<_>>(),
        "input_tokens" => ints(|o| o.input_tokens),
        "cache_read_tokens" => ints(|o| Some(o.parts[0])),
        "cache_write_tokens" => ints(|o| Some(o.parts[1])),
        "cache_write_1h_tokens" => ints(|o| Some(o.parts[2])),
        "output_tokens" => ints(|o| o.output_tokens),
        "reasoning_tokens" => ints(|o| Some(o.parts[3])),
        "input_audio_tokens" => ints(|o| Some(o.parts[4])),
        "output_audio_tokens" => ints(|o| Some(o.parts[5])),
        "input_image_tokens" => ints(|o| Some(o.parts[6])),
        "output_image_tokens" => ints(|o| Some(o.parts[7])),
        "web_searches" => ints(|o| Some(o.parts[8])),
        "cost_nano_usd" => ints(|o| o.cost),
        "reported_cost_nano_usd" => ints(|o| o.reported_cost),
        "cost_status" => operations.iter().map(|o| o.cost_status).collect::<Vec<_>>(),
        "latency_us" => ints(|o| o.latency_us),
        "ttft_us" => ints(|o| o.ttft_us),
        // A column that nobody asks for, as files have many.
        "call_id" => texts(|_| None),
    );
    let mut frame = frame.unwrap();
    if operations.iter().any(|operation| operation.split.is_some()) {
        for (place, name) in COST_PARTS.into_iter().enumerate() {
            let values: Vec<Option<i64>> = operations.iter().map(|o| o.split.map(|split| split[place])).collect();
            frame.with_column(Column::new(name.into(), values)).unwrap();
        }
    }
    if operations.iter().any(|operation| operation.catalogue_cost.is_some()) {
        frame.with_column(Column::new("catalogue_cost_nano_usd".into(), ints(|o| o.catalogue_cost))).unwrap();
    }
    frame
}

/// A database of its own on a server.
struct PostgresPlace {
    server: DatabaseUrl,
    name: String,
}

impl PostgresPlace {
    async fn command(&self, command: &str) {
        let admin = Database::connect(&self.server).await.unwrap();
        let Database::Postgres(pool) = &admin else { panic!("not Postgres") };
        sqlx::query(AssertSqlSafe(format!("{command} {}", self.name))).execute(pool).await.unwrap();
        admin.close().await;
    }

    async fn drop(&self) {
        self.command("drop database").await;
    }
}

/// A new database, if there is a server. A test that fails leaves it behind.
#[expect(clippy::disallowed_methods, reason = "the environment chooses the databases of the tests")]
async fn postgres() -> Option<(Database, PostgresPlace)> {
    let server = DatabaseUrl::parse(&std::env::var("OPSTREAM_TEST_POSTGRES").ok()?).unwrap();
    let DatabaseUrl::Postgres(url) = &server else { panic!("OPSTREAM_TEST_POSTGRES is no Postgres") };
    let name = format!("aggregator_{}", uuid::Uuid::new_v4().simple());
    let (host, _) = url.rsplit_once('/').unwrap();
    let own = DatabaseUrl::Postgres(format!("{host}/{name}"));
    let place = PostgresPlace { server, name };
    place.command("create database").await;
    Some((Database::connect(&own).await.unwrap(), place))
}

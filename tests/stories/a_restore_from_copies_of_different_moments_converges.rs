//! Database and lake are restored from copies of different moments, the broker has gone on since: everything that was ever
//! acknowledged is there once, in rows, files and windows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::{Operation, OperationId, UtcMicros};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::earlier_version::copy_folder;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;
use crate::harness::removed_files::age_removed_files;

/// Operations between two moments.
const SOME: usize = 300;
const COMPACTED_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn what_came_after_the_copies_is_read_from_the_topic_again() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        load(&pipeline, Some("be brief")).await;
        let copies = Copies::of(&pipeline);
        copies.take_database(&pipeline).await;
        // Whoever took the lease after the copy published windows under a fence that the copy does not know.
        pipeline.stop().await;
        pipeline.start_processes().await;
        load(&pipeline, Some("be brief")).await;
        copy_folder(&pipeline.lake(), &copies.lake);
        load(&pipeline, Some("be brief")).await;
        let before = State::of(&pipeline).await;
        pipeline.kill().await;

        copies.restore_database().await;
        replace_folder(&copies.lake, &pipeline.lake());
        pipeline.start_processes().await;
        pipeline.settle().await;
        let after = State::of(&pipeline).await;
        assert_eq!(after.ids, before.ids);
        assert_eq!(after.totals, before.totals);
        pipeline.assert_verified().await;
        assert!(lease_fence(&pipeline).await > before.fence, "its windows count as newer than all that were published");
        copies.remove().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_lake_that_is_older_than_the_database_gets_its_files_from_the_rows() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        load(&pipeline, None).await;
        let copies = Copies::of(&pipeline);
        copy_folder(&pipeline.lake(), &copies.lake);
        load(&pipeline, None).await;
        copies.take_database(&pipeline).await;
        load(&pipeline, None).await;
        let before = State::of(&pipeline).await;
        pipeline.kill().await;

        copies.restore_database().await;
        replace_folder(&copies.lake, &pipeline.lake());
        let written = pipeline.run(&["restore-files"]).await;
        let report = String::from_utf8_lossy(&written.stdout).into_owned();
        assert!(written.status.success() && report.contains("written again: operations/"), "{report}");
        pipeline.start_processes().await;
        pipeline.settle().await;
        let after = State::of(&pipeline).await;
        assert_eq!((after.ids, after.totals), (before.ids, before.totals));
        pipeline.assert_verified().await;
        copies.remove().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_merged_file_comes_back_when_nothing_is_known_of_what_it_was_merged_from() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start_with(backends, &[("OPSTREAM_BATCH_AGE_MS", "20")]).await;
        let demo = pipeline.run(&["demo", "--operations", "600", "--rate", "150", "--seed", "5"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        let before = State::of(&pipeline).await;
        let database = pipeline.database().await;
        eventually(COMPACTED_WITHIN, async || forget_merged(&database).await).await;
        pipeline.kill().await;

        let merged = "select path from lake_files where merges > 0 and kind = 'operations' and removed_at_ms is null \
                      order by rows desc limit 1";
        let lost = database.fetch_optional(merged, &[]).await.unwrap().unwrap().text("path").unwrap();
        database.close().await;
        std::fs::remove_file(pipeline.lake().join(&lost)).unwrap();
        let written = pipeline.run(&["restore-files"]).await;
        let report = String::from_utf8_lossy(&written.stdout).into_owned();
        assert!(written.status.success() && report.contains(&format!("written again: {lost}")), "{report}");
        pipeline.start_processes().await;
        pipeline.settle().await;
        let after = State::of(&pipeline).await;
        assert_eq!((after.ids, after.totals), (before.ids, before.totals));
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// Lets an hour pass for files that were merged; waits until some are and all of them are forgotten.
async fn forget_merged(database: &Database) -> Result<(), String> {
    age_removed_files(database).await?;
    let counts = "select count(*) as merged, (select count(*) from lake_files where removed_at_ms is not null) as listed \
                  from lake_files where merges > 0 and removed_at_ms is null";
    let counts = database.fetch_optional(counts, &[]).await.unwrap().unwrap();
    let (merged, listed) = (counts.int("merged").unwrap(), counts.int("listed").unwrap());
    if merged > 0 && listed == 0 { Ok(()) } else { Err(format!("{merged} merged files, {listed} are to be forgotten")) }
}

/// Some operations, acknowledged and in windows.
async fn load(pipeline: &Pipeline<'_>, prompt: Option<&str>) {
    let operation = |n: usize| Operation {
        session_id: Some(format!("session-{}", n % 20)),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(100),
        output_tokens: Some(10),
        system_prompt: prompt.map(str::to_owned),
        ..Operation::starting("chat", UtcMicros::now())
    };
    let lines: String = (0..SOME).map(|n| serde_json::to_string(&operation(n)).unwrap() + "\n").collect();
    let request = reqwest::Client::new().post(format!("{}/v1/operations", pipeline.url()));
    let answer = request.header("content-type", "application/x-ndjson").body(lines).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["accepted"].as_u64(), u64::try_from(SOME).ok(), "{answer}");
    pipeline.settle().await;
}

/// What must be the same before and after.
struct State {
    ids: BTreeSet<OperationId>,
    totals: Value,
    fence: i64,
}

impl State {
    async fn of(pipeline: &Pipeline<'_>) -> Self {
        let database = pipeline.database().await;
        let rows = database.fetch_all("select operation_id from operations", &[]).await.unwrap();
        database.close().await;
        let ids: BTreeSet<OperationId> = rows.iter().map(|row| row.id("operation_id").unwrap()).collect();
        assert_eq!(ids.len(), rows.len(), "an operation is stored twice");
        let mut totals = pipeline.get("/v1/totals").await.unwrap();
        assert_eq!(totals["operations"].as_u64(), u64::try_from(ids.len()).ok());
        totals.as_object_mut().unwrap().remove("complete_to");
        Self { ids, totals, fence: lease_fence(pipeline).await }
    }
}

async fn lease_fence(pipeline: &Pipeline<'_>) -> i64 {
    let database = pipeline.database().await;
    let row = database.fetch_optional("select fence from aggregator_lease", &[]).await.unwrap().unwrap();
    database.close().await;
    row.int("fence").unwrap()
}

fn replace_folder(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).unwrap();
    copy_folder(from, to);
}

/// Where copies are kept, as docs/backup.md takes them.
struct Copies {
    folder: PathBuf,
    lake: PathBuf,
    url: DatabaseUrl,
}

impl Copies {
    fn of(pipeline: &Pipeline<'_>) -> Self {
        let folder = pipeline.folder().join("copies");
        std::fs::create_dir_all(&folder).unwrap();
        let url = DatabaseUrl::parse(&pipeline.database_url()).unwrap();
        Self { lake: folder.join("lake"), folder, url }
    }

    /// Of the running pipeline: SQLite's own copy, or a dump by statements of one snapshot.
    async fn take_database(&self, pipeline: &Pipeline<'_>) {
        match pipeline.database().await {
            Database::Sqlite { writer, .. } => {
                let copy = format!("vacuum into '{}'", self.folder.join("opstream.db").display());
                sqlx::raw_sql(AssertSqlSafe(copy)).execute(&writer).await.unwrap();
                writer.close().await;
            }
            Database::Postgres(pool) => {
                pool.close().await;
                let (mut server, name) = self.server().await;
                // Waits for nobody: whoever is connected is cut off and comes back, as after a restart of the server.
                self.without_sessions(&mut server, &name, &format!("create database {name}_copy template {name}"))
                    .await;
            }
        }
    }

    /// In place of the database of the pipeline, which has been killed.
    async fn restore_database(&self) {
        let DatabaseUrl::Sqlite(file) = &self.url else {
            let (mut server, name) = self.server().await;
            let statements =
                [format!("drop database {name} with (force)"), format!("alter database {name}_copy rename to {name}")];
            for statement in statements {
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut server).await.unwrap();
            }
            return;
        };
        for suffix in ["", "-wal", "-shm"] {
            let old = PathBuf::from(format!("{}{suffix}", file.display()));
            if old.exists() {
                std::fs::remove_file(old).unwrap();
            }
        }
        std::fs::copy(self.folder.join("opstream.db"), file).unwrap();
    }

    async fn remove(&self) {
        if let DatabaseUrl::Postgres(_) = &self.url {
            let (mut server, name) = self.server().await;
            let drop = format!("drop database if exists {name}_copy with (force)");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut server).await.unwrap();
        }
    }

    /// A session on the server's own database, and the name of the pipeline's.
    async fn server(&self) -> (PgConnection, String) {
        let DatabaseUrl::Postgres(url) = &self.url else { panic!("SQLite has no server") };
        let mut url = url::Url::parse(url).unwrap();
        let name = url.path().trim_start_matches('/').to_owned();
        url.set_path("postgres");
        (PgConnection::connect(url.as_str()).await.unwrap(), name)
    }

    /// A template must have no sessions, so the pipeline's are ended and kept out meanwhile.
    async fn without_sessions(&self, server: &mut PgConnection, name: &str, statement: &str) {
        let statements = [
            format!("alter database {name} with allow_connections false"),
            format!("select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'"),
            statement.to_owned(),
            format!("alter database {name} with allow_connections true"),
        ];
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *server).await.unwrap();
        }
    }
}

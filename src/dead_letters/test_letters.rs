//! A database with dead letters, for the tests of this command.

use std::path::Path;

use opstream_api::dead_letters::{Letter, Place};
use opstream_schemas::database::{Database, DatabaseUrl, Value};
use sqlx::AssertSqlSafe;

#[path = "../../api/src/dead_letters/test_rows.rs"]
mod test_rows;

pub(super) use test_rows::{STARTED_AT, letter, operation};

/// SQLite in a temporary folder, with one stream.
pub(super) struct Letters {
    pub(super) folder: tempfile::TempDir,
    pub(super) database: Database,
}

impl Letters {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let letters = Self { folder, database };
        letters.run("insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ('c', 'llm.operations', 'id', 0)").await;
        letters
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn run(&self, sql: &str) {
        self.run_with(sql, &[]).await;
    }

    async fn run_with(&self, sql: &str, values: &[Value]) {
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(AssertSqlSafe(sql.to_owned()), values).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn add(&self, letter: &Letter) {
        test_rows::insert(&self.database, letter).await;
    }

    pub(super) async fn find(&self, offset: i64) -> Letter {
        Letter::find(&self.database, Place { stream: 1, partition: 0, offset }).await.unwrap().unwrap()
    }
}

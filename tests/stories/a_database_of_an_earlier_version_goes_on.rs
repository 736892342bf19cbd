//! A database that an earlier version filled is brought to this version's tables, loses nothing, and takes what comes next.

use opstream_schemas::database::{Database, Engine};
use opstream_schemas::migrations::migrate;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::earlier_version::{copy_lake, counted_again, create_tables, insert_rows, newest_step, open};
use crate::harness::pipeline::Pipeline;

/// The migration that the stored rows are of.
const STORED: i64 = 4;

#[tokio::test]
async fn it_is_migrated_verified_and_filled_further() {
    each_combination(async |backends: &Backends| {
        let data = backends.folder.path().join("data");
        let url = match backends.combination {
            Combination::EmbeddedSqlite => format!("sqlite:{}", data.join("opstream.db").display()),
            Combination::KafkaPostgres => backends.database_url.clone(),
        };
        let database = open(&url).await;
        create_tables(&database, STORED).await;
        insert_rows(&database).await;
        database.close().await;
        copy_lake(&data.join("lake"));

        let mut pipeline = Pipeline::start(backends).await;
        pipeline.assert_verified().await;
        let before = pipeline.get("/v1/totals").await.unwrap();
        assert_eq!((before["operations"].as_i64(), before["cost_usd"].as_str()), (Some(16), Some("0.02804")));
        let demo = pipeline.run(&["demo", "--operations", "50", "--rate", "1000"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        let after = pipeline.get("/v1/totals").await.unwrap();
        assert_eq!(after["operations"].as_i64(), Some(16 + 50));
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn each_step_before_is_migrated_with_its_rows() {
    each_combination(async |backends: &Backends| {
        let database = open(&backends.database_url).await;
        for step in 1..newest_step(database.engine()) {
            empty(&database).await;
            create_tables(&database, step).await;
            let mut before = insert_rows(&database).await;
            migrate(&database).await.unwrap();
            let after = counted_again(&database, &before).await;
            // Migration 4 says so: older marks are not complete, and new ones come within a second.
            before.iter_mut().filter(|(table, _)| table == "watermarks" && step < 4).for_each(|(_, rows)| *rows = 0);
            assert_eq!(before, after, "from step {step}");
            migrate(&database).await.unwrap();
        }
        database.close().await;
    })
    .await;
}

/// Takes every table away.
async fn empty(database: &Database) {
    let sql = match database.engine() {
        Engine::Postgres => "select 'drop schema public cascade; create schema public' as statement",
        Engine::Sqlite => {
            "select 'drop table ' || name as statement from sqlite_schema where type = 'table' and name not like 'sqlite_%' \
             order by rowid desc"
        }
    };
    for row in database.fetch_all(sql, &[]).await.unwrap() {
        let statement = sqlx::AssertSqlSafe(row.text("statement").unwrap());
        match database {
            Database::Postgres(pool) => drop(sqlx::raw_sql(statement).execute(pool).await.unwrap()),
            Database::Sqlite { writer, .. } => drop(sqlx::raw_sql(statement).execute(writer).await.unwrap()),
        }
    }
}

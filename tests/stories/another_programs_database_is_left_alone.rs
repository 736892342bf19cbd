//! `CONNECTION_STRING` is a name that other programs use too: a database with only their tables gets none of ours.

use opstream_schemas::database::{Database, DatabaseUrl};
use tokio::process::Command;

use crate::harness::backends::{Backends, each_combination};

#[tokio::test]
async fn a_role_refuses_it_and_creates_nothing() {
    each_combination(async |backends: &Backends| {
        let url = DatabaseUrl::parse(&backends.database_url).unwrap();
        let database = Database::connect(&url).await.unwrap();
        let mut tx = database.begin().await.unwrap();
        tx.execute("create table message_of_another (id bigint)", &[]).await.unwrap();
        tx.commit().await.unwrap();
        for role in ["ingestor", "aggregator", "api"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_opstream"));
            command.arg(role).current_dir(backends.folder.path()).env_clear();
            let output = command.env("CONNECTION_STRING", &backends.database_url).output().await.unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{role} took another program's database");
            assert!(said.contains("message_of_another") && said.contains("OPSTREAM_DATABASE_URL"), "{said}");
        }
        let ours = database.fetch_all("select 1 as one from stream_partitions", &[]).await;
        assert!(ours.is_err(), "tables were created");
        database.close().await;
    })
    .await;
}

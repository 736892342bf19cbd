//! A question over Postgres has one state of the database, writes nothing, may stand still, and ends after its time; the connection
//! serves the next one without any of that. SQLite's side is in the unit tests of the database.

use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl, Transaction};

use crate::harness::backends::{Backends, Combination};

async fn setting(tx: &mut Transaction, name: &'static str) -> String {
    let row = tx.fetch_optional("select current_setting($1) as value", &[name.into()]).await.unwrap().unwrap();
    row.text("value").unwrap()
}

#[tokio::test]
async fn its_connection_serves_the_next() {
    let Some(backends) = Backends::create(Combination::KafkaPostgres).await else { return };
    let database = Database::connect(&DatabaseUrl::parse(&backends.database_url).unwrap()).await.unwrap();
    // More often than there are connections.
    for _ in 0..10 {
        let mut question = database.begin_snapshot_within(Duration::from_millis(100)).await.unwrap();
        assert_eq!(setting(&mut question, "transaction_isolation").await, "repeatable read");
        assert_eq!(setting(&mut question, "transaction_read_only").await, "on");
        assert_eq!(setting(&mut question, "idle_in_transaction_session_timeout").await, "0");
        let error = question.fetch_all("select pg_sleep(10)", &[]).await.unwrap_err();
        assert!(error.to_string().contains("statement timeout"), "{error}");
        drop(question);
        let mut next = database.begin().await.unwrap();
        assert_eq!(setting(&mut next, "statement_timeout").await, "0");
        assert_eq!(setting(&mut next, "transaction_read_only").await, "off");
        assert_eq!(setting(&mut next, "idle_in_transaction_session_timeout").await, "1min");
        next.rollback().await.unwrap();
    }
    database.close().await;
    backends.remove().await;
}

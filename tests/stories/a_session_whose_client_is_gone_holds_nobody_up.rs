//! A process vanished in the middle of sending rows, and nothing told Postgres: its session waits for the rest of a COPY, for which no
//! timeout counts. Whoever waits for its lock ends it, before the wait itself is given up.

use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::harness::backends::{Backends, Combination};

/// Below the 30 s after which Postgres gives up a wait for a lock.
const DEADLINE: Duration = Duration::from_secs(28);

#[tokio::test]
async fn its_lock_is_had_within_seconds() {
    let Some(backends) = Backends::create(Combination::KafkaPostgres).await else { return };
    let url = DatabaseUrl::parse(&backends.database_url).unwrap();
    let database = Database::connect(&url).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    tx.execute("create table checkpoint as select 1 as n", &[]).await.unwrap();
    tx.execute("create table arriving (n integer)", &[]).await.unwrap();
    tx.commit().await.unwrap();

    let options: PgConnectOptions = backends.database_url.parse().unwrap();
    let mut gone = PgConnection::connect_with(&options.application_name("opstream")).await.unwrap();
    sqlx::raw_sql("begin; update checkpoint set n = 2").execute(&mut gone).await.unwrap();
    let mut rows = gone.copy_in_raw("copy arriving from stdin").await.unwrap();
    rows.send(&b"1\n"[..]).await.unwrap();

    let mut tx = database.begin().await.unwrap();
    let update = database.without_blockers(&mut tx, async |tx| tx.execute("update checkpoint set n = 3", &[]).await);
    let updated = tokio::time::timeout(DEADLINE, update).await.expect("the lock is had in time");
    assert_eq!(updated.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(rows.finish().await.is_err(), "the session was ended");
    drop(gone);
    let left = database.fetch_optional("select count(*) as n from arriving", &[]).await.unwrap().unwrap();
    assert_eq!(left.int("n").unwrap(), 0, "nothing of its transaction is left");
    database.close().await;
    backends.remove().await;
}

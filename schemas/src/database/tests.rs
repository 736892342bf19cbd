//! The same statements against SQLite here; the stories run them against Postgres too.

use super::*;
use crate::OperationId;

async fn temporary() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
    let database = Database::connect(&url).await.unwrap();
    crate::migrations::migrate(&database).await.unwrap();
    (folder, database)
}

#[tokio::test]
async fn values_come_back_as_they_were_bound() {
    let (_folder, database) = temporary().await;
    let id = OperationId::mint(crate::UtcMillis::from_millis(1_790_000_000_000), [3; 10]);
    let mut tx = database.begin().await.unwrap();
    let insert = "insert into operation_contents (operation_id, system_prompt, input_messages) values ($1, $2, $3)";
    let values = [id.into(), "é\u{4f60}".into(), Option::<String>::None.into()];
    assert_eq!(tx.execute(insert, &values).await.unwrap(), 1);
    tx.commit().await.unwrap();

    let row = database.fetch_optional("select * from operation_contents", &[]).await.unwrap().unwrap();
    assert_eq!(row.id("operation_id").unwrap(), id);
    assert_eq!(row.text("system_prompt").unwrap(), "é\u{4f60}");
    assert_eq!(row.optional_text("input_messages").unwrap(), None);
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let (_folder, database) = temporary().await;
    let mut tx = database.begin().await.unwrap();
    tx.execute("insert into settings (name, value) values ('x', 1)", &[]).await.unwrap();
    drop(tx);
    // The next writer gets the connection only after the roll-back.
    let mut tx = database.begin().await.unwrap();
    assert!(tx.fetch_optional("select value from settings where name = 'x'", &[]).await.unwrap().is_none());
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_folder, database) = temporary().await;
    let refused = database.fetch_all("insert into settings (name, value) values ('x', 1)", &[]).await;
    assert!(refused.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let (_folder, database) = temporary().await;
    crate::migrations::migrate(&database).await.unwrap();
    let row = database
        .fetch_optional("select value from settings where name = 'retention_floor_ms'", &[])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.int("value").unwrap(), crate::validate::DEFAULT_RETENTION_FLOOR.millis());
}

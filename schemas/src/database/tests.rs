//! The same statements against SQLite here; the stories run them against Postgres too.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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

#[tokio::test]
async fn a_server_without_encryption_gets_no_password_when_encryption_is_required() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        // The eight bytes of the request for encryption; `N` refuses it.
        connection.read_exact(&mut [0; 8]).await.unwrap();
        connection.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        // A client that resets the connection has sent nothing more either.
        drop(connection.read_to_end(&mut rest).await);
        rest
    };
    let url = DatabaseUrl::parse(&format!("postgresql+asyncpg://me:secret@127.0.0.1:{port}/ops?ssl=require")).unwrap();
    let client = async { assert!(Database::connect(&url).await.is_err()) };
    let (sent, ()) = tokio::join!(server, client);
    assert_eq!(sent, b"", "nothing may follow the refusal");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let answer = within(std::time::Duration::from_millis(1), std::future::pending::<Result<(), sqlx::Error>>()).await;
    assert!(matches!(answer, Err(sqlx::Error::Io(_))), "{answer:?}");
}

#[tokio::test]
async fn a_full_disk_does_not_outlast_the_lack_of_room() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
    let fill = |mut tx: Transaction| async move {
        // As if the disk had no more room than this; the setting is one of the connection.
        tx.fetch_optional("pragma max_page_count = 8", &[]).await.unwrap();
        tx.execute("create table filled (x blob)", &[]).await.unwrap();
        tx.execute("insert into filled values (randomblob(1000000))", &[]).await.unwrap_err()
    };
    for _ in 0..2 {
        let error = fill(database.begin().await.unwrap()).await;
        assert!(error.to_string().contains("full"), "{error}");
    }
    let mut tx = database.begin().await.unwrap();
    tx.execute("create table t (x integer)", &[]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_not_to_be() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = DatabaseUrl::parse(&format!("postgres://me@127.0.0.1:{port}/ops")).unwrap();
    let error = Database::connect(&url).await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("refused"), "{reason}");
}

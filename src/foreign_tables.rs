//! Recognises a database that belongs to another program, so that nobody's tables get ours beside them by accident.

use anyhow::Context as _;
use opstream_schemas::database::{Database, DatabaseUrl};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Table that only opstream has, from its first version on.
const OWN_TABLE: &str = "stream_partitions";
/// Foreign tables that an error names.
const NAMED_TABLES: usize = 3;

/// Refuses a database with tables of which none is ours. Looks without writing: opening a SQLite file as ours would
/// already change its journal mode.
///
/// # Errors
/// When the database is somebody else's, or cannot be looked into.
pub(crate) async fn refuse_foreign(url: &DatabaseUrl) -> anyhow::Result<()> {
    let tables = tables(url).await.with_context(|| format!("cannot look into the database {url}"))?;
    if tables.is_empty() || tables.iter().any(|name| name == OWN_TABLE) {
        tracing::info!(database = %url, "the database is the one of CONNECTION_STRING");
        return Ok(());
    }
    let named = tables[..tables.len().min(NAMED_TABLES)].join(", ");
    anyhow::bail!(
        "CONNECTION_STRING names {url}, which holds tables of another program ({named}) and none of opstream; name a database \
         for opstream with --database-url (OPSTREAM_DATABASE_URL), or this one, if its tables are to stand beside the others"
    )
}

async fn tables(url: &DatabaseUrl) -> anyhow::Result<Vec<String>> {
    match url {
        DatabaseUrl::Sqlite(file) if !file.is_file() => Ok(Vec::new()),
        DatabaseUrl::Sqlite(file) => {
            let sql = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name";
            let mut connection = SqliteConnectOptions::new().filename(file).read_only(true).connect().await?;
            let tables = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok(tables)
        }
        DatabaseUrl::Postgres(_) => {
            let sql = "select tablename::text as name from pg_tables where schemaname = any(current_schemas(false)) order by 1";
            let database = Database::connect(url).await?;
            let rows = database.fetch_all(sql, &[]).await;
            database.close().await;
            rows?.iter().map(|row| Ok(row.text("name")?)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_programs_database_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aicore.db");
        let url = DatabaseUrl::Sqlite(file.clone());
        refuse_foreign(&url).await.unwrap();
        assert!(!file.exists(), "looking creates nothing");

        let mut connection =
            SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(r#"create table "Message" (operation_id text)"#).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let before = std::fs::read(&file).unwrap();
        let error = refuse_foreign(&url).await.unwrap_err().to_string();
        assert!(error.contains("(Message)") && error.contains("OPSTREAM_DATABASE_URL"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[tokio::test]
    async fn our_own_database_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        let database = Database::connect(&url).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        database.close().await;
        refuse_foreign(&url).await.unwrap();
    }
}

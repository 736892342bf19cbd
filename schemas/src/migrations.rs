//! Creates and upgrades the SQL tables, the same numbers in both databases.

use sqlx::migrate::{MigrateError, Migrator};

use crate::database::Database;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Brings the tables to this version; does nothing when they are there. Several processes may call it at once: Postgres
/// holds an advisory lock meanwhile, SQLite its writer lock.
///
/// # Errors
/// When the database does not answer, or was migrated by a newer version of opstream.
pub async fn migrate(database: &Database) -> Result<(), MigrateError> {
    match database {
        Database::Postgres(pool) => POSTGRES.run(pool).await,
        Database::Sqlite { writer, .. } => SQLITE.run(writer).await,
    }
}

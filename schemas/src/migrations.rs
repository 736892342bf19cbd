//! Creates and upgrades the SQL tables, the same numbers in both databases.

use std::sync::LazyLock;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Connection as _, PgPool, SqlSafeStr as _, SqlitePool};

use crate::database::Database;

/// One step of the tables, as both databases take it.
struct Step {
    /// Name of its files, which say the number and what is done.
    name: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

/// Named here and not found by `sqlx::migrate!`: that macro would compile sqlx and SQLite a second time, for the compiler.
macro_rules! step {
    ($name:literal) => {
        Step {
            name: $name,
            postgres: include_str!(concat!("../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../migrations/sqlite/", $name, ".sql")),
        }
    };
}

const STEPS: [Step; 16] = [
    step!("0001_create_tables"),
    step!("0002_create_windows"),
    step!("0003_extend_windows"),
    step!("0004_add_stream_partitions_count"),
    step!("0005_compact_files"),
    step!("0006_mark_redriven_letters"),
    step!("0007_prepare_retention"),
    step!("0008_mark_checkpoints"),
    step!("0009_create_span_contents"),
    step!("0010_split_costs"),
    step!("0011_compare_costs"),
    step!("0012_reprice_operations"),
    step!("0013_create_alerts"),
    step!("0014_create_saved_views"),
    step!("0015_order_windows"),
    step!("0016_index_sums"),
];

/// The last step that writes all windows of SQLite anew.
const WINDOWS_ANEW: i64 = 16;

static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(|step| step.postgres));
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(|step| step.sqlite));

/// Brings the tables to this version; does nothing when they are there. Several processes may call it at once: in Postgres an
/// advisory lock is held meanwhile, in SQLite the writer lock.
///
/// # Errors
/// When the database does not answer, or was migrated by a newer version of opstream.
pub async fn migrate(database: &Database) -> Result<(), MigrateError> {
    match database {
        Database::Postgres(pool) => Box::pin(migrate_postgres(pool)).await,
        Database::Sqlite { writer, .. } => Box::pin(migrate_sqlite(writer)).await,
    }
}

/// Who comes second waits for the first, however long its steps take; the pool's own sessions would give up.
async fn migrate_postgres(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?.detach();
    sqlx::query("set lock_timeout = 0").execute(&mut connection).await?;
    POSTGRES.run(&mut connection).await?;
    Ok(connection.close().await?)
}

/// One transaction for all steps. The driver itself locks nothing between looking which steps are missing and taking them, so
/// two processes would take the same.
async fn migrate_sqlite(writer: &SqlitePool) -> Result<(), MigrateError> {
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
    let reached = sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(&mut *tx).await;
    // There is no such table in a new database.
    let reached: Option<i64> = reached.ok().flatten();
    if reached.is_some_and(|reached| reached < WINDOWS_ANEW) {
        tracing::info!("windows are written anew, once: some seconds for each half million, and as much disk again");
    }
    SQLITE.run(&mut *tx).await?;
    Ok(tx.commit().await?)
}

fn migrator(text: impl Fn(&Step) -> &'static str) -> Migrator {
    let migration = |step: &Step| {
        let (number, verb_noun) = step.name.split_once('_').expect("a step is named 000N_verb_noun");
        let number = number.parse().expect("a step's name begins with its number");
        let description = verb_noun.replace('_', " ").into();
        Migration::new(number, description, MigrationType::Simple, text(step).into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use sqlx::Row as _;

    use super::*;
    use crate::database::DatabaseUrl;
    use crate::window::SUM_COLUMNS;

    #[tokio::test]
    async fn several_processes_create_the_tables_of_sqlite_at_once() {
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
            let open = async || {
                let database = Database::connect(&url).await.unwrap();
                migrate(&database).await.unwrap();
                database.close().await;
            };
            tokio::join!(open(), open(), open(), open());
        }
    }

    #[tokio::test]
    async fn windows_of_before_are_written_anew_and_stay_what_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        let database = Database::connect(&url).await.unwrap();
        let Database::Sqlite { writer, .. } = &database else { unreachable!("the address is that of a file") };
        let before = SQLITE.iter().filter(|migration| migration.version < WINDOWS_ANEW).cloned().collect();
        Migrator::with_migrations(before).run(&mut *writer.acquire().await.unwrap()).await.unwrap();
        let texts = async |sql: &'static str| sqlx::query_scalar::<_, String>(sql).fetch_all(writer).await.unwrap();
        let names = async || texts("select name from pragma_table_xinfo('windows')").await;
        let declared = async || {
            let columns = "select concat_ws(' ', name, type, \"notnull\", dflt_value, pk, hidden) from pragma_table_xinfo('windows') order by name";
            let indexes =
                "select sql from sqlite_master where type = 'index' and tbl_name = 'windows' and sql is not null";
            (texts(columns).await, texts(indexes).await)
        };
        let declared_before = declared().await;
        assert_eq!(declared_before.1.len(), 1);
        // Each column has a value of its own.
        let of_before: Vec<String> = names().await;
        let given: Vec<&String> = of_before.iter().filter(|name| *name != "is_published").collect();
        let values = (0..given.len()).map(|place| match given[place].as_str() {
            name if name.ends_with("_sketch") => format!("x'{place:04x}'"),
            _ => format!("{}", 1000 + place),
        });
        let into = given.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let sql = format!("insert into windows ({into}) values ({})", values.collect::<Vec<_>>().join(", "));
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(writer).await.unwrap();
        let read = async || {
            let all = of_before.iter().map(|name| format!("quote({name})")).collect::<Vec<_>>().join(" || ' ' || ");
            let sql = format!("select {all} from windows");
            sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql)).fetch_all(writer).await.unwrap()
        };
        let expected = read().await;
        migrate(&database).await.unwrap();
        assert_eq!((expected.len(), read().await), (1, expected));
        let of_now = names().await;
        assert_eq!(of_now[of_now.len() - 2..], ["latency_sketch", "ttft_sketch"]);
        let (columns, indexes) = declared().await;
        assert_eq!((&columns, &indexes[..1]), (&declared_before.0, &declared_before.1[..]));
        database.close().await;
    }

    #[tokio::test]
    async fn sums_are_read_without_the_rows_of_their_windows() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        migrate(&database).await.unwrap();
        let Database::Sqlite { writer, .. } = &database else { unreachable!("the address is that of a file") };
        let of = |columns: &str| {
            let within =
                "generation = 1 and dimension_set = 2 and level = 3 and window_start_ms >= 4 and window_start_ms < 5";
            format!("explain query plan select window_start_ms, dimension_id, {columns} from windows where {within}")
        };
        let plan = async |columns: &str| {
            let rows = sqlx::query(sqlx::AssertSqlSafe(of(columns))).fetch_all(writer).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
        };
        let sums = plan(&SUM_COLUMNS.join(", ")).await;
        assert!(sums.contains("USING COVERING INDEX windows_sums"), "{sums}");
        let sketches = plan("latency_sketch").await;
        assert!(sketches.contains("window_start_ms>? AND window_start_ms<?"), "{sketches}");
        database.close().await;
    }

    #[test]
    fn every_file_of_both_folders_is_a_step() {
        let listed: BTreeSet<String> = STEPS.iter().map(|step| format!("{}.sql", step.name)).collect();
        for folder in ["postgres", "sqlite"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
            let files = std::fs::read_dir(folder).unwrap();
            let found: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(found, listed);
        }
    }

    #[test]
    fn numbers_ascend_without_a_gap() {
        for migrator in [&POSTGRES, &SQLITE] {
            let numbers: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
            assert_eq!(numbers, (1..).take(STEPS.len()).collect::<Vec<i64>>());
        }
    }
}

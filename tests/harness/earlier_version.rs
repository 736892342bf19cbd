//! A database and a lake as an earlier version of opstream left them: its tables, and rows that it wrote.
//!
//! `tests/earlier_versions/0004/` is what a pipeline with the tables of migration 0004 held after it was stopped: every row as JSON,
//! bytes in hexadecimal, and the files of its lake.

#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use opstream_ingestor::store::DayTables;
use opstream_schemas::database::{Database, DatabaseUrl, Engine, Value};
use serde_json::{Map, Value as Json};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

/// The rows of the tables, in an order that no reference points ahead in.
const ROWS: &str = include_str!("../earlier_versions/0004/rows.jsonl");

/// One row and its table.
struct StoredRow {
    table: String,
    values: Map<String, Json>,
}

/// Folder of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Number of the newest migration.
pub(crate) fn newest_step(engine: Engine) -> i64 {
    steps(engine).last().expect("there are migrations").version
}

/// Creates the tables as they were after this migration, and no later one.
pub(crate) async fn create_tables(database: &Database, last: i64) {
    let steps: Vec<Migration> = steps(database.engine()).into_iter().filter(|step| step.version <= last).collect();
    let migrator = Migrator::with_migrations(steps);
    match database {
        Database::Postgres(pool) => migrator.run(pool).await,
        Database::Sqlite { writer, .. } => migrator.run(writer).await,
    }
    .expect("released migrations run");
}

/// The migrations of the repository, as the command has them.
fn steps(engine: Engine) -> Vec<Migration> {
    let folder = repository().join("schemas/migrations").join(match engine {
        Engine::Postgres => "postgres",
        Engine::Sqlite => "sqlite",
    });
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("it is readable").path())
        .collect();
    files.sort();
    let step = |file: PathBuf| {
        let name = file.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let (number, verb_noun) = name.split_once('_').expect("a step is named 000N_verb_noun");
        let sql = std::fs::read_to_string(&file).expect("it is readable");
        let number = number.parse().expect("a step begins with its number");
        Migration::new(
            number,
            verb_noun.replace('_', " ").into(),
            MigrationType::Simple,
            AssertSqlSafe(sql).into_sql_str(),
            false,
        )
    };
    files.into_iter().map(step).collect()
}

/// Writes the stored rows, as far as there are tables and columns for them. Returns how many each table has now.
pub(crate) async fn insert_rows(database: &Database) -> Vec<(String, i64)> {
    let rows: Vec<StoredRow> = ROWS.lines().map(stored_row).collect();
    let ids = rows.iter().filter(|row| row.table == "operations").map(|row| row.values["time_ms"].as_i64());
    let days: BTreeSet<_> =
        ids.map(|time| opstream_schemas::UtcMillis::from_millis(time.unwrap()).day_start()).collect();
    DayTables::default().ensure(database, &days).await.unwrap();
    let mut tables: Vec<String> = rows.iter().map(|row| row.table.clone()).collect();
    tables.dedup();
    let mut counts = Vec::new();
    let mut tx = database.begin().await.unwrap();
    for table in tables {
        let columns = columns(database, &table).await;
        if columns.is_empty() {
            continue;
        }
        if table == "settings" {
            // Only those that the step has: the others come with later steps.
            for row in rows.iter().filter(|row| row.table == table) {
                let values = [row.values["value"].as_i64().into(), row.values["name"].as_str().unwrap().into()];
                tx.execute("update settings set value = $1 where name = $2", &values).await.unwrap();
            }
            continue;
        }
        // What the migrations put there is among the rows.
        tx.execute(AssertSqlSafe(format!("delete from {table}")), &[]).await.unwrap();
        for row in rows.iter().filter(|row| row.table == table) {
            let kept = row.values.iter().filter(|(name, _)| columns.contains(*name));
            let kept: Map<String, Json> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
            let (sql, values) = match database.engine() {
                Engine::Postgres => postgres_insert(&table, kept),
                Engine::Sqlite => sqlite_insert(&table, kept),
            };
            tx.execute(AssertSqlSafe(sql), &values).await.unwrap();
        }
        counts.push(table);
    }
    if database.engine() == Engine::Postgres {
        for (table, column) in
            [("streams", "stream_id"), ("lake_files", "file_number"), ("window_dimensions", "dimension_id")]
        {
            if counts.iter().any(|one| one == table) {
                let sql = format!(
                    "select setval(pg_get_serial_sequence('{table}', '{column}'), (select max({column}) from {table}))"
                );
                tx.fetch_all(AssertSqlSafe(sql), &[]).await.unwrap();
            }
        }
    }
    tx.commit().await.unwrap();
    count_rows(database, &counts).await
}

/// How many rows these tables have.
async fn count_rows(database: &Database, tables: &[String]) -> Vec<(String, i64)> {
    let mut counts = Vec::new();
    for table in tables {
        let sql = format!("select count(*) as n from {table}");
        let row = database.fetch_optional(AssertSqlSafe(sql), &[]).await.unwrap().unwrap();
        counts.push((table.clone(), row.int("n").unwrap()));
    }
    counts
}

/// The same counts again.
pub(crate) async fn counted_again(database: &Database, counts: &[(String, i64)]) -> Vec<(String, i64)> {
    let tables: Vec<String> = counts.iter().map(|(table, _)| table.clone()).collect();
    count_rows(database, &tables).await
}

/// Copies the files of the lake.
pub(crate) fn copy_lake(to: &Path) {
    copy_folder(&repository().join("tests/earlier_versions/0004/lake"), to);
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let copy = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            std::fs::copy(entry.path(), copy).unwrap();
        }
    }
}

/// Opens a database whose address the harness wrote.
pub(crate) async fn open(url: &str) -> Database {
    Database::connect(&DatabaseUrl::parse(url).unwrap()).await.unwrap()
}

fn stored_row(line: &str) -> StoredRow {
    let mut line: Map<String, Json> = serde_json::from_str(line).unwrap();
    let table = line["table"].as_str().unwrap().to_owned();
    let values = std::mem::take(line["row"].as_object_mut().unwrap());
    StoredRow { table, values }
}

async fn columns(database: &Database, table: &str) -> BTreeSet<String> {
    let sql = match database.engine() {
        Engine::Postgres => {
            "select column_name::text as name from information_schema.columns where table_schema = 'public' and table_name = $1"
        }
        Engine::Sqlite => "select name from pragma_table_info($1)",
    };
    let rows = database.fetch_all(sql, &[table.into()]).await.unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).collect()
}

/// Postgres casts each value from its JSON: bytes and ids from text.
fn postgres_insert(table: &str, row: Map<String, Json>) -> (String, Vec<Value>) {
    let names = row.keys().cloned().collect::<Vec<_>>().join(", ");
    let text = |(name, value): (String, Json)| {
        let value = match value["hex"].as_str() {
            Some(hex) if name.ends_with("operation_id") => Json::from(hex),
            Some(hex) => Json::from(format!("\\x{hex}")),
            None => value,
        };
        (name, value)
    };
    let row = Json::Object(row.into_iter().map(text).collect());
    let sql = format!(
        "insert into {table} ({names}) overriding system value select {names} from json_populate_record(null::{table}, $1::json)"
    );
    (sql, vec![row.to_string().into()])
}

fn sqlite_insert(table: &str, row: Map<String, Json>) -> (String, Vec<Value>) {
    let names = row.keys().cloned().collect::<Vec<_>>().join(", ");
    let places = (1..=row.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    let value = |value: Json| match value {
        Json::Null => Value::Text(None),
        Json::String(text) => text.into(),
        Json::Number(number) => number.as_i64().map_or_else(|| number.as_f64().unwrap().into(), Value::from),
        other => bytes(other["hex"].as_str().expect("a row holds no other objects")).into(),
    };
    (format!("insert into {table} ({names}) values ({places})"), row.into_values().map(value).collect())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: &u8| u8::try_from(char::from(*digit).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks_exact(2).map(|pair| digit(&pair[0]) << 4 | digit(&pair[1])).collect()
}

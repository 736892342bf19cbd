//! Files that are to be windowed: the live ones that no row of `windowed_files` names, as a set.
//!
//! Manifest numbers carry no order: a lower one may commit later. What the ingestor commits is found by walking the applied ranges
//! (`offsets`); the whole manifest is compared now and then, for files that came in any other way.

use std::sync::LazyLock;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Value};

use crate::rows_statement::RowsStatement;

static LOAD: LazyLock<RowsStatement> = LazyLock::new(|| RowsStatement::new(include_str!("load_files.sql"), 1, 1));

/// A file that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingFile {
    /// Its number in the manifest.
    pub(crate) number: i64,
    /// Its path within the lake.
    pub(crate) path: String,
    /// Operations in it, as the manifest says.
    pub(crate) rows: i64,
    /// When it was committed.
    pub(crate) committed_at: UtcMillis,
    /// Its operations before this minute are in the windows already; `None`: none of them.
    pub(crate) windowed_before: Option<UtcMillis>,
}

/// Those of these files that `generation` lacks, in the order of their numbers: not those that are gone or windowed meanwhile.
pub(crate) async fn load_files(
    database: &Database,
    generation: i64,
    mut numbers: Vec<i64>,
) -> Result<Vec<PendingFile>, sqlx::Error> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut files = Vec::with_capacity(numbers.len());
    for (range, text) in LOAD.chunks(database.engine(), numbers.len()) {
        let mut values = vec![Value::from(generation)];
        values.extend(numbers[range].iter().map(|number| Value::from(*number)));
        for row in database.fetch_all(text, &values).await? {
            files.push(read_file(&row)?);
        }
    }
    files.sort_unstable_by_key(|file| file.number);
    Ok(files)
}

/// The thousand files with the lowest numbers in the whole manifest that `generation` lacks.
pub(crate) async fn compare_manifest(database: &Database, generation: i64) -> Result<Vec<PendingFile>, sqlx::Error> {
    let rows = database.fetch_all(include_str!("compare_manifest.sql"), &[generation.into()]).await?;
    rows.iter().map(read_file).collect()
}

/// The next files numbered above `after` that generation `from` has and generation `to` lacks.
pub(crate) async fn files_to_rebuild(
    database: &Database,
    (from, to): (i64, i64),
    after: i64,
) -> Result<Vec<PendingFile>, sqlx::Error> {
    let values = [from, to, after].map(Value::from);
    let rows = database.fetch_all(include_str!("files_to_rebuild.sql"), &values).await?;
    rows.iter().map(read_file).collect()
}

fn read_file(row: &Row) -> Result<PendingFile, sqlx::Error> {
    Ok(PendingFile {
        number: row.int("file_number")?,
        path: row.text("path")?,
        rows: row.int("rows")?,
        committed_at: UtcMillis::from_millis(row.int("committed_at_ms")?),
        windowed_before: row.optional_int("before_ms")?.map(UtcMillis::from_millis),
    })
}

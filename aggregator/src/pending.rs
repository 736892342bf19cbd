//! Which files are to be windowed: the live ones that no row of `windowed_files` names, as a set.
//!
//! Manifest numbers carry no order: a lower one may commit later. The quick look therefore walks each partition's applied
//! ranges from where its windows reach, which miss nothing and are few; the full look compares the whole manifest, and is taken
//! now and then for files that came in any other way.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Value};

/// Most files that one transaction windows.
const MOST_FILES: i64 = 64;

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
}

/// How to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// From where the windows of each partition reach.
    Quick,
    /// At the whole manifest.
    Full,
}

/// The files with the lowest numbers that `generation` lacks; `skipped` says how many of them the caller passes over.
pub(crate) async fn pending_files(
    database: &Database,
    generation: i64,
    look: Look,
    skipped: usize,
) -> Result<Vec<PendingFile>, sqlx::Error> {
    let limit = MOST_FILES.saturating_add(i64::try_from(skipped).unwrap_or(i64::MAX));
    let values: [Value; 2] = [generation.into(), limit.into()];
    let rows = match look {
        Look::Quick => database.fetch_all(include_str!("pending_files.sql"), &values).await?,
        Look::Full => database.fetch_all(include_str!("pending_files_of_manifest.sql"), &values).await?,
    };
    rows.iter().map(read_file).collect()
}

/// Files numbered above `after` that generation `from` has and generation `to` lacks.
pub(crate) async fn files_to_rebuild(
    database: &Database,
    (from, to): (i64, i64),
    after: i64,
) -> Result<Vec<PendingFile>, sqlx::Error> {
    let values: [Value; 4] = [from.into(), to.into(), after.into(), MOST_FILES.into()];
    let rows = database.fetch_all(include_str!("files_to_rebuild.sql"), &values).await?;
    rows.iter().map(read_file).collect()
}

fn read_file(row: &Row) -> Result<PendingFile, sqlx::Error> {
    Ok(PendingFile {
        number: row.int("file_number")?,
        path: row.text("path")?,
        rows: row.int("rows")?,
        committed_at: UtcMillis::from_millis(row.int("committed_at_ms")?),
    })
}

//! A file that takes the place of live ones: how it is written, and how the manifest comes to list it.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Engine, Transaction, Value};
use opstream_schemas::lake::FileKind;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::summary::Summary;

/// Rows of a row group: readers skip those whose ids they do not look for.
const ROW_GROUP_ROWS: usize = 32_768;

/// A file that has been written and is not listed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrittenFile {
    /// What it holds.
    pub(crate) kind: FileKind,
    /// Its path within the lake.
    pub(crate) path: String,
    /// Its length.
    pub(crate) bytes: i64,
    /// What it adds up to.
    pub(crate) summary: Summary,
}

/// A file as it is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFile<'a> {
    /// What was written.
    pub(crate) file: &'a WrittenFile,
    /// For contents: the file of their operations.
    pub(crate) operations_file: Option<i64>,
    /// When its name was chosen, by the database's clock.
    pub(crate) named_at: UtcMillis,
    /// How often its rows have been merged.
    pub(crate) merges: i64,
}

/// A file that was not listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// It adds up to more than the manifest can state.
    #[error("a sum of the file exceeds 64 bits")]
    Overflow,
    /// Its name is more than an hour old: the sweeper could meet it.
    #[error("writing the file took more than an hour")]
    Stale,
    /// Try again.
    #[error("the database did not list the file")]
    Database(#[from] sqlx::Error),
}

/// How files are written that are kept.
pub(crate) fn writer_properties() -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        // These files are written once and kept: a third level costs time that nobody waits for.
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // Ids are random past their time: a dictionary of them only costs.
        .set_column_dictionary_enabled("operation_id".into(), false);
    Ok(properties.build())
}

/// Lists a new file; returns its number.
pub(crate) async fn list_file(tx: &mut Transaction, new: NewFile<'_>) -> Result<i64, ListError> {
    let sql = match tx.engine() {
        Engine::Postgres => include_str!("list_file.postgres.sql"),
        Engine::Sqlite => include_str!("list_file.sqlite.sql"),
    };
    let WrittenFile { kind, path, bytes, summary } = new.file;
    let Summary { rows, id_hash, ids, sums } = summary;
    let (lowest, highest) = ids.expect("a file that was written has rows");
    let mut values: Vec<Value> = vec![
        path.as_str().into(),
        kind.name().into(),
        new.operations_file.into(),
        new.named_at.into(),
        new.merges.into(),
        (*rows).into(),
        (*bytes).into(),
        (*id_hash).into(),
        lowest.into(),
        highest.into(),
    ];
    for sum in sums {
        values.push(i64::try_from(*sum).map_err(|_| ListError::Overflow)?.into());
    }
    let row = tx.fetch_optional(sql, &values).await?.ok_or(ListError::Stale)?;
    Ok(row.int("file_number")?)
}

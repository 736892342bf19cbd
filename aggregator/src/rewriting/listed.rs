//! Files as the manifest lists them: those of a plan, with the contents of their operations.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::lake::FileKind;

use super::summary::Summary;
use crate::rows_statement::RowsStatement;

static LOAD: LazyLock<RowsStatement> = LazyLock::new(|| RowsStatement::new(include_str!("listed_files.sql"), 1, 1));

/// A live file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedFile {
    /// Its number.
    pub(crate) number: i64,
    /// Its path within the lake.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) kind: FileKind,
    /// For contents: the file of their operations.
    pub(crate) operations_file: Option<i64>,
    /// How often its rows were written again.
    pub(crate) merges: i64,
    /// Its length.
    pub(crate) bytes: i64,
    /// What it must add up to.
    pub(crate) summary: Summary,
}

/// A file of operations with its contents: they are merged together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    /// The operations.
    pub(crate) operations: ListedFile,
    /// Their contents.
    pub(crate) contents: Vec<ListedFile>,
}

impl Input {
    /// All its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &ListedFile> {
        std::iter::once(&self.operations).chain(&self.contents)
    }
}

/// Those of these files of operations that are live, in this order.
pub(crate) async fn load_inputs(database: &Database, numbers: &[i64]) -> Result<Vec<Input>, sqlx::Error> {
    let mut operations = BTreeMap::new();
    let mut contents: BTreeMap<i64, Vec<ListedFile>> = BTreeMap::new();
    for (range, text) in LOAD.chunks(database.engine(), numbers.len()) {
        let mut values = vec![Value::from(FileKind::Operations.name())];
        values.extend(numbers[range].iter().map(|number| Value::from(*number)));
        for row in database.fetch_all(text, &values).await? {
            let file = ListedFile::from_row(&row)?;
            match file.operations_file {
                Some(parent) => contents.entry(parent).or_default().push(file),
                None => drop(operations.insert(file.number, file)),
            }
        }
    }
    let input = |number: &i64| {
        let operations = operations.remove(number)?;
        Some(Input { operations, contents: contents.remove(number).unwrap_or_default() })
    };
    Ok(numbers.iter().filter_map(input).collect())
}

impl ListedFile {
    /// Reads the columns of `listed_files.sql` and `remove_inputs.sql`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let is_of_operations = row.text("kind")? == FileKind::Operations.name();
        Ok(Self {
            number: row.int("file_number")?,
            path: row.text("path")?,
            kind: if is_of_operations { FileKind::Operations } else { FileKind::Contents },
            operations_file: row.optional_int("operations_file")?,
            merges: row.int("merges")?,
            bytes: row.int("bytes")?,
            summary: Summary::from_row(row)?,
        })
    }
}

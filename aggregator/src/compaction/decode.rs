//! A file with its contents, decoded and held against its rows in the manifest. Blocks.
//!
//! Only what is exactly as the manifest states may be merged: once the files are gone, nothing could tell any more where a
//! difference came from.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::lake::{FileKind, local_path};

use crate::rewriting::listed::{Input, ListedFile};
use crate::rewriting::opened::{InputError, open};
use crate::rewriting::stored_columns::to_stored;
use crate::rewriting::summary::{Summary, id_of};

/// What the files of one merge may take in memory once they are decoded, content included.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// An input in memory.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Which it is.
    pub(super) input: Input,
    /// Its operations.
    pub(super) operations: Vec<RecordBatch>,
    /// Their contents.
    pub(super) contents: Vec<RecordBatch>,
    /// What both take.
    pub(super) bytes: usize,
}

/// Decodes an input. `None` when it would take more than `most_bytes`; then at most one batch more is in memory meanwhile.
pub(super) fn decode(lake: &Path, input: Input, most_bytes: usize) -> Result<Option<Decoded>, InputError> {
    let mut decoded = Decoded { input, operations: Vec::new(), contents: Vec::new(), bytes: 0 };
    let files: Vec<ListedFile> = decoded.input.files().cloned().collect();
    for file in &files {
        let path = local_path(lake, &file.path)?;
        let mut found = Summary::default();
        for batch in open(&path, file.kind)? {
            let batch = batch.map_err(|error| InputError::Decode { path: path.clone(), source: error.into() })?;
            let batch = to_stored(file.kind, &batch).ok_or_else(|| InputError::Columns { path: path.clone() })?;
            decoded.bytes += batch.get_array_memory_size();
            if decoded.bytes > most_bytes {
                return Ok(None);
            }
            found.add_batch(file.kind, &batch);
            decoded.batches(file.kind).push(batch);
        }
        let differences = file.summary.differences(&found);
        if !differences.is_empty() {
            return Err(InputError::OtherContent { path, differences });
        }
    }
    if decoded.ids_with_content() != ids_of(&decoded.contents) {
        return Err(InputError::OtherOperations);
    }
    Ok(Some(decoded))
}

impl Decoded {
    fn batches(&mut self, kind: FileKind) -> &mut Vec<RecordBatch> {
        match kind {
            FileKind::Operations => &mut self.operations,
            FileKind::Contents => &mut self.contents,
        }
    }

    /// Ascending.
    fn ids_with_content(&self) -> Vec<OperationId> {
        let mut with_content = Vec::new();
        for batch in &self.operations {
            let has_content = batch.column_by_name("has_content").expect("stored columns have it").as_boolean();
            let ids = batch.column(0).as_fixed_size_binary();
            let rows = (0..batch.num_rows()).filter(|row| has_content.value(*row));
            with_content.extend(rows.map(|row| id_of(ids.value(row))));
        }
        with_content.sort_unstable();
        with_content
    }
}

/// Ascending.
fn ids_of(batches: &[RecordBatch]) -> Vec<OperationId> {
    let mut found = Vec::new();
    for batch in batches {
        let ids = batch.column(0).as_fixed_size_binary();
        found.extend((0..ids.len()).map(|row| id_of(ids.value(row))));
    }
    found.sort_unstable();
    found
}

//! Which file the operation of an offset went to, as the applied ranges say. Memory grows with their number, some 40 bytes each.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::database::Transaction;

/// Stream, partition and offset that an operation came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) stream: i64,
    pub(super) partition: i64,
    pub(super) offset: i64,
}

/// Half-open range of offsets whose operations went to one file.
#[derive(Clone, Copy, Debug)]
struct Range {
    from: i64,
    to: i64,
    file: i64,
}

/// The ranges of every partition, in order.
#[derive(Debug, Default)]
pub(super) struct Origins {
    ranges: BTreeMap<(i64, i64), Vec<Range>>,
    /// Files that a range names.
    named: BTreeSet<i64>,
    /// Those of them whose operations are in another file by now, which no range names.
    merged: BTreeSet<i64>,
}

impl Origins {
    /// Reads all ranges that made rows, also those whose files the manifest has forgotten.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) async fn read(snapshot: &mut Transaction) -> Result<Self, sqlx::Error> {
        let mut origins = Self::default();
        for row in snapshot.fetch_all(include_str!("named_files.sql"), &[]).await? {
            let file = row.int("file_number")?;
            let range = Range { from: row.int("from_offset")?, to: row.int("to_offset")?, file };
            origins.ranges.entry((row.int("stream_id")?, row.int("partition")?)).or_default().push(range);
            origins.named.insert(file);
            if row.int("is_merged")? == 1 {
                origins.merged.insert(file);
            }
        }
        Ok(origins)
    }

    /// The file that the operation from this place was written to first; none when no range has the place.
    pub(super) fn file_of(&self, origin: Origin) -> Option<i64> {
        let ranges = self.ranges.get(&(origin.stream, origin.partition))?;
        let after = ranges.partition_point(|range| range.from <= origin.offset);
        let range = after.checked_sub(1).map(|index| ranges[index])?;
        (origin.offset < range.to).then_some(range.file)
    }

    /// Whether a range names the file. If none does, compaction made it.
    pub(super) fn is_named(&self, file: i64) -> bool {
        self.named.contains(&file)
    }

    /// Whether a range names the file, and its operations are in another one by now.
    pub(super) fn is_merged(&self, file: i64) -> bool {
        self.merged.contains(&file)
    }
}

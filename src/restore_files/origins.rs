//! Which file the operation of an offset went to, as the applied ranges say. Memory grows with their number, some 40 bytes each.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::database::Database;

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
    /// Those of them that are not live any more: their operations are in a file that no range names.
    merged: BTreeSet<i64>,
}

impl Origins {
    /// Reads all ranges that made rows.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) async fn read(database: &Database) -> Result<Self, sqlx::Error> {
        let sql = "select range.stream_id, cast(range.partition as bigint) as partition, range.from_offset, range.to_offset, \
                   range.file_number, file.removed_at_ms \
                   from applied_ranges as range join lake_files as file on file.file_number = range.file_number \
                   order by range.stream_id, range.partition, range.from_offset";
        let mut origins = Self::default();
        for row in database.fetch_all(sql, &[]).await? {
            let file = row.int("file_number")?;
            let range = Range { from: row.int("from_offset")?, to: row.int("to_offset")?, file };
            origins.ranges.entry((row.int("stream_id")?, row.int("partition")?)).or_default().push(range);
            origins.named.insert(file);
            if row.optional_int("removed_at_ms")?.is_some() {
                origins.merged.insert(file);
            }
        }
        Ok(origins)
    }

    /// Whether the operation from this place may be in the file: its range names it, or no range names the file and the one that
    /// its range names was merged into another.
    pub(super) fn belongs(&self, origin: Origin, file: i64) -> bool {
        let Some(ranges) = self.ranges.get(&(origin.stream, origin.partition)) else { return false };
        let after = ranges.partition_point(|range| range.from <= origin.offset);
        let found = after.checked_sub(1).map(|index| ranges[index]).filter(|range| origin.offset < range.to);
        found.is_some_and(|range| {
            range.file == file || (!self.named.contains(&file) && self.merged.contains(&range.file))
        })
    }
}

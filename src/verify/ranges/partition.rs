//! The walk along one partition after another, from its first offset to its checkpoint.

use opstream_schemas::database::{Row, Value};

use super::SourceOffsets;
use crate::verify::offset_set::OffsetSet;
use crate::verify::report::{Check, Finding};
use crate::verify::snapshot::{Snapshot, VerifyError, unfetched};

const WRONG_RANGES: (&str, &str) = (
    "rows of applied_ranges were deleted, inserted or changed outside the ingest transaction",
    "bring applied_ranges and stream_partitions back from one backup; rows that exist are not lost by this",
);
const MOVED_CHECKPOINT: (&str, &str) = (
    "stream_partitions.next_offset was changed outside the ingest transaction",
    "stop the ingestors and set next_offset to the end of the ranges: behind it records are read again, beyond it \
     records are skipped",
);
const WRONG_ROWS: (&str, &str) = (
    "rows of operations or dead_letters were deleted or inserted outside the ingest transaction",
    "compare with the check `rows_and_files`, which names single operations, and bring them back from a backup",
);
const STRAY: (&str, &str) = (
    "a row of streams or stream_partitions was deleted, or rows were copied from another database",
    "bring both tables back from a backup",
);

/// What the walk brought.
pub(in crate::verify) struct RangesOutcome {
    /// Ranges touch, add up and end at the checkpoint.
    pub(in crate::verify) applied_ranges: Check,
    /// Rows and dead letters come from where the ranges say.
    pub(in crate::verify) source_offsets: Check,
}

/// A partition and its checkpoint.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    /// As people read it: topic, partition, stream.
    pub(super) name: String,
    pub(super) start: i64,
    pub(super) next: i64,
}

/// One row of `applied_ranges`.
#[derive(Clone, Debug)]
pub(super) struct AppliedRange {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) rows: i64,
    pub(super) duplicates: i64,
    pub(super) dead: i64,
    pub(super) skipped: i64,
    /// Whether the broker had deleted the records before they were read.
    pub(super) is_gap: bool,
    /// Whether retention made it of several, whose dead letters are gone.
    pub(super) is_merged: bool,
    /// How many of its rows are above the retention floor.
    pub(super) kept: Kept,
}

/// How much of something is above the retention floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing, so that no row may be there.
    Nothing,
    /// A file on both sides of the floor says no more.
    Some,
    /// Everything, so that no row may be absent.
    All,
}

/// Checks every partition of the snapshot against the offsets that its rows came from.
///
/// # Errors
/// When the database fails.
pub(in crate::verify) async fn check_ranges(
    snapshot: &mut Snapshot,
    mut offsets: SourceOffsets,
) -> Result<RangesOutcome, VerifyError> {
    let applied = "the ranges of each partition touch from its first offset to its checkpoint, and each adds up";
    let sources = "each offset of a range became the row or dead letter that the range counts, and one only";
    let mut outcome = RangesOutcome {
        applied_ranges: Check::new("applied_ranges", applied),
        source_offsets: Check::new("source_offsets", sources),
    };
    for row in snapshot.fetch("stream_partitions", include_str!("partitions.sql"), &[]).await? {
        let broken = |source| VerifyError::Database { what: "stream_partitions", source };
        let place = (row.int("stream_id").map_err(broken)?, row.int("partition").map_err(broken)?);
        let checkpoint = checkpoint(&row).map_err(broken)?;
        let dead = dead_letter_offsets(snapshot, place).await?;
        outcome.walk(snapshot, place, &Sources { checkpoint, rows: offsets.take(place), dead }).await?;
    }
    outcome.check_files_of_ranges(snapshot).await?;
    outcome.check_strays(snapshot, &offsets).await?;
    Ok(outcome)
}

/// Where a partition's walk leads along.
struct Sources {
    checkpoint: Checkpoint,
    rows: OffsetSet,
    dead: OffsetSet,
}

/// Offsets of a partition that no row and no dead letter stands for.
#[derive(Debug, Default)]
struct Absent {
    duplicates: i64,
    skipped: i64,
    lost: i64,
}

impl Absent {
    fn add(&mut self, range: &AppliedRange) {
        self.duplicates = self.duplicates.saturating_add(range.duplicates);
        if range.is_gap {
            self.lost = self.lost.saturating_add(range.skipped);
        } else {
            self.skipped = self.skipped.saturating_add(range.skipped);
        }
    }
}

impl RangesOutcome {
    async fn walk(&mut self, snapshot: &mut Snapshot, place: (i64, i64), sources: &Sources) -> Result<(), VerifyError> {
        self.applied_ranges.compared("partitions", 1);
        let floor = snapshot.lowest_id();
        let (mut expected, mut after) = (sources.checkpoint.start, i64::MIN);
        let mut absent = Absent::default();
        loop {
            let values = [place.0.into(), place.1.into(), after.into(), floor.into(), snapshot.page_limit()];
            let page = snapshot.fetch("applied_ranges", include_str!("ranges.sql"), &values).await?;
            for row in &page {
                let range = applied_range(row);
                let range = range.map_err(|source| VerifyError::Database { what: "applied_ranges", source })?;
                self.step(&range, expected, sources);
                absent.add(&range);
                after = range.from;
                expected = expected.max(range.to);
            }
            if page.is_empty() {
                break;
            }
        }
        self.finish(expected, sources);
        self.count_absent(&absent, &sources.checkpoint.name);
        Ok(())
    }

    /// Shows what no row and no dead letter stands for: it is accounted for, and lost or doubled all the same.
    fn count_absent(&mut self, absent: &Absent, name: &str) {
        let check = &mut self.applied_ranges;
        let counts = [
            ("duplicates", absent.duplicates),
            ("offsets without a record", absent.skipped),
            ("offsets lost to retention", absent.lost),
        ];
        for (noun, count) in counts {
            check.compared(noun, u64::try_from(count).unwrap_or(0));
        }
        if absent.lost > 0 {
            let lost = absent.lost;
            check.note(format!(
                "{name}: the broker had deleted {lost} offsets before they were read; the operations in them are lost"
            ));
        }
        if absent.skipped > 0 {
            let skipped = absent.skipped;
            check.note(format!(
                "{name}: {skipped} offsets held no record; unless producers use transactions, operations are lost"
            ));
        }
    }

    fn step(&mut self, range: &AppliedRange, expected: i64, sources: &Sources) {
        let (check, name) = (&mut self.applied_ranges, &sources.checkpoint.name);
        check.compared("ranges", 1);
        check.compared("offsets", u64::try_from(range.to.saturating_sub(range.from)).unwrap_or(0));
        let (from, to) = (range.from, range.to);
        if from > expected {
            let (rows, dead) = (sources.rows.count(expected, from), sources.dead.count(expected, from));
            check.find(|| {
                let what = format!(
                    "{name}: hole, no range covers the offsets [{expected}, {from}), from which there are {rows} rows \
                     and {dead} dead letters"
                );
                Finding { what, cause: WRONG_RANGES.0, way_out: WRONG_RANGES.1 }
            });
        }
        if from < expected {
            let what =
                format!("{name}: overlap, range [{from}, {to}) begins before {expected}, where the last one ended");
            check.find(|| Finding { what, cause: WRONG_RANGES.0, way_out: WRONG_RANGES.1 });
        }
        if range.is_gap && (range.rows, range.duplicates, range.dead) != (0, 0, 0) {
            let what = format!("{name}: range [{from}, {to}) is a retention gap and counts records");
            check.find(|| Finding { what, cause: WRONG_RANGES.0, way_out: WRONG_RANGES.1 });
        }
        if !adds_up(range) {
            let AppliedRange { rows, duplicates, dead, skipped, .. } = range;
            let what = format!(
                "{name}: range [{from}, {to}) does not add up: {rows} rows, {duplicates} duplicates, {dead} dead and \
                 {skipped} skipped for {} offsets",
                to.saturating_sub(from)
            );
            check.find(|| Finding { what, cause: WRONG_RANGES.0, way_out: WRONG_RANGES.1 });
        }
        self.compare_counts(range, sources);
    }

    fn compare_counts(&mut self, range: &AppliedRange, sources: &Sources) {
        let (from, to) = (range.from, range.to);
        let (rows, dead) = (sources.rows.count(from, to), sources.dead.count(from, to));
        let check = &mut self.source_offsets;
        check.compared("rows", u64::try_from(rows).unwrap_or(0));
        check.compared("dead letters", u64::try_from(dead).unwrap_or(0));
        let has_its_rows = match range.kept {
            Kept::All => rows == range.rows,
            Kept::Some => rows <= range.rows,
            Kept::Nothing => rows == 0,
        };
        let expected_dead = if range.is_merged { 0 } else { range.dead };
        if !has_its_rows || dead != expected_dead {
            let gone = if range.kept == Kept::Nothing { ", all dropped by retention," } else { "" };
            let what = format!(
                "{}: range [{from}, {to}) counts {} rows{gone} and {expected_dead} dead letters, the tables hold {rows} and {dead}",
                sources.checkpoint.name, range.rows
            );
            check.find(|| Finding { what, cause: WRONG_ROWS.0, way_out: WRONG_ROWS.1 });
        }
    }

    fn finish(&mut self, end: i64, sources: &Sources) {
        let Checkpoint { name, start, next } = &sources.checkpoint;
        if end != *next {
            let beyond = sources.rows.count(end, i64::MAX) + sources.dead.count(end, i64::MAX);
            let what = format!(
                "{name}: the checkpoint is at {next}, the ranges end at {end}, and {beyond} rows and dead letters come \
                 from beyond"
            );
            // With rows beyond, the ranges were lost: a checkpoint set back would count those rows as duplicates.
            let (cause, way_out) = if beyond > 0 { WRONG_RANGES } else { MOVED_CHECKPOINT };
            self.applied_ranges.find(|| Finding { what, cause, way_out });
        }
        for (noun, offsets) in [("rows", &sources.rows), ("dead letters", &sources.dead)] {
            let outside = offsets.count(i64::MIN, *start) + offsets.count(end, i64::MAX);
            if outside > 0 {
                let what = format!("{name}: {outside} {noun} come from offsets outside [{start}, {end})");
                self.source_offsets.find(|| Finding { what, cause: WRONG_ROWS.0, way_out: WRONG_ROWS.1 });
            }
        }
        for offset in sources.rows.common(&sources.dead) {
            let what = || format!("{name}: offset {offset} is both a row and a dead letter");
            self.source_offsets.find(|| Finding { what: what(), cause: WRONG_ROWS.0, way_out: WRONG_ROWS.1 });
        }
    }

    /// A file is written for the rows of one transaction, whose ranges name it.
    async fn check_files_of_ranges(&mut self, snapshot: &mut Snapshot) -> Result<(), VerifyError> {
        let broken = |source| VerifyError::Database { what: "applied_ranges", source };
        let floor = snapshot.lowest_id();
        let rows = snapshot.fetch("applied_ranges", include_str!("files_of_ranges.sql"), &[floor.into()]).await?;
        self.applied_ranges.findings_total += unfetched(&rows).map_err(broken)?;
        for row in rows {
            let (number, ranges) = (row.int("file_number").map_err(broken)?, row.int("range_rows").map_err(broken)?);
            let listed = row.int("file_rows").map_err(broken)?;
            let what = format!("file {number}: its ranges count {ranges} rows, the manifest lists {listed}");
            self.applied_ranges.find(|| Finding { what, cause: WRONG_RANGES.0, way_out: WRONG_RANGES.1 });
        }
        Ok(())
    }

    async fn check_strays(&mut self, snapshot: &mut Snapshot, offsets: &SourceOffsets) -> Result<(), VerifyError> {
        for (place, offset, id) in &offsets.doubled {
            let (stream, partition) = place;
            let what = format!(
                "operation {id} claims offset {offset} of partition {partition} of stream {stream}, which an operation \
                 with a lower id came from"
            );
            self.source_offsets.find(|| Finding { what, cause: WRONG_ROWS.0, way_out: WRONG_ROWS.1 });
        }
        let more = offsets.doubled_total - u64::try_from(offsets.doubled.len()).unwrap_or(0);
        self.source_offsets.findings_total += more;
        for ((stream, partition), rows) in offsets.remaining() {
            let what =
                format!("{rows} rows come from partition {partition} of stream {stream}, which has no checkpoint");
            self.source_offsets.find(|| Finding { what, cause: STRAY.0, way_out: STRAY.1 });
        }
        let broken = |source| VerifyError::Database { what: "applied_ranges and dead_letters", source };
        let rows = snapshot.fetch("applied_ranges and dead_letters", include_str!("strays.sql"), &[]).await?;
        self.applied_ranges.findings_total += unfetched(&rows).map_err(broken)?;
        for row in rows {
            let (table, count) = (row.text("source").map_err(broken)?, row.int("strays").map_err(broken)?);
            let (stream, partition) = (row.int("stream_id").map_err(broken)?, row.int("partition").map_err(broken)?);
            let what = format!(
                "{count} rows of {table} belong to partition {partition} of stream {stream}, which has no checkpoint"
            );
            self.applied_ranges.find(|| Finding { what, cause: STRAY.0, way_out: STRAY.1 });
        }
        Ok(())
    }
}

fn adds_up(range: &AppliedRange) -> bool {
    let parts = [range.rows, range.duplicates, range.dead, range.skipped];
    let sum: i128 = parts.iter().copied().map(i128::from).sum();
    range.to > range.from && parts.iter().all(|part| *part >= 0) && sum == i128::from(range.to) - i128::from(range.from)
}

async fn dead_letter_offsets(snapshot: &mut Snapshot, place: (i64, i64)) -> Result<OffsetSet, VerifyError> {
    let mut offsets = OffsetSet::default();
    let mut after = i64::MIN;
    loop {
        let values: [Value; 4] = [place.0.into(), place.1.into(), after.into(), snapshot.page_limit()];
        let page = snapshot.fetch("dead_letters", include_str!("dead_letters.sql"), &values).await?;
        for row in &page {
            let offset = row.int("source_offset");
            after = offset.map_err(|source| VerifyError::Database { what: "dead_letters", source })?;
            offsets.insert(after);
        }
        if page.is_empty() {
            return Ok(offsets);
        }
    }
}

fn checkpoint(row: &Row) -> Result<Checkpoint, sqlx::Error> {
    let (topic, partition, stream) = (row.text("topic")?, row.int("partition")?, row.int("stream_id")?);
    let name = format!("{topic}[{partition}] of stream {stream}");
    Ok(Checkpoint { name, start: row.int("start_offset")?, next: row.int("next_offset")? })
}

fn applied_range(row: &Row) -> Result<AppliedRange, sqlx::Error> {
    Ok(AppliedRange {
        from: row.int("from_offset")?,
        to: row.int("to_offset")?,
        rows: row.int("rows")?,
        duplicates: row.int("duplicates")?,
        dead: row.int("dead")?,
        skipped: row.int("skipped")?,
        is_gap: row.int("is_gap")? == 1,
        is_merged: row.int("is_merged")? == 1,
        kept: match row.int("kept")? {
            0 => Kept::Nothing,
            1 => Kept::Some,
            _ => Kept::All,
        },
    })
}

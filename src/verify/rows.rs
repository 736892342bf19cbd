//! Holds every row of `operations` against the files, id by id and column by column.
//!
//! In: the snapshot and the files that can be read. Out: the check `rows_and_files`, the offsets that rows came from,
//! for the check of the ranges, every operation of a file, in the order of ids, for the windows, and what else is said of the
//! rows: their costs, what re-pricings changed, and the numbers that producers gave them.

use std::collections::HashSet;

use super::costs::CostsCheck;
use super::facts::{Facts, number_place};
use super::producers::Producers;
use super::progress::Progress;
use super::ranges::SourceOffsets;
use super::report::{Check, Finding};
use super::repricings::RepricingsCheck;
use super::slice::{FileRow, Slice};
use super::snapshot::{Snapshot, VerifyError, id_after};
use super::windows::WindowsCheck;

const STREAM: usize = number_place("stream_id");
const PARTITION: usize = number_place("source_partition");
const OFFSET: usize = number_place("source_offset");
const TIME: usize = number_place("time_ms");

const NO_FILE: (&str, &str) = (
    "the row was inserted by hand, or its file was taken out of the manifest or, as the check `files` then says, lost",
    "bring the file and its manifest row back from a backup, or delete a row that was never on the topic",
);
const NO_ROW: (&str, &str) = (
    "the row was deleted from `operations`",
    "bring the row back from a backup or from the named file, which holds the same columns",
);
const TWO_FILES: (&str, &str) = (
    "a file was listed twice under two paths, or a compaction's inputs came back to life",
    "the windows may count the operation twice: set removed_at_ms of the file that was merged into the other, which has \
     the lower `merges`, or of the one that applied_ranges does not name; then rebuild the windows",
);
const DIFFERENT: (&str, &str) = (
    "the row or the file was changed after its commit",
    "the file is what the windows were made of: set the row to the file's values, or both to a backup's",
);
const WRONG_TIME: (&str, &str) = (
    "time_ms was changed after its commit: it is the time within the id and never anything else",
    "set time_ms to the time of the id, in the row and in the file",
);

/// What comparing every row brought.
pub(super) struct RowsOutcome {
    /// Rows and files hold the same operations.
    pub(super) check: Check,
    /// Where the rows came from.
    pub(super) offsets: SourceOffsets,
    /// Costs are what their rows say.
    pub(super) costs: Check,
    /// What was before is there for exactly the operations that were priced again.
    pub(super) repricings: Check,
    /// Windows are the sums of what the files hold.
    pub(super) windows: Check,
    /// Rows, files and windows come to the same.
    pub(super) totals: Check,
    /// Numbers of producers have no gaps.
    pub(super) producers: Check,
}

/// The comparison as it goes on.
struct Comparison {
    check: Check,
    offsets: SourceOffsets,
}

/// Compares all rows and files above the retention floor, and hands every operation of the files to the windows.
///
/// # Errors
/// When the database fails, or a file cannot be read that could be read before.
pub(super) async fn check_rows(
    snapshot: &mut Snapshot,
    mut windows: WindowsCheck,
    unreadable: &HashSet<i64>,
    progress: &Progress,
) -> Result<RowsOutcome, VerifyError> {
    let promise = "the rows of operations are those of the live files, in every column";
    let mut rows = Comparison { check: Check::new("rows_and_files", promise), offsets: SourceOffsets::default() };
    let (mut costs, mut producers) = (CostsCheck::new(), Producers::default());
    let mut repricings = RepricingsCheck::begin(snapshot).await?;
    let mut start = Some(snapshot.lowest_id());
    while let Some(from) = start {
        let slice = Slice::read(snapshot, from, unreadable, progress).await?;
        rows.compare(&slice);
        costs.take(&slice);
        repricings.take(snapshot, &slice).await?;
        producers.take(&slice);
        windows.take(snapshot, &slice).await?;
        start = id_after(*slice.range.end());
    }
    let (windows, totals) = windows.finish(snapshot).await?;
    let producers = producers.finish(snapshot).await?;
    Ok(RowsOutcome {
        check: rows.check,
        offsets: rows.offsets,
        costs: costs.finish(),
        repricings: repricings.finish(),
        windows,
        totals,
        producers,
    })
}

impl Comparison {
    fn compare(&mut self, slice: &Slice) {
        self.check.compared("rows", u64::try_from(slice.rows.len()).unwrap_or(u64::MAX));
        self.check.compared("rows of files", u64::try_from(slice.file_rows.len()).unwrap_or(u64::MAX));
        let mut copies = slice.file_rows.chunk_by(|one, other| one.facts.id == other.facts.id).peekable();
        for row in &slice.rows {
            while let Some(lone) = copies.next_if(|copies| copies[0].facts.id < row.id) {
                self.find_without_row(slice, lone);
            }
            match copies.next_if(|copies| copies[0].facts.id == row.id) {
                Some(copies) => self.compare_row(slice, row, copies),
                None => self.find_without_file(row),
            }
            // The columns are `not null`: a database that gives null here has been opened past its own constraints.
            let place = (row.number(STREAM).unwrap_or(-1), row.number(PARTITION).unwrap_or(-1));
            self.offsets.insert(place, row.number(OFFSET).unwrap_or(-1), row.id);
        }
        for lone in copies {
            self.find_without_row(slice, lone);
        }
    }

    fn compare_row(&mut self, slice: &Slice, row: &Facts, copies: &[FileRow]) {
        self.find_copies(slice, copies);
        for copy in copies.iter().filter(|copy| copy.facts != *row) {
            self.check.find(|| {
                let differences = row.differences(&copy.facts, &slice.interner).join("; ");
                let what = format!("operation {}: row ≠ {}: {differences}", row.id, file_text(slice, copy));
                Finding { what, cause: DIFFERENT.0, way_out: DIFFERENT.1 }
            });
        }
        if row.number(TIME) != Some(row.id.time().millis()) {
            self.check.find(|| {
                let time = row.number(TIME).unwrap_or(-1);
                let what = format!("operation {}: time_ms is {time}, its id says {}", row.id, row.id.time().millis());
                Finding { what, cause: WRONG_TIME.0, way_out: WRONG_TIME.1 }
            });
        }
    }

    fn find_copies(&mut self, slice: &Slice, copies: &[FileRow]) {
        if copies.len() > 1 {
            self.check.find(|| {
                let files: Vec<String> = copies.iter().map(|copy| file_text(slice, copy)).collect();
                let what = format!("operation {} is in the files {}", copies[0].facts.id, files.join(" and "));
                Finding { what, cause: TWO_FILES.0, way_out: TWO_FILES.1 }
            });
        }
    }

    fn find_without_row(&mut self, slice: &Slice, copies: &[FileRow]) {
        self.find_copies(slice, copies);
        self.check.find(|| {
            let (id, file) = (copies[0].facts.id, file_text(slice, &copies[0]));
            let what = format!("operation {id} is in {file} but not in operations");
            Finding { what, cause: NO_ROW.0, way_out: NO_ROW.1 }
        });
    }

    fn find_without_file(&mut self, row: &Facts) {
        self.check.find(|| {
            let what = format!("operation {} is in operations but in no live file that can be read", row.id);
            Finding { what, cause: NO_FILE.0, way_out: NO_FILE.1 }
        });
    }
}

fn file_text(slice: &Slice, row: &FileRow) -> String {
    let file = &slice.files[row.file];
    format!("file {} ({})", file.number, file.path)
}

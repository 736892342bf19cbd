//! A slice: the operations of one range of ids, as the tables and as the files have them, both in memory.
//!
//! Files overlap each other and need not be sorted inside, so neither side can simply be streamed past the other. A
//! range of ids bounds both: the tables' side is read up to a number of rows, which sets the range's end, and when the
//! files hold far more in that range (rows were lost), the end is moved down until they fit.

use std::collections::HashSet;
use std::path::PathBuf;

use opstream_schemas::OperationId;

use super::facts::{FactColumns, Facts, Interner};
use super::files::blocking;
use super::lake_file::{IdRange, LakeFileError, may_hold, read};
use super::progress::Progress;
use super::snapshot::{ListedFile, Snapshot, VerifyError, id_after};

/// The files may hold this many times the tables' rows before the end of the slice is moved down.
const FILES_FACTOR: usize = 4;

/// The operations of one range of ids.
#[derive(Debug)]
pub(super) struct Slice {
    /// The ids, both ends included.
    pub(super) range: IdRange,
    /// Rows of `operations`, by id.
    pub(super) rows: Vec<Facts>,
    /// Rows of the files, by id and then by file. An id may occur more than once.
    pub(super) file_rows: Vec<FileRow>,
    /// The files that were read, sorted by number.
    pub(super) files: Vec<ListedFile>,
    /// Texts of both sides.
    pub(super) interner: Interner,
}

/// One operation of a file.
#[derive(Debug)]
pub(super) struct FileRow {
    /// Its compared columns.
    pub(super) facts: Facts,
    /// Index in [`Slice::files`].
    pub(super) file: usize,
}

impl Slice {
    /// Reads the slice that begins at `start`, leaving out files that cannot be read.
    ///
    /// # Errors
    /// When the database fails, or a file cannot be read that could be read before.
    pub(super) async fn read(
        snapshot: &mut Snapshot,
        start: OperationId,
        unreadable: &HashSet<i64>,
        progress: &Progress,
    ) -> Result<Self, VerifyError> {
        let limits = snapshot.limits;
        let mut interner = Interner::default();
        let mut rows: Vec<Facts> = Vec::new();
        let mut next = Some(start);
        while let Some(from) = next.filter(|_| rows.len() < limits.slice_rows) {
            let page = snapshot.operations(&(from..=OperationId::MAX), &mut interner).await?;
            progress.advance(i64::try_from(page.len()).unwrap_or(0));
            let is_last = page.len() < limits.page;
            next = page.last().filter(|_| !is_last).and_then(|last| id_after(last.id));
            rows.extend(page);
        }
        let end = rows.last().filter(|_| next.is_some()).map_or(OperationId::MAX, |last| last.id);

        let mut files = snapshot.files_overlapping(&(start..=end)).await?;
        files.retain(|file| !unreadable.contains(&file.number));
        let mut side =
            FileSide { range: start..=end, rows: Vec::new(), interner, limit: FILES_FACTOR * limits.slice_rows };
        for (index, file) in files.iter().enumerate() {
            side = side.read_file(snapshot, file, index).await?;
        }
        let FileSide { range, rows: mut file_rows, interner, .. } = side;
        rows.retain(|row| row.id <= *range.end());
        file_rows.sort_unstable_by_key(|row| (row.facts.id, row.file));
        Ok(Self { range, rows, file_rows, files, interner })
    }
}

/// What the files of one slice hold so far.
struct FileSide {
    range: IdRange,
    rows: Vec<FileRow>,
    interner: Interner,
    limit: usize,
}

impl FileSide {
    async fn read_file(self, snapshot: &Snapshot, file: &ListedFile, index: usize) -> Result<Self, VerifyError> {
        let local = file.local.clone();
        match blocking(&file.path, move || self.with_file(local, index)).await? {
            Ok(side) => Ok(side),
            Err(_) if snapshot.was_removed_since(file.number).await? => {
                Err(VerifyError::Outrun { path: file.path.clone() })
            }
            Err(source) => Err(VerifyError::Vanished { path: file.path.clone(), source }),
        }
    }

    fn with_file(mut self, local: Option<PathBuf>, file: usize) -> Result<Self, LakeFileError> {
        let local = local.ok_or(LakeFileError::Path)?;
        let range = self.range.clone();
        read(
            &local,
            |group| may_hold(group, &range),
            |batch| {
                let columns = FactColumns::of(batch)?;
                for row in 0..batch.num_rows() {
                    if self.range.contains(&columns.id(row)) {
                        self.rows.push(FileRow { facts: columns.facts(row, &mut self.interner), file });
                    }
                }
                self.shrink();
                Ok(())
            },
        )?;
        Ok(self)
    }

    /// Moves the end of the range down when there are too many rows. All copies of one id stay on one side of it.
    fn shrink(&mut self) {
        if self.rows.len() <= self.limit {
            return;
        }
        let (_, median, _) = self.rows.select_nth_unstable_by_key(self.limit / 2, |row| row.facts.id);
        let end = median.facts.id;
        self.range = *self.range.start()..=end;
        self.rows.retain(|row| row.facts.id <= end);
    }
}

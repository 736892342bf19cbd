//! Deletes files that ceased to be live an hour ago: from the disk, and then from the manifest.
//!
//! In that order: a row that is still there says what is to be deleted, whoever crashed when. What `applied_ranges` refers to is kept
//! in `past_files`, so that `opstream verify` can go on comparing every range with its file. Files that an operator gave up stay
//! listed until retention has passed them: a copy may turn up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use opstream_schemas::database::{Database, Value};
use opstream_schemas::lake::local_path;
use opstream_schemas::offsets::Fence;
use opstream_schemas::{OperationId, UtcMillis};

use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::retention::read_floor;
use crate::rows_statement::RowsStatement;

/// How long a file stays after it ceased to be live: readers that planned with it finish sooner, or plan again.
const KEPT_MS: i64 = 3_600_000;
/// Files of one slice: the limit in `removed_files.sql`.
const SLICE: usize = 500;
/// Before the first file.
const START: (i64, i64) = (i64::MIN, -1);

static REMEMBER: LazyLock<RowsStatement> = LazyLock::new(|| statement(include_str!("remember_files.sql")));
static UNMARK: LazyLock<RowsStatement> =
    LazyLock::new(|| statement("delete from windowed_files where file_number in ({rows})"));
/// A file that was given up half-way is finished by nobody.
static UNMARK_GIVEN_UP: LazyLock<RowsStatement> = LazyLock::new(|| {
    statement(
        "delete from window_progress where file_number in \
         (select file_number from given_up_files where file_number in ({rows}))",
    )
});
static FORGET_GIVEN_UP: LazyLock<RowsStatement> =
    LazyLock::new(|| statement("delete from given_up_files where file_number in ({rows})"));
static FORGET_CONTENTS: LazyLock<RowsStatement> = LazyLock::new(|| {
    statement(
        "delete from lake_files where file_number in ({rows}) and kind = 'contents' and removed_at_ms is not null",
    )
});
static FORGET: LazyLock<RowsStatement> = LazyLock::new(|| statement(include_str!("forget_files.sql")));

fn statement(text: &str) -> RowsStatement {
    RowsStatement::new(text, 0, 1)
}

/// Deletes what is to be deleted, slice by slice, and forgets it. Files that the system does not let go stay listed, are named in the
/// log and tried again the next time.
pub struct RemovedFiles {
    database: Database,
    lake: PathBuf,
    /// Files up to this one, by the time of their removal and their number, were tried in this pass.
    after: (i64, i64),
    refused: usize,
}

impl RemovedFiles {
    /// Has deleted nothing yet.
    pub fn new(database: Database, lake: PathBuf) -> Self {
        Self { database, lake, after: START, refused: 0 }
    }

    /// The tables.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// How many files could not be deleted in this pass.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }

    /// Deletes a slice of what ceased to be live an hour before `now`. Returns whether there may be more.
    ///
    /// # Errors
    /// When the lease was replaced or the database fails.
    pub async fn delete_slice(&mut self, fence: Fence, now: UtcMillis) -> Result<bool, LeaseError> {
        if self.after == START {
            self.refused = 0;
        }
        let lowest_kept = OperationId::lowest_at(read_floor(&self.database).await?);
        let values =
            [Value::from(now.plus_millis(-KEPT_MS)), self.after.0.into(), self.after.1.into(), lowest_kept.into()];
        let rows = self.database.fetch_all(include_str!("removed_files.sql"), &values).await?;
        let Some(last) = rows.last() else {
            self.after = START;
            return Ok(false);
        };
        let last = (last.int("removed_at_ms")?, last.int("file_number")?);
        let more = rows.len() >= SLICE;
        let mut files = Vec::with_capacity(rows.len());
        for row in &rows {
            files.push((row.int("file_number")?, row.text("path")?));
        }
        let lake = self.lake.clone();
        let deleted = tokio::task::spawn_blocking(move || delete_files(&lake, files)).await;
        let deleted = deleted.map_err(|error| sqlx::Error::Io(io::Error::other(error)))?;
        self.refused += rows.len() - deleted.len();
        self.forget(fence, &deleted).await?;
        metrics::record_deleted_files(deleted.len());
        self.after = if more { last } else { START };
        Ok(more)
    }

    /// Takes deleted files out of the manifest.
    async fn forget(&self, fence: Fence, numbers: &[i64]) -> Result<(), LeaseError> {
        let mut tx = lease::begin(&self.database, fence).await?;
        // Contents before the operations that they refer to.
        for statement in [&REMEMBER, &UNMARK, &UNMARK_GIVEN_UP, &FORGET_GIVEN_UP, &FORGET_CONTENTS, &FORGET] {
            for (range, text) in statement.chunks(tx.engine(), numbers.len()) {
                let values: Vec<Value> = numbers[range].iter().map(|number| Value::from(*number)).collect();
                tx.execute(text, &values).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// Deletes files; returns the numbers of those that are gone. Blocks.
fn delete_files(lake: &Path, files: Vec<(i64, String)>) -> Vec<i64> {
    let mut gone = Vec::with_capacity(files.len());
    for (number, path) in files {
        let deleted = local_path(lake, &path).map_err(io::Error::other).and_then(std::fs::remove_file);
        match deleted {
            Ok(()) => gone.push(number),
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone.push(number),
            Err(error) => {
                tracing::warn!(file_number = number, path, %error, "a file that is no longer live cannot be deleted; trying again later");
            }
        }
    }
    gone
}

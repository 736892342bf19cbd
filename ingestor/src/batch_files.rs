//! The files of a batch: written once, while the batch before is being stored, kept from attempt to attempt while they are fresh,
//! and removed at once when no transaction can have listed them. What cannot be removed safely is left to the [`crate::sweeper`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::FileKind;
use opstream_schemas::lake::durable::remove_unlisted;
use opstream_schemas::time::UtcMillis;

use crate::lake_file::{LakeFile, LakeFileError, write_lake_file};
use crate::prepare::PreparedBatch;

/// How long files may be offered to the database, which refuses them an hour after they were named.
const FRESH: Duration = Duration::from_mins(30);

/// The files of a prepared batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchFiles {
    /// File of the operations.
    pub operations: Option<LakeFile>,
    /// File of their content.
    pub contents: Option<LakeFile>,
}

impl BatchFiles {
    /// Writes the files of the batch, both or none. Blocks.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn write(batch: &PreparedBatch, lake: &Path) -> Result<Self, LakeFileError> {
        let now = UtcMillis::now();
        let write = |kind, columns: &Option<RecordBatch>| {
            columns.as_ref().map(|columns| write_lake_file(lake, kind, columns, now)).transpose()
        };
        let mut files = Self { operations: write(FileKind::Operations, &batch.operations)?, contents: None };
        let rest = write(FileKind::Contents, &batch.contents).and_then(|contents| {
            files.contents = contents;
            failpoint::reach_blocking(Step::FilesReady)
                .map_err(|source| LakeFileError::Write { path: "the batch's files".to_owned(), source })
        });
        match rest {
            Ok(()) => Ok(files),
            Err(error) => {
                files.remove(lake);
                Err(error)
            }
        }
    }

    /// Removes the files, as far as that is possible. Blocks.
    fn remove(&self, lake: &Path) {
        for file in [&self.operations, &self.contents].into_iter().flatten() {
            remove_unlisted(lake, &file.path);
        }
    }
}

/// Files that are there, and since when.
#[derive(Clone, Debug)]
pub struct Written {
    files: BatchFiles,
    at: Instant,
}

impl Written {
    /// Writes the files of the batch. Blocks.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub fn now(batch: &PreparedBatch, lake: &Path) -> Result<Self, LakeFileError> {
        let at = Instant::now();
        BatchFiles::write(batch, lake).map(|files| Self { files, at })
    }
}

/// What has been written for the batch at hand.
#[derive(Debug)]
pub struct WrittenFiles {
    lake: PathBuf,
    current: Option<Written>,
    /// Whether the outcome of a transaction that lists them is unknown.
    may_be_listed: bool,
}

impl WrittenFiles {
    /// What was written ahead.
    pub const fn new(lake: PathBuf, ahead: Option<Written>) -> Self {
        Self { lake, current: ahead, may_be_listed: false }
    }

    /// The files of the batch, written now unless that was done ahead or by an earlier attempt.
    ///
    /// # Errors
    /// When the lake cannot be written.
    pub async fn of(&mut self, batch: &Arc<PreparedBatch>) -> Result<BatchFiles, LakeFileError> {
        if let Some(Written { files, at }) = &self.current
            && at.elapsed() < FRESH
        {
            return Ok(files.clone());
        }
        self.discard().await;
        let (lake, writing) = (self.lake.clone(), batch.clone());
        let written = tokio::task::spawn_blocking(move || Written::now(&writing, &lake)).await;
        let written = written.unwrap_or(Err(LakeFileError::Panicked))?;
        Ok(self.current.insert(written).files.clone())
    }

    /// The outcome of a transaction is unknown: from now on only the sweeper, which asks the manifest, may remove the files.
    pub const fn doubt(&mut self) {
        self.may_be_listed = self.current.is_some();
    }

    /// Forgets the files, which are of no use any more, and removes them unless they may be listed.
    pub async fn discard(&mut self) {
        let may_be_listed = std::mem::take(&mut self.may_be_listed);
        let Some(Written { files, .. }) = self.current.take().filter(|_| !may_be_listed) else { return };
        let lake = self.lake.clone();
        if tokio::task::spawn_blocking(move || files.remove(&lake)).await.is_err() {
            tracing::debug!("abandoned files were not removed; the sweeper will");
        }
    }
}

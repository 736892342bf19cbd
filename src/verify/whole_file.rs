//! Looks at one file of operations by itself, for whoever is about to give it up.

use std::path::Path;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::lake::FileKind;

use super::files::{blocking, compare_sums, has_listed_size};
use super::lake_file::{LakeFileError, measure_operations};
use super::report::Check;
use super::snapshot::{ListedFile, Snapshot, VerifyError};
use crate::failure::told;

/// How a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FileState {
    /// The manifest lists no live file of operations with this number.
    Unlisted,
    /// It is on disk, can be read in all its columns, and adds up to its row in the manifest.
    Whole {
        /// Path below the lake's root.
        path: String,
        /// How many it holds.
        operations: i64,
        /// Time of the first of them.
        first: UtcMillis,
        /// Time of the last.
        last: UtcMillis,
    },
    /// It does not.
    Broken {
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads the file as `opstream verify` does.
///
/// # Errors
/// When the database fails or has no tables of opstream.
pub(crate) async fn state_of_file(database: &Database, lake: &Path, number: i64) -> Result<FileState, VerifyError> {
    let mut snapshot = Snapshot::begin(database.clone(), lake).await?;
    let page = snapshot.live_files(FileKind::Operations, number.saturating_sub(1)).await?;
    snapshot.end().await?;
    match page.into_iter().next().filter(|file| file.number == number) {
        Some(file) => look_at(&file).await,
        None => Ok(FileState::Unlisted),
    }
}

async fn look_at(file: &ListedFile) -> Result<FileState, VerifyError> {
    let mut check = Check::new("file", "it adds up to its row in the manifest");
    has_listed_size(&mut check, file).await;
    let local = file.local.clone();
    match blocking(&file.path, move || measure_operations(&local.ok_or(LakeFileError::Path)?)).await? {
        Ok(measured) => compare_sums(&mut check, file, &measured.sums),
        Err(error) => return Ok(FileState::Broken { reason: told(&error) }),
    }
    let time = |id: Option<opstream_schemas::OperationId>| id.unwrap_or_default().time();
    Ok(match check.findings.into_iter().next() {
        Some(finding) => FileState::Broken { reason: finding.what },
        None => FileState::Whole {
            path: file.path.clone(),
            operations: file.sums.rows,
            first: time(file.sums.min_id),
            last: time(file.sums.max_id),
        },
    })
}

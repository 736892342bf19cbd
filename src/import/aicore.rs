//! `opstream import aicore`: the records of `AiCore`, from its JSON files or its `SQLite` database.
//!
//! Both roads lead to the same operations: an id follows from the record's ULID alone. `record.rs` turns a record into
//! an operation, the same way for both; `folder.rs` and `database.rs` only read.

mod convert;
mod credentials;
mod database;
mod folder;
mod messages;
mod parameters;
mod record;
mod remarks;
mod usage;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use opstream_schemas::operation::DEFAULT_WORKSPACE;

use super::feed::Input;

/// First bytes of every `SQLite` database.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Arguments of `opstream import aicore`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  opstream import aicore ./observability_data
  opstream import aicore ./aicore.db --url http://opstream.example:8080

The folder and the database give the same operations with the same ids, so importing both counts each record once; the \
first import wins. Import the folder first where there is one: the database keeps workspace and agent only per session.")]
pub(super) struct AicoreArgs {
    #[arg(help = "The folder that AiCore writes its JSON files to, or its SQLite database")]
    path: PathBuf,
    /// Workspace of records that name none
    #[arg(long, default_value = DEFAULT_WORKSPACE)]
    workspace: String,
}

/// Why a path holds nothing that can be read as `AiCore`'s.
#[derive(Debug, thiserror::Error)]
enum AicoreError {
    /// It cannot be opened.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// It is neither of the two.
    #[error(
        "{} is neither a folder of AiCore's JSON files nor its SQLite database; JSON lines are imported by `opstream \
         import jsonl`",
        path.display()
    )]
    NotAicore {
        /// The path.
        path: PathBuf,
    },
}

/// Finds out which of the two the path is and prepares to read it.
///
/// # Errors
/// When the path cannot be read or is neither.
pub(super) async fn open(args: AicoreArgs) -> anyhow::Result<Input> {
    let AicoreArgs { path, workspace } = args;
    let unreadable = |source| AicoreError::Unreadable { path: path.clone(), source };
    if path.metadata().map_err(unreadable)?.is_dir() {
        return folder::open(path, workspace);
    }
    let mut start = Vec::new();
    File::open(&path).and_then(|file| file.take(64).read_to_end(&mut start)).map_err(unreadable)?;
    if start.starts_with(SQLITE_MAGIC) {
        return database::open(path, workspace).await;
    }
    if is_json(&path, &start) {
        return folder::open(path, workspace);
    }
    Err(AicoreError::NotAicore { path }.into())
}

/// A single file of `AiCore`'s folder: an array of records, or one record.
fn is_json(path: &Path, start: &[u8]) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    is_named_so && start.trim_ascii_start().first().is_some_and(|byte| matches!(byte, b'[' | b'{'))
}

#[cfg(test)]
mod tests;

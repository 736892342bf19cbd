//! Files to windows, from reading to the commit: the way of a batch on one screen.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::lake::local_path;
use opstream_schemas::window::SumOverflow;

use crate::changes::Changes;
use crate::commit::{CommitError, WindowBatch, commit_batch};
use crate::failures::FileFailures;
use crate::file_sums::{FileError, Group, read_groups};
use crate::kept::{KeptCombinations, set_hours};
use crate::lease::LeaseError;
use crate::metrics;
use crate::offsets::Ahead;
use crate::pending::PendingFile;
use crate::stored::AddError;
use crate::tenure::Tenure;

/// Operations that one transaction adds: more would hardly make it cheaper.
const MOST_OPERATIONS: i64 = 1_000_000;
/// Groups of files that are read before they are added; each takes about 1 KB of memory.
const ENOUGH_GROUPS: usize = 30_000;
/// Windows after which a transaction takes no further file, so that it stays short.
const ENOUGH_WINDOWS: usize = 20_000;

/// What files are added with.
pub(crate) struct Adder<'a> {
    /// The tables.
    pub(crate) database: &'a Database,
    /// Root of the lake.
    pub(crate) lake: &'a Path,
    /// Where to.
    pub(crate) target: Target,
    /// What lies ahead of the partitions that move on with the files; none for a generation that is being built.
    pub(crate) ahead: &'a [Ahead],
    /// Most files at once.
    pub(crate) most_files: usize,
    /// Takes note of files that cannot be read.
    pub(crate) failures: &'a mut FileFailures,
}

/// The generation that files are added to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Its number.
    pub(crate) generation: i64,
    /// The generation that it is rebuilt from; itself if it is not.
    pub(crate) predecessor: i64,
    /// Minutes before this have no windows.
    pub(crate) minute_floor: UtcMillis,
    /// The clock.
    pub(crate) now: UtcMillis,
}

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// Numbers of the files that were committed.
    pub(crate) files: HashSet<i64>,
    /// Files that did not fit into the transaction.
    pub(crate) left: usize,
}

/// Why no file was added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddFilesError {
    /// Try these files one by one; a single one must wait.
    #[error("{} files cannot be added together", .files.len())]
    Overflow { files: Vec<PendingFile>, source: SumOverflow },
    /// Begin again from the tables.
    #[error(transparent)]
    Stored(#[from] AddError),
    /// Begin again from the tables.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Begin again from the tables.
    #[error("adding up files panicked, which is an error in the program")]
    Panicked,
}

impl From<LeaseError> for AddFilesError {
    fn from(error: LeaseError) -> Self {
        Self::Commit(error.into())
    }
}

impl From<sqlx::Error> for AddFilesError {
    fn from(error: sqlx::Error) -> Self {
        Self::Commit(error.into())
    }
}

/// A file in memory.
type ReadFile = (PendingFile, Vec<Group>);

/// Adds as many of the files as one transaction takes. Files that cannot be read are noted and passed over. Without files it
/// still moves the partitions on.
pub(crate) async fn add_files(
    mut adder: Adder<'_>,
    tenure: &mut Tenure,
    files: Vec<PendingFile>,
) -> Result<Added, AddFilesError> {
    let (began, target, database) = (Instant::now(), adder.target, adder.database);
    let mut memory = tenure.take_memory(target.generation, target.predecessor);
    let (read, unread) = adder.read_files(files).await;
    let n_read = read.len();
    let minutes = read.iter().flat_map(|(_, groups)| groups).map(|group| group.minute);
    let hours: HashSet<_> = minutes.flat_map(set_hours).collect();
    memory.kept.load(database, &hours).await?;
    let (kept, summed) = add_up(memory.kept, read, target.minute_floor).await?;
    memory.kept = kept;
    let (changes, files) = summed?;
    tenure.ids.number(database, tenure.fence, &changes.combinations).await?;
    memory.stored.load(database, &changes, &tenure.ids).await?;
    let windows = match memory.stored.after(&changes, &tenure.ids) {
        Err(AddError::Overflow(source)) => return Err(AddFilesError::Overflow { files, source }),
        windows => windows?,
    };
    let numbers: HashSet<i64> = files.iter().map(|file| file.number).collect();
    let offsets = adder.ahead.iter().filter_map(|ahead| ahead.reached(|file| numbers.contains(&file))).collect();
    let Target { generation, now, .. } = target;
    let batch =
        WindowBatch { generation, files: files.iter().map(|file| file.number).collect(), windows, now, offsets };
    commit_batch(database, tenure.fence, &batch).await?;
    tenure.wrote();
    let operations = files.iter().map(|file| file.rows).sum();
    metrics::record_commit(files.len(), operations, batch.windows.len(), began.elapsed());
    memory.stored.committed(batch.windows);
    tenure.put_memory(generation, memory);
    Ok(Added { left: unread + n_read - numbers.len(), files: numbers })
}

impl Adder<'_> {
    /// The groups of the first files, and how many files are left.
    async fn read_files(&mut self, files: Vec<PendingFile>) -> (Vec<ReadFile>, usize) {
        let mut read: Vec<ReadFile> = Vec::new();
        let (mut operations, mut n_groups) = (0, 0);
        let mut files = files.into_iter();
        while let Some(file) = files.next() {
            let is_enough =
                operations + file.rows > MOST_OPERATIONS || n_groups > ENOUGH_GROUPS || read.len() >= self.most_files;
            if is_enough && !read.is_empty() {
                return (read, files.len() + 1);
            }
            match self.read_file(&file).await {
                Ok(groups) => {
                    operations += file.rows;
                    n_groups += groups.len();
                    read.push((file, groups));
                }
                Err(error) => self.failures.note(self.target.generation, &file, &error),
            }
        }
        (read, 0)
    }

    async fn read_file(&self, file: &PendingFile) -> Result<Vec<Group>, FileError> {
        let path = local_path(self.lake, &file.path)?;
        let rows = file.rows;
        let damaged = path.clone();
        let read = tokio::task::spawn_blocking(move || read_groups(&path, rows));
        // Damaged bytes can make a Parquet reader panic; that is this file's fault and stops no other.
        read.await.unwrap_or(Err(FileError::Damaged { path: damaged }))
    }
}

/// The changes of the first files, until there are enough windows, on a thread of its own.
async fn add_up(
    mut kept: KeptCombinations,
    read: Vec<ReadFile>,
    minute_floor: UtcMillis,
) -> Result<(KeptCombinations, Result<(Changes, Vec<PendingFile>), AddFilesError>), AddFilesError> {
    let work = move || {
        let summed = sum_files(&mut kept, read, minute_floor);
        (kept, summed)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| AddFilesError::Panicked)
}

fn sum_files(
    kept: &mut KeptCombinations,
    read: Vec<ReadFile>,
    minute_floor: UtcMillis,
) -> Result<(Changes, Vec<PendingFile>), AddFilesError> {
    let (mut changes, mut files) = (Changes::default(), Vec::new());
    for (file, groups) in read {
        let of_file = match Changes::of_file(groups, kept, minute_floor) {
            Err(source) => return Err(AddFilesError::Overflow { files: vec![file], source }),
            Ok(of_file) => of_file,
        };
        files.push(file);
        if let Err(source) = changes.merge(of_file) {
            return Err(AddFilesError::Overflow { files, source });
        }
        if changes.windows.len() > ENOUGH_WINDOWS {
            break;
        }
    }
    Ok((changes, files))
}

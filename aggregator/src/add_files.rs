//! Files to windows, from reading to the commit: the way of a batch on one screen.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::local_path;
use opstream_schemas::window::SumOverflow;

use crate::changes::{Bounds, Changes, FileChanges, WindowPlace};
use crate::commit::{CommitError, DoneFile, Portion, WindowBatch, commit_batch};
use crate::failures::FileFailures;
use crate::file_sums::{FileError, Group, read_groups};
use crate::kept::{KeptCombinations, set_hours};
use crate::lease::LeaseError;
use crate::metrics;
use crate::offsets::Ahead;
use crate::pending::PendingFile;
use crate::stored::{AddError, StoredWindow};
use crate::tenure::Tenure;

/// Operations that one transaction adds: more would hardly make it cheaper.
const MOST_OPERATIONS: i64 = 1_000_000;
/// Groups of files that are read before they are added; each takes about 1 KB of memory.
const ENOUGH_GROUPS: usize = 30_000;

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
    /// Operations before this are in windows already, which were copied.
    pub(crate) made_from: UtcMillis,
    /// The clock.
    pub(crate) now: UtcMillis,
}

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// Numbers of the files that were committed.
    pub(crate) files: HashSet<i64>,
    /// Whether some did not fit into the transaction, wholly or in part.
    pub(crate) more: bool,
}

/// A file whose first part is in windows, and what is left of it.
pub(crate) struct UnderWay {
    file: PendingFile,
    changes: FileChanges,
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

/// Adds as many of the files as one transaction takes; of a file of many windows only a part. Files that cannot be read are noted
/// and passed over. Without files it still moves the partitions on.
pub(crate) async fn add_files(
    mut adder: Adder<'_>,
    tenure: &mut Tenure,
    files: Vec<PendingFile>,
) -> Result<Added, AddFilesError> {
    let (began, target, database) = (Instant::now(), adder.target, adder.database);
    let mut memory = tenure.take_memory(target.generation, target.predecessor);
    let under_way = memory.under_way.take();
    // A file under way is in memory already, and the others wait for it.
    let (read, unread) =
        if under_way.is_some() { (Vec::new(), files.len()) } else { adder.read_files(tenure, files).await? };
    let n_read = read.len();
    let minutes = read.iter().flat_map(|(_, groups)| groups).map(|group| group.minute);
    let hours: HashSet<_> = minutes.flat_map(set_hours).collect();
    memory.kept.load(database, &hours).await?;
    tenure.keep_lease(database).await?;
    let bounds = Bounds { minute_floor: target.minute_floor, most_windows: tenure.budget.windows(database.engine()) };
    let (kept, summed) = add_up(memory.kept, Work { under_way, read, bounds }).await?;
    memory.kept = kept;
    let Summed { changes, files, rest } = summed?;
    failpoint::reach(Step::FilesAdded).await.map_err(sqlx::Error::from)?;
    tenure.ids.number(database, tenure.fence, &changes.combinations).await?;
    memory.stored.load(database, &changes, &tenure.ids).await?;
    tenure.keep_lease(database).await?;
    let windows = match memory.stored.after(&changes, &tenure.ids) {
        Err(AddError::Overflow(source)) => return Err(AddFilesError::overflow(files, rest, source)),
        windows => windows?,
    };
    let batch = adder.batch(&files, rest.as_ref(), windows);
    let begun = Instant::now();
    let held = commit_batch(database, tenure.fence, &batch).await?;
    tenure.wrote(begun);
    tenure.budget.learn(batch.windows.len(), held);
    let operations = files.iter().map(|file| file.rows).sum();
    metrics::record_commit(files.len(), operations, batch.windows.len(), began.elapsed());
    let more = rest.is_some() || unread > 0 || n_read > files.len();
    memory.stored.committed(batch.windows);
    memory.under_way = rest.map(UnderWay::committed);
    tenure.put_memory(target.generation, memory);
    Ok(Added { files: files.iter().map(|file| file.number).collect(), more })
}

impl UnderWay {
    /// Everything before this minute is in the windows once the transaction is committed.
    fn before(&self) -> Option<UtcMillis> {
        self.changes.next_minute()
    }

    fn committed(mut self) -> Self {
        self.file.windowed_before = self.before();
        self
    }
}

impl AddFilesError {
    fn overflow(mut files: Vec<PendingFile>, rest: Option<UnderWay>, source: SumOverflow) -> Self {
        files.extend(rest.map(|rest| rest.file));
        Self::Overflow { files, source }
    }
}

impl Adder<'_> {
    /// What is committed once these files and the portion of the file under way are added up to these windows.
    fn batch(
        &self,
        files: &[PendingFile],
        rest: Option<&UnderWay>,
        windows: Vec<(WindowPlace, StoredWindow)>,
    ) -> WindowBatch {
        let numbers: HashSet<i64> = files.iter().map(|file| file.number).collect();
        let done = |file: &PendingFile| DoneFile { number: file.number, windowed_before: file.windowed_before };
        let portion = rest.and_then(|rest| {
            let PendingFile { number, windowed_before: from, .. } = rest.file;
            Some(Portion { file_number: number, from, before: rest.before()? })
        });
        WindowBatch {
            generation: self.target.generation,
            files: files.iter().map(done).collect(),
            portion,
            windows,
            now: self.target.now,
            offsets: self.ahead.iter().filter_map(|ahead| ahead.reached(|file| numbers.contains(&file))).collect(),
        }
    }

    /// The groups of the first files, and how many files are left.
    async fn read_files(
        &mut self,
        tenure: &mut Tenure,
        files: Vec<PendingFile>,
    ) -> Result<(Vec<ReadFile>, usize), LeaseError> {
        let mut read: Vec<ReadFile> = Vec::new();
        let (mut operations, mut n_groups) = (0, 0);
        let mut files = files.into_iter();
        while let Some(file) = files.next() {
            let is_enough =
                operations + file.rows > MOST_OPERATIONS || n_groups > ENOUGH_GROUPS || read.len() >= self.most_files;
            if is_enough && !read.is_empty() {
                return Ok((read, files.len() + 1));
            }
            match self.read_file(&file).await {
                Ok(mut groups) => {
                    groups.retain(|group| group.minute >= self.target.made_from);
                    operations += file.rows;
                    n_groups += groups.len();
                    read.push((file, groups));
                }
                Err(error) => self.failures.note(self.target.generation, &file, &error),
            }
            tenure.keep_lease(self.database).await?;
        }
        Ok((read, 0))
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

/// What is to be added up.
struct Work {
    under_way: Option<UnderWay>,
    read: Vec<ReadFile>,
    bounds: Bounds,
}

/// What was added up.
struct Summed {
    changes: Changes,
    /// Files that are wholly in the windows with it.
    files: Vec<PendingFile>,
    /// The file of which only a part is.
    rest: Option<UnderWay>,
}

/// Adds up on a thread of its own.
async fn add_up(
    mut kept: KeptCombinations,
    work: Work,
) -> Result<(KeptCombinations, Result<Summed, AddFilesError>), AddFilesError> {
    let work = move || {
        let summed = sum_files(&mut kept, work);
        (kept, summed)
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| AddFilesError::Panicked)
}

/// The changes of the file under way and of the first files, until there are enough windows.
fn sum_files(kept: &mut KeptCombinations, work: Work) -> Result<Summed, AddFilesError> {
    let Work { under_way, read, bounds } = work;
    let mut summed = Summed { changes: Changes::default(), files: Vec::new(), rest: None };
    if let Some(under_way) = under_way {
        summed.add(under_way, bounds)?;
    }
    for (file, mut groups) in read {
        if summed.rest.is_some() || summed.changes.windows.len() >= bounds.most_windows {
            break;
        }
        groups.retain(|group| file.windowed_before.is_none_or(|before| group.minute >= before));
        match FileChanges::of_groups(groups, kept) {
            Err(source) => return Err(AddFilesError::Overflow { files: vec![file], source }),
            Ok(changes) => summed.add(UnderWay { file, changes }, bounds)?,
        }
    }
    Ok(summed)
}

impl Summed {
    /// Adds of a file what still fits.
    fn add(&mut self, mut file: UnderWay, bounds: Bounds) -> Result<(), AddFilesError> {
        let most_windows = bounds.most_windows.saturating_sub(self.changes.windows.len());
        let portion = file.changes.take_portion(Bounds { most_windows, ..bounds });
        if let Err(source) = portion.and_then(|portion| self.changes.merge(portion)) {
            return Err(AddFilesError::overflow(std::mem::take(&mut self.files), Some(file), source));
        }
        match file.before() {
            Some(_) => self.rest = Some(file),
            None => self.files.push(file.file),
        }
        Ok(())
    }
}

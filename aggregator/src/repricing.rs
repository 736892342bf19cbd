//! Costs that are computed again, and put back: operations of a span of time, file by file, in rows, files and windows at once.
//!
//! Anyone may ask ([`ask`], [`ask_undo`]: a row of `repricings`, and the setting that says it is under way); the active aggregator does it,
//! a file per turn, between the turns in which it adds files. The way of a file: which is next, what its operations cost now ([`revise`],
//! in [`price_columns`]), the new file and what it changes in windows ([`mod@rewrite`], [`deltas`]), and the one transaction ([`commit`]). What
//! a dry run says comes from the same functions ([`mod@preview`]).
//!
//! The law: the rows of a file's operations, the file that takes its place, new less old in the windows, and the prices of before are
//! one transaction under the lease's fence. So every figure is the old or the new one everywhere, whoever crashes when, and what is
//! not done yet follows from the tables: a file in which nothing has to change is done. A file of very many windows is priced in
//! portions of whole minutes, each in a file of its own; so is one of very many changes.
//!
//! Operations that arrive meanwhile are priced by the ingestor that stores them. A file that cannot be read is left as it is, named in the
//! log and tried again; the re-pricing is not over before it is restored or given up.

mod asked;
mod commit;
mod deltas;
mod models;
mod preview;
mod price_columns;
mod revise;
mod rewrite;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use opstream_pricing::Pricer;
use opstream_schemas::database::Database;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::durable::remove_unlisted;
use opstream_schemas::window::SumOverflow;
use opstream_schemas::{OperationId, UtcMillis};

use self::asked::{Asked, Next, fail, finish};
use self::commit::{CommitError, RepricedFile, commit_file, commit_unchanged};
use self::price_columns::read_before;
use self::revise::{NewPrices, Scope};
use self::rewrite::{RewriteError, Rewritten, Workplace, ids, rewrite};
use crate::changes::{Bounds, Changes, FileChanges};
use crate::kept::set_hours;
use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::rewriting::grounds::Grounds;
use crate::rewriting::listed::{ListedFile, load_inputs};
use crate::rewriting::opened::InputError;
use crate::rewriting::written::ListError;
use crate::settings::WindowSettings;
use crate::stored::AddError;
use crate::tenure::{Memory, Tenure};

pub use self::asked::{AskError, RepricingRequest, ask, ask_undo};
pub use self::models::{ModelChange, ModelChanges};
pub use self::preview::{Preview, PreviewError, PreviewPrices, preview};
pub use self::stored::{Repricing, RepricingState, Shown, files_done, list, newest_price_version, show};

/// Windows after which the rest of a file is left for another transaction, which writes the file again.
const MOST_WINDOWS: usize = if cfg!(test) { 200 } else { 20_000 };
/// A file that failed is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Prices files again, one per turn.
pub(crate) struct Repricer {
    database: Database,
    lake: PathBuf,
    job: Option<Job>,
    /// Files that failed, and when they are tried again.
    failed: HashMap<i64, Instant>,
}

/// What is under way.
struct Job {
    asked: Asked,
    /// None on the way back.
    pricer: Option<Pricer>,
}

/// A turn that failed; the next one begins from the tables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepriceError {
    /// Another aggregator took over, or the database does not answer.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Try again with back-off.
    #[error("the database did not answer about a re-pricing")]
    Database(#[from] sqlx::Error),
    /// Begin again from the tables.
    #[error("windows changed while costs were computed again")]
    Windows(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Begin again from the tables.
    #[error(transparent)]
    Stored(#[from] AddError),
    /// An error in the program.
    #[error("pricing panicked, which is an error in the program")]
    Panicked,
}

/// Why one file stays as it is.
#[derive(Debug, thiserror::Error)]
enum FileProblem {
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Commit(CommitError),
    #[error("the windows lack operations of the file; `opstream aggregator --rebuild` makes them again")]
    MissingWindows,
    #[error("the new costs cannot be added up: {0}")]
    Overflow(#[from] SumOverflow),
}

/// What became of a file.
enum Outcome {
    /// It, or a portion of it, is committed.
    Committed,
    /// What the work rests on has changed: look again.
    Outdated,
    /// It stays as it is for now.
    Left(FileProblem),
}

/// A file that was written and is not listed, with what it changes.
struct Portion {
    rewritten: Rewritten,
    changes: Changes,
    is_whole: bool,
}

impl Repricer {
    /// Nothing is under way as far as it knows.
    pub(crate) fn new(database: Database, lake: PathBuf) -> Self {
        Self { database, lake, job: None, failed: HashMap::new() }
    }

    /// How many files cannot be priced again.
    pub(crate) fn failed_files(&self) -> usize {
        self.failed.len()
    }

    /// Prices the next file, if anything is under way. Returns whether the next turn has work to do already.
    pub(crate) async fn turn(&mut self, tenure: &mut Tenure, settings: WindowSettings) -> Result<bool, RepriceError> {
        // While windows are built again files stay as they are.
        let Some(number) = settings.repricing.filter(|_| settings.rebuild.is_none()) else {
            self.job = None;
            self.failed.clear();
            return Ok(false);
        };
        // Portions of a file come one after the other.
        let grounds = Grounds::read(&self.database).await?.filter(|grounds| grounds.repricing == Some(number));
        let Some(grounds) = grounds.filter(|_| !tenure.is_under_way(settings.generation)) else { return Ok(true) };
        let Some(mut job) = self.take_job(tenure, number).await? else { return Ok(true) };
        let more = Box::pin(self.next_file(tenure, (settings, grounds), &mut job)).await?;
        self.job = Some(job);
        Ok(more)
    }

    /// What is asked for, as the tables say it now; none when it cannot be done.
    async fn take_job(&mut self, tenure: &Tenure, number: i64) -> Result<Option<Job>, RepriceError> {
        let Some(asked) = Asked::read(&self.database, number).await? else { return Ok(None) };
        if let Some(job) = self.job.take().filter(|job| job.asked == asked) {
            return Ok(Some(job));
        }
        self.failed.clear();
        match asked.pricer() {
            Ok(pricer) => Ok(Some(Job { asked, pricer })),
            Err(failure) => {
                tracing::error!(repricing = number, "re-pricing {number} was given up: {failure}");
                fail(&self.database, tenure.fence, number, &failure).await?;
                Ok(None)
            }
        }
    }

    async fn next_file(
        &mut self,
        tenure: &mut Tenure,
        (settings, grounds): (WindowSettings, Grounds),
        job: &mut Job,
    ) -> Result<bool, RepriceError> {
        let now = Instant::now();
        let is_due = |number| self.failed.get(&number).is_none_or(|retry_at| *retry_at <= now);
        let number = match job.asked.next_file(&self.database, grounds, is_due).await? {
            Next::File(number) => number,
            Next::Nothing if !job.asked.awaits_files(&self.database, grounds).await? => {
                finish(&self.database, tenure.fence, &job.asked).await?;
                return Ok(true);
            }
            Next::NoneIsDue | Next::Nothing => return Ok(false),
        };
        let Some(listed) = load_inputs(&self.database, &[number]).await?.pop() else { return Ok(true) };
        let began = Instant::now();
        match Box::pin(self.reprice(tenure, (settings, grounds), job, &listed.operations)).await? {
            Outcome::Committed => {
                self.failed.remove(&number);
                metrics::record_repriced(listed.operations.summary.rows, began.elapsed());
            }
            Outcome::Outdated => {}
            Outcome::Left(problem) => self.note(&listed.operations, &problem),
        }
        Ok(true)
    }

    fn note(&mut self, file: &ListedFile, problem: &FileProblem) {
        metrics::record_repricing_failure();
        let cause = std::error::Error::source(problem).map(ToString::to_string);
        let ListedFile { number, path, .. } = file;
        tracing::error!(
            file_number = number,
            path,
            cause,
            "{problem}; the costs of its operations stay as they are until it is restored, next attempt in {RETRY_AFTER:?}. Is it lost \
             for good, stop waiting with `opstream aggregator --give-up-file {number}`"
        );
        self.failed.insert(*number, Instant::now() + RETRY_AFTER);
    }

    /// One file: everything that can be done before the transaction, and that.
    async fn reprice(
        &self,
        tenure: &mut Tenure,
        (settings, grounds): (WindowSettings, Grounds),
        job: &mut Job,
        listed: &ListedFile,
    ) -> Result<Outcome, RepriceError> {
        let mut memory = tenure.take_memory(grounds.generation, grounds.generation);
        let named_at = lease::database_now(&self.database).await?;
        let direction = job.asked.direction;
        let bounds = Bounds { minute_floor: settings.minute_floor, most_windows: MOST_WINDOWS };
        let portion = match self.portion((&mut memory, bounds, grounds.floor), job, listed, named_at).await? {
            Ok(portion) => portion,
            Err(problem) => return Ok(Outcome::Left(problem)),
        };
        tenure.keep_lease(&self.database).await?;
        let Portion { rewritten, changes, is_whole } = portion;
        let Some(file) = &rewritten.file else {
            let done = (listed.number, rewritten.revision.operations);
            let noted = commit_unchanged(&self.database, tenure.fence, (grounds, direction), done).await;
            tenure.put_memory(grounds.generation, memory);
            return outcome(noted);
        };
        failpoint::reach(Step::RepriceWritten).await.map_err(sqlx::Error::from)?;
        tenure.ids.number(&self.database, tenure.fence, &changes.combinations).await?;
        memory.stored.load(&self.database, &changes, &tenure.ids).await?;
        let windows = memory.stored.after(&changes, &tenure.ids)?;
        if windows.iter().any(|(_, window)| window.revision == 1) {
            remove_unlisted(&self.lake, &file.path);
            return Ok(Outcome::Left(FileProblem::MissingWindows));
        }
        let work = RepricedFile {
            grounds,
            repricing: job.asked.number,
            direction,
            listed,
            file: (file, named_at),
            revision: &rewritten.revision,
            windows: &windows,
            is_done: is_whole,
        };
        let begun = Instant::now();
        let outcome = outcome(commit_file(&self.database, tenure.fence, &work).await)?;
        if matches!(outcome, Outcome::Committed) {
            tenure.wrote(begun);
            memory.stored.committed(windows);
            tenure.put_memory(grounds.generation, memory);
        } else {
            remove_unlisted(&self.lake, &file.path);
        }
        Ok(outcome)
    }

    /// The file with other costs, as far as one transaction takes it.
    async fn portion(
        &self,
        (memory, bounds, floor): (&mut Memory, Bounds, UtcMillis),
        job: &mut Job,
        listed: &ListedFile,
        named_at: UtcMillis,
    ) -> Result<Result<Portion, FileProblem>, RepriceError> {
        // Rows below the retention floor go before the files in which they are with others.
        let mut scope = Scope { from: job.asked.from.max(floor), to: job.asked.to, until: None };
        loop {
            let rewritten = match self.rewrite(job, listed, scope, named_at).await? {
                Ok(rewritten) => rewritten,
                Err(error) => return Ok(Err(error.into())),
            };
            let hours: HashSet<_> = rewritten.deltas.iter().flat_map(|group| set_hours(group.minute)).collect();
            memory.kept.load(&self.database, &hours).await?;
            let changes = FileChanges::of_groups(rewritten.deltas.clone(), &mut memory.kept)
                .and_then(|mut changes| Ok((changes.take_portion(bounds)?, changes.next_minute())));
            let problem = match changes {
                Ok((changes, None)) => {
                    let is_whole = rewritten.until.is_none();
                    return Ok(Ok(Portion { rewritten, changes, is_whole }));
                }
                Ok((_, until)) => {
                    scope.until = until;
                    None
                }
                Err(error) => Some(error),
            };
            if let Some(file) = &rewritten.file {
                remove_unlisted(&self.lake, &file.path);
            }
            if let Some(error) = problem {
                return Ok(Err(error.into()));
            }
        }
    }

    async fn ids(&self, listed: &ListedFile) -> Result<Vec<OperationId>, RewriteError> {
        let (lake, listed) = (self.lake.clone(), listed.clone());
        let read = tokio::task::spawn_blocking(move || ids(&lake, &listed));
        read.await.unwrap_or(Err(InputError::Damaged.into()))
    }

    /// On a thread of its own: damaged bytes can make a decoder panic, and that is this file's fault.
    async fn rewrite(
        &self,
        job: &mut Job,
        listed: &ListedFile,
        scope: Scope,
        named_at: UtcMillis,
    ) -> Result<Result<Rewritten, RewriteError>, RepriceError> {
        let repricing = job.asked.number;
        let mut prices = match job.pricer.take() {
            Some(pricer) => NewPrices::Catalogue { pricer, repricing, as_model: None },
            None => match self.ids(listed).await {
                Ok(ids) => NewPrices::Before(read_before(&self.database, repricing, &ids).await?),
                Err(error) => return Ok(Err(error)),
            },
        };
        let place = Workplace { lake: self.lake.clone(), named_at };
        let file = listed.clone();
        let work = move || {
            let rewritten = rewrite(&place, &file, &mut prices, scope);
            (prices, rewritten)
        };
        let Ok((prices, rewritten)) = tokio::task::spawn_blocking(work).await else {
            return match job.asked.pricer() {
                Ok(pricer) => {
                    job.pricer = pricer;
                    Ok(Err(InputError::Damaged.into()))
                }
                Err(_) => Err(RepriceError::Panicked),
            };
        };
        if let NewPrices::Catalogue { pricer, .. } = prices {
            job.pricer = Some(pricer);
        }
        Ok(rewritten)
    }
}

fn outcome(committed: Result<(), CommitError>) -> Result<Outcome, RepriceError> {
    match committed {
        Ok(()) => Ok(Outcome::Committed),
        Err(CommitError::Outdated) => Ok(Outcome::Outdated),
        Err(CommitError::List(ListError::Database(error)) | CommitError::Database(error)) => Err(error.into()),
        Err(error @ (CommitError::OtherRows { .. } | CommitError::List(_))) => {
            Ok(Outcome::Left(FileProblem::Commit(error)))
        }
        Err(CommitError::Lease(error)) => Err(error.into()),
        Err(error @ CommitError::OtherWindows { .. }) => Err(RepriceError::Windows(Box::new(error))),
    }
}

//! Judges what a pipeline made of a load: the rows, the files, the windows, the dead letters and the topics against the ledger.
//!
//! Rows and windows are read by plain SQL, files by Polars, topics by a plain consumer and apache-avro. What each must hold is worked
//! out here from the numbers of the operations alone.

mod files;
mod letters;
mod rows;
mod topics;
mod windows;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use opstream_schemas::database::Database;

use self::rows::StoredRows;
use super::ledger::{Ledger, Numbers};
use super::operations::is_poison;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// How long the outboxes may take to be empty.
const PUBLISHED_WITHIN: Duration = Duration::from_mins(3);

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Operations that the broker acknowledged.
    pub(crate) acknowledged: u64,
    /// Of these, those that are neither a row nor a dead letter; a row that no file has; a dead letter that its topic lacks.
    pub(crate) lost: u64,
    /// Operations that a row or a file has a second time.
    pub(crate) doubled: u64,
    /// Rows and windows, in SQL or on the topic, that are not what they must be.
    pub(crate) wrong: u64,
    /// What is behind the counts.
    pub(crate) remarks: Vec<String>,
}

impl Verdict {
    /// Whether nothing was found.
    pub(crate) const fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0 && self.remarks.is_empty()
    }

    /// Adds what is worth saying if there is any.
    fn remark(&mut self, count: usize, what: &str, examples: &str) {
        if count > 0 {
            self.remarks.push(format!("{count} {what}: {examples}"));
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, doubled, wrong, remarks } = self;
        write!(f, "{acknowledged} acknowledged, {lost} lost, {doubled} doubled, {wrong} wrong")?;
        remarks.iter().try_for_each(|remark| write!(f, "\n  {remark}"))
    }
}

/// Judges a pipeline that has settled.
///
/// # Panics
/// When something cannot be read, and when the outboxes do not get empty.
pub(crate) async fn judge(pipeline: &Pipeline<'_>, ledger: &Ledger) -> Verdict {
    let database = pipeline.database().await;
    published(&database).await;
    let acknowledged = ledger.numbers();
    let mut verdict = Verdict { acknowledged: acknowledged.count(), ..Verdict::default() };
    let rows = rows::read(&database, ledger.handed_over(), &mut verdict).await;
    missing_rows(&acknowledged, &rows, &mut verdict);
    files::compare(&database, &pipeline.lake(), &rows, &mut verdict).await;
    windows::compare(&database, &rows, &mut verdict).await;
    letters::compare(pipeline, &database, &acknowledged, &mut verdict).await;
    topics::compare_windows(pipeline, &database, &mut verdict).await;
    database.close().await;
    verify(pipeline, &mut verdict).await;
    verdict
}

/// Waits until every window and dead letter that changed is on its topic.
async fn published(database: &Database) {
    let waiting = "select (select count(*) from windows, settings where name = 'window_generation' and generation = value \
                   and revision <> published_revision) + (select count(*) from dead_letters where published_at_ms is null) as n";
    eventually(PUBLISHED_WITHIN, async || {
        let row = database.fetch_optional(waiting, &[]).await.map_err(|error| error.to_string())?;
        match row.expect("a count has a row").int("n") {
            Ok(0) => Ok(()),
            other => Err(format!("{other:?} records wait for their topic")),
        }
    })
    .await;
}

fn missing_rows(acknowledged: &Numbers, rows: &StoredRows, verdict: &mut Verdict) {
    let missing: Vec<u64> =
        acknowledged.iter().filter(|number| !is_poison(*number) && !rows.numbers.contains(*number)).collect();
    verdict.lost += missing.len() as u64;
    verdict.remark(missing.len(), "acknowledged operations have no row", &examples(&missing));
}

async fn verify(pipeline: &Pipeline<'_>, verdict: &mut Verdict) {
    let lake = pipeline.lake();
    let arguments = ["verify", "--database-url", &pipeline.database_url(), "--lake", path(&lake)];
    let verified = pipeline.run(&arguments).await;
    if !verified.status.success() {
        let text = String::from_utf8_lossy(&verified.stdout).into_owned();
        verdict.remarks.push(format!("opstream verify: {text}{}", String::from_utf8_lossy(&verified.stderr)));
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the harness makes plain paths")
}

/// The first few of them.
fn examples<T: fmt::Debug>(all: &[T]) -> String {
    format!("{:?}", &all[..all.len().min(5)])
}

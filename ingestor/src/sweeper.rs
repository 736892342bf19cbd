//! Deletes files of the lake that no manifest row lists: what crashes and unknown outcomes left behind.
//!
//! It goes through the folders of past days, newest first, and looks at each once in its life, slowly. A file is deleted
//! only if its name is one of ours, both its name and its time on disk are more than 24 h old by the database's clock and
//! by ours, and the manifest, which refuses files named more than an hour ago, has never listed it or has forgotten it after
//! its deletion. In a folder where most files are unlisted nothing is deleted, for then the lake most likely belongs to another
//! database; unless they are few and the lake is shown to be ours: once the files of a day have been merged into files of a later
//! one, what a crash left there is all that is left.

mod folder;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::database::{Database, Engine, Value, within};
use opstream_schemas::lake::durable::remove_unlisted;
use opstream_schemas::lake::local_path;
use opstream_schemas::time::UtcMillis;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use self::folder::{DayFolder, day_folders};

/// How old an unlisted file must be, milliseconds.
const ABANDONED_AFTER_MS: i64 = 24 * 3_600_000;
/// How often new folders are looked for.
const INTERVAL: Duration = Duration::from_hours(1);
/// Files looked up at once, and how long to rest after them: at most 2,000 files a second.
const CHUNK: usize = 500;
const REST: Duration = Duration::from_millis(250);
/// Unlisted files of one folder that are remembered and deleted in one go; the rest waits for the next start.
const MOST_DELETED: usize = 100_000;
/// So many unlisted files are deleted from a folder of a lake that is ours, whatever else is there: one merge may leave 64.
const FEW: usize = 100;
/// Live files that are looked for to see whether the lake is ours.
const SAMPLE: i64 = 10;
/// How long a look-up may take.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// Sweeps until the token is cancelled.
pub async fn sweep_lake(database: Database, lake: PathBuf, shutdown: CancellationToken) {
    let mut sweeper = Sweeper { database, lake, swept: BTreeSet::new() };
    loop {
        let round = async {
            // The first round waits too: a start has better things to do.
            tokio::time::sleep(INTERVAL).await;
            sweeper.sweep(UtcMillis::now()).await
        };
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = round => outcome,
        };
        if let Err(error) = outcome {
            tracing::warn!(error = format!("{error:#}"), "the lake was not swept; trying again later");
        }
    }
}

struct Sweeper {
    database: Database,
    lake: PathBuf,
    /// Folders that need no second look: nothing is written into the folder of a past day.
    swept: BTreeSet<PathBuf>,
}

/// What is in one folder.
#[derive(Debug, Default)]
struct Tally {
    listed: usize,
    unlisted: Vec<String>,
}

impl Sweeper {
    /// Looks at every folder that has become old enough. `now` is this machine's clock.
    async fn sweep(&mut self, now: UtcMillis) -> anyhow::Result<()> {
        let abandoned_before = now.min(database_clock(&self.database).await?).plus_millis(-ABANDONED_AFTER_MS);
        let lake = self.lake.clone();
        let folders = tokio::task::spawn_blocking(move || day_folders(&lake, abandoned_before)).await??;
        for folder in folders {
            if self.swept.contains(folder.path()) {
                continue;
            }
            let path = folder.path().to_owned();
            let tally = self.tally(folder, abandoned_before).await.with_context(|| format!("in {}", path.display()))?;
            self.delete(&path, tally).await?;
            self.swept.insert(path);
        }
        Ok(())
    }

    async fn tally(&self, mut folder: DayFolder, abandoned_before: UtcMillis) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while tally.unlisted.len() < MOST_DELETED {
            let read = tokio::task::spawn_blocking(move || {
                let chunk = folder.next_files(CHUNK, abandoned_before);
                (folder, chunk)
            });
            let (rest, chunk) = read.await?;
            folder = rest;
            let chunk = chunk?;
            if chunk.is_empty() {
                break;
            }
            let listed = listed(&self.database, &chunk).await?;
            tally.listed += listed.len();
            tally.unlisted.extend(chunk.into_iter().filter(|path| !listed.contains(path)));
            tokio::time::sleep(REST).await;
        }
        Ok(tally)
    }

    async fn delete(&self, folder: &Path, tally: Tally) -> anyhow::Result<()> {
        let unlisted = tally.unlisted.len();
        if unlisted == 0 {
            return Ok(());
        }
        if unlisted > tally.listed && (unlisted > FEW || !self.is_our_lake().await?) {
            tracing::warn!(
                folder = %folder.display(),
                files = unlisted,
                listed = tally.listed,
                "most files of this folder are not in the manifest; does the lake belong to another database? Nothing was deleted"
            );
            return Ok(());
        }
        let lake = self.lake.clone();
        tokio::task::spawn_blocking(move || {
            for path in &tally.unlisted {
                remove_unlisted(&lake, path);
            }
        })
        .await?;
        tracing::info!(folder = %folder.display(), files = unlisted, "deleted files that no transaction has listed");
        Ok(())
    }

    /// Whether the live files that were listed last are all there. Their names are unique in the world.
    async fn is_our_lake(&self) -> anyhow::Result<bool> {
        let sql = "select path from lake_files where removed_at_ms is null order by file_number desc limit $1";
        let rows = within(ANSWER_LIMIT, self.database.fetch_all(sql, &[SAMPLE.into()])).await?;
        let paths: Vec<String> = rows.iter().map(|row| row.text("path")).collect::<Result<_, _>>()?;
        let lake = self.lake.clone();
        let are_there = move || {
            let is_there = |path: &String| local_path(&lake, path).is_ok_and(|local| local.is_file());
            !paths.is_empty() && paths.iter().all(is_there)
        };
        Ok(tokio::task::spawn_blocking(are_there).await?)
    }
}

/// Those of the paths that the manifest lists, or has listed and not forgotten.
async fn listed(database: &Database, paths: &[String]) -> Result<BTreeSet<String>, sqlx::Error> {
    let places: Vec<String> = (1..=paths.len()).map(|place| format!("${place}")).collect();
    // Only numbered placeholders are put into the text.
    let sql = AssertSqlSafe(format!("select path from lake_files where path in ({})", places.join(",")));
    let values: Vec<Value> = paths.iter().map(|path| path.as_str().into()).collect();
    let rows = within(ANSWER_LIMIT, database.fetch_all(sql, &values)).await?;
    rows.iter().map(|row| row.text("path")).collect()
}

async fn database_clock(database: &Database) -> Result<UtcMillis, sqlx::Error> {
    let sql = match database.engine() {
        Engine::Postgres => "select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms",
        Engine::Sqlite => "select cast(unixepoch('subsec') * 1000 as integer) as now_ms",
    };
    let row = within(ANSWER_LIMIT, database.fetch_optional(sql, &[])).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(UtcMillis::from_millis(row.int("now_ms")?))
}

#[cfg(test)]
mod tests;

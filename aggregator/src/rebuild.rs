//! Building all windows again: generation g + 1 beside g, from the same files, until it takes over.
//!
//! Anyone may ask; the active aggregator does it, a slice per turn. Every file that g has and g + 1 lacks is added as usual, and
//! what each hour keeps is taken over from g (see `kept`), so that undamaged windows come out the same. A crash loses
//! nothing: what was added is committed. Sums of hours whose files are gone cannot be made again; no file is dropped yet.

use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::offsets::Fence;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{AggregatorConfig, LeaseStart};
use crate::lease::{self, LeaseError};
use crate::settings::WindowSettings;

/// How often the asking process looks whether the new generation has taken over.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a rebuild made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// The generation that readers take now.
    pub generation: i64,
    /// Files that its windows are made of.
    pub files: i64,
    /// Windows that it has.
    pub windows: i64,
}

/// Asks for all windows to be built again, and waits until they are. If no aggregator is active, this process is one
/// meanwhile. Readers see the old windows until the new ones are complete.
///
/// # Errors
/// When the aggregator cannot start, the database fails, or `shutdown` is cancelled before the end; the rebuild goes on
/// with the next active aggregator.
pub async fn rebuild(config: AggregatorConfig, shutdown: CancellationToken) -> anyhow::Result<RebuildReport> {
    let database = config.database.clone();
    let wanted = ask(&database).await.context("cannot ask for a rebuild")?;
    tracing::info!(generation = wanted, "building all windows again");
    // Never pushes an active aggregator out: that one does the work as well.
    let config = AggregatorConfig { lease_start: LeaseStart::AfterExpiry, ..config };
    let mut tasks = JoinSet::new();
    let stop = shutdown.child_token();
    tasks.spawn(crate::run(config, stop.clone()));
    let outcome = wait(&database, wanted, &mut tasks).await;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.context("the aggregator panicked")??;
    }
    outcome
}

async fn wait(
    database: &Database,
    wanted: i64,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<RebuildReport> {
    loop {
        tokio::select! {
            ended = tasks.join_next() => {
                if let Some(ended) = ended {
                    ended.context("the aggregator panicked")??;
                }
                anyhow::bail!("stopped before generation {wanted} was complete; the next aggregator goes on with it");
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if WindowSettings::read(database).await?.generation >= wanted {
            return Ok(report(database, wanted).await?);
        }
    }
}

/// Asks for the next generation, or joins a rebuild that is under way; returns its number.
pub(crate) async fn ask(database: &Database) -> Result<i64, sqlx::Error> {
    let mut tx = database.begin().await?;
    let next = "update settings set value = (select value + 1 from settings where name = 'window_generation') \
                where name = 'window_rebuild' and value = 0";
    tx.execute(next, &[]).await?;
    let asked = tx.fetch_optional("select value from settings where name = 'window_rebuild'", &[]).await?;
    let asked = asked.ok_or(sqlx::Error::RowNotFound)?.int("value")?;
    tx.commit().await?;
    Ok(asked)
}

async fn report(database: &Database, generation: i64) -> Result<RebuildReport, sqlx::Error> {
    let counts = "select (select count(*) from windowed_files where generation = $1) as files, \
                  (select count(*) from windows where generation = $1) as windows";
    let row = database.fetch_optional(counts, &[generation.into()]).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(RebuildReport { generation, files: row.int("files")?, windows: row.int("windows")? })
}

/// Makes generation `to` the one that readers take, if it has every live file that `from` has. Otherwise nothing happens.
pub(crate) async fn take_over(database: &Database, fence: Fence, (from, to): (i64, i64)) -> Result<bool, LeaseError> {
    let mut tx = lease::begin(database, fence).await?;
    let missing = [from, to, -1].map(Value::from);
    if tx.fetch_optional(include_str!("files_to_rebuild.sql"), &missing).await?.is_some() {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.execute("update settings set value = $1 where name = 'window_generation'", &[to.into()]).await?;
    tx.execute("update settings set value = 0 where name = 'window_rebuild'", &[]).await?;
    tx.commit().await?;
    tracing::info!(generation = to, "the rebuilt windows have taken over");
    Ok(true)
}

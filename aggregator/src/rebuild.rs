//! Building all windows again: generation g + 1 beside g, from the same files, until it takes over.
//!
//! Anyone may ask; the active aggregator does it, a slice per turn. Every file that g has and g + 1 lacks is added as usual, and
//! what each hour keeps is taken over from g (see `kept`), so that undamaged windows come out the same. A crash loses
//! nothing: what was added is committed. Windows before the retention floor are copied from g, since their files are gone
//! (`rebuild_copy`).

use std::time::{Duration, Instant};

use anyhow::Context as _;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::offsets::Fence;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{AggregatorConfig, LeaseStart};
use crate::expire::minutes_kept_from;
use crate::lease::{self, LeaseError};
use crate::settings::WindowSettings;

/// How often the asking process looks whether the new generation has taken over.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often the asking process says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

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
    let mut progress_at = Instant::now() + PROGRESS_EVERY;
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
        let settings = WindowSettings::read(database).await?;
        if settings.generation >= wanted {
            return Ok(report(database, wanted).await?);
        }
        anyhow::ensure!(settings.rebuild == Some(wanted), "the rebuild as generation {wanted} was called off");
        if progress_at <= Instant::now() {
            log_progress(database, (settings.generation, wanted)).await?;
            progress_at = Instant::now() + PROGRESS_EVERY;
        }
    }
}

/// Says how far the rebuild is, and how to go on if it stands still.
async fn log_progress(database: &Database, (from, to): (i64, i64)) -> Result<(), sqlx::Error> {
    let values = [from, to].map(Value::from);
    let row = database.fetch_optional(include_str!("rebuild_progress.sql"), &values).await?;
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    let (done, of) = (row.int("done")?, row.int("files")?);
    tracing::info!(
        generation = to,
        "{done} of {of} files are rebuilt. Where it waits for a file, the active aggregator's log names it: restore it, give it up \
         with --give-up-file, or call the rebuild off with --abandon-rebuild"
    );
    Ok(())
}

/// Asks for the next generation, or joins a rebuild that is under way; returns its number.
pub(crate) async fn ask(database: &Database) -> Result<i64, sqlx::Error> {
    let floor = minutes_kept_from(lease::database_now(database).await?);
    let mut tx = database.begin().await?;
    tx.execute(include_str!("ask_rebuild_floor.sql"), &[floor.into()]).await?;
    tx.execute(include_str!("ask_rebuild_copy.sql"), &[]).await?;
    tx.execute(include_str!("ask_rebuild.sql"), &[]).await?;
    let asked = tx.fetch_optional("select value from settings where name = 'window_rebuild'", &[]).await?;
    let asked = asked.ok_or(sqlx::Error::RowNotFound)?.int("value")?;
    tx.commit().await?;
    Ok(asked)
}

/// Calls off the rebuild that is under way; what was built of it is deleted by the active aggregator. Returns its number, or `None`
/// when there is none.
///
/// # Errors
/// When the database fails.
pub async fn abandon_rebuild(database: &Database) -> Result<Option<i64>, sqlx::Error> {
    let mut tx = lease::begin_instead(database).await?;
    let asked = tx.fetch_optional("select value from settings where name = 'window_rebuild'", &[]).await?;
    let asked = asked.ok_or(sqlx::Error::RowNotFound)?.int("value")?;
    if asked == 0 {
        tx.rollback().await?;
        return Ok(None);
    }
    tx.execute("update settings set value = 0 where name = 'window_rebuild'", &[]).await?;
    tx.commit().await?;
    Ok(Some(asked))
}

async fn report(database: &Database, generation: i64) -> Result<RebuildReport, sqlx::Error> {
    let counts = "select (select count(*) from windowed_files where generation = $1) as files, \
                  (select count(*) from windows where generation = $1) as windows";
    let row = database.fetch_optional(counts, &[generation.into()]).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(RebuildReport { generation, files: row.int("files")?, windows: row.int("windows")? })
}

/// Makes the rebuilt generation the one that readers take, if it has every live file that the present one has. Otherwise nothing
/// happens. Minutes that were refused because of a wrong clock, and are there again, are read again.
pub(crate) async fn take_over(database: &Database, fence: Fence, settings: WindowSettings) -> Result<bool, LeaseError> {
    let WindowSettings { generation: from, rebuild: Some(to), rebuild_floor, .. } = settings else { return Ok(false) };
    let mut tx = lease::begin(database, fence).await?;
    let missing = [from, to, -1].map(Value::from);
    if tx.fetch_optional(include_str!("files_to_rebuild.sql"), &missing).await?.is_some() {
        tx.rollback().await?;
        return Ok(false);
    }
    tx.execute("update settings set value = $1 where name = 'window_generation'", &[to.into()]).await?;
    tx.execute("update settings set value = 0 where name = 'window_rebuild'", &[]).await?;
    let floor = "update settings set value = $1 where name = 'window_minute_floor_ms' and value > $1";
    tx.execute(floor, &[rebuild_floor.into()]).await?;
    tx.commit().await?;
    tracing::info!(generation = to, "the rebuilt windows have taken over");
    Ok(true)
}

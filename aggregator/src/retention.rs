//! Dropping operations that are older than what is kept: whole UTC days, rows and files together. Windows stay. So it does with what else
//! is kept for a time only.
//!
//! A pass takes the [`Step`]s in their order, each in slices. Whatever a step did is committed before the next one, and each finds
//! what is left to do in the tables, so that a process that is killed anywhere loses nothing: the next pass goes on. The law is
//! the floor: it is advanced first, the ingestor stores nothing below it (it holds the floor in the transaction of a batch), and
//! `opstream verify` looks at nothing below it. So it does not matter in which order and how fast the rest disappears.
//!
//! Only files whose operations are in windows are removed; [`RemovedFiles`](crate::removed_files) deletes them from the disk later. A file that reaches above the floor stays whole.

mod days;
mod floor;
mod forget_alerts;
mod forget_files;
mod merge_ranges;
mod postgres_days;
mod preview;
mod remove_files;

use std::time::{Duration, Instant};

use opstream_schemas::database::{Database, Row};
use opstream_schemas::offsets::Fence;
use opstream_schemas::{OperationId, UtcMillis};

use self::days::DroppedDay;
use crate::lease::{self, LeaseError};
use crate::metrics;

pub use self::preview::{Preview, preview};

/// How long one step of a pass goes on before the others have their turn.
const STEP_TIME: Duration = Duration::from_secs(2);

/// How many whole UTC days before the present one are kept, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepDays(u16);

impl KeepDays {
    /// `None` for 0, which would drop what has just come in.
    pub const fn new(days: u16) -> Option<Self> {
        if days == 0 { None } else { Some(Self(days)) }
    }

    /// The number of days.
    pub const fn days(self) -> u16 {
        self.0
    }
}

/// What a pass does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Operations before the floor are refused from here on.
    AdvanceFloor,
    /// Files wholly below the floor cease to be live.
    RemoveFiles,
    /// Rows below the floor go, day by day, and the contents that are kept in SQL.
    DropRows,
    /// What is known of offsets whose operations are gone becomes one range, and their dead letters go.
    MergeRanges,
    /// What is known of files that were deleted goes, once no range names them.
    ForgetFiles,
    /// Alerts go that were over long ago, whatever else is kept.
    ForgetAlerts,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 6] = [
        Self::AdvanceFloor,
        Self::RemoveFiles,
        Self::DropRows,
        Self::MergeRanges,
        Self::ForgetFiles,
        Self::ForgetAlerts,
    ];
}

/// A step that failed; the next pass tries again.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// Another aggregator took over, and drops what is left.
    #[error("fence {} of the aggregator's lease was replaced by another holder", .fence.0)]
    Replaced {
        /// The fence that no longer counts.
        fence: Fence,
    },
    /// Try again.
    #[error("the database did not drop what is older than what is kept")]
    Database(#[from] sqlx::Error),
}

impl From<LeaseError> for RetentionError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Replaced { fence } => Self::Replaced { fence },
            LeaseError::Database(error) => Self::Database(error),
        }
    }
}

/// Drops what is too old.
pub struct Retention {
    database: Database,
    keep_days: Option<KeepDays>,
    /// The day whose rows are being deleted one slice after the other.
    dropping: Option<DroppedDay>,
}

impl Retention {
    /// Without `keep_days` the floor stays where it is; what an earlier setting left below it still goes.
    pub fn new(database: Database, keep_days: Option<KeepDays>) -> Self {
        Self { database, keep_days, dropping: None }
    }

    /// One pass by the database's clock. Returns whether the next one has work to do already.
    pub(crate) async fn pass(&mut self, fence: Fence) -> Result<bool, RetentionError> {
        let now = lease::database_now(&self.database).await?;
        let (mut more, mut failure) = (false, None);
        for step in Step::ALL {
            let began = Instant::now();
            loop {
                match Box::pin(self.take(step, fence, now)).await {
                    Ok(false) => break,
                    Ok(true) if began.elapsed() < STEP_TIME => {}
                    Ok(true) => {
                        more = true;
                        break;
                    }
                    Err(error @ RetentionError::Replaced { .. }) => return Err(error),
                    // One step that waits for a lock holds up no other.
                    Err(error) => {
                        failure = failure.or(Some(error));
                        break;
                    }
                }
            }
        }
        failure.map_or(Ok(more), Err)
    }

    /// Takes a slice of a step at the time `now`, as the holder of the aggregator's lease. Returns whether there is more of it.
    ///
    /// # Errors
    /// When the lease was replaced or the database fails.
    pub async fn take(&mut self, step: Step, fence: Fence, now: UtcMillis) -> Result<bool, RetentionError> {
        let floor = read_floor(&self.database).await?;
        let database = &self.database;
        match step {
            Step::AdvanceFloor => {
                metrics::record_retention_floor(floor);
                if let Some(keep_days) = self.keep_days {
                    floor::advance(database, fence, (keep_days, now)).await?;
                }
                Ok(false)
            }
            Step::RemoveFiles => remove_files::remove_slice(database, fence, (floor, now)).await,
            Step::DropRows => days::drop_slice(database, fence, floor, &mut self.dropping).await,
            Step::MergeRanges => merge_ranges::merge_slice(database, fence, (floor, now)).await,
            Step::ForgetFiles => forget_files::forget_slice(database, fence, floor).await,
            Step::ForgetAlerts => forget_alerts::forget_slice(database, fence, now).await,
        }
    }
}

/// Start of what is kept.
pub(crate) async fn read_floor(database: &Database) -> Result<UtcMillis, sqlx::Error> {
    let sql = "select value from settings where name = 'retention_floor_ms'";
    let row = database.fetch_optional(sql, &[]).await?.ok_or(sqlx::Error::RowNotFound)?;
    row.int("value").map(UtcMillis::from_millis)
}

/// The lowest id that is kept.
fn lowest_kept(floor: UtcMillis) -> OperationId {
    OperationId::lowest_at(floor)
}

fn file_numbers(rows: &[Row]) -> Result<Vec<i64>, sqlx::Error> {
    rows.iter().map(|row| row.int("file_number")).collect()
}

//! Who may write windows: the holder of the highest fence. One aggregator is active, the others stand by.
//!
//! The expiry of the lease only decides when a standby may take over; what keeps a replaced holder out is the fence, which
//! every one of its transactions checks first. Fences also order what was published, so they never repeat, even when the database
//! goes back to a copy: they begin from the clock. Time is the database's, so that the clocks of several machines do not matter.

use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Engine, Transaction};
use opstream_schemas::offsets::Fence;

use crate::config::LeaseStart;

/// How long a holder that does not renew is waited for.
const LEASE_TIME: Duration = Duration::from_secs(10);
/// A holder renews this long after it last wrote.
pub(crate) const RENEW_AFTER: Duration = Duration::from_secs(3);

/// A transaction that was not begun.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another aggregator took over: forget everything and stand by.
    #[error("fence {} of the aggregator's lease was replaced by another holder", .fence.0)]
    Replaced {
        /// The fence that no longer counts.
        fence: Fence,
    },
    /// Try again.
    #[error("the database did not answer about the aggregator's lease")]
    Database(#[from] sqlx::Error),
}

/// Takes the lease if it is free, or at once if `start` says so. `None` while another aggregator holds it.
pub(crate) async fn acquire(
    database: &Database,
    holder: &str,
    start: LeaseStart,
) -> Result<Option<Fence>, sqlx::Error> {
    // A look first: a standby must not queue for the one writer at every tick.
    let row = database.fetch_optional("select expires_at_ms from aggregator_lease where lease = 1", &[]).await?;
    let expires_at = row.map_or(Ok(0), |row| row.int("expires_at_ms"))?;
    if expires_at > database_now(database).await?.millis() && start == LeaseStart::AfterExpiry {
        return Ok(None);
    }
    let mut tx = database.begin().await?;
    let now = now_ms(&mut tx).await?;
    let expiry_limit = if start == LeaseStart::AtOnce { i64::MAX } else { now };
    let values = [holder.into(), (now + lease_millis()).into(), expiry_limit.into(), now.into()];
    let take = include_str!("acquire_lease.sql");
    let taken = database.without_blockers(&mut tx, async |tx| tx.fetch_optional(take, &values).await).await?;
    let fence = taken.map(|row| row.int("fence")).transpose()?;
    tx.commit().await?;
    Ok(fence.map(Fence))
}

/// Fences out whoever holds the lease, in a transaction of an operator's command; the next holder begins from the tables.
pub(crate) async fn begin_instead(database: &Database) -> Result<Transaction, sqlx::Error> {
    let mut tx = database.begin().await?;
    tx.execute("update aggregator_lease set fence = fence + 1, expires_at_ms = 0 where lease = 1", &[]).await?;
    Ok(tx)
}

/// Begins a transaction of the lease's holder: it renews the lease and, in Postgres, locks its row until the end.
pub(crate) async fn begin(database: &Database, fence: Fence) -> Result<Transaction, LeaseError> {
    let mut tx = database.begin().await?;
    if tx.engine() == Engine::Postgres {
        // Ends the transaction of a holder that is frozen in it, which would keep the standby from taking over.
        tx.execute("set local idle_in_transaction_session_timeout = '30s'", &[]).await?;
    }
    let now = now_ms(&mut tx).await?;
    let renew = "update aggregator_lease set expires_at_ms = $1 where lease = 1 and fence = $2";
    let values = [(now + lease_millis()).into(), fence.0.into()];
    // In the way may be a session of our own, given up when the network lost it.
    let renewed = database.without_blockers(&mut tx, async |tx| tx.execute(renew, &values).await);
    if renewed.await? == 0 {
        return Err(LeaseError::Replaced { fence });
    }
    Ok(tx)
}

/// Renews the lease.
pub(crate) async fn renew(database: &Database, fence: Fence) -> Result<(), LeaseError> {
    Ok(begin(database, fence).await?.commit().await?)
}

/// Gives the lease back, so that a standby need not wait for its expiry. Does nothing when it was replaced.
pub(crate) async fn release(database: &Database, fence: Fence) -> Result<(), sqlx::Error> {
    let mut tx = database.begin().await?;
    tx.execute("update aggregator_lease set expires_at_ms = 0 where lease = 1 and fence = $1", &[fence.0.into()])
        .await?;
    tx.commit().await
}

/// The database's clock.
pub(crate) async fn database_now(database: &Database) -> Result<UtcMillis, sqlx::Error> {
    let row = database.fetch_optional(database_time(database.engine()), &[]).await?.ok_or(sqlx::Error::RowNotFound)?;
    row.int("now_ms").map(UtcMillis::from_millis)
}

/// The same within a transaction, in milliseconds.
pub(crate) async fn now_ms(tx: &mut Transaction) -> Result<i64, sqlx::Error> {
    let row = tx.fetch_optional(database_time(tx.engine()), &[]).await?.ok_or(sqlx::Error::RowNotFound)?;
    row.int("now_ms")
}

const fn database_time(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now_ms",
        Engine::Sqlite => "select cast(unixepoch('subsec') * 1000 as integer) as now_ms",
    }
}

fn lease_millis() -> i64 {
    i64::try_from(LEASE_TIME.as_millis()).expect("the constant is ten seconds")
}

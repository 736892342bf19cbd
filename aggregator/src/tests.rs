//! The promises of the aggregator, on SQLite, and on Postgres too where `OPSTREAM_TEST_POSTGRES` names a server.
//!
//! The tests write files and the ingestor's rows as the ingestor would, take turns, and compare all windows with sums that are made
//! in the plainest way from the operations themselves.

mod bounds;
mod clock;
mod damage;
mod lease;
mod lost;
mod model;
pub(crate) mod oracle;
mod portions;
mod publication;
mod rebuilding;
mod retention;
mod retention_rebuild;
pub(crate) mod station;
mod sums;

use opstream_schemas::UtcMillis;

/// Monday 2026-11-23 12:00 UTC, the wall clock of the tests.
pub(crate) const NOON: i64 = 1_795_435_200_000;
const MINUTE: i64 = 60_000;

pub(crate) fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis)
}

//! The budgets, for two cores and operations of 400 bytes, in the units of the figures. docs/benchmarks.md shows them.

use crate::figures::{Bound, Budget};

/// Median of `record()`, broker up or down.
pub(crate) const RECORD_P50: Budget = at_most(1e-6, Some(0.5e-6));
/// 99th percentile of `record()`.
pub(crate) const RECORD_P99: Budget = at_most(5e-6, None);
/// Pricing on one core.
pub(crate) const PRICE: Budget = at_least(2e6, None);
/// Decode, price and columns on one core.
pub(crate) const PREPARE: Budget = at_least(1e6, Some(1.5e6));
/// Topic to SQL and Parquet on the embedded broker and SQLite.
pub(crate) const COMMIT_SQLITE: Budget = at_least(60e3, Some(100e3));
/// Topic to SQL and Parquet on Kafka and Postgres, on the same two cores.
pub(crate) const COMMIT_POSTGRES: Budget = at_least(60e3, Some(150e3));
/// Operations that the front door accepts, with everything running.
pub(crate) const ACCEPTED: Budget = at_least(20e3, Some(50e3));
/// Aggregator on one core.
pub(crate) const WINDOW: Budget = at_least(3e6, Some(5e6));
/// 99th percentile from `record()` to the answer that counts it, at half load.
pub(crate) const FRESHNESS_P99: Budget = at_most(1.0, Some(0.5));
/// 99th percentile of a panel over 30 days with 100 million operations.
pub(crate) const PANEL_P99: Budget = at_most(0.02, Some(0.01));
/// From the address to the first numbers of a page, over 30 days with 100 million operations.
pub(crate) const FIRST_LOOK: Budget = at_most(1.0, Some(0.5));
/// 99th percentile of a page of single operations.
pub(crate) const LIST_P99: Budget = at_most(0.05, None);
/// Peak memory of `opstream up` under load.
pub(crate) const UP_MEMORY: Budget = at_most(400e6, Some(300e6));
/// Parquet bytes per operation without content.
pub(crate) const PARQUET_BYTES: Budget = at_most(110.0, Some(90.0));

const fn at_most(required: f64, goal: Option<f64>) -> Budget {
    Budget { bound: Bound::AtMost, required, goal }
}

const fn at_least(required: f64, goal: Option<f64>) -> Budget {
    Budget { bound: Bound::AtLeast, required, goal }
}

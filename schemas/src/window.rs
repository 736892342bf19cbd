//! Windows: which there are, what they hold, which of them cover a range, and how far they are complete.
//!
//! A window is named by its dimension set, level, start and combination of values. Windows are half-open, aligned to the
//! Unix epoch in UTC, and made from event time alone. The tables are described in `0002_create_windows.sql`; `windows`
//! keeps several generations while one is rebuilt, so every reader names [`CURRENT_GENERATION`].

mod completeness;
mod cover;
mod dimensions;
mod level;
mod sums;
mod value;

pub use completeness::{PartitionProgress, complete_to, partition_progress};
pub use cover::{CoverError, WindowSpan, cover};
pub use dimensions::{Dimension, DimensionSet, Dimensions, KeyHash, OTHER};
pub use level::Level;
pub use sums::{SUM_COLUMNS, SumOverflow, WindowSums};
pub use value::{Window, window_key};

/// SQL expression for the generation that readers take. Used inside the statement that reads the windows, both are of one
/// state of the database; a reader of several statements needs a snapshot around them.
pub const CURRENT_GENERATION: &str = "(select value from settings where name = 'window_generation')";

/// Combinations of values that a dimension set keeps per workspace and UTC hour; all others add to [`OTHER`].
pub const KEPT_COMBINATIONS: usize = 2000;

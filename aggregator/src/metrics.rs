//! The aggregator's metrics: their names, and one function per event.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

const FILES: &str = "opstream_aggregator_files_total";
const FILE_FAILURES: &str = "opstream_aggregator_file_failures_total";
const OPERATIONS: &str = "opstream_aggregator_operations_total";
const WINDOW_CHANGES: &str = "opstream_aggregator_window_changes_total";
const TURN_SECONDS: &str = "opstream_aggregator_turn_seconds";
const WRITE_SECONDS: &str = "opstream_aggregator_write_seconds";
const PENDING_FILES: &str = "opstream_aggregator_pending_files";
const LAG_SECONDS: &str = "opstream_aggregator_lag_seconds";
const LEASE_FENCE: &str = "opstream_aggregator_lease_fence";
const ERRORS: &str = "opstream_aggregator_errors_total";
const PUBLISHED: &str = "opstream_aggregator_published_windows_total";
const TOMBSTONES: &str = "opstream_aggregator_tombstones_total";

/// A transaction of windows was committed.
pub(crate) fn record_commit(files: usize, operations: i64, windows: usize, took: Duration) {
    counter!(FILES).increment(files as u64);
    counter!(OPERATIONS).increment(operations.unsigned_abs());
    counter!(WINDOW_CHANGES).increment(windows as u64);
    histogram!(TURN_SECONDS).record(took.as_secs_f64());
}

/// A transaction of windows held the database's writer, which in SQLite all roles share.
pub(crate) fn record_write(windows: usize, held: Duration) {
    histogram!(WRITE_SECONDS).record(held.as_secs_f64());
    tracing::debug!(windows, held_ms = held.as_millis(), "windows were written");
}

/// A file could not be windowed and is tried again later.
pub(crate) fn record_file_failure(reason: &'static str) {
    counter!(FILE_FAILURES, "reason" => reason).increment(1);
}

/// What waits: files, and seconds since the oldest of them was committed.
pub(crate) fn record_pending(files: usize, oldest: Duration) {
    gauge!(PENDING_FILES).set(files as f64);
    gauge!(LAG_SECONDS).set(oldest.as_secs_f64());
}

/// The lease was acquired; 0 when it was lost.
pub(crate) fn record_lease(fence: i64) {
    gauge!(LEASE_FENCE).set(fence as f64);
}

/// A loop failed and tries again.
pub(crate) fn record_error(task: &'static str) {
    counter!(ERRORS, "task" => task).increment(1);
}

/// Values were acknowledged by the broker.
pub(crate) fn record_published(windows: usize) {
    counter!(PUBLISHED).increment(windows as u64);
}

/// Tombstones were acknowledged by the broker.
pub(crate) fn record_tombstones(windows: usize) {
    counter!(TOMBSTONES).increment(windows as u64);
}

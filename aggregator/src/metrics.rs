//! The aggregator's metrics: their names, and one function per event.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use opstream_schemas::UtcMillis;

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
const MERGES: &str = "opstream_aggregator_merges_total";
const MERGED_FILES: &str = "opstream_aggregator_merged_files_total";
const MERGE_FILES_WRITTEN: &str = "opstream_aggregator_merge_files_written_total";
const MERGED_OPERATIONS: &str = "opstream_aggregator_merged_operations_total";
const MERGE_BYTES_WRITTEN: &str = "opstream_aggregator_merge_bytes_written_total";
const MERGE_SECONDS: &str = "opstream_aggregator_merge_seconds";
const MERGE_FAILURES: &str = "opstream_aggregator_merge_failures_total";
const MERGE_REFUSALS: &str = "opstream_aggregator_merge_refusals_total";
const SMALL_FILES: &str = "opstream_aggregator_small_files";
const DELETED_FILES: &str = "opstream_aggregator_deleted_files_total";
const REPRICED_FILES: &str = "opstream_aggregator_repriced_files_total";
const REPRICED_OPERATIONS: &str = "opstream_aggregator_repriced_operations_total";
const REPRICE_SECONDS: &str = "opstream_aggregator_reprice_seconds";
const REPRICE_FAILURES: &str = "opstream_aggregator_reprice_failures_total";
const ALERT_RULES: &str = "opstream_alert_rules";
const ALERT_EVALUATIONS: &str = "opstream_alert_evaluations_total";
const ALERT_EVALUATION_SECONDS: &str = "opstream_alert_evaluation_seconds";
const ALERTS_RAISED: &str = "opstream_alerts_raised_total";
const ALERTS_PUBLISHED: &str = "opstream_alerts_published_total";
const WEBHOOK_DELIVERIES: &str = "opstream_webhook_deliveries_total";
const RETENTION_FLOOR: &str = "opstream_retention_floor_seconds";
const REMOVED_FILES: &str = "opstream_retention_removed_files_total";
const REMOVED_OPERATIONS: &str = "opstream_retention_removed_operations_total";
const REMOVED_BYTES: &str = "opstream_retention_removed_bytes_total";
const DROPPED_DAYS: &str = "opstream_retention_dropped_days_total";
const DROPPED_CONTENTS: &str = "opstream_retention_dropped_contents_total";
const MERGED_RANGES: &str = "opstream_retention_merged_ranges_total";
const DELETED_DEAD_LETTERS: &str = "opstream_retention_deleted_dead_letters_total";

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

/// Files that were merged, contents included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Merged {
    /// Why.
    pub(crate) reason: &'static str,
    /// Files that are no longer live.
    pub(crate) files: usize,
    /// Files that are live instead.
    pub(crate) files_written: usize,
    /// Operations in them.
    pub(crate) operations: i64,
    /// Size of what is no longer live.
    pub(crate) bytes: i64,
    /// Size of what is live instead.
    pub(crate) bytes_written: i64,
}

/// Files were merged. Operations here over operations of `opstream_aggregator_operations_total`: how often a row is written again.
pub(crate) fn record_merge(merged: &Merged, took: Duration) {
    let Merged { reason, files, files_written, operations, bytes, bytes_written } = *merged;
    counter!(MERGES, "reason" => reason).increment(1);
    counter!(MERGED_FILES).increment(files as u64);
    counter!(MERGE_FILES_WRITTEN).increment(files_written as u64);
    counter!(MERGED_OPERATIONS).increment(operations.unsigned_abs());
    counter!(MERGE_BYTES_WRITTEN).increment(bytes_written.unsigned_abs());
    histogram!(MERGE_SECONDS).record(took.as_secs_f64());
    let took_ms = took.as_millis();
    tracing::info!(reason, files, files_written, operations, bytes, bytes_written, took_ms, "small files were merged");
}

/// A file cannot be merged and is left out for a while.
pub(crate) fn record_merge_failure(reason: &'static str) {
    counter!(MERGE_FAILURES, "reason" => reason).increment(1);
}

/// Merged files were not taken over, since something had changed.
pub(crate) fn record_merge_refusal(reason: &'static str) {
    counter!(MERGE_REFUSALS, "reason" => reason).increment(1);
}

/// Live files of operations that are small, when there is nothing to merge.
pub(crate) fn record_small_files(files: usize) {
    gauge!(SMALL_FILES).set(files as f64);
}

/// Files were deleted an hour after they ceased to be live.
pub(crate) fn record_deleted_files(files: usize) {
    counter!(DELETED_FILES).increment(files as u64);
}

/// A file of so many operations, or a portion of it, was looked through, and written anew if a cost changed.
pub(crate) fn record_repriced(operations: i64, took: Duration) {
    counter!(REPRICED_FILES).increment(1);
    counter!(REPRICED_OPERATIONS).increment(operations.unsigned_abs());
    histogram!(REPRICE_SECONDS).record(took.as_secs_f64());
}

/// A file cannot be priced again and is left out for a while.
pub(crate) fn record_repricing_failure() {
    counter!(REPRICE_FAILURES).increment(1);
}

/// Rules that are looked at.
pub(crate) fn record_rules(rules: usize) {
    gauge!(ALERT_RULES).set(rules as f64);
}

/// All rules were looked at.
pub(crate) fn record_evaluation(took: Duration) {
    counter!(ALERT_EVALUATIONS).increment(1);
    histogram!(ALERT_EVALUATION_SECONDS).record(took.as_secs_f64());
}

/// Alerts of rules of a kind were raised.
pub(crate) fn record_raised(kind: &'static str, alerts: usize) {
    counter!(ALERTS_RAISED, "kind" => kind).increment(alerts as u64);
}

/// Alerts were acknowledged by the broker.
pub(crate) fn record_published_alerts(alerts: usize) {
    counter!(ALERTS_PUBLISHED).increment(alerts as u64);
}

/// A webhook was called: `delivered`, `failed` and to be called again, or `given_up`.
pub(crate) fn record_delivery(target: &str, outcome: &'static str) {
    counter!(WEBHOOK_DELIVERIES, "target" => target.to_owned(), "outcome" => outcome).increment(1);
}

/// Operations before this are no longer kept; seconds since 1970.
pub(crate) fn record_retention_floor(floor: UtcMillis) {
    gauge!(RETENTION_FLOOR).set(floor.millis() as f64 / 1000.0);
}

/// Files ceased to be live.
pub(crate) fn record_removed_files(files: i64, bytes: i64) {
    counter!(REMOVED_FILES).increment(files.unsigned_abs());
    counter!(REMOVED_BYTES).increment(bytes.unsigned_abs());
}

/// Rows of `operations` are gone.
pub(crate) fn record_removed_operations(operations: u64) {
    counter!(REMOVED_OPERATIONS).increment(operations);
}

/// All rows of a day are gone.
pub(crate) fn record_dropped_day() {
    counter!(DROPPED_DAYS).increment(1);
}

/// Contents that were kept in SQL are gone.
pub(crate) fn record_dropped_contents(contents: u64) {
    counter!(DROPPED_CONTENTS).increment(contents);
}

/// Ranges became one, and their dead letters were deleted.
pub(crate) fn record_merged_ranges(ranges: usize, dead_letters: u64) {
    counter!(MERGED_RANGES).increment(ranges as u64);
    counter!(DELETED_DEAD_LETTERS).increment(dead_letters);
}

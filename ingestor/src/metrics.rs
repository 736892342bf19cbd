//! What the ingestor counts, by name. Labels have few values: partitions and reasons, never ids or names of tenants.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use opstream_schemas::offsets::Partition;

/// Operations stored.
pub const OPERATIONS: &str = "opstream_ingestor_operations_total";
/// Re-sends left out.
pub const DUPLICATES: &str = "opstream_ingestor_duplicates_total";
/// Dead letters by reason.
pub const DEAD_LETTERS: &str = "opstream_ingestor_dead_letters_total";
/// Offsets that retention removed before they were stored.
pub const RETENTION_GAP: &str = "opstream_ingestor_retention_gap_operations_total";
/// Parts of batches, one for each partition, dropped because the partition was taken away or is read again.
pub const DROPPED_PARTS: &str = "opstream_ingestor_dropped_parts_total";
/// Contents stored that came as log records.
pub const CONTENTS: &str = "opstream_ingestor_contents_total";
/// Records of their topic that are no contents.
pub const UNREADABLE_CONTENTS: &str = "opstream_ingestor_unreadable_contents_total";
/// Attempts to store that failed and were repeated, by reason.
pub const RETRIES: &str = "opstream_ingestor_retries_total";
/// Seconds from a prepared batch to its commit.
pub const COMMIT_SECONDS: &str = "opstream_ingestor_commit_seconds";
/// Offsets that held no record when they were read. Without transactions and compaction there should be none.
pub const SKIPPED: &str = "opstream_ingestor_skipped_offsets_total";
/// Records between the checkpoint and the end of the log, by partition; 0 for one that this process does not read any more.
pub const LAG_OPERATIONS: &str = "opstream_ingestor_lag_operations";
/// Seconds that the oldest of these records has waited, by partition.
pub const LAG_SECONDS: &str = "opstream_ingestor_lag_seconds";
/// Partitions that wait for an operator.
pub const HALTED: &str = "opstream_ingestor_halted_partitions";
/// 1 while a flood of records that cannot be operations is held.
pub const HELD: &str = "opstream_ingestor_held";

/// A batch was committed.
pub fn record_commit(rows: i64, duplicates: i64) {
    counter!(OPERATIONS).increment(rows.unsigned_abs());
    counter!(DUPLICATES).increment(duplicates.unsigned_abs());
}

/// How long a batch took from being prepared to being durable.
pub fn record_commit_time(time: Duration) {
    histogram!(COMMIT_SECONDS).record(time.as_secs_f64());
}

/// A dead letter was committed.
pub fn record_dead_letter(reason: &'static str) {
    counter!(DEAD_LETTERS, "reason" => reason).increment(1);
}

/// Retention removed records that had not been stored.
pub fn record_retention_gap(operations: i64) {
    counter!(RETENTION_GAP).increment(operations.unsigned_abs());
}

/// What a batch held of so many partitions was dropped; whoever owns them reads it again.
pub fn record_dropped_parts(partitions: usize) {
    counter!(DROPPED_PARTS).increment(partitions as u64);
}

/// Offsets were passed that held no record.
pub fn record_skipped(offsets: i64) {
    counter!(SKIPPED).increment(offsets.unsigned_abs());
}

/// Contents of log records were stored.
pub fn record_contents(contents: u64) {
    counter!(CONTENTS).increment(contents);
}

/// A record of the topic of contents is no content.
pub fn record_unreadable_content() {
    counter!(UNREADABLE_CONTENTS).increment(1);
}

/// Storing failed and is tried again.
pub fn record_retry(reason: &'static str) {
    counter!(RETRIES, "reason" => reason).increment(1);
}

/// How far a partition is behind.
pub fn record_lag(partition: Partition, operations: i64, time: Duration) {
    gauge!(LAG_OPERATIONS, "partition" => partition.to_string()).set(operations as f64);
    gauge!(LAG_SECONDS, "partition" => partition.to_string()).set(time.as_secs_f64());
}

/// How many partitions wait for an operator.
pub fn record_halted(partitions: usize) {
    gauge!(HALTED).set(partitions as f64);
}

/// A flood of records that cannot be operations is held, or not any more.
pub fn record_held(is_held: bool) {
    gauge!(HELD).set(if is_held { 1.0 } else { 0.0 });
}

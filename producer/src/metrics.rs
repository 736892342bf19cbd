//! Names of the producer's own metrics. All producers of a process add up; nothing here runs on the caller's thread.

use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Operations by `outcome`: `sent`, `dropped`, `failed` or `spooled`, as in [`Counters`](crate::Counters).
pub const OPERATIONS: &str = "opstream_producer_operations_total";
/// Operations that wait for the broker.
pub const QUEUED_OPERATIONS: &str = "opstream_producer_queued_operations";
/// Bytes that wait for the broker, bookkeeping included.
pub const QUEUED_BYTES: &str = "opstream_producer_queued_bytes";
/// Operations that lost a text because the application's redaction hook panicked over it.
pub const CONTENT_DROPPED: &str = "opstream_producer_content_dropped_total";
/// Operations of spools by `outcome`: `inherited`, `resent`, `discarded`, `damaged` or `refused`, as in
/// [`SpoolCounters`](crate::SpoolCounters).
pub const SPOOL_OPERATIONS: &str = "opstream_producer_spool_operations_total";
/// Operations that wait on disk.
pub const SPOOL_WAITING: &str = "opstream_producer_spool_waiting_operations";
/// Bytes of the segments on disk.
pub const SPOOL_BYTES: &str = "opstream_producer_spool_bytes";
/// Kafka clients that were replaced: they lost their idempotent session for good, or what they held went to the spool.
pub const CLIENTS_REPLACED: &str = "opstream_producer_clients_replaced_total";

/// Explains the metrics to the recorder of this process.
pub fn describe() {
    describe_counter!(OPERATIONS, "Operations handed to producers, by outcome");
    describe_gauge!(QUEUED_OPERATIONS, "Operations that wait for the broker");
    describe_gauge!(QUEUED_BYTES, "Bytes that wait for the broker, bookkeeping included");
    describe_counter!(CONTENT_DROPPED, "Operations that lost a text because a redaction hook panicked");
    describe_counter!(SPOOL_OPERATIONS, "Operations of the spool on disk, by outcome");
    describe_gauge!(SPOOL_WAITING, "Operations that wait on disk");
    describe_gauge!(SPOOL_BYTES, "Bytes of the spool's segments");
    describe_counter!(CLIENTS_REPLACED, "Kafka clients that were replaced");
}

pub(crate) fn record_outcome(outcome: &'static str, operations: u64) {
    if operations > 0 {
        counter!(OPERATIONS, "outcome" => outcome).increment(operations);
    }
}

pub(crate) fn record_queue(added_operations: f64, added_bytes: f64) {
    gauge!(QUEUED_OPERATIONS).increment(added_operations);
    gauge!(QUEUED_BYTES).increment(added_bytes);
}

pub(crate) fn record_content_dropped(operations: u64) {
    if operations > 0 {
        counter!(CONTENT_DROPPED).increment(operations);
    }
}

pub(crate) fn record_spool_outcome(outcome: &'static str, operations: u64) {
    if operations > 0 {
        counter!(SPOOL_OPERATIONS, "outcome" => outcome).increment(operations);
    }
}

pub(crate) fn record_spool(added_operations: f64, added_bytes: f64) {
    gauge!(SPOOL_WAITING).increment(added_operations);
    gauge!(SPOOL_BYTES).increment(added_bytes);
}

pub(crate) fn record_client_replaced() {
    counter!(CLIENTS_REPLACED).increment(1);
}

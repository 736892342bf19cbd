//! Names of the producer's own metrics. All producers of a process add up; nothing here runs on the caller's thread.

use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Operations by `outcome`: `sent`, `dropped` or `failed`, as in [`Counters`](crate::Counters).
pub const OPERATIONS: &str = "opstream_producer_operations_total";
/// Operations that wait for the broker.
pub const QUEUED_OPERATIONS: &str = "opstream_producer_queued_operations";
/// Bytes that wait for the broker, bookkeeping included.
pub const QUEUED_BYTES: &str = "opstream_producer_queued_bytes";
/// Kafka clients that lost their idempotent session for good and were replaced.
pub const CLIENTS_REPLACED: &str = "opstream_producer_clients_replaced_total";

/// Explains the metrics to the recorder of this process.
pub fn describe() {
    describe_counter!(OPERATIONS, "Operations handed to producers, by outcome");
    describe_gauge!(QUEUED_OPERATIONS, "Operations that wait for the broker");
    describe_gauge!(QUEUED_BYTES, "Bytes that wait for the broker, bookkeeping included");
    describe_counter!(CLIENTS_REPLACED, "Kafka clients that lost their idempotent session and were replaced");
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

pub(crate) fn record_client_replaced() {
    counter!(CLIENTS_REPLACED).increment(1);
}

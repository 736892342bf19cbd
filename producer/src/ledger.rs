//! The books of a producer: what waits, what was delivered, what was lost. Decides whether there is room for more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::spool::SpoolBooks;
use crate::spool::books::SpoolCounters;

/// Bytes that librdkafka and the allocator keep for a queued message beside its key and value: `rd_kafka_msg_t` has
/// about 200, each of its two allocations a header.
pub(crate) const OVERHEAD_BYTES: usize = 256;

/// Number of operations by fate. Everything handed over is in exactly one of the first five, once the producer is at rest;
/// read while operations flow, the numbers are not taken at one instant. What became of the spooled ones is in `spool`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Acknowledged by the broker without having been on disk before, or written to the file.
    pub sent: u64,
    /// Not taken: the queue was full, the operation too large, or the producer closed.
    pub dropped: u64,
    /// Taken but not acknowledged in time, or refused by the broker.
    pub failed: u64,
    /// Taken and waiting in memory.
    pub queued: u64,
    /// Written to the spool, whatever became of them there.
    pub spooled: u64,
    /// Of those that were taken, the ones that lost a text because the caller's redaction hook panicked over it. Their numbers
    /// are complete.
    pub content_dropped: u64,
    /// The spool: those operations and the ones that were found there.
    pub spool: SpoolCounters,
}

/// Counts and bounds what a producer holds.
#[derive(Debug)]
pub(crate) struct Ledger {
    limit_operations: usize,
    limit_bytes: usize,
    queued_operations: AtomicUsize,
    queued_bytes: AtomicUsize,
    sent: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    spooled: AtomicU64,
    content_dropped: AtomicU64,
    /// The books of the disk.
    pub(crate) spool: Arc<SpoolBooks>,
}

impl Ledger {
    pub(crate) fn new(limit_operations: usize, limit_bytes: usize) -> Self {
        Self {
            limit_operations,
            limit_bytes,
            queued_operations: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            spooled: AtomicU64::new(0),
            content_dropped: AtomicU64::new(0),
            spool: Arc::default(),
        }
    }

    /// The largest operation that fits into an empty queue, bytes.
    pub(crate) fn largest(&self) -> usize {
        self.limit_bytes.saturating_sub(OVERHEAD_BYTES)
    }

    /// Makes room for an operation of so many bytes, or counts it as dropped and says no.
    ///
    /// Threads that arrive at the last place together may all be turned away; none waits for another.
    pub(crate) fn admit(&self, bytes: usize) -> bool {
        let operations = self.queued_operations.fetch_add(1, Ordering::Relaxed) + 1;
        let queued = self.queued_bytes.fetch_add(bytes + OVERHEAD_BYTES, Ordering::Relaxed) + bytes + OVERHEAD_BYTES;
        if operations <= self.limit_operations && queued <= self.limit_bytes {
            return true;
        }
        self.turn_away(bytes);
        false
    }

    /// An admitted operation turns out not to be taken.
    pub(crate) fn turn_away(&self, bytes: usize) {
        self.drop_one();
        self.release(bytes);
    }

    /// An operation was not taken and never admitted.
    pub(crate) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// An admitted operation was delivered.
    pub(crate) fn settle_sent(&self, bytes: usize) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.release(bytes);
    }

    /// An admitted operation was lost.
    pub(crate) fn settle_failed(&self, bytes: usize) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.release(bytes);
    }

    /// An admitted operation is on disk now.
    pub(crate) fn settle_spooled(&self, bytes: usize) {
        self.spooled.fetch_add(1, Ordering::Relaxed);
        self.release(bytes);
    }

    /// An operation lost a text because nobody knows what is in it.
    pub(crate) fn note_content_dropped(&self) {
        self.content_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether so much waits that what comes should go to disk: the other half is for what arrives until it is there.
    pub(crate) fn is_half_full(&self) -> bool {
        self.queued_operations() > self.limit_operations / 2 || self.queued_bytes() > self.limit_bytes / 2
    }

    /// What the broker acknowledged so far, of memory and disk.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) + self.spool.acknowledged()
    }

    fn release(&self, bytes: usize) {
        self.queued_operations.fetch_sub(1, Ordering::Relaxed);
        self.queued_bytes.fetch_sub(bytes + OVERHEAD_BYTES, Ordering::Relaxed);
    }

    /// Operations that wait.
    pub(crate) fn queued_operations(&self) -> usize {
        self.queued_operations.load(Ordering::Relaxed)
    }

    /// Bytes that wait, bookkeeping included.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            queued: u64::try_from(self.queued_operations()).unwrap_or(u64::MAX),
            spooled: self.spooled.load(Ordering::Relaxed),
            content_dropped: self.content_dropped.load(Ordering::Relaxed),
            spool: self.spool.counters(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_in_operations_and_in_bytes_and_comes_back() {
        let ledger = Ledger::new(2, 10_000);
        assert!(ledger.admit(100) && ledger.admit(100));
        assert!(!ledger.admit(100), "a third operation");
        ledger.settle_sent(100);
        assert!(!ledger.admit(10_000 - OVERHEAD_BYTES), "more bytes than are left");
        ledger.settle_failed(100);
        assert!(ledger.admit(ledger.largest()), "the largest operation fits an empty queue");
        assert_eq!(ledger.counters(), Counters { sent: 1, dropped: 2, failed: 1, queued: 1, ..Counters::default() });
        assert_eq!(ledger.queued_bytes(), 10_000);
    }

    #[test]
    fn no_thread_is_miscounted() {
        let ledger = Ledger::new(50, 1_000_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        if ledger.admit(10) {
                            ledger.settle_sent(10);
                        }
                    }
                });
            }
        });
        let Counters { sent, dropped, failed, queued, .. } = ledger.counters();
        assert_eq!((sent + dropped, failed, queued), (4000, 0, 0));
    }
}

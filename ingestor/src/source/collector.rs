//! Collects records into a batch and knows when it is due. Pure: the thread hands in the records and the clock.

use std::collections::HashMap;
use std::time::Instant;

use opstream_schemas::offsets::{Offset, Partition};

use super::StartAt;
use crate::config::BatchLimits;
use crate::record::{IncomingRecord, RawBatch};

/// What was read of each started partition and has not been handed over yet.
pub(super) struct Collector {
    limits: BatchLimits,
    started: HashMap<Partition, Progress>,
    batch: RawBatch,
    first_at: Option<Instant>,
}

struct Progress {
    epoch: u64,
    next: Offset,
}

impl Collector {
    pub(super) fn new(limits: BatchLimits) -> Self {
        Self { limits, started: HashMap::new(), batch: RawBatch::default(), first_at: None }
    }

    /// From now on records of this partition are taken, beginning at the offset.
    pub(super) fn start(&mut self, at: StartAt) {
        self.stop(&[at.partition]);
        self.started.insert(at.partition, Progress { epoch: at.epoch, next: at.offset });
    }

    /// Forgets these partitions and what was collected of them.
    pub(super) fn stop(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.started.remove(partition);
        }
        self.batch.drop_partitions(partitions);
        if self.batch.is_empty() {
            self.first_at = None;
        }
    }

    /// Takes a record, unless its partition is not started or the record was taken before.
    pub(super) fn take(&mut self, record: IncomingRecord<'_>, now: Instant) {
        let Some(progress) = self.started.get_mut(&record.partition) else { return };
        if record.offset < progress.next {
            return;
        }
        let expected = progress.next;
        progress.next = record.offset.next();
        self.batch.push(record, progress.epoch, expected);
        self.first_at.get_or_insert(now);
    }

    /// Whether the batch should go out now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.first_at.is_some_and(|first| now.duration_since(first) >= self.limits.age) || self.is_full()
    }

    /// Whether the batch has reached its limit of records or bytes.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= self.limits.records || self.batch.size_bytes() >= self.limits.bytes
    }

    /// Takes the batch out; collecting goes on with an empty one.
    pub(super) fn take_batch(&mut self) -> RawBatch {
        self.first_at = None;
        std::mem::take(&mut self.batch)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn collector() -> Collector {
        Collector::new(BatchLimits { age: Duration::from_millis(200), records: 3, bytes: 1000 })
    }

    fn start(collector: &mut Collector, offset: i64, epoch: u64) {
        collector.start(StartAt { partition: Partition(0), offset: Offset(offset), epoch });
    }

    fn record(offset: i64) -> IncomingRecord<'static> {
        IncomingRecord {
            partition: Partition(0),
            offset: Offset(offset),
            timestamp: None,
            key: None,
            value: Some(b"x"),
            headers: Vec::new(),
        }
    }

    #[test]
    fn records_of_a_partition_that_was_not_started_are_not_taken() {
        let mut collector = collector();
        collector.take(record(0), Instant::now());
        assert!(!collector.is_full() && collector.take_batch().is_empty());
    }

    #[test]
    fn a_record_is_taken_once_even_when_it_is_read_twice() {
        let mut collector = collector();
        start(&mut collector, 10, 1);
        for offset in [9, 10, 10, 11] {
            collector.take(record(offset), Instant::now());
        }
        let batch = collector.take_batch();
        assert_eq!((batch.len(), batch.ranges()[0].offsets.to), (2, Offset(12)));
    }

    #[test]
    fn a_batch_is_due_by_age_or_by_size() {
        let mut collector = collector();
        start(&mut collector, 0, 1);
        let begin = Instant::now();
        collector.take(record(0), begin);
        assert!(!collector.is_due(begin + Duration::from_millis(199)));
        assert!(collector.is_due(begin + Duration::from_millis(200)));
        collector.take(record(1), begin);
        collector.take(record(2), begin);
        assert!(collector.is_due(begin));
    }

    #[test]
    fn a_restart_drops_what_was_collected_in_the_old_epoch() {
        let mut collector = collector();
        start(&mut collector, 0, 1);
        collector.take(record(0), Instant::now());
        start(&mut collector, 0, 2);
        collector.take(record(0), Instant::now());
        let batch = collector.take_batch();
        assert_eq!((batch.len(), batch.ranges()[0].epoch), (1, 2));
    }
}

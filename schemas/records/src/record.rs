//! Records as they came from the topic: one arena of bytes for a whole batch, and where each record lies in it.
//!
//! Nothing is interpreted here. A batch remembers, for each partition, the half-open range of offsets that it stands
//! for, including offsets that hold no record (transaction markers, compacted records).

use std::collections::BTreeSet;
use std::ops::Range;

use opstream_schemas::offsets::{Offset, OffsetRange, Partition};
use opstream_schemas::time::UtcMillis;
use xxhash_rust::xxh3::Xxh3;

/// Place and bytes of one record within its batch's arena.
#[derive(Clone, Debug)]
pub struct RawRecord {
    /// Partition that the record came from.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// The broker's or producer's timestamp.
    pub timestamp: Option<UtcMillis>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

/// What a batch stands for in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// The partition.
    pub partition: Partition,
    /// Counts the times that reading of this partition was started; older ranges are stale.
    pub epoch: u64,
    /// Offsets, those without a record included.
    pub offsets: OffsetRange,
}

/// Name and value of each header, in the order of the record.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// Records of all assigned partitions, in the order in which they were read.
#[derive(Debug, Default)]
pub struct RawBatch {
    arena: Vec<u8>,
    records: Vec<RawRecord>,
    headers: Vec<(usize, Headers)>,
    header_bytes: usize,
    ranges: Vec<PartitionRange>,
}

/// One record as it is handed to [`RawBatch::push`].
#[derive(Debug)]
pub struct IncomingRecord<'a> {
    /// Partition that the record came from.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// The broker's or producer's timestamp.
    pub timestamp: Option<UtcMillis>,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers; empty for nearly every record.
    pub headers: Headers,
}

impl RawBatch {
    /// Adds a record whose partition is being read in `epoch` and is expected to continue at `expected`.
    pub fn push(&mut self, record: IncomingRecord<'_>, epoch: u64, expected: Offset) {
        let to = record.offset.next();
        match self.ranges.iter_mut().find(|range| range.partition == record.partition && range.epoch == epoch) {
            Some(range) => range.offsets.to = to,
            None => self.ranges.push(PartitionRange {
                partition: record.partition,
                epoch,
                offsets: OffsetRange { from: expected, to },
            }),
        }
        if !record.headers.is_empty() {
            self.header_bytes += record.headers.iter().map(header_size).sum::<usize>();
            self.headers.push((self.records.len(), record.headers));
        }
        let key = record.key.map(|key| append(&mut self.arena, key));
        let value = record.value.map(|value| append(&mut self.arena, value));
        self.records.push(RawRecord {
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key,
            value,
        });
    }

    /// Forgets everything of these partitions, which now belong to somebody else.
    pub fn drop_partitions(&mut self, partitions: &[Partition]) {
        if !self.ranges.iter().any(|range| partitions.contains(&range.partition)) {
            return;
        }
        self.ranges.retain(|range| !partitions.contains(&range.partition));
        let mut kept = 0;
        let mut new_index = vec![None; self.records.len()];
        for (index, record) in self.records.iter().enumerate() {
            if !partitions.contains(&record.partition) {
                new_index[index] = Some(kept);
                kept += 1;
            }
        }
        self.records.retain(|record| !partitions.contains(&record.partition));
        self.headers = std::mem::take(&mut self.headers)
            .into_iter()
            .filter_map(|(index, headers)| new_index[index].map(|index| (index, headers)))
            .collect();
    }

    /// The records, in the order in which they were read.
    pub fn records(&self) -> &[RawRecord] {
        &self.records
    }

    /// The ranges of offsets, at most one for each partition and epoch.
    pub fn ranges(&self) -> &[PartitionRange] {
        &self.ranges
    }

    /// Key bytes of a record of this batch.
    pub fn key(&self, record: &RawRecord) -> Option<&[u8]> {
        record.key.clone().map(|range| &self.arena[range])
    }

    /// Value bytes of a record of this batch.
    pub fn value(&self, record: &RawRecord) -> Option<&[u8]> {
        record.value.clone().map(|range| &self.arena[range])
    }

    /// Headers of the record at `index`; empty for nearly every record.
    pub fn headers(&self, index: usize) -> &[(String, Option<Vec<u8>>)] {
        let found = self.headers.binary_search_by_key(&index, |(index, _)| *index);
        found.map_or(&[], |place| &self.headers[place].1)
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether the batch stands for no offset.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of keys, values and headers, what a header costs besides its bytes included.
    pub fn size_bytes(&self) -> usize {
        self.arena.len() + self.header_bytes
    }

    /// Does not stand for these partitions any more; their records stay where they are, so that indexes remain valid.
    pub fn drop_ranges(&mut self, partitions: &BTreeSet<Partition>) {
        self.ranges.retain(|range| !partitions.contains(&range.partition));
    }

    /// Two batches: the first `records` records and the rest. Each stands for the offsets up to its last record.
    pub fn split_at(mut self, records: usize) -> [Self; 2] {
        let mut halves = [Self::default(), Self::default()];
        let mut headers = std::mem::take(&mut self.headers).into_iter().peekable();
        for (index, record) in self.records.iter().enumerate() {
            let range = self.ranges.iter_mut().find(|range| range.partition == record.partition);
            let range = range.expect("every record lies in a range");
            let expected = std::mem::replace(&mut range.offsets.from, record.offset.next());
            let incoming = IncomingRecord {
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.clone().map(|range| &self.arena[range]),
                value: record.value.clone().map(|range| &self.arena[range]),
                headers: headers.next_if(|(of, _)| *of == index).map(|(_, headers)| headers).unwrap_or_default(),
            };
            halves[usize::from(index >= records)].push(incoming, range.epoch, expected);
        }
        halves
    }
}

/// Tells a record from any other that may lie at its offset once the topic was made again.
pub fn record_hash(timestamp: Option<UtcMillis>, key: Option<&[u8]>, value: Option<&[u8]>) -> i64 {
    let mut hasher = Xxh3::new();
    hasher.update(&timestamp.map_or(-1, UtcMillis::millis).to_le_bytes());
    for part in [key, value] {
        hasher.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_le_bytes());
        hasher.update(part.unwrap_or_default());
    }
    hasher.digest().cast_signed()
}

/// What a header takes: its bytes and about what the two allocations and their places cost.
fn header_size((name, value): &(String, Option<Vec<u8>>)) -> usize {
    const OVERHEAD: usize = 80;
    OVERHEAD + name.len() + value.as_ref().map_or(0, Vec::len)
}

fn append(arena: &mut Vec<u8>, bytes: &[u8]) -> Range<usize> {
    let start = arena.len();
    arena.extend_from_slice(bytes);
    start..arena.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut RawBatch, partition: i32, offset: i64, expected: i64) {
        let headers = if offset == 7 { vec![("h".to_owned(), None)] } else { Vec::new() };
        let record = IncomingRecord {
            partition: Partition(partition),
            offset: Offset(offset),
            timestamp: None,
            key: None,
            value: Some(b"value"),
            headers,
        };
        batch.push(record, 1, Offset(expected));
    }

    #[test]
    fn offsets_without_a_record_belong_to_the_range() {
        let mut batch = RawBatch::default();
        push(&mut batch, 0, 5, 3);
        push(&mut batch, 0, 8, 6);
        assert_eq!(batch.ranges()[0].offsets, OffsetRange { from: Offset(3), to: Offset(9) });
    }

    #[test]
    fn a_revoked_partition_leaves_nothing_behind() {
        let mut batch = RawBatch::default();
        push(&mut batch, 0, 5, 5);
        push(&mut batch, 1, 7, 7);
        push(&mut batch, 1, 8, 8);
        batch.drop_partitions(&[Partition(0)]);
        assert_eq!(batch.len(), 2);
        assert_eq!(batch.ranges().len(), 1);
        assert_eq!(batch.headers(0).len(), 1, "headers follow their record to its new index");
        assert_eq!(batch.value(&batch.records()[1]), Some(&b"value"[..]));
        batch.drop_partitions(&[Partition(1)]);
        assert!(batch.is_empty());
    }

    #[test]
    fn headers_count_towards_the_size() {
        let mut batch = RawBatch::default();
        push(&mut batch, 0, 6, 6);
        let without = batch.size_bytes();
        let headers = vec![("name".to_owned(), Some(vec![0; 1 << 20]))];
        let record = IncomingRecord {
            partition: Partition(0),
            offset: Offset(7),
            timestamp: None,
            key: None,
            value: None,
            headers,
        };
        batch.push(record, 1, Offset(7));
        assert!(batch.size_bytes() - without > 1 << 20);
    }

    #[test]
    fn halves_follow_each_other_in_every_partition() {
        let mut batch = RawBatch::default();
        push(&mut batch, 0, 5, 3);
        push(&mut batch, 1, 7, 7);
        push(&mut batch, 0, 8, 6);
        push(&mut batch, 2, 1, 0);
        let [first, second] = batch.split_at(2);
        let ranges = |batch: &RawBatch| -> Vec<(i32, i64, i64)> {
            batch.ranges().iter().map(|range| (range.partition.0, range.offsets.from.0, range.offsets.to.0)).collect()
        };
        assert_eq!(ranges(&first), vec![(0, 3, 6), (1, 7, 8)]);
        assert_eq!(ranges(&second), vec![(0, 6, 9), (2, 0, 2)]);
        assert_eq!((first.len(), first.headers(1).len()), (2, 1));
        assert_eq!((second.len(), second.value(&second.records()[0])), (2, Some(&b"value"[..])));
    }
}

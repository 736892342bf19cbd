//! The law in its plainest form: a topic, who holds which partition, and what is stored. No database, no files, no retries.

use std::collections::{BTreeMap, BTreeSet};

use super::{PARTITIONS, Sent};

/// Partition and offset of a record.
pub(super) type Place = (usize, i64);

/// What is true.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) partitions: [Topic; PARTITIONS],
    /// For each operation the record that it came from, and whether it is the lab's.
    pub(super) rows: BTreeMap<u8, (Place, bool)>,
    pub(super) dead: BTreeSet<Place>,
    pub(super) ranges: Vec<Range>,
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) log: Vec<Sent>,
    /// First offset that retention has left.
    pub(super) log_start: i64,
    /// Number of claims.
    pub(super) fence: i64,
    /// Where the first claim began.
    pub(super) start: i64,
    pub(super) next: i64,
}

/// Applied offsets: partition, from, to, and what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub(super) partition: usize,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) is_gap: bool,
    pub(super) rows: i64,
    pub(super) duplicates: i64,
    pub(super) dead: i64,
    pub(super) skipped: i64,
}

/// A batch as its ingestor knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    /// Partition, fence under which it was read, from, to.
    pub(super) parts: Vec<(usize, i64, i64, i64)>,
    /// When each part was read: not before the partition was read again.
    pub(super) epochs: Vec<u64>,
    /// Every record and what it is in the eyes of the ingestor.
    pub(super) records: Vec<(Place, Sent, Sighting)>,
}

/// What an ingestor takes a record for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    New,
    Duplicate,
    Dead,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// Partitions and where they stand.
    pub(super) positions: Vec<(usize, i64)>,
    /// Partitions whose part was behind or ahead of the checkpoint.
    pub(super) moved: Vec<usize>,
    /// Whether somebody else holds one of them; then nothing is applied.
    pub(super) is_fenced: bool,
}

impl Batch {
    /// Leaves out what was read before a partition was taken away or read again.
    pub(super) fn keep_parts(&mut self, reading: &BTreeMap<usize, (u64, i64, i64)>) {
        let is_current = |(part, epoch): &(&(usize, i64, i64, i64), &u64)| {
            reading.get(&part.0).is_some_and(|(current, ..)| current == *epoch)
        };
        self.parts = self.parts.iter().zip(&self.epochs).filter(is_current).map(|(part, _)| *part).collect();
    }
}

impl Topic {
    pub(super) fn end(&self) -> i64 {
        i64::try_from(self.log.len()).unwrap()
    }
}

impl Reference {
    /// Returns the new fence and where to read.
    pub(super) fn claim(&mut self, partition: usize) -> (i64, i64) {
        let topic = &mut self.partitions[partition];
        topic.fence += 1;
        if topic.fence == 1 {
            (topic.start, topic.next) = (topic.log_start, topic.log_start);
        }
        (topic.fence, self.read_again(partition))
    }

    /// Where the holder of a partition reads from now on.
    pub(super) fn read_again(&mut self, partition: usize) -> i64 {
        let topic = &mut self.partitions[partition];
        if topic.next < topic.log_start {
            let (from, to) = (topic.next, topic.log_start);
            topic.next = to;
            let counts =
                Range { partition, from, to, is_gap: true, rows: 0, duplicates: 0, dead: 0, skipped: to - from };
            self.ranges.push(counts);
        }
        self.partitions[partition].next
    }

    /// What an ingestor that remembers these operations makes of records in the order in which it read them.
    pub(super) fn prepare(read: Vec<(Place, Sent)>, remembered: &BTreeMap<u8, bool>) -> Vec<(Place, Sent, Sighting)> {
        let mut seen = remembered.clone();
        let mut sight = |sent| match sent {
            Sent::Operation { number, in_lab } => match seen.get(&number) {
                Some(known) if *known == in_lab => Sighting::Duplicate,
                Some(_) => Sighting::Dead,
                None => {
                    seen.insert(number, in_lab);
                    Sighting::New
                }
            },
            Sent::Negative { .. } | Sent::Damaged | Sent::Marker => Sighting::Dead,
        };
        read.into_iter().map(|(place, sent)| (place, sent, sight(sent))).collect()
    }

    /// Stores what is left of a batch when parts that were read under other fences, or before they were read again, are gone.
    pub(super) fn store(&mut self, batch: &Batch) -> Applied {
        let mut parts = batch.parts.clone();
        parts.sort_unstable();
        let mut applied = Applied::default();
        loop {
            // In the order of the partitions; the first that does not fit decides.
            let misfit = parts.iter().find(|(partition, fence, from, _)| {
                let topic = &self.partitions[*partition];
                topic.fence != *fence || topic.next != *from
            });
            match misfit {
                None => break,
                Some((partition, fence, ..)) if self.partitions[*partition].fence != *fence => {
                    return Applied { is_fenced: true, ..Applied::default() };
                }
                Some((partition, ..)) => {
                    let partition = *partition;
                    applied.moved.push(partition);
                    parts.retain(|part| part.0 != partition);
                }
            }
        }
        // Of one operation in several partitions only one record is new to the ingestor, so that their order does not matter.
        for (partition, _, from, to) in parts {
            self.apply(batch, (partition, from, to));
            applied.positions.push((partition, to));
        }
        applied
    }

    fn apply(&mut self, batch: &Batch, (partition, from, to): (usize, i64, i64)) {
        let mut range =
            Range { partition, from, to, is_gap: false, rows: 0, duplicates: 0, dead: 0, skipped: to - from };
        for (place, sent, sighting) in batch.records.iter().filter(|(place, ..)| place.0 == partition) {
            range.skipped -= 1;
            let stored = match sent {
                Sent::Operation { number, .. } => self.rows.get(number).map(|(_, in_lab)| *in_lab),
                _ => None,
            };
            match (*sighting, *sent) {
                (Sighting::New, Sent::Operation { number, in_lab }) if stored.is_none() => {
                    self.rows.insert(number, (*place, in_lab));
                    range.rows += 1;
                }
                (Sighting::New, Sent::Operation { in_lab, .. }) if stored == Some(in_lab) => range.duplicates += 1,
                (Sighting::Duplicate, _) => range.duplicates += 1,
                _ => {
                    self.dead.insert(*place);
                    range.dead += 1;
                }
            }
        }
        self.ranges.push(range);
        self.partitions[partition].next = to;
    }

    /// Everything that retention did not take is stored or a dead letter, itself or another record of the same operation. A
    /// re-send of one that retention took from another partition may be gone with it: it was a duplicate when both were read, and
    /// only the other part was dropped.
    pub(super) fn assert_complete(&self) {
        let records = || {
            self.partitions.iter().enumerate().flat_map(|(partition, topic)| {
                let places = (0_i64..).map(move |offset| (partition, offset));
                places.zip(&topic.log)
            })
        };
        let was_taken = |place: &Place| {
            let of_place = |range: &&Range| range.partition == place.0 && (range.from..range.to).contains(&place.1);
            self.ranges.iter().find(of_place).is_none_or(|range| range.is_gap)
        };
        let is_explained = |place: &Place| self.dead.contains(place) || was_taken(place);
        let explained: BTreeSet<Sent> =
            records().filter(|(place, _)| is_explained(place)).map(|(_, sent)| *sent).collect();
        for (place, sent) in records() {
            let Sent::Operation { number, in_lab } = sent else { continue };
            let is_stored = self.rows.get(number).is_some_and(|(_, stored)| stored == in_lab);
            assert!(is_stored || explained.contains(sent), "operation {number} at {place:?} is lost");
        }
    }
}

//! Raw batch to prepared batch: decode, check, drop re-sends, price, assemble. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use opstream_schemas::OperationId;
use opstream_schemas::offsets::{OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::AcceptedTimes;

use crate::batch_files::Written;
use crate::checks::{Faults, check_columns};
use crate::columns::{Origin, content_columns, operation_columns, operation_ids, read_id, select_rows};
use crate::config::ContentPolicy;
use crate::dead_letter::{DeadLetter, Poison};
use crate::decode::{DecodedBatch, WriterSchemas, decode_batch};
use crate::duplicates::{BatchIds, Sighting, StoredIds};
use crate::record::{PartitionRange, RawBatch, RawRecord, record_hash};
use opstream_pricing::Pricer;

/// A batch that is ready for its transaction, files apart.
#[derive(Debug)]
pub struct PreparedBatch {
    raw: RawBatch,
    /// For each row the index of its record.
    records: Vec<usize>,
    /// Stored columns in order of id; no rows when everything was dead or a duplicate.
    pub operations: Option<RecordBatch>,
    /// Content of the rows that have any.
    pub contents: Option<RecordBatch>,
    /// Dead letters.
    pub dead: Vec<DeadLetter>,
    duplicates: Vec<usize>,
    /// Files of these rows, if they were written ahead.
    written: Option<Written>,
}

/// What becomes of the records of a raw batch; together with it a [`PreparedBatch`].
#[derive(Debug, Default)]
pub struct Parts {
    records: Vec<usize>,
    operations: Option<RecordBatch>,
    contents: Option<RecordBatch>,
    dead: Vec<DeadLetter>,
    duplicates: Vec<usize>,
}

/// Decoded rows and where they came from.
struct DecodedRows<'a> {
    raw: &'a RawBatch,
    columns: &'a RecordBatch,
    /// For each row the index of its record.
    records: &'a [usize],
    faults: Faults,
}

/// Origin of a batch.
struct Place<'a> {
    raw: &'a RawBatch,
    stream: StreamId,
}

/// What preparing needs to know besides the batch.
pub struct Preparer {
    /// Where content goes.
    pub content: ContentPolicy,
    /// What the registry has said of other writers.
    pub schemas: WriterSchemas,
    /// Prices.
    pub pricer: Pricer,
    /// Ids stored lately; the committer adds to them.
    pub stored: Arc<Mutex<StoredIds>>,
}

/// How many records of a partition became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Operations.
    pub rows: i64,
    /// Re-sends.
    pub duplicates: i64,
    /// Dead letters.
    pub dead: i64,
}

impl Preparer {
    /// Prepares a batch. `stream` marks the rows' origin.
    pub fn prepare(&mut self, raw: RawBatch, stream: StreamId, accepted: AcceptedTimes) -> PreparedBatch {
        let parts = self.convert(&raw, stream, accepted);
        PreparedBatch::new(raw, parts)
    }

    /// What becomes of the records of a batch.
    pub fn convert(&mut self, raw: &RawBatch, stream: StreamId, accepted: AcceptedTimes) -> Parts {
        let DecodedBatch { columns, records, poison } = decode_batch(raw, &self.schemas);
        let mut parts = Parts::default();
        parts.dead.extend(poison.into_iter().map(|(index, poison)| DeadLetter::of(raw, index, poison, None)));
        if let Some(columns) = columns {
            let faults = check_columns(&columns, &operation_ids(&columns), accepted);
            let kept =
                self.select_new_rows(&DecodedRows { raw, columns: &columns, records: &records, faults }, &mut parts);
            if !kept.is_empty() {
                parts.records = kept.iter().map(|row| records[index(*row)]).collect();
                self.assemble(&select_rows(&columns, &kept), &mut parts, &Place { raw, stream });
            }
        }
        parts
    }

    /// Rows to store. The others become dead letters and duplicates.
    fn select_new_rows(&self, rows: &DecodedRows<'_>, parts: &mut Parts) -> Vec<u32> {
        let ids = operation_ids(rows.columns);
        let workspaces =
            rows.columns.column_by_name("workspace").expect("decoded columns have a workspace").as_string::<i32>();
        // Read only: a panic elsewhere in this function leaves it as it was.
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = BatchIds::new(&stored);
        let mut kept = Vec::with_capacity(ids.len());
        for (row, id) in (0_u32..).zip(&ids) {
            let record = rows.records[index(row)];
            let poison = match rows.faults.get(&index(row)) {
                Some(violation) => violation.clone().into(),
                None => match seen.see(*id, workspaces.value(index(row))) {
                    Sighting::New => {
                        kept.push(row);
                        continue;
                    }
                    Sighting::Duplicate => {
                        parts.duplicates.push(record);
                        continue;
                    }
                    Sighting::OtherWorkspace => Poison::OtherWorkspace { id: *id },
                },
            };
            parts.dead.push(DeadLetter::of(rows.raw, record, poison, Some(*id)));
        }
        kept
    }

    fn assemble(&mut self, selected: &RecordBatch, parts: &mut Parts, place: &Place<'_>) {
        let prices = self.pricer.price(selected);
        let keeps_content = self.content != ContentPolicy::Drop;
        let origin = Origin { batch: place.raw, records: &parts.records, stream_id: place.stream.0 };
        parts.operations = Some(operation_columns(selected, &prices, &origin, keeps_content));
        parts.contents = keeps_content.then(|| content_columns(selected)).flatten();
    }
}

/// A row number as an index.
fn index(row: u32) -> usize {
    usize::try_from(row).expect("a batch has fewer rows than an address space")
}

impl PreparedBatch {
    /// A batch and what becomes of its records.
    pub fn new(raw: RawBatch, parts: Parts) -> Self {
        let Parts { records, operations, contents, dead, duplicates } = parts;
        Self { raw, records, operations, contents, dead, duplicates, written: None }
    }

    /// A batch all of whose records have this fault.
    pub fn of_poison(raw: RawBatch, poison: &Poison) -> Self {
        let letters = (0..raw.len()).map(|index| DeadLetter::of(&raw, index, poison.clone(), None));
        let parts = Parts { dead: letters.collect(), ..Parts::default() };
        Self::new(raw, parts)
    }

    /// Writes its files ahead of its transaction. When the lake refuses, whoever stores the batch tries again. Blocks.
    pub fn write_ahead(&mut self, lake: &Path) {
        match Written::now(self, lake) {
            Ok(written) => self.written = Some(written),
            Err(error) => tracing::debug!(%error, "a batch's files were not written ahead"),
        }
    }

    /// The files that were written ahead.
    pub const fn take_written(&mut self) -> Option<Written> {
        self.written.take()
    }

    /// The ranges of offsets that the batch stands for.
    pub fn ranges(&self) -> &[PartitionRange] {
        self.raw.ranges()
    }

    /// Ids of the rows.
    pub fn ids(&self) -> Vec<OperationId> {
        self.operations.as_ref().map(operation_ids).unwrap_or_default()
    }

    /// UTC days of the rows.
    pub fn days(&self) -> BTreeSet<UtcMillis> {
        self.ids().into_iter().map(|id| id.time().day_start()).collect()
    }

    /// What became of the records of this partition.
    pub fn outcomes(&self, partition: Partition) -> Outcomes {
        let of_partition = |index: &&usize| self.raw.records()[**index].partition == partition;
        Outcomes {
            rows: count(self.records.iter().filter(of_partition)),
            duplicates: count(self.duplicates.iter().filter(of_partition)),
            dead: count(self.dead.iter().filter(|letter| letter.partition == partition)),
        }
    }

    /// Number of offsets in a range that became nothing.
    pub fn skipped(outcomes: Outcomes, offsets: OffsetRange) -> i64 {
        offsets.len() - outcomes.rows - outcomes.duplicates - outcomes.dead
    }

    /// Takes out the rows whose ids are stored already: re-sends, or uses of another workspace's id. Returns how many.
    pub fn remove_existing(&mut self, existing: &HashMap<OperationId, String>) -> usize {
        let Some(operations) = &self.operations else { return 0 };
        let ids = operation_ids(operations);
        let workspaces =
            operations.column_by_name("workspace").expect("operations have a workspace").as_string::<i32>();
        let mut removed = HashSet::new();
        for (row, (id, record)) in ids.iter().zip(&self.records).enumerate() {
            let Some(workspace) = existing.get(id) else { continue };
            removed.insert(*id);
            if workspace == workspaces.value(row) {
                self.duplicates.push(*record);
            } else {
                self.dead.push(DeadLetter::of(&self.raw, *record, Poison::OtherWorkspace { id: *id }, Some(*id)));
            }
        }
        self.remove_rows(&removed);
        removed.len()
    }

    /// Leaves these partitions to whoever reads them next. A re-send in what remains, of an operation in what is dropped, stays
    /// a duplicate: the operation's own offset is not applied, so it is read again.
    pub fn drop_partitions(&mut self, partitions: &BTreeSet<Partition>) {
        // What is written of it holds too much; the sweeper removes it.
        self.written = None;
        let raw = &self.raw;
        let is_dropped = |index: &usize| partitions.contains(&raw.records()[*index].partition);
        let ids = self.operations.as_ref().map(operation_ids).unwrap_or_default();
        let removed = ids.into_iter().zip(&self.records).filter(|(_, record)| is_dropped(record)).map(|(id, _)| id);
        let removed: HashSet<OperationId> = removed.collect();
        self.duplicates.retain(|index| !is_dropped(index));
        self.dead.retain(|letter| !partitions.contains(&letter.partition));
        self.remove_rows(&removed);
        self.raw.drop_ranges(partitions);
    }

    fn remove_rows(&mut self, removed: &HashSet<OperationId>) {
        let (Some(operations), false) = (&self.operations, removed.is_empty()) else { return };
        let ids = operation_ids(operations);
        let mut kept = ids.iter().map(|id| !removed.contains(id));
        self.records.retain(|_| kept.next().expect("every row has its record"));
        self.operations = keep_rows(operations, &ids, removed);
        self.contents = self.contents.as_ref().and_then(|contents| {
            let ids = contents.column_by_name("operation_id").expect("content has an id").as_fixed_size_binary();
            let ids: Vec<OperationId> =
                ids.iter().map(|id| read_id(id.expect("operation_id is not nullable"))).collect();
            keep_rows(contents, &ids, removed)
        });
    }

    /// Number of records in a schema of a newer opstream.
    pub fn newer(&self) -> usize {
        self.dead.iter().filter(|letter| matches!(letter.poison, Poison::NewerSchema { .. })).count()
    }

    /// The records as they were read.
    pub fn into_raw(self) -> RawBatch {
        self.raw
    }

    /// Adds the stored operations to those that are remembered. Only after the commit.
    pub fn remember_in(&self, stored: &mut StoredIds) {
        let Some(operations) = &self.operations else { return };
        let workspaces =
            operations.column_by_name("workspace").expect("operations have a workspace").as_string::<i32>();
        for (id, workspace) in operation_ids(operations).into_iter().zip(workspaces) {
            stored.remember(id, workspace.unwrap_or_default());
        }
    }

    /// Number of dead letters for each reason.
    pub fn dead_by_reason(&self) -> BTreeMap<&'static str, usize> {
        let mut reasons = BTreeMap::new();
        for letter in &self.dead {
            *reasons.entry(letter.poison.code()).or_default() += 1;
        }
        reasons
    }

    /// Timestamp of the last record of the partition, dropped ones included.
    pub fn last_timestamp(&self, partition: Partition) -> Option<UtcMillis> {
        self.last_record(partition)?.timestamp
    }

    /// Hash of that record.
    pub fn last_record_hash(&self, partition: Partition) -> Option<i64> {
        let record = self.last_record(partition)?;
        Some(record_hash(record.timestamp, self.raw.key(record), self.raw.value(record)))
    }

    fn last_record(&self, partition: Partition) -> Option<&RawRecord> {
        self.raw.records().iter().rev().find(|record| record.partition == partition)
    }

    /// Number of records that the batch still stands for.
    pub const fn len(&self) -> usize {
        self.records.len() + self.duplicates.len() + self.dead.len()
    }

    /// Whether the batch stands for no offset any more.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

fn keep_rows(columns: &RecordBatch, ids: &[OperationId], removed: &HashSet<OperationId>) -> Option<RecordBatch> {
    let rows: Vec<u32> = (0_u32..).zip(ids).filter(|(_, id)| !removed.contains(id)).map(|(row, _)| row).collect();
    if rows.is_empty() {
        return None;
    }
    Some(take_record_batch(columns, &UInt32Array::from(rows)).expect("row numbers are within the batch"))
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).expect("a batch has fewer than 2^63 records")
}

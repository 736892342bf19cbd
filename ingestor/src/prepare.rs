//! Raw batch to prepared batch: decode, check, drop re-sends, price, assemble. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use opstream_schemas::OperationId;
use opstream_schemas::offsets::{OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::AcceptedTimes;

use crate::checks::check_columns;
use crate::columns::{Origin, content_columns, operation_columns, operation_ids, read_id, select_rows};
use crate::config::ContentPolicy;
use crate::dead_letter::{DeadLetter, Poison};
use crate::decode::{DecodedBatch, decode_batch};
use crate::duplicates::{BatchIds, Sighting, StoredIds};
use crate::price::Pricer;
use crate::record::{PartitionRange, RawBatch};

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
}

/// What preparing needs to know besides the batch.
pub struct Preparer {
    /// Where content goes.
    pub content: ContentPolicy,
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
        let DecodedBatch { columns, records, poison } = decode_batch(&raw);
        let dead = poison.into_iter().map(|(index, poison)| DeadLetter::of(&raw, index, poison, None)).collect();
        let mut prepared =
            PreparedBatch { raw, records: Vec::new(), operations: None, contents: None, dead, duplicates: Vec::new() };
        if let Some(columns) = columns {
            let kept = self.keep(&columns, &records, (&mut prepared, accepted));
            if !kept.is_empty() {
                prepared.records = kept.iter().map(|row| records[index(*row)]).collect();
                self.assemble(&select_rows(&columns, &kept), &mut prepared, stream);
            }
        }
        prepared
    }

    /// Rows to store, in order of id. The others become dead letters and duplicates.
    fn keep(&self, columns: &RecordBatch, records: &[usize], target: (&mut PreparedBatch, AcceptedTimes)) -> Vec<u32> {
        let (prepared, accepted) = target;
        let ids = operation_ids(columns);
        let faults = check_columns(columns, &ids, accepted);
        let workspaces =
            columns.column_by_name("workspace").expect("decoded columns have a workspace").as_string::<i32>();
        let stored = self.stored.lock().expect("no holder of this lock can panic");
        let mut seen = BatchIds::new(&stored, ids.len());
        let mut kept = Vec::with_capacity(ids.len());
        for (row, id) in (0_u32..).zip(&ids) {
            let record = records[index(row)];
            let poison = match faults.get(&index(row)) {
                Some(violation) => violation.clone().into(),
                None => match seen.see(*id, workspaces.value(index(row))) {
                    Sighting::New => {
                        kept.push(row);
                        continue;
                    }
                    Sighting::Duplicate => {
                        prepared.duplicates.push(record);
                        continue;
                    }
                    Sighting::OtherWorkspace => Poison::OtherWorkspace { id: *id },
                },
            };
            prepared.dead.push(DeadLetter::of(&prepared.raw, record, poison, Some(*id)));
        }
        kept.sort_by_key(|row| ids[index(*row)]);
        kept
    }

    fn assemble(&mut self, selected: &RecordBatch, prepared: &mut PreparedBatch, stream: StreamId) {
        let prices = self.pricer.price(selected);
        let keeps_content = self.content != ContentPolicy::Drop;
        let origin = Origin { batch: &prepared.raw, records: &prepared.records, stream_id: stream.0 };
        prepared.operations = Some(operation_columns(selected, &prices, &origin, keeps_content));
        prepared.contents = keeps_content.then(|| content_columns(selected)).flatten();
    }
}

/// A row number as an index.
fn index(row: u32) -> usize {
    usize::try_from(row).expect("a batch has fewer rows than an address space")
}

impl PreparedBatch {
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

    /// Takes out the rows whose ids are stored already: re-sends, or uses of another workspace's id.
    pub fn remove_existing(&mut self, existing: &HashMap<OperationId, String>) {
        let Some(operations) = &self.operations else { return };
        let ids = operation_ids(operations);
        let workspaces =
            operations.column_by_name("workspace").expect("operations have a workspace").as_string::<i32>();
        let mut kept = Vec::new();
        let mut records = Vec::new();
        for ((row, id), record) in (0_u32..).zip(&ids).zip(&self.records) {
            match existing.get(id) {
                None => {
                    kept.push(row);
                    records.push(*record);
                }
                Some(workspace) if workspace == workspaces.value(index(row)) => self.duplicates.push(*record),
                Some(_) => {
                    self.dead.push(DeadLetter::of(&self.raw, *record, Poison::OtherWorkspace { id: *id }, Some(*id)));
                }
            }
        }
        self.records = records;
        self.operations = take_rows(operations, kept);
        self.contents = self.contents.as_ref().and_then(|contents| {
            let ids = contents.column_by_name("operation_id").expect("content has an id").as_fixed_size_binary();
            let is_new = |row: &u32| !existing.contains_key(&read_id(ids.value(index(*row))));
            let rows = u32::try_from(ids.len()).expect("a batch has fewer than 2^32 rows");
            take_rows(contents, (0..rows).filter(is_new).collect())
        });
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

    /// Number of records.
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.raw.len() == 0
    }
}

fn take_rows(columns: &RecordBatch, rows: Vec<u32>) -> Option<RecordBatch> {
    if rows.is_empty() {
        return None;
    }
    Some(take_record_batch(columns, &UInt32Array::from(rows)).expect("row numbers are within the batch"))
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).expect("a batch has fewer than 2^63 records")
}

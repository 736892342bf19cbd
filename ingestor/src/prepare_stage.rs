//! The first stage: prepares batches and writes their files on a blocking thread while the stage behind it stores the batch before.
//!
//! A panic while preparing must not stop the topic: the batch is cut in halves until the record at fault stands alone, and that
//! one becomes a dead letter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::StreamId;
use opstream_schemas::prices::Catalogue;
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::AcceptedTimes;
use tokio::sync::{mpsc, watch};

use crate::dead_letter::Poison;
use crate::prepare::{Parts, PreparedBatch, Preparer};
use crate::record::RawBatch;
use crate::schema_lookup::SchemaLookup;

/// UTC days that the operations of one transaction may lie in. Postgres keeps a table for each day, and a transaction takes
/// two entries of the server's table of locks for each, of some six thousand for everybody. Ids may be of any day since
/// 2015, so that an import or a hostile producer can fill a batch with thousands of days.
const MAX_DAYS: usize = 64;

/// What the stage works with.
pub struct PrepareStage {
    /// Due batches; the stage ends with them.
    pub batches: mpsc::Receiver<RawBatch>,
    /// Prepared batches. Capacity 1, and none is prepared before there is room for it: memory holds at most four batches (collected,
    /// handed over, prepared, being stored).
    pub prepared: mpsc::Sender<PreparedBatch>,
    /// Asks the registry, where there is one.
    pub lookup: Option<SchemaLookup>,
    /// Does the work.
    pub preparer: Preparer,
    /// What it prices with.
    pub prices: watch::Receiver<Arc<Catalogue>>,
    /// Root of the lake.
    pub lake: PathBuf,
    /// The stream's row number.
    pub stream: StreamId,
    /// First accepted id time.
    pub floor: watch::Receiver<UtcMillis>,
}

impl PrepareStage {
    /// Runs until there are no more batches, or nobody takes them, or the wait for the registry is stopped.
    pub async fn run(self) {
        let Self { mut batches, prepared, lookup, mut preparer, mut prices, lake, stream, floor } = self;
        let lake: Arc<Path> = lake.into();
        loop {
            let Ok(room) = prepared.reserve().await else { return };
            let Some(raw) = batches.recv().await else { return };
            if let Some(lookup) = &lookup
                && !lookup.learn(&mut preparer.schemas, &raw).await
            {
                return;
            }
            // An error has no meaning here: whoever changed prices has ended, and the last ones stay.
            if prices.has_changed().unwrap_or(false) {
                let catalogue = prices.borrow_and_update().clone();
                tracing::info!(
                    version = catalogue.version(),
                    "operations are priced with another catalogue from here on"
                );
                preparer.pricer.replace_catalogue(catalogue);
            }
            let accepted = AcceptedTimes::at(UtcMillis::now(), *floor.borrow());
            let lake = lake.clone();
            let work = move || {
                // An error has no meaning here: reading is behind, and writing is not begun.
                failpoint::reach_blocking(Step::BatchRead).ok();
                let mut convert = |raw: &RawBatch| preparer.convert(raw, stream, accepted);
                let parts = halve_on_panic(raw, &mut convert).into_iter();
                let mut done: Vec<PreparedBatch> = parts
                    .map(|(raw, parts)| prepared_batch(raw, parts))
                    .flat_map(|batch| halve_until_few_days(batch, &mut convert))
                    .collect();
                for batch in &mut done {
                    batch.write_ahead(&lake);
                }
                (preparer, done)
            };
            let Ok((returned, done)) = tokio::task::spawn_blocking(work).await else {
                tracing::error!("preparing a batch failed outside of any record");
                return;
            };
            preparer = returned;
            let mut done = done.into_iter();
            if let Some(first) = done.next() {
                room.send(first);
            }
            for batch in done {
                if prepared.send(batch).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The batch, in parts if it lies in too many days. An operation that is sent again in a later part is found by the primary
/// key.
fn halve_until_few_days(batch: PreparedBatch, convert: &mut impl FnMut(&RawBatch) -> Parts) -> Vec<PreparedBatch> {
    let mut waiting = vec![batch];
    let mut done = Vec::new();
    while let Some(batch) = waiting.pop() {
        if batch.days().len() <= MAX_DAYS {
            done.push(batch);
            continue;
        }
        let raw = batch.into_raw();
        let middle = raw.len() / 2;
        let [first, second] = raw.split_at(middle).map(|raw| {
            let parts = convert(&raw);
            PreparedBatch::new(raw, parts)
        });
        waiting.extend([second, first]);
    }
    done
}

fn prepared_batch(raw: RawBatch, parts: Option<Parts>) -> PreparedBatch {
    let Some(parts) = parts else {
        tracing::error!(records = raw.len(), "preparing a record panicked; it becomes a dead letter");
        let reason = "the ingestor panicked while preparing the record".to_owned();
        return PreparedBatch::of_poison(raw, &Poison::Undecodable { reason });
    };
    PreparedBatch::new(raw, parts)
}

/// Converts the batch, or else its halves, in the order in which it was read. A part of one record with which even that panics
/// has no result. Several small parts instead of one are slow to store; a panic is rare.
fn halve_on_panic<T>(raw: RawBatch, convert: &mut impl FnMut(&RawBatch) -> T) -> Vec<(RawBatch, Option<T>)> {
    let mut done = Vec::new();
    let mut rest = vec![raw];
    while let Some(raw) = rest.pop() {
        match catch_unwind(AssertUnwindSafe(|| convert(&raw))) {
            Ok(converted) => done.push((raw, Some(converted))),
            Err(_) if raw.len() < 2 => done.push((raw, None)),
            Err(_) => {
                let middle = raw.len() / 2;
                let [first, second] = raw.split_at(middle);
                rest.extend([second, first]);
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::offsets::{Offset, OffsetRange, Partition};
    use opstream_schemas::prices::{Catalogue, CostPolicy};
    use opstream_schemas::time::DAY_MILLIS;
    use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
    use opstream_schemas::{Operation, OperationId, UtcMicros};

    use super::*;
    use crate::config::{ContentPolicy, embedded_prices};
    use crate::decode::WriterSchemas;
    use crate::duplicates::StoredIds;
    use crate::record::IncomingRecord;
    use opstream_pricing::Pricer;

    fn batch(values: &[&[u8]]) -> RawBatch {
        let mut raw = RawBatch::default();
        for (offset, value) in (0..).zip(values) {
            let record = IncomingRecord {
                partition: Partition(0),
                offset: Offset(offset),
                timestamp: None,
                key: None,
                value: Some(value),
                headers: Vec::new(),
            };
            raw.push(record, 1, Offset(offset));
        }
        raw
    }

    fn preparer() -> Preparer {
        Preparer {
            schemas: WriterSchemas::default(),
            content: ContentPolicy::Drop,
            pricer: Pricer::new(Catalogue::embedded().clone(), CostPolicy::default()),
            stored: Arc::new(Mutex::new(StoredIds::default())),
        }
    }

    #[tokio::test]
    async fn nothing_is_prepared_before_there_is_room_for_it() {
        let ((due, batches), (prepared, mut taken)) = (mpsc::channel(1), mpsc::channel(1));
        let (floor, prices) = (watch::channel(DEFAULT_RETENTION_FLOOR).1, embedded_prices());
        let (lake, stream) = (PathBuf::from("no file is written of poison"), StreamId(1));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(
            PrepareStage { batches, prepared, lookup: None, preparer: preparer(), prices, lake, stream, floor }.run(),
        );
        for value in [b"a", b"b"] {
            due.send(batch(&[value])).await.unwrap();
        }
        while taken.is_empty() {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(due.capacity(), 0, "the second batch waits as it came");
        taken.recv().await.unwrap();
        due.reserve().await.unwrap();
    }

    #[test]
    fn only_the_record_that_makes_it_panic_is_dead() {
        let raw = batch(&[b"a", b"b", b"bad", b"c", b"d", b"e", b"bad", b"f"]);
        let mut convert = |raw: &RawBatch| {
            let values: Vec<&[u8]> = raw.records().iter().map(|record| raw.value(record).unwrap()).collect();
            assert!(!values.contains(&&b"bad"[..]), "a panic that the test wants");
            values.concat()
        };
        let parts = halve_on_panic(raw, &mut convert);
        let mut next = Offset(0);
        let mut kept = Vec::new();
        let mut dead = Vec::new();
        for (raw, converted) in parts {
            assert_eq!(raw.ranges()[0].offsets.from, next, "the parts follow each other");
            next = raw.ranges()[0].offsets.to;
            if let Some(values) = converted {
                kept.extend(values);
            } else {
                let letters = prepared_batch(raw, None).dead;
                dead.extend(letters.into_iter().map(|letter| (letter.offset.0, letter.poison.code())));
            }
        }
        assert_eq!((kept, next), (b"abcdef".to_vec(), Offset(8)));
        assert_eq!(dead, [(2, "undecodable"), (6, "undecodable")]);
    }

    #[test]
    fn a_batch_of_very_many_days_is_stored_in_parts_that_follow_each_other() {
        let mut raw = RawBatch::default();
        for n in 0..300 {
            let at = DEFAULT_RETENTION_FLOOR.plus_millis(n * DAY_MILLIS);
            let operation = Operation {
                operation_id: OperationId::mint(at, [1; 10]),
                ..Operation::starting("chat", UtcMicros::now())
            };
            let mut bytes = Vec::new();
            encode_operation(&operation, &mut bytes);
            let record = IncomingRecord {
                partition: Partition(0),
                offset: Offset(n),
                timestamp: None,
                key: None,
                value: Some(&bytes),
                headers: Vec::new(),
            };
            raw.push(record, 1, Offset(n));
        }
        let mut preparer = preparer();
        let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
        let mut convert = |raw: &RawBatch| preparer.convert(raw, StreamId(1), accepted);
        let whole = convert(&raw);
        let parts = halve_until_few_days(PreparedBatch::new(raw, whole), &mut convert);
        assert!(parts.iter().all(|part| (1..=MAX_DAYS).contains(&part.days().len())));
        let mut next = Offset(0);
        for part in &parts {
            let [range] = part.ranges() else { panic!("{:?}", part.ranges()) };
            let OffsetRange { from, to } = range.offsets;
            assert_eq!((from, part.outcomes(Partition(0)).rows), (next, range.offsets.len()));
            next = to;
        }
        assert_eq!(next, Offset(300));
    }
}

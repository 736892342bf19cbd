//! What the ingestor computes per operation on one core: decode, check, find re-sends, price, and columns to store.
//!
//! In: batches of encoded operations, made before the clock starts. The ids of earlier batches are remembered as they are
//! after a commit, so that looking for re-sends costs what it does in a long run.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opstream_ingestor::ContentPolicy;
use opstream_ingestor::duplicates::StoredIds;
use opstream_ingestor::prepare::Preparer;
use opstream_pricing::Pricer;
use opstream_records::decode::WriterSchemas;
use opstream_records::record::{IncomingRecord, RawBatch};
use opstream_schemas::avro::encode_operation;
use opstream_schemas::offsets::{Offset, Partition, StreamId};
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use opstream_schemas::{UtcMicros, UtcMillis};

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;

/// The ingestor's default.
const BATCH: u64 = 20_000;

/// Measures so many operations, rounded up to whole batches.
pub(crate) fn measure(operations: u64) -> Vec<Figure> {
    let stored = Arc::new(Mutex::new(StoredIds::default()));
    let pricer = Pricer::new(Catalogue::embedded().clone(), CostPolicy::default());
    let mut preparer = Preparer {
        schemas: WriterSchemas::default(),
        content: ContentPolicy::Drop,
        pricer,
        stored: Arc::clone(&stored),
    };
    let mut fleet = Fleet::new(2);
    let (mut took, mut rows, mut bytes) = (Duration::ZERO, 0_u64, 0_usize);
    for number in 0..operations.div_ceil(BATCH) {
        let raw = raw_batch(&mut fleet, number * BATCH);
        bytes += raw.size_bytes();
        let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
        let began = Instant::now();
        let prepared = preparer.prepare(raw, StreamId(1), accepted);
        took += began.elapsed();
        rows += prepared.operations.as_ref().map_or(0, |columns| columns.num_rows() as u64);
        prepared.remember_in(&mut stored.lock().expect("nothing panicked with the lock"));
    }
    assert_eq!(rows, operations.div_ceil(BATCH) * BATCH, "operations were refused or taken for re-sends");
    let per_operation = took.as_secs_f64() / rows as f64;
    let size = bytes as f64 / rows as f64;
    let note = format!("{} each", Unit::Seconds.text(per_operation));
    vec![
        Figure::new("operation on the topic, key and value", size, Unit::Bytes),
        Figure::new("decode, check, price, columns; one core", 1.0 / per_operation, Unit::PerSecond)
            .against(budgets::PREPARE)
            .noting(note),
    ]
}

/// A batch of the fleet's next operations, whose offsets begin at `first`.
pub(crate) fn raw_batch(fleet: &mut Fleet, first: u64) -> RawBatch {
    let mut batch = RawBatch::default();
    let mut value = Vec::new();
    let now = UtcMicros::now();
    for number in first..first + BATCH {
        let operation = fleet.operation(now);
        value.clear();
        encode_operation(&operation, &mut value);
        let offset = Offset(i64::try_from(number).expect("a benchmark has fewer than 2^63 operations"));
        let record = IncomingRecord {
            partition: Partition(0),
            offset,
            timestamp: Some(now.to_millis()),
            key: operation.session_id.as_deref().map(str::as_bytes),
            value: Some(&value),
            headers: Vec::new(),
        };
        batch.push(record, 1, offset);
    }
    batch
}

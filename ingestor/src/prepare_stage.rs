//! The first stage: prepares batches on a blocking thread while the stage behind it stores the batch before.

use opstream_schemas::offsets::StreamId;
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::AcceptedTimes;
use tokio::sync::{mpsc, watch};

use crate::prepare::{PreparedBatch, Preparer};
use crate::record::RawBatch;

/// UTC days that the operations of one transaction may lie in. Postgres keeps a table for each day, and a transaction takes
/// two entries of the server's table of locks for each, of some six thousand for everybody. Ids may be of any day since
/// 2015, so that an import or a hostile producer can fill a batch with thousands of days.
const MAX_DAYS: usize = 64;

/// What the stage works with.
pub struct Preparing {
    /// Due batches; the stage ends with them.
    pub batches: mpsc::Receiver<RawBatch>,
    /// Prepared batches. Capacity 1: memory holds at most four batches (collected, waiting, prepared, stored).
    pub prepared: mpsc::Sender<PreparedBatch>,
    /// Does the work.
    pub preparer: Preparer,
    /// The stream's row number.
    pub stream: StreamId,
    /// First accepted id time.
    pub floor: watch::Receiver<UtcMillis>,
}

/// Runs until there are no more batches.
pub async fn prepare_batches(stage: Preparing) {
    let Preparing { batches: mut due, prepared, mut preparer, stream, floor } = stage;
    while let Some(raw) = due.recv().await {
        let accepted = AcceptedTimes::at(UtcMillis::now(), *floor.borrow());
        let work = move || {
            let batches = prepare_parts(&mut preparer, raw, stream, accepted);
            (preparer, batches)
        };
        let Ok((returned, batches)) = tokio::task::spawn_blocking(work).await else {
            tracing::error!(
                "preparing a batch panicked; the ingestor stops and reads from the checkpoint when it starts again"
            );
            return;
        };
        preparer = returned;
        for batch in batches {
            if prepared.send(batch).await.is_err() {
                return;
            }
        }
    }
}

/// Prepares the batch, in parts if it lies in too many days. An operation that is sent again in a later part is found by
/// the primary key.
fn prepare_parts(
    preparer: &mut Preparer,
    raw: RawBatch,
    stream: StreamId,
    accepted: AcceptedTimes,
) -> Vec<PreparedBatch> {
    let mut waiting = vec![raw];
    let mut prepared = Vec::new();
    while let Some(raw) = waiting.pop() {
        let batch = preparer.prepare(raw, stream, accepted);
        if batch.days().len() <= MAX_DAYS {
            prepared.push(batch);
            continue;
        }
        let raw = batch.into_raw();
        let [first, second] = raw.split_at(raw.len() / 2);
        waiting.extend([second, first]);
    }
    prepared
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::offsets::{Offset, OffsetRange, Partition};
    use opstream_schemas::prices::Catalogue;
    use opstream_schemas::time::DAY_MILLIS;
    use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
    use opstream_schemas::{Operation, OperationId, UtcMicros};

    use super::*;
    use crate::config::ContentPolicy;
    use crate::duplicates::StoredIds;
    use crate::price::Pricer;
    use crate::record::IncomingRecord;

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
        let stored = Arc::new(Mutex::new(StoredIds::default()));
        let mut preparer =
            Preparer { content: ContentPolicy::Drop, pricer: Pricer::new(Catalogue::embedded()), stored };
        let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
        let parts = prepare_parts(&mut preparer, raw, StreamId(1), accepted);
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

//! Stores operations with the code of an ingestor: decode, check, find re-sends, price, columns, file and transaction. The batches are as they
//! are given; offsets and partitions are of a topic that nobody else has, since the batches would otherwise be the broker's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opstream_ingestor::committer::{Committer, Stored};
use opstream_ingestor::config::{BatchLimits, ContentPolicy, IngestorConfig, embedded_prices};
use opstream_ingestor::ownership::Ownership;
use opstream_ingestor::prepare::Preparer;
use opstream_ingestor::store::{StreamKey, claim_partition, find_stream};
use opstream_pricing::Pricer;
use opstream_records::decode::WriterSchemas;
use opstream_records::record::{IncomingRecord, RawBatch};
use opstream_schemas::avro::encode_operation;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Offset, Partition, StreamId};
use opstream_schemas::topics::Topics;
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use opstream_schemas::{Operation, UtcMillis};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::expected::Prices;

/// Partitions of the topic.
pub(crate) const PARTITIONS: usize = 3;
/// The one ingestor of its topic.
pub(crate) struct Intake {
    committer: Committer,
    preparer: Preparer,
    ownership: Ownership,
    stream: StreamId,
    /// Of each partition: since when it is ours, and the offset of its next record.
    partitions: [(u64, i64); PARTITIONS],
}

impl Intake {
    /// Takes the partitions of a topic that is not there yet.
    pub(crate) async fn new(database: &Database, lake: &Path, prices: &Prices, now: UtcMillis) -> Self {
        let stop = CancellationToken::new();
        let config = IngestorConfig {
            registry: None,
            prices: embedded_prices(),
            cost_policy: prices.policy,
            database: database.clone(),
            lake: lake.to_owned(),
            bootstrap: String::new(),
            topics: Topics::default(),
            group: String::new(),
            instance: None,
            properties: BTreeMap::new(),
            limits: BatchLimits::default(),
            content: ContentPolicy::Drop,
            poison_hold: Duration::ZERO,
            reporter: Reporter::default(),
        };
        let key = StreamKey { cluster_id: "sums".to_owned(), topic: "sums".to_owned(), topic_id: String::new() };
        let stream = find_stream(database, &key, now).await.expect("the database takes a stream");
        let mut ownership = Ownership::new(stop.clone());
        let mut partitions = [(0, 0); PARTITIONS];
        for (number, (epoch, next)) in partitions.iter_mut().enumerate() {
            let partition = partition(number);
            let claim = claim_partition(database, (stream, partition), Uuid::new_v4(), Offset(*next)).await;
            let fence = claim.expect("nobody else wants the partition").fence;
            let ticket = ownership.assign(partition, 1);
            let (_, start) = ownership.admit(&ticket, fence, Offset(*next)).expect("nothing else was assigned");
            *epoch = start.epoch;
        }
        let stored = Arc::new(Mutex::default());
        let committer = Committer::new(&config, stream, Arc::clone(&stored), stop);
        let preparer = Preparer {
            schemas: WriterSchemas::default(),
            content: config.content,
            pricer: Pricer::new(Arc::clone(&prices.catalogue), prices.policy),
            stored,
        };
        Self { committer, preparer, ownership, stream, partitions }
    }

    /// Stores one batch; each operation names its partition.
    pub(crate) async fn store(&mut self, operations: impl Iterator<Item = (usize, Operation)>, now: UtcMillis) {
        let mut raw = RawBatch::default();
        let mut value = Vec::new();
        for (number, operation) in operations {
            let (epoch, next) = &mut self.partitions[number];
            value.clear();
            encode_operation(&operation, &mut value);
            let record = IncomingRecord {
                partition: partition(number),
                offset: Offset(*next),
                timestamp: Some(now),
                key: None,
                value: Some(&value),
                headers: Vec::new(),
            };
            raw.push(record, *epoch, Offset(*next));
            *next += 1;
        }
        let accepted = AcceptedTimes::at(now, DEFAULT_RETENTION_FLOOR);
        let prepared = self.preparer.prepare(raw, self.stream, accepted);
        match Box::pin(self.committer.store(prepared, &self.ownership)).await {
            Stored::Committed(committed) => {
                assert!(committed.reread.is_empty(), "somebody else moved the checkpoint: {committed:?}");
                for (partition, position) in committed.positions {
                    self.ownership.advance(partition, position);
                }
            }
            other => panic!("the batch was not stored: {other:?}"),
        }
    }
}

fn partition(number: usize) -> Partition {
    Partition(i32::try_from(number).expect("there are few partitions"))
}

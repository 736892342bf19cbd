//! Consumers: records out, at once when there are any, else as soon as there are.
//!
//! A consumer that is up to date waits here without costing anything: it is woken by the writer of a partition it wants.
//! Records are read only when there is memory for them, which they keep until the client has taken them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::select_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::Broker;
use crate::embedded_broker::batch::BatchHeader;
use crate::embedded_broker::log::ReadError;
use crate::embedded_broker::partition::Partition;

/// The most that one response carries, whatever the client allows (usually 50 MB), so that a few consumers far behind
/// do not fill the memory. A single larger batch is still returned.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
const MAX_WAIT: Duration = Duration::from_secs(30);

struct Wanted {
    number: i32,
    offset: i64,
    max_bytes: usize,
    partition: Option<Arc<Partition>>,
}

type WantedTopics = Vec<(TopicName, Vec<Wanted>)>;

/// Memory for the records that are on their way to consumers, who may take their time; others wait. A batch that is larger
/// than [`MAX_RESPONSE_BYTES`] counts as that much.
pub(in crate::embedded_broker) const RESPONSE_MEMORY_BYTES: usize = 64 * MAX_RESPONSE_BYTES;

/// What was read.
struct Found {
    response: FetchResponse,
    n_bytes: usize,
    /// Whether there is more than fits: waiting would not make it larger.
    is_full: bool,
    has_error: bool,
    memory: Option<OwnedSemaphorePermit>,
}

/// Returns records, waiting for them as long as the consumer allows, and their share of the memory.
pub(super) async fn fetch(broker: &Broker, request: FetchRequest) -> (FetchResponse, Option<OwnedSemaphorePermit>) {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
    let deadline = Instant::now() + wait;
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_RESPONSE_BYTES);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let wanted = Arc::new(look_up(broker, &request));
    let mut ends: Vec<_> = partitions(&wanted).map(|partition| partition.watch_end()).collect();
    loop {
        for end in &mut ends {
            end.mark_unchanged();
        }
        let found = read(broker, &wanted, max_bytes, deadline).await;
        let is_enough = found.n_bytes >= min_bytes || found.is_full || found.has_error;
        if is_enough || ends.is_empty() || Instant::now() >= deadline {
            return (found.response, found.memory);
        }
        let Found { response, memory, .. } = found;
        // What is not enough yet is read again, so that nothing is held while waiting.
        drop(memory);
        let woken = tokio::time::timeout_at(deadline, any_changed(&mut ends));
        if broker.shutdown.run_until_cancelled(woken).await.is_none() {
            return (response, None);
        }
    }
}

fn look_up(broker: &Broker, request: &FetchRequest) -> WantedTopics {
    let topics = request.topics.iter().map(|topic| {
        let wanted = topic.partitions.iter().map(|partition| Wanted {
            number: partition.partition,
            offset: partition.fetch_offset,
            max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
            partition: broker.topics.partition(&topic.topic, partition.partition),
        });
        (topic.topic.clone(), wanted.collect())
    });
    topics.collect()
}

fn partitions(wanted: &WantedTopics) -> impl Iterator<Item = &Arc<Partition>> {
    wanted.iter().flat_map(|(_, wanted)| wanted).filter_map(|wanted| wanted.partition.as_ref())
}

async fn any_changed(ends: &mut [watch::Receiver<i64>]) {
    // The partitions are held open meanwhile, so no receiver can fail.
    select_all(ends.iter_mut().map(|end| end.changed().boxed())).await.0.ok();
}

/// Reads what is there, at most `max_bytes`; nothing when there is no memory for it before `deadline`.
async fn read(broker: &Broker, wanted: &Arc<WantedTopics>, max_bytes: usize, deadline: Instant) -> Found {
    let is_idle = |wanted: &Wanted| wanted.partition.as_ref().is_some_and(|partition| partition.end() == wanted.offset);
    if wanted.iter().flat_map(|(_, wanted)| wanted).all(is_idle) {
        return read_all(wanted, 0);
    }
    let share = u32::try_from(max_bytes).unwrap_or(u32::MAX);
    let memory = Arc::clone(&broker.response_memory).acquire_many_owned(share);
    let Ok(memory) = tokio::time::timeout_at(deadline, memory).await else { return read_all(wanted, 0) };
    let reading = Arc::clone(wanted);
    let Ok(mut found) = tokio::task::spawn_blocking(move || read_all(&reading, max_bytes)).await else {
        let response = FetchResponse::default().with_error_code(ResponseError::UnknownServerError.code());
        return Found { response, n_bytes: 0, is_full: false, has_error: true, memory: None };
    };
    found.memory = memory.ok().and_then(|mut share| share.split(found.n_bytes.min(share.num_permits())));
    found
}

fn read_all(wanted: &WantedTopics, max_bytes: usize) -> Found {
    let (mut left, mut n_bytes, mut is_full, mut has_error) = (max_bytes, 0, false, false);
    let mut responses = Vec::with_capacity(wanted.len());
    for (topic, wanted) in wanted {
        let mut partitions = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let data = read_one(wanted, left);
            let size = data.records.as_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(size);
            n_bytes += size;
            has_error |= data.error_code != 0;
            is_full |= end_of(&data).unwrap_or(wanted.offset) < data.high_watermark;
            partitions.push(data);
        }
        responses.push(FetchableTopicResponse::default().with_topic(topic.clone()).with_partitions(partitions));
    }
    Found { response: FetchResponse::default().with_responses(responses), n_bytes, is_full, has_error, memory: None }
}

/// Offset that follows the last batch.
fn end_of(data: &PartitionData) -> Option<i64> {
    let mut batches = data.records.as_deref()?;
    let mut end = None;
    while let Some(header) = BatchHeader::parse(batches) {
        end = Some(header.next_offset());
        batches = batches.get(header.size_bytes..)?;
    }
    end
}

fn read_one(wanted: &Wanted, left: usize) -> PartitionData {
    let data = PartitionData::default().with_partition_index(wanted.number).with_records(Some(Bytes::new()));
    let Some(partition) = &wanted.partition else {
        return data.with_error_code(ResponseError::UnknownTopicOrPartition.code()).with_high_watermark(-1);
    };
    let records = if left == 0 && partition.start() <= wanted.offset && wanted.offset <= partition.end() {
        Ok(Bytes::new())
    } else {
        partition.read(wanted.offset, wanted.max_bytes.min(left))
    };
    // Taken after the read: the client must never get a record beyond the end that it is told.
    let end = partition.end();
    let data = data.with_high_watermark(end).with_last_stable_offset(end).with_log_start_offset(partition.start());
    match records {
        Ok(records) => data.with_records(Some(records)),
        Err(ReadError::OutOfRange { .. }) => data.with_error_code(ResponseError::OffsetOutOfRange.code()),
        Err(ReadError::Disk(error)) => {
            tracing::error!(error = %error, partition = wanted.number, "cannot read the log, so consumers must wait");
            data.with_error_code(ResponseError::KafkaStorageError.code())
        }
    }
}

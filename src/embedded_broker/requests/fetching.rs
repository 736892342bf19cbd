//! Consumers: records out, at once when there are any, else as soon as there are.
//!
//! A consumer that is up to date waits here without costing anything: it is woken by the writer of a partition it wants.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::select_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, TopicName};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Broker;
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

/// Returns records, waiting for them as long as the consumer allows.
pub(super) async fn fetch(broker: &Broker, request: FetchRequest) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
    let deadline = Instant::now() + wait;
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_RESPONSE_BYTES);
    let wanted = Arc::new(look_up(broker, &request));
    let mut ends: Vec<_> = partitions(&wanted).map(|partition| partition.watch_end()).collect();
    loop {
        for end in &mut ends {
            end.mark_unchanged();
        }
        let (response, n_bytes, has_error) = read(&wanted, max_bytes).await;
        if n_bytes >= min_bytes || has_error || ends.is_empty() || Instant::now() >= deadline {
            return response;
        }
        let woken = tokio::time::timeout_at(deadline, any_changed(&mut ends));
        if broker.shutdown.run_until_cancelled(woken).await.is_none() {
            return response;
        }
    }
}

fn look_up(broker: &Broker, request: &FetchRequest) -> Vec<(TopicName, Vec<Wanted>)> {
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

fn partitions(wanted: &[(TopicName, Vec<Wanted>)]) -> impl Iterator<Item = &Arc<Partition>> {
    wanted.iter().flat_map(|(_, wanted)| wanted).filter_map(|wanted| wanted.partition.as_ref())
}

async fn any_changed(ends: &mut [watch::Receiver<i64>]) {
    // The partitions are held open meanwhile, so no receiver can fail.
    select_all(ends.iter_mut().map(|end| end.changed().boxed())).await.0.ok();
}

/// Reads what is there: the response, its records' size, and whether it tells of an error.
async fn read(wanted: &Arc<Vec<(TopicName, Vec<Wanted>)>>, max_bytes: usize) -> (FetchResponse, usize, bool) {
    let is_idle = |wanted: &Wanted| wanted.partition.as_ref().is_some_and(|partition| partition.end() == wanted.offset);
    if wanted.iter().flat_map(|(_, wanted)| wanted).all(is_idle) {
        return read_all(wanted, 0);
    }
    let reading = Arc::clone(wanted);
    match tokio::task::spawn_blocking(move || read_all(&reading, max_bytes)).await {
        Ok(read) => read,
        Err(_) => (FetchResponse::default().with_error_code(ResponseError::UnknownServerError.code()), 0, true),
    }
}

fn read_all(wanted: &[(TopicName, Vec<Wanted>)], max_bytes: usize) -> (FetchResponse, usize, bool) {
    let (mut left, mut n_bytes, mut has_error) = (max_bytes, 0, false);
    let mut responses = Vec::with_capacity(wanted.len());
    for (topic, wanted) in wanted {
        let mut partitions = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let data = read_one(wanted, left);
            let size = data.records.as_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(size);
            n_bytes += size;
            has_error |= data.error_code != 0;
            partitions.push(data);
        }
        responses.push(FetchableTopicResponse::default().with_topic(topic.clone()).with_partitions(partitions));
    }
    (FetchResponse::default().with_responses(responses), n_bytes, has_error)
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

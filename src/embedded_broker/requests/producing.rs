//! Producers: records in, and the ids that make their repeats harmless.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId, TopicName,
};

use super::{Broker, text};
use crate::embedded_broker::batch::{BatchError, BatchHeader, check_batch};
use crate::embedded_broker::partition::AppendError;
use crate::embedded_broker::producers::SequenceError;
use crate::embedded_broker::records::read_records;

/// The largest batch that is accepted. One message may fill it: a prompt of several megabytes is legal.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Appends records; returns when they are on disk. `None` when the producer wants no acknowledgement.
pub(super) async fn produce(broker: &Broker, request: ProduceRequest) -> Option<ProduceResponse> {
    let is_transactional = request.transactional_id.is_some();
    let topics = request.topic_data.into_iter().map(|topic| async move {
        let name = topic.name;
        let partitions = topic.partition_data.into_iter().map(|data| append(broker, &name, data, is_transactional));
        let responses = join_all(partitions).await;
        TopicProduceResponse::default().with_name(name).with_partition_responses(responses)
    });
    let responses = join_all(topics).await;
    (request.acks != 0).then(|| ProduceResponse::default().with_responses(responses))
}

async fn append(
    broker: &Broker,
    topic: &TopicName,
    data: PartitionProduceData,
    is_transactional: bool,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default().with_index(data.index);
    match try_append(broker, topic, data, is_transactional).await {
        Ok((base_offset, log_start)) => response.with_base_offset(base_offset).with_log_start_offset(log_start),
        Err((error, reason)) => {
            response.with_error_code(error.code()).with_base_offset(-1).with_error_message(Some(text(reason)))
        }
    }
}

async fn try_append(
    broker: &Broker,
    topic: &TopicName,
    data: PartitionProduceData,
    is_transactional: bool,
) -> Result<(i64, i64), (ResponseError, String)> {
    let refuse = |error: ResponseError, reason: String| Err((error, reason));
    let known = broker.topics.get(topic);
    let is_compacted = known.as_ref().is_some_and(|topic| topic.entry.is_compacted());
    let Some(partition) = known.and_then(|topic| topic.partition(data.index)) else {
        let reason = format!("partition {} of topic {} does not exist", data.index, topic.as_str());
        return refuse(ResponseError::UnknownTopicOrPartition, reason);
    };
    let records = data.records.unwrap_or_default();
    if is_transactional {
        return refuse(ResponseError::InvalidTxnState, "this broker has no transactions".to_owned());
    }
    if records.len() > MAX_BATCH_BYTES {
        let reason = format!("a batch has at most {MAX_BATCH_BYTES} bytes, this one has {}", records.len());
        return refuse(ResponseError::MessageTooLarge, reason);
    }
    let header = match check_batch(&records) {
        Ok(header) => header,
        Err(error @ BatchError::Corrupt(_)) => return refuse(ResponseError::CorruptMessage, error.to_string()),
        Err(error @ BatchError::Unsupported(_)) => {
            return refuse(ResponseError::UnsupportedForMessageFormat, error.to_string());
        }
    };
    if is_compacted && let Err(reason) = check_keys(broker, header, records.clone()).await {
        return refuse(ResponseError::InvalidRecord, reason);
    }
    match partition.append(header, records).await {
        Ok(base_offset) => Ok((base_offset, partition.start())),
        Err(error) => refuse(reaction(&error), error.to_string()),
    }
}

/// Checks that compaction will find a key in every record. Batches are unpacked one at a time, because they may be large.
async fn check_keys(broker: &Broker, header: BatchHeader, records: Bytes) -> Result<(), String> {
    let _alone = broker.unpacking.lock().await;
    let check = move || match read_records(&header, &records) {
        Ok(records) if records.iter().all(|record| record.key.is_some()) => Ok(()),
        Ok(_) => Err("a compacted topic takes no records without a key".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    tokio::task::spawn_blocking(check).await.unwrap_or_else(|_| Err("the records cannot be checked".to_owned()))
}

/// What a producer does about a failed append is decided by the number it gets.
fn reaction(error: &AppendError) -> ResponseError {
    match error {
        AppendError::Sequence(SequenceError::OutOfOrder { .. }) => ResponseError::OutOfOrderSequenceNumber,
        AppendError::Sequence(SequenceError::Fenced { .. }) => ResponseError::InvalidProducerEpoch,
        AppendError::Disk { .. } => ResponseError::KafkaStorageError,
        AppendError::Closed => ResponseError::NotLeaderOrFollower,
    }
}

/// Gives a producer an id, or the next epoch to one that has an id.
pub(super) async fn init_producer(broker: &Arc<Broker>, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let refuse = |error: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if request.transactional_id.is_some() {
        return refuse(ResponseError::TransactionalIdAuthorizationFailed);
    }
    if request.producer_id.0 >= 0 && request.producer_epoch < i16::MAX {
        return InitProducerIdResponse::default()
            .with_producer_id(request.producer_id)
            .with_producer_epoch(request.producer_epoch + 1);
    }
    let taking = Arc::clone(broker);
    let taken = tokio::task::spawn_blocking(move || taking.topics.take_producer_id()).await;
    match taken {
        Ok(Ok(id)) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Ok(Err(error)) => {
            tracing::error!(error = %error, "cannot reserve producer ids, so new producers must wait");
            refuse(ResponseError::CoordinatorNotAvailable)
        }
        Err(_) => refuse(ResponseError::UnknownServerError),
    }
}

//! Where a partition begins, where it ends, and where a point in time lies in it.

use std::io;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::{Broker, LEADER_EPOCH};
use crate::embedded_broker::partition::Partition;

/// Asks for the end of the log.
const LATEST: i64 = -1;
/// Asks for the start of the log.
const EARLIEST: i64 = -2;
/// The answer when there is no such record.
const NONE: (i64, i64) = (-1, -1);

/// Looks up offsets. A timestamp leads to the first *batch* that holds a record not older than it; the consumer may get
/// a few older records before.
pub(super) async fn list_offsets(broker: &Broker, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    // Versions below 4 have no leader epoch, and the encoder refuses one.
    let leader_epoch = if version >= 4 { LEADER_EPOCH } else { -1 };
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let response = ListOffsetsPartitionResponse::default().with_partition_index(wanted.partition_index);
            partitions.push(match broker.topics.partition(&topic.name, wanted.partition_index) {
                None => response.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
                Some(partition) => match look_up(partition, wanted.timestamp).await {
                    Ok((offset, timestamp)) => {
                        response.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(leader_epoch)
                    }
                    Err(error) => {
                        tracing::error!(error = %error, "cannot look up an offset by its time");
                        response.with_error_code(ResponseError::KafkaStorageError.code())
                    }
                },
            });
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions));
    }
    ListOffsetsResponse::default().with_topics(topics)
}

async fn look_up(partition: Arc<Partition>, timestamp: i64) -> io::Result<(i64, i64)> {
    match timestamp {
        LATEST => Ok((partition.end(), -1)),
        EARLIEST => Ok((partition.start(), -1)),
        timestamp => {
            let found = tokio::task::spawn_blocking(move || partition.find_timestamp(timestamp)).await;
            Ok(found.map_err(io::Error::other)??.unwrap_or(NONE))
        }
    }
}

//! The offsets that consumer groups commit and ask for.

use std::collections::BTreeMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};

use super::{Broker, code, text};
use crate::embedded_broker::group::Membership;
use crate::embedded_broker::maintenance::wall_clock;
use crate::embedded_broker::offsets::{CommittedOffset, seconds};

/// What a group that committed nothing is told.
const NOTHING_COMMITTED: i64 = -1;

/// Commits offsets; returns when they are on disk.
pub(super) async fn commit(broker: &Broker, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group = request.group_id.as_str();
    let by = Membership {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let allowed = broker.coordinator.may_commit(group, by);
    let alive_at_s = seconds(wall_clock());
    let mut offsets = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            if broker.topics.partition(&topic.name, partition.partition_index).is_some() {
                let committed = CommittedOffset {
                    offset: partition.committed_offset,
                    note: partition.committed_metadata.as_deref().map(str::to_owned),
                    alive_at_s,
                };
                offsets.push(((topic.name.to_string(), partition.partition_index), committed));
            }
        }
    }
    let outcome = match allowed {
        Ok(()) if offsets.is_empty() => Ok(()),
        Ok(()) => broker.offsets.commit(group, offsets).await.map_err(|error| {
            tracing::error!(error = %error, group, "cannot write committed offsets");
            ResponseError::KafkaStorageError
        }),
        Err(error) => Err(error),
    };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let is_known = broker.topics.partition(&topic.name, partition.partition_index).is_some();
            let error = if is_known { code(&outcome) } else { ResponseError::UnknownTopicOrPartition.code() };
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// What groups committed; without a list of topics, everything they committed.
pub(super) fn fetch(broker: &Broker, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    // Since version 8 a request names several groups, and each has its own answer, in structures of their own.
    if version < 8 {
        let wanted = request
            .topics
            .map(|topics| topics.into_iter().map(|topic| (topic.name.to_string(), topic.partition_indexes)).collect());
        let describe = |(number, committed): (i32, CommittedOffset)| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(number)
                .with_committed_offset(committed.offset)
                .with_metadata(Some(text(committed.note.unwrap_or_default())))
        };
        let topics = select(broker, &request.group_id, wanted).into_iter().map(|(name, partitions)| {
            OffsetFetchResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions.into_iter().map(describe).collect())
        });
        return OffsetFetchResponse::default().with_topics(topics.collect());
    }
    let groups = request.groups.into_iter().map(|group| {
        let wanted = group
            .topics
            .map(|topics| topics.into_iter().map(|topic| (topic.name.to_string(), topic.partition_indexes)).collect());
        let describe = |(number, committed): (i32, CommittedOffset)| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(number)
                .with_committed_offset(committed.offset)
                .with_metadata(Some(text(committed.note.unwrap_or_default())))
        };
        let topics = select(broker, &group.group_id, wanted).into_iter().map(|(name, partitions)| {
            OffsetFetchResponseTopics::default()
                .with_name(name)
                .with_partitions(partitions.into_iter().map(describe).collect())
        });
        OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics.collect())
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

type Selected = Vec<(TopicName, Vec<(i32, CommittedOffset)>)>;

fn select(broker: &Broker, group: &str, wanted: Option<Vec<(String, Vec<i32>)>>) -> Selected {
    let committed = broker.offsets.of_group(group);
    let everything = || {
        let numbers = |(topic, partitions): (&String, &BTreeMap<i32, CommittedOffset>)| {
            (topic.clone(), partitions.keys().copied().collect())
        };
        committed.iter().map(numbers).collect()
    };
    let nothing = CommittedOffset { offset: NOTHING_COMMITTED, ..CommittedOffset::default() };
    let look_up = |topic: &str, number: i32| {
        let found = committed.get(topic).and_then(|partitions| partitions.get(&number));
        (number, found.unwrap_or(&nothing).clone())
    };
    let with_offsets = |(topic, numbers): (String, Vec<i32>)| {
        let offsets = numbers.into_iter().map(|number| look_up(&topic, number)).collect();
        (TopicName(text(topic)), offsets)
    };
    wanted.unwrap_or_else(everything).into_iter().map(with_offsets).collect()
}

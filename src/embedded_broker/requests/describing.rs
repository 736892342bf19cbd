//! What exists: the broker, its topics and their settings.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::{Advertised, Broker, LEADER_EPOCH, NODE, text};
use crate::embedded_broker::topics::Topic;

const GROUP_COORDINATOR: i8 = 0;
const TOPIC_RESOURCE: i8 = 2;
/// The setting was given when the topic was created.
const FROM_TOPIC: i8 = 1;

/// Broker, cluster id and topics. Topics are never created by asking for them.
pub(super) fn metadata(
    broker: &Broker,
    advertised: &Advertised,
    request: &MetadataRequest,
    version: i16,
) -> MetadataResponse {
    // In version 0 an empty list means all topics; since version 1 that is null, and empty means none.
    let wanted = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty());
    let topics = match wanted {
        None => broker.topics.all().iter().map(describe_topic).collect(),
        Some(wanted) => wanted.iter().map(|wanted| find_topic(broker, wanted)).collect(),
    };
    let node = MetadataResponseBroker::default()
        .with_node_id(NODE)
        .with_host(text(&*advertised.host))
        .with_port(advertised.port.into());
    MetadataResponse::default()
        .with_brokers(vec![node])
        .with_cluster_id(Some(text(broker.topics.cluster_id())))
        .with_controller_id(NODE)
        .with_topics(topics)
}

fn find_topic(broker: &Broker, wanted: &MetadataRequestTopic) -> MetadataResponseTopic {
    let (found, error) = match &wanted.name {
        Some(name) => (broker.topics.get(name), ResponseError::UnknownTopicOrPartition),
        None => (broker.topics.get_by_id(wanted.topic_id), ResponseError::UnknownTopicId),
    };
    match found {
        Some(topic) => describe_topic(&topic),
        None => MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(wanted.name.clone().unwrap_or_default()))
            .with_topic_id(wanted.topic_id),
    }
}

fn describe_topic(topic: &Arc<Topic>) -> MetadataResponseTopic {
    let partition = |number| {
        MetadataResponsePartition::default()
            .with_partition_index(number)
            .with_leader_id(NODE)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![NODE])
            .with_isr_nodes(vec![NODE])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&*topic.name))))
        .with_topic_id(topic.entry.id)
        .with_partitions((0..topic.entry.partitions).map(partition).collect())
}

/// This broker coordinates every group, and no transactions.
pub(super) fn coordinator(
    advertised: &Advertised,
    request: &FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let error = if request.key_type == GROUP_COORDINATOR { 0 } else { ResponseError::CoordinatorNotAvailable.code() };
    let (host, port) = (text(&*advertised.host), i32::from(advertised.port));
    let coordinator = |key: &StrBytes| {
        Coordinator::default()
            .with_key(key.clone())
            .with_node_id(NODE)
            .with_host(host.clone())
            .with_port(port)
            .with_error_code(error)
    };
    // Since version 4 a request names several groups, and each has its own answer.
    if version < 4 {
        let response = FindCoordinatorResponse::default().with_error_code(error);
        return response.with_node_id(NODE).with_host(host).with_port(port);
    }
    let coordinators = request.coordinator_keys.iter().map(coordinator).collect();
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}

/// Broker and cluster id.
pub(super) fn cluster(broker: &Broker, advertised: &Advertised) -> DescribeClusterResponse {
    let node = DescribeClusterBroker::default()
        .with_broker_id(NODE)
        .with_host(text(&*advertised.host))
        .with_port(advertised.port.into());
    DescribeClusterResponse::default()
        .with_cluster_id(text(broker.topics.cluster_id()))
        .with_controller_id(NODE)
        .with_brokers(vec![node])
}

/// The settings that topics were created with; the broker itself has none that clients could see.
pub(super) fn configs(broker: &Broker, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| describe_configs(broker, resource)).collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn describe_configs(broker: &Broker, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    if resource.resource_type != TOPIC_RESOURCE {
        return result;
    }
    let Some(topic) = broker.topics.get(&resource.resource_name) else {
        return result.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    let is_wanted = |name: &str| {
        resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
    };
    let describe = |(name, value): (&String, &String)| {
        DescribeConfigsResourceResult::default()
            .with_name(text(&**name))
            .with_value(Some(text(&**value)))
            .with_config_source(FROM_TOPIC)
            .with_read_only(true)
    };
    let configs = topic.entry.configs.iter().filter(|(name, _)| is_wanted(name)).map(describe).collect();
    result.with_configs(configs)
}

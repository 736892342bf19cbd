//! Creating, growing and deleting topics on behalf of clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};
use uuid::Uuid;

use super::{Broker, text};
use crate::embedded_broker::topics::{TopicError, Topics};

/// Partitions of a topic whose creator leaves the number to the broker.
const DEFAULT_PARTITIONS: i32 = 4;

/// Creates topics; each has its own outcome.
pub(super) async fn create(broker: &Arc<Broker>, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let partitions = if topic.num_partitions < 0 { DEFAULT_PARTITIONS } else { topic.num_partitions };
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        results.push(match create_one(broker, topic, partitions, request.validate_only).await {
            Ok(id) => result.with_topic_id(id).with_num_partitions(partitions).with_replication_factor(1),
            Err((error, reason)) => result.with_error_code(error.code()).with_error_message(Some(text(reason))),
        });
    }
    CreateTopicsResponse::default().with_topics(results)
}

async fn create_one(
    broker: &Arc<Broker>,
    topic: CreatableTopic,
    partitions: i32,
    validate_only: bool,
) -> Result<Uuid, (ResponseError, String)> {
    if topic.replication_factor > 1 {
        let reason = "there is one broker, so the replication factor is 1".to_owned();
        return Err((ResponseError::InvalidReplicationFactor, reason));
    }
    let setting = |config: &CreatableTopicConfig| Some((config.name.to_string(), config.value.as_ref()?.to_string()));
    let configs: BTreeMap<String, String> = topic.configs.iter().filter_map(setting).collect();
    let name = topic.name.to_string();
    if validate_only {
        return change(broker, move |topics| topics.may_create(&name, partitions, &configs).map(|()| Uuid::nil()))
            .await;
    }
    change(broker, move |topics| topics.create(&name, partitions, configs)).await
}

/// Adds partitions to topics; each has its own outcome.
pub(super) async fn grow(broker: &Arc<Broker>, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        let name = topic.name.to_string();
        let grow = move |topics: &Topics| {
            if request.validate_only {
                return topics.may_grow(&name, topic.count).map(drop);
            }
            topics.grow(&name, topic.count)
        };
        results.push(match change(broker, grow).await {
            Ok(()) => result,
            Err((error, reason)) => result.with_error_code(error.code()).with_error_message(Some(text(reason))),
        });
    }
    CreatePartitionsResponse::default().with_results(results)
}

/// Deletes topics by name or by id, and what consumer groups committed for them; each has its own outcome.
pub(super) async fn delete(broker: &Arc<Broker>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let mut results = Vec::new();
    for wanted in request.topics.into_iter().chain(by_name) {
        let known = broker.topics.get_by_id(wanted.topic_id).map(|topic| TopicName(text(&*topic.name)));
        let result = DeletableTopicResult::default().with_topic_id(wanted.topic_id);
        let Some(name) = wanted.name.or(known) else {
            results.push(result.with_error_code(ResponseError::UnknownTopicId.code()));
            continue;
        };
        let result = result.with_name(Some(name.clone()));
        results.push(match delete_one(broker, name.to_string()).await {
            Ok(()) => result,
            Err((error, reason)) => result.with_error_code(error.code()).with_error_message(Some(text(reason))),
        });
    }
    DeleteTopicsResponse::default().with_responses(results)
}

async fn delete_one(broker: &Arc<Broker>, name: String) -> Result<(), (ResponseError, String)> {
    let deleted = name.clone();
    change(broker, move |topics| topics.delete(&deleted)).await?;
    let forgotten = broker.offsets.forget_topic(&name).await;
    forgotten.map_err(|error| (ResponseError::KafkaStorageError, error.to_string()))
}

async fn change<T: Send + 'static>(
    broker: &Arc<Broker>,
    apply: impl FnOnce(&Topics) -> Result<T, TopicError> + Send + 'static,
) -> Result<T, (ResponseError, String)> {
    let broker = Arc::clone(broker);
    match tokio::task::spawn_blocking(move || apply(&broker.topics)).await {
        Ok(outcome) => outcome.map_err(|error| (reaction(&error), error.to_string())),
        Err(_) => Err((ResponseError::UnknownServerError, "the change of topics failed inside the broker".to_owned())),
    }
}

/// What a client does about a refused change is decided by the number it gets.
fn reaction(error: &TopicError) -> ResponseError {
    match error {
        TopicError::Exists(_) => ResponseError::TopicAlreadyExists,
        TopicError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
        TopicError::Invalid { .. } => ResponseError::InvalidRequest,
        TopicError::InvalidSetting { .. } => ResponseError::InvalidConfig,
        TopicError::Disk { .. } => ResponseError::KafkaStorageError,
    }
}

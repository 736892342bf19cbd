//! The topic `llm.windows`, and `llm.alerts` alike: a producer that sends values and tombstones and waits until the broker has them.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::avro::{SchemaId, WriterId};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

/// How long a record may take until the broker has it. Shorter than the lease, so that what a replaced holder sent is
/// there or given up soon after.
const DELIVERY_TIME_MS: &str = "5000";
/// Memory of the producer's queue.
const QUEUE_KBYTES: &str = "16384";
const ADMIN_TIME: Duration = Duration::from_secs(10);

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WindowRecord {
    /// Set and window.
    pub(crate) key: String,
    /// Framed Avro; `None` is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
}

/// Sends to the topic.
pub(crate) struct WindowTopic {
    name: String,
    config: ClientConfig,
    producer: FutureProducer,
    schema_id: WriterId,
}

/// Records that the broker does not have, or of which that is unknown: they are sent again later.
#[derive(Debug, thiserror::Error)]
#[error("the broker did not take records on {topic}")]
pub(crate) struct TopicError {
    topic: String,
    source: KafkaError,
}

impl WindowTopic {
    /// Prepares a producer; nothing is connected yet.
    ///
    /// # Errors
    /// When librdkafka refuses a setting.
    pub(crate) fn new(
        name: String,
        bootstrap: &str,
        properties: &BTreeMap<String, String>,
        schema_id: WriterId,
    ) -> Result<Self, KafkaError> {
        let mut config = ClientConfig::new();
        config
            .set("client.id", "opstream-aggregator")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.max.bytes", "10000000")
            .set("message.timeout.ms", DELIVERY_TIME_MS)
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES);
        for (setting, value) in properties {
            config.set(setting, value);
        }
        config.set("bootstrap.servers", bootstrap);
        let producer = config.create()?;
        Ok(Self { name, config, producer, schema_id })
    }

    /// The id that values carry, if it is known.
    pub(crate) fn schema_id(&self) -> Option<SchemaId> {
        self.schema_id.get()
    }

    /// Creates the topic, compacted, if there is none: a broker that creates topics by itself would make one that forgets.
    pub(crate) async fn ensure(&self) -> Result<(), TopicError> {
        let failed = |source| TopicError { topic: self.name.clone(), source };
        let admin: AdminClient<DefaultClientContext> = self.config.create().map_err(failed)?;
        // -1: as many partitions and replicas as the broker's defaults say.
        let topic = NewTopic::new(&self.name, -1, TopicReplication::Fixed(-1)).set("cleanup.policy", "compact");
        let options = AdminOptions::new().request_timeout(Some(ADMIN_TIME)).operation_timeout(Some(ADMIN_TIME));
        for created in admin.create_topics([&topic], &options).await.map_err(failed)? {
            match created {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                // It may exist without our right to create it: then sending works, or says what is wrong.
                Err((topic, code)) => tracing::warn!(topic, %code, "the topic could not be created"),
            }
        }
        Ok(())
    }

    /// Sends the records in their order and waits for the acknowledgement of every one.
    pub(crate) async fn send(&mut self, records: &[WindowRecord]) -> Result<(), TopicError> {
        let sent = self.try_send(records).await;
        if sent.is_err() {
            self.replace_if_fatal()?;
        }
        sent
    }

    /// Makes another producer if this one can send nothing any more. An idempotent producer ends so when the broker lost what it
    /// knew of it, as after a restored backup; without idempotence a late retry could put an older value behind a newer one.
    fn replace_if_fatal(&mut self) -> Result<(), TopicError> {
        let Some((code, reason)) = self.producer.client().fatal_error() else { return Ok(()) };
        tracing::warn!(topic = self.name, %code, reason, "the producer of the topic ended and is replaced");
        let next = self.config.create().map_err(|source| TopicError { topic: self.name.clone(), source })?;
        let ended = std::mem::replace(&mut self.producer, next);
        // It waits for its threads.
        drop(tokio::task::spawn_blocking(move || drop(ended)));
        Ok(())
    }

    async fn try_send(&self, records: &[WindowRecord]) -> Result<(), TopicError> {
        let failed = |source| TopicError { topic: self.name.clone(), source };
        let mut deliveries = Vec::with_capacity(records.len());
        for record in records {
            let sent =
                FutureRecord { payload: record.value.as_deref(), ..FutureRecord::to(&self.name).key(&record.key) };
            deliveries.push(self.producer.send_result(sent).map_err(|(error, _)| failed(error))?);
        }
        for delivery in deliveries {
            let outcome = delivery.await.map_err(|_| failed(KafkaError::Canceled))?;
            outcome.map_err(|(error, _)| failed(error))?;
        }
        Ok(())
    }
}

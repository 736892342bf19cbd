//! The way to the operations topic: every record to the partition of its key, acknowledged by all replicas.

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::candidate::Record;
use crate::settings::KafkaArgs;

/// How long the broker may take to acknowledge a record, milliseconds.
const SEND_TIMEOUT_MS: &str = "30000";
/// Largest record that our topics take: [`opstream_schemas::topics`] are created with this limit.
const MAX_RECORD_BYTES: &str = "10485760";

/// A client that sends to one topic.
pub(super) struct Outlet {
    producer: FutureProducer,
    topic: String,
}

/// Why a record is not on the topic.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// This record never will be; others may.
    #[error("the broker does not take the record: {0}")]
    Record(KafkaError),
    /// No record will be for now.
    #[error(transparent)]
    Broker(KafkaError),
}

/// A record that the client has.
pub(super) type Queued = Result<DeliveryFuture, KafkaError>;

impl Outlet {
    /// Prepares to send; connects by itself.
    ///
    /// # Errors
    /// When a setting is refused.
    pub(super) fn open(kafka: &KafkaArgs) -> anyhow::Result<Self> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &kafka.bootstrap)
            .set("client.id", "opstream-redrive")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Java's placement: a repaired record lies where its producer would have put it.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("message.max.bytes", MAX_RECORD_BYTES)
            .set("message.timeout.ms", SEND_TIMEOUT_MS)
            .set("allow.auto.create.topics", "false");
        for (name, value) in kafka.properties()? {
            client.set(name, value);
        }
        let producer = client.create().context("cannot use the Kafka settings")?;
        Ok(Self { producer, topic: kafka.topics()?.operations() })
    }

    /// Hands a record to the client.
    pub(super) fn queue(&self, record: &Record) -> Queued {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        let mut message = FutureRecord::<[u8], [u8]>::to(&self.topic).headers(headers);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        self.producer.send_result(message).map_err(|(error, _)| error)
    }

    /// Waits until the broker has the record.
    ///
    /// # Errors
    /// Whether the record or the broker is at fault.
    pub(super) async fn acknowledged(&self, queued: Queued) -> Result<(), SendError> {
        let delivered = match queued {
            Ok(delivery) => delivery.await,
            Err(error) => return Err(SendError::of(error)),
        };
        match delivered {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(SendError::of(error)),
            Err(_) => Err(SendError::Broker(KafkaError::Canceled)),
        }
    }
}

impl SendError {
    fn of(error: KafkaError) -> Self {
        use RDKafkaErrorCode::{InvalidMessage, InvalidMessageSize, InvalidRecord, MessageSizeTooLarge};
        match error.rdkafka_error_code() {
            Some(InvalidMessage | InvalidMessageSize | InvalidRecord | MessageSizeTooLarge) => Self::Record(error),
            _ => Self::Broker(error),
        }
    }
}

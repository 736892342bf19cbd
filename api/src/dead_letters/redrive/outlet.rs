//! The way to the operations topic: every record to the partition of its key, acknowledged by all replicas.
//!
//! Letters go back to the cluster that they came from. Another one has another pipeline behind it, which would store them, while they
//! count as sent here.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::candidate::Record;
use crate::dead_letters::place::Place;

/// How long the broker may take to acknowledge a record, milliseconds.
const SEND_TIMEOUT_MS: &str = "30000";
/// How long the broker may take to say who it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 5 } else { 10 });
/// Largest record that our topics take: [`opstream_schemas::topics`] are created with this limit.
const MAX_RECORD_BYTES: &str = "10485760";

/// A client that sends to one topic.
pub struct Outlet {
    producer: FutureProducer,
    address: OutletAddress,
    cluster: Cluster,
}

/// Where the topic is.
#[derive(Clone, Debug)]
pub struct OutletAddress {
    /// `host:port`, separated by commas.
    pub bootstrap: String,
    /// The flag or file that says it, for messages.
    pub named_by: String,
    /// Further librdkafka settings.
    pub properties: BTreeMap<String, String>,
    /// Name of the operations topic.
    pub topic: String,
}

/// A letter came from another cluster than the one that was reached. Nothing of its page was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OtherCluster(String);

/// The cluster that was reached.
enum Cluster {
    /// Every letter must come from the one of this id; none when the broker does not say its id.
    Same(Option<String>),
    /// Letters of any cluster may go there.
    Any,
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
    /// Connects. With `is_any_cluster` letters may come from other clusters than this.
    ///
    /// # Errors
    /// When a setting is refused, or nothing answers.
    pub async fn open(address: OutletAddress, is_any_cluster: bool) -> anyhow::Result<Self> {
        let OutletAddress { bootstrap, named_by, properties, topic } = &address;
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", bootstrap)
            .set("client.id", "opstream-redrive")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            // Java's placement: a repaired record lies where its producer would have put it.
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("message.max.bytes", MAX_RECORD_BYTES)
            .set("message.timeout.ms", SEND_TIMEOUT_MS)
            .set("allow.auto.create.topics", "false");
        for (name, value) in properties {
            client.set(name, value);
        }
        let producer: FutureProducer = client.create().context("cannot use the Kafka settings")?;
        let id = cluster_id(producer.clone(), topic.clone()).await.with_context(|| {
            format!("nothing answers at {bootstrap} ({named_by}); `opstream up` prints its address as *Kafka clients*")
        })?;
        let cluster = if is_any_cluster { Cluster::Any } else { Cluster::Same(id) };
        Ok(Self { producer, address, cluster })
    }

    /// Refuses a letter that came from another cluster.
    ///
    /// # Errors
    /// Names both clusters and the ways out.
    pub fn require_same_cluster(&self, place: Place, cluster_id: &str) -> Result<(), OtherCluster> {
        let OutletAddress { bootstrap, named_by, .. } = &self.address;
        let message = match &self.cluster {
            Cluster::Any => return Ok(()),
            Cluster::Same(Some(id)) if id == cluster_id => return Ok(()),
            Cluster::Same(Some(id)) => format!(
                "{place} came from the cluster {cluster_id:?}, and {bootstrap} ({named_by}) is the cluster {id:?}, with another pipeline \
                 behind it; name the right broker with --bootstrap, or letters of this cluster with --stream; --other-cluster sends \
                 them there all the same, for a pipeline that moved"
            ),
            Cluster::Same(None) => format!(
                "{bootstrap} ({named_by}) does not say which cluster it is, so that nobody knows whether {place} came from there; \
                 --other-cluster sends it all the same"
            ),
        };
        Err(OtherCluster(message))
    }

    /// Hands a record to the client.
    pub(super) fn queue(&self, record: &Record) -> Queued {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        let mut message = FutureRecord::<[u8], [u8]>::to(&self.address.topic).headers(headers);
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

/// Asks a broker who it is; none when it does not say.
async fn cluster_id(producer: FutureProducer, topic: String) -> anyhow::Result<Option<String>> {
    let asked = tokio::task::spawn_blocking(move || {
        let client = producer.client();
        client.fetch_metadata(Some(&topic), ANSWER_LIMIT).map(|_| client.fetch_cluster_id(ANSWER_LIMIT))
    });
    Ok(asked.await.context("asking the broker panicked")??)
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

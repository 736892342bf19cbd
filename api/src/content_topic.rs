//! The way of content that came as log records to its topic. Answers once the broker has acknowledged it.

use std::sync::Mutex;

use futures_util::future::join_all;
use opstream_producer::Sink;
use opstream_schemas::avro::encode_span_content;
use opstream_schemas::span_content::SpanContent;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio::time::{Instant, timeout_at};

/// Bytes of texts on their way at a time, of one request.
const CHUNK_BYTES: usize = 4 << 20;
/// Records on their way at a time, of one request.
const CHUNK_RECORDS: usize = 1000;

/// Where content goes.
pub(crate) enum ContentTopic {
    /// A topic of a Kafka cluster.
    Kafka { producer: Box<FutureProducer>, topic: String },
    /// Memory, where operations go to a file.
    Memory(Mutex<Vec<SpanContent>>),
}

/// Not everything was acknowledged. What was will be there once, however often it is sent again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// The broker is away, slow or refuses.
    #[error("the broker did not acknowledge {topic}; try again")]
    Broker { topic: String },
    /// The time of the request is over.
    #[error("the request takes longer than it may; try again with fewer log records")]
    OutOfTime,
}

impl ContentTopic {
    /// The topic beside that of the operations.
    ///
    /// # Errors
    /// When librdkafka refuses a setting.
    pub(crate) fn open(sink: &Sink) -> Result<Self, KafkaError> {
        let Sink::Kafka(config) = sink else { return Ok(Self::Memory(Mutex::default())) };
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &config.bootstrap)
            .set("client.id", "opstream-contents")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("message.max.bytes", "10000000")
            // Whoever asked is answered before; what is still on its way then is given up soon.
            .set("message.timeout.ms", "30000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("reconnect.backoff.max.ms", "2000")
            .set("allow.auto.create.topics", "false");
        for (name, value) in &config.properties {
            client.set(name, value);
        }
        Ok(Self::Kafka { producer: Box::new(client.create()?), topic: config.topics.contents() })
    }

    /// Sends all of it. Returns those places that the broker will never take, because they are too large.
    ///
    /// # Errors
    /// When something else was not acknowledged.
    pub(crate) async fn send(&self, contents: Vec<SpanContent>, deadline: Instant) -> Result<Vec<usize>, NotSent> {
        let (producer, topic) = match self {
            Self::Kafka { producer, topic } => (producer, topic),
            Self::Memory(kept) => {
                kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(contents);
                return Ok(Vec::new());
            }
        };
        let (mut too_large, mut place) = (Vec::new(), 0);
        while place < contents.len() {
            let chunk = chunk(&contents[place..]);
            let sending = join_all(chunk.iter().map(|content| send_one(producer, topic, content, deadline)));
            let sent = timeout_at(deadline, sending).await.map_err(|_| NotSent::OutOfTime)?;
            for (offset, outcome) in sent.into_iter().enumerate() {
                match outcome {
                    Ok(()) => {}
                    Err(error) if is_too_large(&error) => too_large.push(place + offset),
                    Err(error) => {
                        tracing::warn!(%error, topic, "contents of a request were not acknowledged");
                        return Err(NotSent::Broker { topic: topic.clone() });
                    }
                }
            }
            place += chunk.len();
        }
        Ok(too_large)
    }

    /// What was sent into memory.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> Vec<SpanContent> {
        match self {
            Self::Kafka { .. } => Vec::new(),
            Self::Memory(kept) => kept.lock().unwrap().clone(),
        }
    }
}

/// The first of them that go together.
fn chunk(contents: &[SpanContent]) -> &[SpanContent] {
    let mut bytes = 0;
    let fits = |content: &&SpanContent| {
        bytes += content.bytes();
        bytes <= CHUNK_BYTES
    };
    let count = contents.iter().take(CHUNK_RECORDS).take_while(fits).count();
    &contents[..count.max(1)]
}

async fn send_one(
    producer: &FutureProducer,
    topic: &str,
    content: &SpanContent,
    deadline: Instant,
) -> Result<(), KafkaError> {
    let mut value = Vec::with_capacity(content.bytes() + 200);
    encode_span_content(content, &mut value);
    let record = FutureRecord::to(topic).key(&content.trace_id).payload(&value);
    // Waits while the queue is full.
    let patience = deadline.saturating_duration_since(Instant::now());
    producer.send(record, Timeout::After(patience)).await.map(drop).map_err(|(error, _)| error)
}

fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_bounded_by_bytes_and_records_and_never_empty() {
        let content = |bytes: usize| SpanContent { input_messages: Some("x".repeat(bytes)), ..SpanContent::default() };
        assert_eq!(chunk(&vec![content(1); 2 * CHUNK_RECORDS]).len(), CHUNK_RECORDS);
        assert_eq!(chunk(&[content(CHUNK_BYTES - 1), content(1), content(1)]).len(), 2);
        assert_eq!(chunk(&[content(2 * CHUNK_BYTES), content(1)]).len(), 1);
    }
}

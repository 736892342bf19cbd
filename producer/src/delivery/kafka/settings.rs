//! librdkafka's settings, each with its reason. The caller's properties come last and may replace all but the reserved.

use rdkafka::ClientConfig;

use crate::config::{ProducerConfig, StartError};

/// Largest message by default, bytes: room for a long prompt. The topic's `max.message.bytes` must allow it as well.
const MAX_MESSAGE_BYTES: usize = 10_000_000;
/// What librdkafka adds to key and value when it compares with `message.max.bytes`: at most 36 bytes, rounded up.
const RECORD_OVERHEAD_BYTES: usize = 64;
/// Five minutes ride out the restart of a broker or the upgrade of a cluster. Longer would only keep a full queue.
const TIMEOUT_MS: &str = "300000";
/// With a spool a message that times out goes to disk, where it is safer than in memory. This concerns a part of the
/// topic that has no leader: when the whole broker is away, its silence is noticed much sooner.
const TIMEOUT_WITH_SPOOL_MS: &str = "60000";
/// librdkafka's upper limit of `queue.buffering.max.kbytes`.
const MAX_QUEUE_KBYTES: usize = 2_147_483_647;

pub(super) fn client_config(config: &ProducerConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("client.id", "opstream-producer")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // Java's placement, so that every client finds a session in the same partition.
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        // Operations were already collected for the configured linger; this only lets the hand-over of one round finish.
        .set("linger.ms", "1")
        // The ledger bounds the queue. librdkafka's own bound is never reached, so that it cannot disagree.
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", (config.queue_bytes / 1024 + 1).min(MAX_QUEUE_KBYTES).to_string())
        .set("message.timeout.ms", if config.spool.is_some() { TIMEOUT_WITH_SPOOL_MS } else { TIMEOUT_MS })
        // After an outage the broker is found again within two seconds instead of ten.
        .set("reconnect.backoff.max.ms", "2000")
        // A topic made by a typing error would swallow operations. One that is created late is waited for, shorter than
        // `record_acked` waits by default, so that its caller hears of the missing topic and not of mere silence.
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.propagation.max.ms", "20000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("socket.keepalive.enable", "true");
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client
}

/// The largest key and value together that librdkafka takes, bytes.
///
/// # Errors
/// When the caller's `message.max.bytes` is no number.
pub(crate) fn largest_message(config: &ProducerConfig) -> Result<usize, StartError> {
    let limit = match config.properties.get("message.max.bytes") {
        None => MAX_MESSAGE_BYTES,
        Some(text) => text.trim().parse().map_err(|_| StartError::Property {
            name: "message.max.bytes".to_owned(),
            reason: format!("{text:?} is not a number; allowed is 1000 to 1000000000"),
        })?,
    };
    Ok(limit.saturating_sub(RECORD_OVERHEAD_BYTES))
}

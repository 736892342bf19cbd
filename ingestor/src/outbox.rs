//! Copies dead letters to their topic: original bytes, the origin and reason as Kafka Connect's headers.
//!
//! The table is the outbox: a letter is marked once the broker has acknowledged its copy, so a copy may be sent twice
//! after a crash and is never lost.

use std::time::Duration;

use opstream_schemas::database::{Database, Row};
use opstream_schemas::time::UtcMillis;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio_util::sync::CancellationToken;

use crate::config::IngestorConfig;

/// How often the outbox is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the broker may take to acknowledge.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Publishes until the token is cancelled.
pub async fn publish_dead_letters(config: IngestorConfig, shutdown: CancellationToken) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.bootstrap).set("client.id", "opstream-dead-letters").set("acks", "all");
    client.set("message.max.bytes", "10000000").set("allow.auto.create.topics", "false");
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    let producer: FutureProducer = match client.create() {
        Ok(producer) => producer,
        Err(error) => {
            tracing::error!(%error, "cannot publish dead letters to their topic; they stay in the table");
            return;
        }
    };
    let topic = config.topics.dead_letters();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(error) = publish_some(&config.database, &producer, &topic).await {
            tracing::warn!(error = format!("{error:#}"), "dead letters were not published; they stay in the table");
        }
    }
}

async fn publish_some(database: &Database, producer: &FutureProducer, topic: &str) -> anyhow::Result<()> {
    for row in database.fetch_all(include_str!("outbox/unpublished.sql"), &[]).await? {
        send(producer, topic, &row).await?;
        let place = [row.int("stream_id")?.into(), row.int("partition")?.into(), row.int("source_offset")?.into()];
        let [stream, partition, offset] = place;
        let mut tx = database.begin().await?;
        tx.execute(include_str!("outbox/mark_published.sql"), &[stream, partition, offset, UtcMillis::now().into()])
            .await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn send(producer: &FutureProducer, topic: &str, row: &Row) -> anyhow::Result<()> {
    let (key, value) = (row.optional_bytes("record_key")?, row.optional_bytes("record_value")?);
    let headers = connect_headers(row)?;
    let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).headers(headers);
    record.key = key.as_deref();
    record.payload = value.as_deref();
    record.timestamp = row.optional_int("record_timestamp_ms")?;
    producer.send(record, SEND_TIMEOUT).await.map_err(|(error, _)| error)?;
    Ok(())
}

/// Kafka Connect's error headers, all of them text.
fn connect_headers(row: &Row) -> Result<OwnedHeaders, sqlx::Error> {
    let texts = [
        ("__connect.errors.topic", row.text("topic")?),
        ("__connect.errors.partition", row.int("partition")?.to_string()),
        ("__connect.errors.offset", row.int("source_offset")?.to_string()),
        ("__connect.errors.connector.name", "opstream-ingestor".to_owned()),
        ("__connect.errors.stage", "VALUE_CONVERTER".to_owned()),
        ("__connect.errors.exception.class.name", row.text("reason_code")?),
        ("__connect.errors.exception.message", row.text("reason")?),
        ("opstream.first_failure_ms", row.int("stored_at_ms")?.to_string()),
    ];
    let headers = OwnedHeaders::new_with_capacity(texts.len());
    Ok(texts.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) })))
}

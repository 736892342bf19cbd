//! Copies dead letters to their topic: original bytes and headers, the origin and reason as Kafka Connect's headers.
//!
//! The table is the outbox: letters are marked once the broker has acknowledged their copies. Copies may be sent twice
//! after a crash, a stop or a commit that failed, never more than one round of them, and none is lost. In Postgres one
//! ingestor copies at a time; SQLite has one process.

mod letter;

use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::database::{Database, Engine, Row, Transaction, Value, within};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::time::UtcMillis;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio_util::sync::CancellationToken;

use self::letter::Letter;
use crate::config::IngestorConfig;

/// How often the outbox is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often at most while it does not work.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);
/// How long the broker may take to acknowledge a round, milliseconds.
const SEND_TIMEOUT_MS: &str = "10000";
/// How long a round may take altogether.
const ROUND_LIMIT: Duration = Duration::from_secs(40);
/// Largest record that our topics take: [`opstream_schemas::topics`] are created with this limit.
const MAX_RECORD_BYTES: &str = "10485760";
/// Bytes of letters in one round, which bounds the memory; a single letter may be larger.
const ROUND_BYTES: i64 = 8 << 20;
const UNPUBLISHED: &str = include_str!("outbox/unpublished.sql");
/// Lets one ingestor copy at a time, until its transaction ends; an arbitrary number that only we use.
const TRY_LOCK: &str = "select pg_try_advisory_xact_lock(7302202) as is_ours";

/// Publishes until the token is cancelled.
pub async fn publish_dead_letters(config: IngestorConfig, shutdown: CancellationToken) {
    let producer = match producer(&config) {
        Ok(producer) => producer,
        Err(error) => {
            tracing::error!(%error, "cannot publish dead letters to their topic; they stay in the table");
            return;
        }
    };
    publish_in_rounds(&config.database, &producer, &config.topics.dead_letters(), &shutdown).await;
}

async fn publish_in_rounds(database: &Database, producer: &FutureProducer, topic: &str, shutdown: &CancellationToken) {
    let mut interval = INTERVAL;
    loop {
        let round = async {
            tokio::time::sleep(interval).await;
            publish_some(database, producer, topic).await
        };
        let outcome = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = round => outcome,
        };
        interval = match outcome {
            Ok(()) => INTERVAL,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "dead letters were not published; they stay in the table and are tried again");
                (interval * 2).min(LONGEST_INTERVAL)
            }
        };
    }
}

fn producer(config: &IngestorConfig) -> Result<FutureProducer, KafkaError> {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.bootstrap).set("client.id", "opstream-dead-letters").set("acks", "all");
    client.set("message.max.bytes", MAX_RECORD_BYTES).set("allow.auto.create.topics", "false");
    client.set("message.timeout.ms", SEND_TIMEOUT_MS);
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client.create()
}

/// One round: what waits is sent together and marked together.
async fn publish_some(database: &Database, producer: &FutureProducer, topic: &str) -> anyhow::Result<()> {
    // Without letters, which is nearly always, no transaction is begun: SQLite has one writer.
    let waits = "select 1 as found from dead_letters where published_at_ms is null limit 1";
    if within(ROUND_LIMIT, database.fetch_optional(waits, &[])).await?.is_none() {
        return Ok(());
    }
    within(ROUND_LIMIT, async {
        match database.engine() {
            Engine::Postgres => publish_locked(database, producer, topic).await,
            Engine::Sqlite => publish_unlocked(database, producer, topic).await,
        }
    })
    .await
}

/// The transaction holds the lock while the broker is waited for, so that no other ingestor copies the same letters.
async fn publish_locked(database: &Database, producer: &FutureProducer, topic: &str) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let lock = tx.fetch_optional(TRY_LOCK, &[]).await?.context("the database does not say who has the lock")?;
    if !lock.bool("is_ours")? {
        return Ok(());
    }
    let rows = tx.fetch_all(UNPUBLISHED, &[ROUND_BYTES.into()]).await?;
    let sent = send(producer, topic, &rows).await?;
    mark(tx, &sent.acknowledged).await?;
    sent.failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The one writer is not held while the broker is waited for.
async fn publish_unlocked(database: &Database, producer: &FutureProducer, topic: &str) -> anyhow::Result<()> {
    let rows = database.fetch_all(UNPUBLISHED, &[ROUND_BYTES.into()]).await?;
    let sent = send(producer, topic, &rows).await?;
    mark(database.begin().await?, &sent.acknowledged).await?;
    sent.failure.map_or(Ok(()), |error| Err(error.into()))
}

async fn mark(mut tx: Transaction, acknowledged: &[[Value; 3]]) -> Result<(), sqlx::Error> {
    failpoint::reach(Step::LettersSent).await?;
    let now = UtcMillis::now();
    for [stream, partition, offset] in acknowledged {
        let values = [stream.clone(), partition.clone(), offset.clone(), now.into()];
        tx.execute(include_str!("outbox/mark_published.sql"), &values).await?;
    }
    tx.commit().await?;
    Ok(failpoint::reach(Step::LettersMarked).await?)
}

/// What became of a round.
struct Sent {
    /// Places of the letters whose copies the broker has.
    acknowledged: Vec<[Value; 3]>,
    /// Why others wait for the next round.
    failure: Option<KafkaError>,
}

async fn send(producer: &FutureProducer, topic: &str, rows: &[Row]) -> Result<Sent, sqlx::Error> {
    let letters: Vec<Letter> = rows.iter().map(Letter::from_row).collect::<Result<_, _>>()?;
    let on_their_way: Vec<_> = letters.iter().map(|letter| queue(producer, letter.record(topic))).collect();
    let mut sent = Sent { acknowledged: Vec::with_capacity(letters.len()), failure: None };
    for (letter, queued) in letters.iter().zip(on_their_way) {
        let outcome = match delivery(queued).await {
            // Whatever is wrong with this one letter, those behind it must not wait for ever.
            Err(error) if is_about_the_record(&error) => {
                tracing::warn!(%error, "a dead letter cannot be copied to its topic; a notice of it is sent instead");
                delivery(queue(producer, letter.notice(topic))).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => sent.acknowledged.push(letter.place()),
            Err(error) => sent.failure = Some(error),
        }
    }
    Ok(sent)
}

fn queue(producer: &FutureProducer, record: FutureRecord<'_, [u8], [u8]>) -> Result<DeliveryFuture, KafkaError> {
    producer.send_result(record).map_err(|(error, _)| error)
}

async fn delivery(queued: Result<DeliveryFuture, KafkaError>) -> Result<(), KafkaError> {
    match queued?.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    }
}

fn is_about_the_record(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessage, InvalidMessageSize, InvalidRecord, InvalidTimestamp, MessageSizeTooLarge};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(code, InvalidMessage | InvalidMessageSize | InvalidRecord | InvalidTimestamp | MessageSizeTooLarge)
    })
}

#[cfg(test)]
mod tests;

//! Sends operations to the topic and settles them when the broker has answered.
//!
//! Sending and polling for delivery reports run on two threads of the producer's own. The client is idempotent; when its
//! session with the broker breaks for good, it is replaced and what came back is sent once more, with the same ids.

mod deliveries;
mod settings;

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer};
use tracing::warn;

use super::Shared;
use crate::acknowledgement::{Ticket, Waiter};
use crate::config::{ProducerConfig, StartError};
use crate::hand_over::{Collected, Record};
use crate::metrics::record_client_replaced;
use deliveries::{Deliveries, Returned};
pub(crate) use settings::largest_message;

/// Least time between two replacements of the client; doubles while they follow each other.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time that librdkafka gets to report what was purged at the end.
const PURGE_WITHIN: Duration = Duration::from_millis(500);
/// Time that a client which is replaced gets for it; a full queue has hundreds of thousands of reports.
const REPLACE_WITHIN: Duration = Duration::from_secs(10);

/// A client of the cluster, and what it takes to make another.
pub(crate) struct KafkaOutlet {
    client: ThreadedProducer<Deliveries>,
    config: ClientConfig,
    topic: String,
    deliveries: Deliveries,
    /// Shared by all operations that nobody waits for: first send, and second.
    unwatched: [Arc<Ticket>; 2],
    replace_from: Instant,
    pause: Duration,
}

impl KafkaOutlet {
    /// Makes the client. It connects by itself, now or when a broker is there.
    ///
    /// # Errors
    /// When librdkafka refuses a property, or the properties together.
    pub(crate) fn open(config: &ProducerConfig, shared: Arc<Shared>) -> Result<Self, StartError> {
        let client_config = settings::client_config(config);
        let topic = config.topics.operations();
        let deliveries = Deliveries::new(shared, topic.clone());
        let client = client_config.create_with_context(deliveries.clone()).map_err(|error| match error {
            KafkaError::ClientConfig(_, reason, name, _) => StartError::Property { name, reason },
            other => StartError::Client { reason: other.to_string() },
        })?;
        Ok(Self {
            client,
            config: client_config,
            topic,
            deliveries,
            unwatched: [Ticket::unwatched(false), Ticket::unwatched(true)],
            replace_from: Instant::now(),
            pause: FIRST_PAUSE,
        })
    }

    /// Hands the collected operations to librdkafka, which copies them, and mends what broke before.
    pub(crate) fn deliver(&mut self, collected: &mut Collected) {
        if self.deliveries.needs_mending() {
            self.mend(Instant::now());
        }
        collected.drain(|record, waiter| self.send(record, self.ticket(waiter, false)));
    }

    fn ticket(&self, waiter: Option<Waiter>, resent: bool) -> Arc<Ticket> {
        match waiter {
            Some(waiter) => Ticket::waited_for(waiter, resent),
            None => Arc::clone(&self.unwatched[usize::from(resent)]),
        }
    }

    /// The record's Kafka timestamp stays unset: librdkafka puts the time of sending, so that the topic's retention
    /// counts from then and operations that are imported long after their time are not deleted before they are read.
    fn send(&self, record: Record<'_>, ticket: Arc<Ticket>) {
        let message = BaseRecord::with_opaque_to(&self.topic, ticket).key(record.key).payload(record.value);
        if let Err((error, message)) = self.client.send(message) {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.deliveries.undelivered(code, record, message.delivery_opaque);
        }
    }

    /// Replaces a client whose session is lost for good, unless that was done just now, and sends again what came back.
    fn mend(&mut self, now: Instant) {
        if let Some((code, reason)) = self.client.client().fatal_error() {
            if now < self.replace_from {
                return;
            }
            warn!(%code, reason, "kafka client lost its session with the broker and is replaced");
            if let Err(error) = self.replace(now) {
                self.deliveries.note_trouble(&error.to_string());
                return;
            }
        }
        for Returned { key, value, waiter } in self.deliveries.take_returned() {
            self.send(Record { key: &key, value: &value }, self.ticket(waiter, true));
        }
    }

    fn replace(&mut self, now: Instant) -> Result<(), KafkaError> {
        let calm = now.saturating_duration_since(self.replace_from) > LONGEST_PAUSE;
        self.pause = if calm { FIRST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.replace_from = now + self.pause;
        let fresh = self.config.create_with_context(self.deliveries.clone())?;
        let broken = mem::replace(&mut self.client, fresh);
        // What it still holds is reported as purged, which puts it among the returned. Dropping it would wait for the reports
        // half a second only, which is too short for a full queue.
        broken.purge(PurgeConfig::default().queue().inflight());
        broken.flush(REPLACE_WITHIN).ok();
        record_client_replaced();
        Ok(())
    }

    /// Waits until everything is settled, at most until `deadline`; what is left then is given up and counted as failed.
    pub(crate) fn finish(mut self, deadline: Instant) {
        // Further rounds wait for what a broken session gave back and was sent again, which happens once per operation.
        for _ in 0..3 {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.client.flush(left).is_err() {
                warn!("producer is closed before the broker acknowledged everything");
            }
            if !self.deliveries.needs_mending() || left.is_zero() {
                break;
            }
            self.replace_from = Instant::now();
            self.mend(self.replace_from);
        }
        self.deliveries.give_up();
        self.client.purge(PurgeConfig::default().queue().inflight());
        // An error means that reports are missing after the time; the drop below waits for them once more.
        self.client.flush(PURGE_WITHIN).ok();
    }
}

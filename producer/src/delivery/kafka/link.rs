//! The Kafka client and how another takes its place.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer};
use tracing::warn;

use super::deliveries::Deliveries;
use super::{Shared, settings};
use crate::acknowledgement::{Origin, Ticket, Waiter};
use crate::config::{ProducerConfig, StartError};
use crate::metrics::record_client_replaced;
use crate::record::Record;

/// Least time between two replacements of the client; doubles while they follow each other.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time that a client which is replaced gets to report what it held; a full queue has hundreds of thousands of reports.
const REPORT_WITHIN: Duration = Duration::from_secs(10);

/// A client of the cluster, and what it takes to make another.
pub(super) struct Link {
    client: ThreadedProducer<Deliveries>,
    config: ClientConfig,
    topic: String,
    pub(super) deliveries: Deliveries,
    /// Shared by all operations that nobody waits for: first send, and second.
    recorded: [Arc<Ticket>; 2],
    replace_from: Instant,
    pause: Duration,
}

impl Link {
    /// Makes the client. It connects by itself, now or when a broker is there.
    ///
    /// # Errors
    /// When librdkafka refuses a property, or the properties together.
    pub(super) fn open(config: &ProducerConfig, shared: Arc<Shared>) -> Result<Self, StartError> {
        let client_config = settings::client_config(config);
        let topic = config.topics.operations();
        let deliveries = Deliveries::new(shared, topic.clone(), config.spool.is_some());
        let client = client_config.create_with_context(deliveries.clone()).map_err(|error| match error {
            KafkaError::ClientConfig(_, reason, name, _) => StartError::Property { name, reason },
            other => StartError::Client { reason: other.to_string() },
        })?;
        Ok(Self {
            client,
            config: client_config,
            topic,
            deliveries,
            recorded: [false, true].map(|resent| Ticket::new(Origin::Recorded, resent)),
            replace_from: Instant::now(),
            pause: FIRST_PAUSE,
        })
    }

    /// Hands an operation to librdkafka, which copies it.
    pub(super) fn send(&self, record: Record<'_>, waiter: Option<Waiter>, resent: bool) {
        let ticket = match waiter {
            Some(waiter) => Ticket::new(Origin::Watched(waiter), resent),
            None => Arc::clone(&self.recorded[usize::from(resent)]),
        };
        self.send_with(record, ticket);
    }

    /// The record's Kafka timestamp stays unset: librdkafka puts the time of sending, so that the topic's retention
    /// counts from then and operations that are imported or spooled long after their time are not deleted before they
    /// are read.
    pub(super) fn send_with(&self, record: Record<'_>, ticket: Arc<Ticket>) {
        let message = BaseRecord::with_opaque_to(&self.topic, ticket).key(record.key).payload(record.value);
        if let Err((error, message)) = self.client.send(message) {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.deliveries.undelivered(code, record, message.delivery_opaque);
        }
    }

    /// Whether librdkafka holds anything.
    pub(super) fn is_waiting(&self) -> bool {
        self.client.in_flight_count() > 0
    }

    /// Why the client cannot go on, if it cannot.
    pub(super) fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.client.client().fatal_error()
    }

    /// Whether the client may be replaced, as far as the last replacement is concerned.
    pub(super) fn may_be_replaced(&self, now: Instant) -> bool {
        now >= self.replace_from
    }

    /// Lets the next replacement come at once: the producer ends.
    pub(super) fn end_pause(&mut self, now: Instant) {
        self.replace_from = now;
    }

    /// Makes another client. What the old one held is among the returned afterwards.
    ///
    /// # Errors
    /// When the system gives no further client; the old one stays.
    pub(super) fn replace(&mut self, now: Instant) -> Result<(), KafkaError> {
        let calm = now.saturating_duration_since(self.replace_from) > LONGEST_PAUSE;
        self.pause = if calm { FIRST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        self.replace_from = now + self.pause;
        let fresh = self.config.create_with_context(self.deliveries.clone())?;
        let broken = mem::replace(&mut self.client, fresh);
        // Dropping it would wait for its reports half a second only, which is too short for a full queue.
        broken.purge(PurgeConfig::default().queue().inflight());
        broken.flush(REPORT_WITHIN).ok();
        drop(broken);
        record_client_replaced();
        Ok(())
    }

    /// Waits until everything is settled, for `at_most`; says whether it is.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        self.client.flush(at_most).is_ok()
    }

    /// Gives up what the client holds, and ends it. Everything has been reported afterwards.
    pub(super) fn end(self) {
        self.client.purge(PurgeConfig::default().queue().inflight());
        if self.client.flush(REPORT_WITHIN).is_err() {
            // The drop below waits for them once more.
            warn!("kafka client did not report everything that it held");
        }
    }
}

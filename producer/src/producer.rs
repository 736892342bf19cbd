//! The handle that applications hold: takes operations and says what became of them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use opstream_schemas::{Operation, UtcMicros, UtcMillis};
use tokio::sync::{oneshot, watch};

use crate::acknowledgement::{Acknowledged, Answer, RecordError, Waiter};
use crate::capture::Capture;
use crate::config::{
    DEFAULT_ACKNOWLEDGE_WITHIN, DEFAULT_LINGER, DEFAULT_QUEUE_BYTES, DEFAULT_QUEUE_OPERATIONS, LONGEST_WAIT,
    ProducerConfig, Sink, StartError,
};
use crate::content::ContentPolicy;
use crate::context::Context;
use crate::delivery::json_lines::JsonLinesOutlet;
use crate::delivery::kafka::{KafkaOutlet, largest_message};
use crate::delivery::{self, Outlet, Shared};
use crate::encoding::{Format, with_buffer};
use crate::identity::{Identity, Numbering};
use crate::ledger::{Counters, Ledger};

/// How long delivery goes on in the background after the last handle was dropped without `close`.
const DELIVER_AFTER_DROP: Duration = Duration::from_secs(5);

/// Takes operations without ever making the application wait. Clones are cheap and share one queue.
#[derive(Clone, Debug)]
pub struct Producer {
    inner: Arc<Inner>,
    /// Of every operation that is begun with this handle.
    base: Context,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    identity: Identity,
    format: Format,
    largest: usize,
    acknowledge_within: Duration,
    content: ContentPolicy,
    /// Becomes true, or loses its sender, when the delivering thread has ended.
    ended: watch::Receiver<bool>,
}

/// How one kind of sink is served.
struct Plan {
    format: Format,
    largest: usize,
    linger: Duration,
    acknowledge_within: Duration,
    producer_id: Option<String>,
    outlet: Outlet,
    shared: Arc<Shared>,
}

impl Producer {
    /// Starts a producer with threads of its own. A broker need not be reachable: operations wait for it.
    ///
    /// Prompts and answers leave the process as they are handed over; [`start_with`](Self::start_with) says how much of them.
    ///
    /// # Errors
    /// For settings outside their range and files that cannot be opened, by name; see [`StartError`].
    pub fn start(sink: Sink) -> Result<Self, StartError> {
        Self::start_with(sink, ContentPolicy::as_given())
    }

    /// As [`start`](Self::start), with a policy of what of prompts, answers and other texts leaves the process.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn start_with(sink: Sink, content: ContentPolicy) -> Result<Self, StartError> {
        let plan = match sink {
            Sink::Kafka(config) => plan_kafka(config)?,
            Sink::JsonLines { file, producer_id } => {
                let shared = shared(DEFAULT_QUEUE_OPERATIONS, DEFAULT_QUEUE_BYTES);
                Plan {
                    format: Format::JsonLine,
                    largest: shared.ledger.largest(),
                    linger: DEFAULT_LINGER,
                    acknowledge_within: DEFAULT_ACKNOWLEDGE_WITHIN,
                    producer_id,
                    outlet: Outlet::JsonLines(JsonLinesOutlet::open(&file, Arc::clone(&shared))?),
                    shared,
                }
            }
        };
        Self::launch(plan, content)
    }

    fn launch(plan: Plan, content: ContentPolicy) -> Result<Self, StartError> {
        let Plan { format, largest, linger, acknowledge_within, producer_id, outlet, shared } = plan;
        let (has_ended, ended) = watch::channel(false);
        let delivering = Arc::clone(&shared);
        thread::Builder::new()
            .name("opstream-send".to_owned())
            .spawn(move || {
                delivery::run(outlet, &delivering, linger);
                has_ended.send_replace(true);
            })
            .map_err(|source| StartError::Thread { source })?;
        let identity = Identity::new(producer_id, UtcMillis::now());
        let inner = Inner { shared, identity, format, largest, acknowledge_within, content, ended };
        Ok(Self { inner: Arc::new(inner), base: Context::new() })
    }

    /// A handle whose operations all begin with this context, such as the service and its environment. Scopes lay theirs over it.
    ///
    /// It concerns what is [begun](Self::begin), not what is handed to [`record`](Self::record) as a whole.
    #[must_use]
    pub fn with_context(&self, context: &Context) -> Self {
        Self { inner: Arc::clone(&self.inner), base: context.over(&self.base) }
    }

    /// Whether prompts and answers are kept at all.
    pub(crate) fn keeps_content(&self) -> bool {
        self.inner.content.capture != Capture::Off
    }

    /// Writes the context of the handle and that of the current scope into an operation that has just begun.
    pub(crate) fn fill(&self, operation: &mut Operation) {
        let current = Context::current();
        let context = if self.base.is_empty() { current } else { current.over(&self.base) };
        context.fill(operation);
    }

    /// Hands an operation over. Returns within microseconds, whether the broker is there or not; an operation that finds
    /// the queue full, is too large, or comes after [`close`](Self::close) is counted as dropped.
    ///
    /// An unset id, start, producer id and sequence number are filled in; see [`Operation`]. With a spool
    /// ([`ProducerConfig::spool`]) what the broker cannot take waits on disk.
    pub fn record(&self, operation: Operation) {
        // The ledger has counted the refusal, and there is nobody to tell.
        self.inner.hand_over(operation, None).ok();
    }

    /// Hands an operation over and waits until all replicas have it. Wants a Tokio runtime with time.
    ///
    /// Dropping the future takes nothing back. An application that repeats an operation sets its id before the first
    /// attempt. Such an operation gets no sequence number and never goes to the spool: its caller hears of a failure and
    /// repeats it, where a copy on disk would arrive beside the repetition.
    ///
    /// # Errors
    /// See [`RecordError`]: each variant asks for a different reaction.
    pub async fn record_acked(&self, operation: Operation) -> Result<Acknowledged, RecordError> {
        let answer = self.inner.hand_over_watched(operation)?;
        self.inner.shared.hand_over.hurry();
        self.inner.wait(answer, tokio::time::Instant::now() + self.inner.acknowledge_within).await
    }

    /// As [`record_acked`](Self::record_acked) for many operations at once; the answers are in their order.
    ///
    /// # Errors
    /// Each operation has its own: some may be acknowledged while others are refused.
    pub async fn record_all_acked(&self, operations: Vec<Operation>) -> Vec<Result<Acknowledged, RecordError>> {
        let waiting: Vec<_> = operations.into_iter().map(|operation| self.inner.hand_over_watched(operation)).collect();
        self.inner.shared.hand_over.hurry();
        let deadline = tokio::time::Instant::now() + self.inner.acknowledge_within;
        let mut answers = Vec::with_capacity(waiting.len());
        for answer in waiting {
            answers.push(match answer {
                Ok(answer) => self.inner.wait(answer, deadline).await,
                Err(refused) => Err(refused),
            });
        }
        answers
    }

    /// What became of the operations so far.
    pub fn counters(&self) -> Counters {
        self.inner.shared.ledger.counters()
    }

    /// Takes no more operations, delivers what waits for at most `deadline`, up to a day, and ends the producer's threads.
    ///
    /// What is not acknowledged by then counts as failed, although the broker may have it; with a spool it is on disk
    /// afterwards and counts as spooled, and while the broker is away nothing is waited for. Nothing is queued afterwards.
    /// Call it before the process ends: dropping the last handle delivers for five more seconds, but nobody waits for
    /// that.
    pub async fn close(&self, deadline: Duration) -> Counters {
        self.inner.shared.hand_over.close(Instant::now() + deadline.min(LONGEST_WAIT));
        let mut ended = self.inner.ended.clone();
        // An error means that the thread is gone, which is what is waited for.
        ended.wait_for(|ended| *ended).await.ok();
        self.counters()
    }
}

impl Inner {
    fn hand_over(&self, mut operation: Operation, waiter: Option<Waiter>) -> Result<(), RecordError> {
        let numbering = if waiter.is_some() { Numbering::Answered } else { Numbering::Numbered };
        self.identity.complete(&mut operation, numbering, UtcMicros::now);
        let ledger = &self.shared.ledger;
        if self.content.apply(&mut operation) {
            ledger.note_content_dropped();
        }
        with_buffer(|buffer| {
            let key_length = self.format.encode(&operation, buffer);
            let bytes = buffer.len();
            if bytes > self.largest {
                ledger.drop_one();
                return Err(RecordError::TooLarge { bytes, limit: Some(self.largest) });
            }
            if !ledger.admit(bytes) {
                return Err(RecordError::QueueFull {
                    operations: ledger.queued_operations(),
                    bytes: ledger.queued_bytes(),
                });
            }
            self.shared.hand_over.push(buffer, key_length, waiter).map_err(|_| {
                ledger.turn_away(bytes);
                RecordError::Closed
            })
        })
    }

    fn hand_over_watched(&self, operation: Operation) -> Result<oneshot::Receiver<Answer>, RecordError> {
        let (waiter, answer) = oneshot::channel();
        self.hand_over(operation, Some(waiter))?;
        Ok(answer)
    }

    async fn wait(&self, answer: oneshot::Receiver<Answer>, deadline: tokio::time::Instant) -> Answer {
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            // The delivering thread ended without an answer.
            Ok(Err(_)) => Err(RecordError::Unavailable { reason: "the producer ended".to_owned() }),
            Err(_) => Err(RecordError::Unavailable { reason: self.silence() }),
        }
    }

    fn silence(&self) -> String {
        let waited = self.acknowledge_within;
        match self.shared.trouble.text() {
            Some(trouble) => format!("no answer within {waited:?}; last error: {trouble}"),
            None => format!("no answer within {waited:?}"),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.hand_over.close(Instant::now() + DELIVER_AFTER_DROP);
    }
}

fn plan_kafka(config: ProducerConfig) -> Result<Plan, StartError> {
    config.check()?;
    let shared = shared(config.queue_operations, config.queue_bytes);
    Ok(Plan {
        format: Format::Avro(config.schema_id.clone()),
        largest: largest_message(&config)?.min(shared.ledger.largest()),
        linger: config.linger,
        acknowledge_within: config.acknowledge_within,
        outlet: Outlet::Kafka(Box::new(KafkaOutlet::open(&config, Arc::clone(&shared))?)),
        producer_id: config.producer_id,
        shared,
    })
}

fn shared(limit_operations: usize, limit_bytes: usize) -> Arc<Shared> {
    Arc::new(Shared::new(Ledger::new(limit_operations, limit_bytes)))
}

#[cfg(test)]
mod tests;

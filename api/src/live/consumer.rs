//! The one consumer of all readers, on a thread of its own because the client blocks. It never waits for a reader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opstream_records::ask::ask;
use opstream_records::decode::datum::{Datum, Fault};
use opstream_records::decode::{RecordView, WriterSchemas};
use opstream_schemas::UtcMillis;
use opstream_schemas::avro::{OPERATION_V1, WriterSchema, split_frame};
use opstream_schemas::window::Level;
use rdkafka::Message as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::event;
use super::hub::{Readers, Source};
use super::topics::Topics;

/// How often readers are told what was.
const TICK: Duration = Duration::from_secs(1);
/// Longest wait for a record: so soon is the end of everything noticed.
const POLL: Duration = Duration::from_millis(100);
/// How long the consumer stays when nobody watches: a page that is loaded again finds it running.
const LINGER: Duration = Duration::from_secs(5);
/// How often new partitions are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Pause between two attempts to reach the broker.
const PAUSE: Duration = Duration::from_secs(2);
/// How often readers are told that the broker is away.
const GAP_EVERY: Duration = Duration::from_secs(10);
/// How long a registry may take: all readers wait for it.
const REGISTRY_LIMIT: Duration = Duration::from_secs(2);

const AWAY: &str = "the broker does not answer; operations that come meanwhile may not be told";
const LOST: &str = "the place in the topic was lost; reading goes on at its end";

/// Reads for the readers until there are none, or until `shutdown`.
pub(super) fn begin(source: Source, readers: Arc<Readers>, shutdown: CancellationToken, runtime: Handle) {
    let now = Instant::now();
    let mut consuming = Consuming {
        source,
        readers,
        runtime,
        schemas: WriterSchemas::default(),
        windows: Windows::default(),
        next_tick: now + TICK,
        next_look: now + LOOK_EVERY,
        next_gap: now,
        empty_since: None,
    };
    let thread = std::thread::Builder::new().name("live".to_owned());
    if let Err(error) = thread.spawn(move || consuming.run(&shutdown)) {
        tracing::error!(%error, "no thread can be started for readers of live operations");
    }
}

struct Consuming {
    source: Source,
    readers: Arc<Readers>,
    runtime: Handle,
    schemas: WriterSchemas,
    windows: Windows,
    next_tick: Instant,
    next_look: Instant,
    next_gap: Instant,
    empty_since: Option<Instant>,
}

/// Windows that were changed since the last tick.
#[derive(Default)]
struct Windows {
    changed: u64,
    latest_minute: Option<UtcMillis>,
}

impl Consuming {
    fn run(&mut self, shutdown: &CancellationToken) {
        let mut topics = None;
        let mut next_try = Instant::now();
        while !shutdown.is_cancelled() && !self.is_over() {
            let now = Instant::now();
            if topics.is_none() && now >= next_try {
                topics = self.open();
                next_try = Instant::now() + PAUSE;
                self.next_look = Instant::now() + LOOK_EVERY;
            }
            match &mut topics {
                None => std::thread::sleep(POLL),
                Some(open) => {
                    if let Err(error) = self.read(open) {
                        tracing::warn!(%error, "readers of live operations lost their place in the topic");
                        self.tell_gap(LOST);
                        topics = None;
                    }
                }
            }
            // Nothing is promised before the ends of the topics are known.
            if topics.is_some() {
                self.tick();
            }
        }
    }

    fn open(&mut self) -> Option<Topics> {
        let names = &self.source.broker.topics;
        let opened = Topics::open(&self.source.broker, [names.operations(), names.windows()]);
        opened
            .inspect_err(|error| {
                tracing::warn!(%error, "live operations cannot be read; trying again");
                self.tell_gap(AWAY);
            })
            .ok()
    }

    /// Takes what there is until something else is to be done.
    ///
    /// # Errors
    /// When the place in the topic is lost.
    fn read(&mut self, topics: &mut Topics) -> Result<(), KafkaError> {
        loop {
            let now = Instant::now();
            if now >= self.next_look {
                self.next_look = now + LOOK_EVERY;
                // Those that are known are read meanwhile.
                if let Err(error) = topics.look_again() {
                    tracing::debug!(%error, "new partitions could not be looked for; they are looked for again later");
                }
            }
            let wait = self.next_tick.saturating_duration_since(now).min(POLL);
            match topics.consumer().poll(wait) {
                None => return Ok(()),
                Some(Ok(record)) => self.pass_on(&record),
                Some(Err(error)) if is_lost(&error) => return Err(error),
                Some(Err(error)) => {
                    tracing::debug!(%error, "the broker is away from live operations");
                    self.tell_gap(AWAY);
                }
            }
            if Instant::now() >= self.next_tick {
                return Ok(());
            }
        }
    }

    fn pass_on(&mut self, record: &BorrowedMessage<'_>) {
        if record.topic() == self.source.broker.topics.windows() {
            self.windows.add(record.payload());
            return;
        }
        if let Some(value) = record.payload() {
            self.learn(value);
        }
        // What is none becomes a dead letter, which is told elsewhere.
        let Ok(view) = RecordView::of(record.payload(), &self.schemas) else { return };
        let mut encoded: Option<Bytes> = None;
        let mut encode =
            || encoded.get_or_insert_with(|| event::operation(&view, record.partition(), record.offset())).clone();
        self.readers.each(|watching| {
            if watching.filter.is_met_by(&view) {
                watching.outbox.offer(&view, watching.most_per_second, &mut encode);
            }
        });
    }

    /// Learns the schema of a record, if it is not known yet.
    fn learn(&mut self, value: &[u8]) {
        let now = Instant::now();
        let mut ids = self.schemas.unknown_ids_of(std::iter::once(value), now);
        if ids.is_empty() {
            return;
        }
        if let Some(own) = self.source.schema_id.get()
            && ids.remove(&own)
        {
            let schema_type = "AVRO".to_owned();
            let schema = WriterSchema { schema_type, text: OPERATION_V1.to_owned(), has_references: false };
            self.schemas.learn(own, &schema);
        }
        if let Some(registry) = &self.source.registry
            && !ids.is_empty()
        {
            let asked = timeout(REGISTRY_LIMIT, ask(registry, &mut self.schemas, &ids));
            if self.runtime.block_on(asked).is_err() {
                tracing::warn!("the schema registry does not answer; live operations of other writers are not told");
            }
            ids = self.schemas.unknown_ids_of(std::iter::once(value), now);
        }
        // Asked for again after a while.
        self.schemas.learn_missing(ids, now);
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if now < self.next_tick {
            return;
        }
        // Of seconds that were missed, while the broker was asked, there is one.
        let due = self.next_tick + TICK;
        self.next_tick = if due > now { due } else { now + TICK };
        let at = UtcMillis::now();
        let Windows { changed, latest_minute } = std::mem::take(&mut self.windows);
        let windows = (changed > 0).then(|| event::windows(changed, latest_minute));
        self.readers.keep(|watching| {
            let stays = watching.outbox.tick(at);
            if let Some(windows) = windows.as_ref().filter(|_| stays) {
                watching.outbox.tell(windows.clone());
            }
            stays
        });
    }

    fn tell_gap(&mut self, message: &str) {
        let now = Instant::now();
        if now >= self.next_gap {
            self.next_gap = now + GAP_EVERY;
            let gap = event::gap(message);
            self.readers.each(|watching| watching.outbox.tell(gap.clone()));
        }
    }

    /// Whether nobody has watched for a while.
    fn is_over(&mut self) -> bool {
        if !self.readers.is_empty() {
            self.empty_since = None;
            return false;
        }
        let now = Instant::now();
        now.duration_since(*self.empty_since.get_or_insert(now)) >= LINGER && self.readers.end_if_empty()
    }
}

impl Windows {
    fn add(&mut self, value: Option<&[u8]>) {
        self.changed += 1;
        let window = value.and_then(|value| split_frame(value).ok()).and_then(|framed| window_of(framed.datum).ok());
        if let Some((level, start)) = window
            && level == Level::Minute.name().as_bytes()
        {
            self.latest_minute = self.latest_minute.max(Some(start));
        }
    }
}

/// Width and beginning of a window: with its set the first fields of every version.
fn window_of(datum: &[u8]) -> Result<(&[u8], UtcMillis), Fault> {
    let mut datum = Datum::new(datum);
    datum.text()?;
    Ok((datum.text()?, UtcMillis::from_millis(datum.long()?)))
}

/// Whether reading cannot go on where it was.
fn is_lost(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AutoOffsetReset, Fatal, OffsetOutOfRange, UnknownPartition, UnknownTopicOrPartition};
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(code, AutoOffsetReset | Fatal | OffsetOutOfRange | UnknownPartition | UnknownTopicOrPartition)
    })
}

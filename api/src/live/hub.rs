//! The readers, and when the consumer runs: it begins with the first of them and ends some seconds after the last.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use opstream_producer::Sink;
use opstream_registry::Registry;
use opstream_schemas::avro::WriterId;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::consumer;
use super::event::ALIVE;
use super::filter::LiveFilter;
use super::outbox::Outbox;
use crate::config::BrokerAddress;

/// Most readers at a time. Each may hold a megabyte, and has every operation compared with its filter.
const MOST_READERS: usize = 64;
/// How long nothing may be said.
const SILENCE: Duration = Duration::from_secs(15);

/// All who watch.
pub(crate) struct Hub {
    source: Option<Source>,
    readers: Arc<Readers>,
    shutdown: CancellationToken,
}

/// Where operations come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) broker: BrokerAddress,
    /// Under which our own records are written.
    pub(super) schema_id: WriterId,
    /// Knows the schemas of other writers.
    pub(super) registry: Option<Registry>,
}

/// The readers by number.
#[derive(Default)]
pub(super) struct Readers {
    // Held for a look at each of them, never across an await.
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    next_number: u64,
    by_number: BTreeMap<u64, Arc<Watching>>,
    /// Whether there is a consumer for them.
    is_consuming: bool,
}

/// What one reader is about, and what waits for it.
pub(super) struct Watching {
    pub(super) filter: LiveFilter,
    pub(super) most_per_second: u32,
    pub(super) outbox: Outbox,
}

/// One reader, until it is dropped.
pub(crate) struct Reader {
    number: u64,
    watching: Arc<Watching>,
    readers: Arc<Readers>,
    shutdown: CancellationToken,
}

/// Why nobody can watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HubError {
    /// There is nothing to watch.
    #[error("this server writes operations to a file; there is no topic to watch")]
    NoTopic,
    /// Try again when somebody has left.
    #[error("{MOST_READERS} readers watch already, as many as may; try again later")]
    Full,
}

impl Hub {
    /// Of the topics that `sink` writes to. Every stream ends with `shutdown`.
    pub(crate) fn new(sink: &Sink, registry: Option<Registry>, shutdown: CancellationToken) -> Self {
        let source = match sink {
            Sink::Kafka(config) => BrokerAddress::of_sink(sink).map(|broker| Source {
                broker,
                schema_id: config.schema_id.clone(),
                registry,
            }),
            Sink::JsonLines { .. } => None,
        };
        Self { source, readers: Arc::default(), shutdown }
    }

    /// Begins to watch. Of operations that are meant at most so many a second are told.
    ///
    /// # Errors
    /// When there are too many readers, or no topic.
    pub(crate) fn watch(&self, filter: LiveFilter, most_per_second: u32) -> Result<Reader, HubError> {
        let source = self.source.as_ref().ok_or(HubError::NoTopic)?;
        let watching = Arc::new(Watching { filter, most_per_second, outbox: Outbox::default() });
        let mut all = self.readers.all();
        if all.by_number.len() >= MOST_READERS {
            return Err(HubError::Full);
        }
        let number = all.next_number;
        all.next_number += 1;
        all.by_number.insert(number, watching.clone());
        if !all.is_consuming {
            all.is_consuming = true;
            consumer::begin(source.clone(), self.readers.clone(), self.shutdown.clone(), Handle::current());
        }
        drop(all);
        Ok(Reader { number, watching, readers: self.readers.clone(), shutdown: self.shutdown.clone() })
    }
}

impl Readers {
    /// Calls `tell` with each of them.
    pub(super) fn each(&self, mut tell: impl FnMut(&Watching)) {
        self.all().by_number.values().for_each(|watching| tell(watching));
    }

    /// Calls `stays` with each of them, and has those for which it says no make room for others.
    pub(super) fn keep(&self, mut stays: impl FnMut(&Watching) -> bool) {
        self.all().by_number.retain(|_, watching| stays(watching));
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all().by_number.is_empty()
    }

    /// Notes that the consumer ends, unless somebody has come; says whether it may.
    pub(super) fn end_if_empty(&self) -> bool {
        let mut all = self.all();
        if all.by_number.is_empty() {
            all.is_consuming = false;
        }
        !all.is_consuming
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// What it is told, until it leaves, is given up, or the server stops.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        // Said at once, so that the head of the answer is on its way too.
        let hello = Some(ALIVE);
        unfold((self, hello), async |(reader, hello)| {
            let piece = match hello {
                Some(hello) => Some(hello),
                None => reader.next().await,
            };
            piece.map(|piece| (Ok(piece), (reader, None)))
        })
    }

    async fn next(&self) -> Option<Bytes> {
        let told = timeout(SILENCE, self.watching.outbox.next());
        self.shutdown.run_until_cancelled(told).await?.unwrap_or(Some(ALIVE))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.all().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;

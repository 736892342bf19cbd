//! What a source hands to the delivery: records that became operations, and records that could not.
//!
//! A source is a function that runs on its own thread and pushes into a bounded channel, so that a file of any size
//! passes through in constant memory. It knows nothing of HTTP, and the delivery knows nothing of files.

use std::fmt;
use std::sync::Arc;

use opstream_schemas::{NanoUsd, Operation, OperationId};
use tokio::sync::mpsc;

/// Records between the reader and the delivery: a batch or two, so that neither waits for the other's next step.
const FEED_CAPACITY: usize = 1024;

/// A source that has been opened and checked.
pub(super) struct Input {
    /// The source in a few words, for people.
    pub(super) name: String,
    /// How much there is to read, in the unit of [`Item::weight`].
    pub(super) extent: Extent,
    /// Reads everything into the feed; returns remarks for the summary, one sentence each.
    pub(super) read: ReadAll,
}

/// Reads a whole source into the feed. Runs on a plain thread, outside the async runtime.
pub(super) type ReadAll = Box<dyn FnOnce(&Feed) -> anyhow::Result<Vec<String>> + Send>;

/// Size of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// So many bytes.
    Bytes(u64),
    /// So many records.
    Records(u64),
    /// Cannot be known before the end, such as standard input.
    Unknown,
}

/// Where a record stands in its source, as people would look it up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// File or database.
    pub(super) file: Arc<str>,
    /// Position within it.
    pub(super) at: At,
}

/// Position within a file or database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    /// Line number, from 1.
    Line(u64),
    /// Index into a JSON array, from 0.
    Index(usize),
    /// Primary key of a row.
    Key(String),
    /// The file as a whole.
    Whole,
}

/// A record that became an operation.
#[derive(Debug)]
pub(super) struct Item {
    /// Id of the operation, as it stands in `json`.
    pub(super) id: OperationId,
    /// The operation as one line of JSON.
    pub(super) json: String,
    /// What the operation adds to the totals.
    pub(super) counts: Counts,
    /// Share of the source's extent.
    pub(super) weight: u64,
    /// Where the record came from.
    pub(super) place: Place,
}

/// The parts of an operation that the summary adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Tokens in.
    pub(super) input_tokens: i64,
    /// Tokens in that came from a cache.
    pub(super) cache_read_tokens: i64,
    /// Tokens out.
    pub(super) output_tokens: i64,
    /// Cost as the source reports it.
    pub(super) reported_cost: NanoUsd,
}

/// A record that is no operation, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where the record stands.
    pub(super) place: Place,
    /// What is wrong with it, and where known the field.
    pub(super) reason: String,
}

/// One record of a source.
#[derive(Debug)]
pub(super) enum Record {
    /// It became an operation.
    Item(Item),
    /// It could not.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Share of the source's extent.
        weight: u64,
    },
    /// It repeats an operation of the same run; the first one counts.
    Repeated {
        /// Share of the source's extent.
        weight: u64,
    },
}

/// The reader's end of the channel.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    sender: mpsc::Sender<Record>,
}

/// The delivery has ended early, so reading on is pointless; its own error says why.
#[derive(Debug, thiserror::Error)]
#[error("the delivery stopped before everything was read")]
pub(super) struct DeliveryStopped;

impl Item {
    /// An operation that came from `place`.
    pub(super) fn new(operation: &Operation, place: Place, weight: u64) -> Self {
        Self {
            id: operation.operation_id,
            json: serde_json::to_string(operation).expect("an operation holds only texts, numbers and string keys"),
            counts: Counts::of(operation),
            weight,
            place,
        }
    }
}

impl Counts {
    /// The parts of this operation; what is unknown counts as nothing.
    pub(super) fn of(operation: &Operation) -> Self {
        Self {
            input_tokens: operation.input_tokens.unwrap_or(0),
            cache_read_tokens: operation.cache_read_tokens,
            output_tokens: operation.output_tokens.unwrap_or(0),
            reported_cost: operation.reported_cost_usd.unwrap_or_default(),
        }
    }
}

impl Feed {
    /// A feed and the end that the delivery reads.
    pub(super) fn new() -> (Self, mpsc::Receiver<Record>) {
        let (sender, receiver) = mpsc::channel(FEED_CAPACITY);
        (Self { sender }, receiver)
    }

    /// Hands over one record and waits while the channel is full. Blocks the thread: not for async code.
    ///
    /// # Errors
    /// When nobody receives any more.
    pub(super) fn push(&self, record: Record) -> Result<(), DeliveryStopped> {
        self.sender.blocking_send(record).map_err(|_| DeliveryStopped)
    }

    /// The same for async code.
    ///
    /// # Errors
    /// When nobody receives any more.
    pub(super) async fn push_async(&self, record: Record) -> Result<(), DeliveryStopped> {
        self.sender.send(record).await.map_err(|_| DeliveryStopped)
    }
}

impl Refusal {
    /// A refusal with the error's text as its reason.
    pub(super) fn because(place: Place, error: &impl fmt::Display) -> Self {
        Self { place, reason: error.to_string() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match &self.at {
            At::Line(number) => write!(f, ":{number}"),
            At::Index(index) => write!(f, "[{index}]"),
            At::Key(key) => write!(f, " ({key})"),
            At::Whole => Ok(()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

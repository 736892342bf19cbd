//! What the front door is asked and how it answers, as far as imports use it.

use opstream_schemas::OperationId;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/operations/lookup`.
#[derive(Debug, Serialize)]
pub(super) struct LookupQuestion<'a> {
    /// At most 1,000 ids.
    pub(super) ids: &'a [OperationId],
}

/// Its answer.
#[derive(Debug, Deserialize)]
pub(super) struct LookupAnswer {
    /// Those of the ids that are committed.
    pub(super) existing: Vec<OperationId>,
}

/// Answer of `POST /v1/operations`.
#[derive(Debug, Default, Deserialize)]
pub(in crate::import) struct PostAnswer {
    /// How many operations the broker acknowledged.
    pub(in crate::import) accepted: u64,
    /// The others.
    #[serde(default)]
    pub(in crate::import) refused: Vec<RefusedLine>,
    /// Where the accepted ones went: per partition the highest acknowledged offset plus one. Without them nobody could
    /// wait for the operations.
    pub(in crate::import) offsets: Vec<NextOffset>,
}

/// An operation that the front door does not take.
#[derive(Debug, Deserialize)]
pub(in crate::import) struct RefusedLine {
    /// Its line in the request, from 0.
    pub(in crate::import) index: usize,
    /// The field at fault, where one is.
    #[serde(default)]
    pub(in crate::import) field: Option<String>,
    /// What is wrong with it.
    pub(in crate::import) reason: String,
}

/// First offset of a partition that was not used.
#[derive(Debug, Deserialize)]
pub(in crate::import) struct NextOffset {
    /// Number of the partition.
    pub(in crate::import) partition: i32,
    /// The offset.
    pub(in crate::import) next_offset: i64,
}

/// Answer of `GET /v1/progress`.
#[derive(Debug, Deserialize)]
pub(in crate::import) struct Progress {
    /// One entry per partition that was ever read.
    pub(in crate::import) committed: Vec<Committed>,
}

/// How far one partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::import) struct Committed {
    /// Number of the partition.
    pub(in crate::import) partition: i32,
    /// Every offset below is committed to SQL and to files.
    pub(in crate::import) next_offset: i64,
    /// Every offset below is counted in windows.
    pub(in crate::import) windowed_to: i64,
}

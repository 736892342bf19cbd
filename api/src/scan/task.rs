//! What a parent tells its child, and what the child says first.

use std::path::PathBuf;

use opstream_schemas::{OperationId, UtcMillis};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::overviews::Bond;
use super::table::Format;

/// Everything that a child is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Root of the lake.
    pub(super) lake: PathBuf,
    /// Live files of operations that may hold something.
    pub(super) files: Vec<File>,
    /// Live files of their contents; only for questions that may read them.
    pub(super) contents: Vec<File>,
    /// Operations before this moment may be gone already, and do not count.
    pub(super) floor: Moment,
    /// Most memory that it may take.
    pub(super) memory_bytes: u64,
    /// Most seconds of all its threads together.
    pub(super) cpu_seconds: u64,
    /// The question.
    pub(super) task: Task,
}

/// Most bytes of an answer that is held until it is whole.
pub(super) const MAX_BODY: usize = 32 << 20;

/// A file of the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    /// Path below the root of the lake.
    pub(super) path: String,
    /// How many rows it has.
    pub(super) rows: i64,
    /// Its size.
    pub(super) bytes: i64,
}

/// A question.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// `GET /v1/query` with these parameters.
    Query {
        /// Names and values.
        parameters: Vec<(String, String)>,
        /// When it was asked.
        now: Moment,
        /// Up to where the answer is complete.
        complete_to: Option<Moment>,
    },
    /// `GET /v1/distribution` with these parameters.
    Distribution {
        /// Names and values.
        parameters: Vec<(String, String)>,
        /// When it was asked.
        now: Moment,
        /// Up to where the answer is complete.
        complete_to: Option<Moment>,
    },
    /// `GET /v1/sessions` or `GET /v1/traces` with these parameters.
    Overviews {
        /// Which of them.
        bond: Bond,
        /// Names and values.
        parameters: Vec<(String, String)>,
        /// When it was asked.
        now: Moment,
        /// Up to where the answer is complete.
        complete_to: Option<Moment>,
    },
    /// The ids of the operations of one session or trace.
    Members {
        /// Which of them.
        bond: Bond,
        /// Its name.
        name: String,
        /// Its workspace, if that was said.
        workspace: Option<String>,
        /// Only operations behind this one.
        after: Option<OperationId>,
        /// Most ids.
        limit: u32,
    },
    /// `GET /v1/operations` with these parameters, in the order of a number.
    Ranked {
        /// Names and values.
        parameters: Vec<(String, String)>,
    },
    /// `GET /v1/export/operations` with these parameters.
    Export {
        /// Names and values.
        parameters: Vec<(String, String)>,
        /// When it was asked.
        now: Moment,
    },
    /// A query.
    Sql(SqlTask),
}

/// A query, and what it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SqlTask {
    /// Its text. The child checks it: parsing may take long, and more of the stack than a thread of the api has.
    pub(crate) sql: String,
    /// First moment of its operations.
    pub(crate) from: Option<Moment>,
    /// First moment after them.
    pub(crate) to: Option<Moment>,
    /// Most rows in JSON.
    pub(crate) limit: u32,
    /// The format of a file; none for JSON.
    pub(crate) format: Option<Format>,
    /// Up to where the answer is complete.
    pub(crate) complete_to: Option<Moment>,
}

impl Task {
    /// Whether it may read prompts, messages and tool definitions.
    pub(super) const fn reads_contents(&self) -> bool {
        matches!(self, Self::Sql(_))
    }
}

/// What was read for an answer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Scanned {
    /// Files that may hold something of the range.
    pub(crate) files: usize,
    /// Operations in them.
    pub(crate) operations: i64,
    /// Their size in bytes. Of each only the columns that the question needs are read.
    pub(crate) bytes: i64,
    /// How long it took, in milliseconds.
    pub(crate) milliseconds: u64,
}

/// The first line of what a child writes; the body follows unless it is a refusal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Head {
    /// What follows is the body of the answer.
    Body {
        /// Its media type.
        content_type: String,
        /// The name under which browsers store it; none for what they show.
        file_name: Option<String>,
    },
    /// There is no answer.
    Refused(Refusal),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    /// Status of HTTP.
    pub(crate) status: u16,
    /// Stable code.
    pub(crate) code: String,
    /// Text for people.
    pub(crate) message: String,
    /// What only the log gets.
    pub(crate) cause: Option<String>,
}

/// A moment on its way from one process to the other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Moment(i64);

impl From<UtcMillis> for Moment {
    fn from(moment: UtcMillis) -> Self {
        Self(moment.millis())
    }
}

impl From<Moment> for UtcMillis {
    fn from(moment: Moment) -> Self {
        Self::from_millis(moment.0)
    }
}

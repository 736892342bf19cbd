//! Questions that need the lake's files, each answered by a process of its own.
//!
//! Windows keep some dimensions; whatever else is asked (sessions, users, tags, SQL) is read from the Parquet files that the
//! manifest lists. How much that takes depends on the question, so it is not done in the process that serves everybody: a child
//! gets the question and the files, has limits of memory and time that the system enforces, knows neither database nor secrets,
//! and may crash without harm. [`parent`] chooses the files and bounds how many children there are, [`running`] is one of them as seen from here, [`child`] what runs
//! in it, with the [`answers`] to each question; between them stand the types of [`task`]. A child answers with the very bytes that the client gets.

mod answers;
mod child;
mod conditions;
mod files;
mod groups;
mod limits;
mod manifest;
mod members;
mod overviews;
mod parent;
mod ranked;
mod running;
mod sql;
mod sums;
mod table;
mod task;

pub use child::serve as serve_scan;
pub use limits::ScanLimits;
pub(crate) use overviews::{Bond, Order, Overview, Position};
pub(crate) use parent::{Scans, respond};
pub(crate) use sql::{MAX_SQL_BYTES, check_length};
pub(crate) use table::{Format, TableWriter};
pub(crate) use task::{Refusal, Scanned, SqlTask, Task};

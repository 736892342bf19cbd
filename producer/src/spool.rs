//! Operations on disk: what waits there for the broker while it cannot take them.
//!
//! ```text
//! delivering thread ─► writing ─► stored ─► resending ─► client ─► broker
//!                      1 segment  n         1, in        a bounded
//!                      appended             memory       part of it
//! ```
//!
//! An entry leaves the disk with its segment, when the broker has acknowledged all of the segment or will never take the
//! rest. A crash in between sends a segment again: its operations keep their ids, so that they count once. Everything that
//! touches the disk runs on the delivering thread ([`backlog`]); the thread that hears of acknowledgements only notes
//! them ([`flight`]). docs/producer.md says what users may rely on.

mod backlog;
pub(crate) mod books;
mod disk;
mod flight;
mod folder;
#[cfg(test)]
mod hostile;
mod resending;
mod segment;
mod writing;

pub(crate) use backlog::Backlog;
pub(crate) use books::SpoolBooks;
pub(crate) use flight::{Flight, Load};
pub(crate) use segment::Entries;

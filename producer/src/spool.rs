//! Operations on disk: what waits there for the broker while it cannot take them.

pub(crate) mod books;
mod folder;
mod segment;

pub(crate) use books::SpoolBooks;
pub use segment::{Entries, Segment, SegmentDamage, read_segment};

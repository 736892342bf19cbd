//! Operations on disk: what waits there for the broker while it cannot take them.

mod folder;
mod segment;

pub use segment::{Entries, Segment, SegmentDamage, read_segment};

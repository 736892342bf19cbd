//! Walks the applied ranges of every partition: they touch, they add up, and what they say became of each offset is so.
//!
//! In: the snapshot and the offsets that rows came from. Out: the checks `applied_ranges` (the ranges against each other
//! and the checkpoint) and `source_offsets` (the ranges against rows and dead letters). One partition at a time.

mod partition;
mod source_offsets;

pub(super) use partition::check_ranges;
pub(super) use source_offsets::SourceOffsets;

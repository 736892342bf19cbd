//! Live files that are replaced by others with the same operations: what compaction and re-pricing have in common.
//!
//! The way of a replacement: what it rests on ([`grounds`]), the files as they are listed ([`listed`]), opened ([`opened`]) and read in
//! this version's columns ([`stored_columns`]), what they add up to ([`summary`]), and the new file and its row ([`written`]).

pub(crate) mod grounds;
pub(crate) mod listed;
pub(crate) mod opened;
pub(crate) mod stored_columns;
pub(crate) mod summary;
pub(crate) mod written;

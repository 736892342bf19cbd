//! Whatever order and batches operations come in, rows, files and windows come to the same sums.
//!
//! In reading order: [`calls`] makes random operations that follow from their number, [`expected`] says what they come to,
//! [`intake`] stores them as an ingestor does, in batches as they are given, [`found`] adds up what is stored, and [`run`] is all of it, beside
//! a pipeline whose aggregator makes the windows, merges files and prices them again.

pub(crate) mod calls;
pub(crate) mod expected;
pub(crate) mod found;
pub(crate) mod intake;
pub(crate) mod run;

//! Provider usage: from the `usage` object of an answer, as the provider sent it, to the counts of an operation.
//!
//! Every provider counts in its own words, and the same word means different things: `input_tokens` is the whole prompt to
//! OpenAI and what no cache held to Anthropic. Here each dialect is a table of its own; what comes out is canonical.
//! Nothing here reads clocks, files or the answer's
//! content: searches that an answer only mentions, without counting them in its usage, are not found.
//!
//! # Units
//! Tokens, except `web_searches` and what is in `billable_units`; a begun second or hour counts as a whole one. Numbers may be
//! integers, integral doubles or decimal text; null is absent; what is absent is not stated, which is not 0.

mod answer;
mod count;
mod error;
mod number;
mod rule;
mod shape;

pub use count::{Count, Counts};
pub use error::UsageError;
pub use shape::UsageShape;

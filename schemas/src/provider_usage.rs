//! Provider usage: from the `usage` object of an answer, as the provider sent it, to the counts of an operation.
//!
//! Every provider counts in its own words, and the same word means different things: `input_tokens` is the whole prompt to
//! OpenAI and what no cache held to Anthropic. Here each dialect is a table of its own; what comes out is canonical.
//! [`ProviderUsage`] reads one object, [`StreamUsage`] the events of a stream. Nothing here reads clocks, files or the answer's
//! content: searches that an answer only mentions, without counting them in its usage, are not found.
//!
//! # Units
//! Tokens, except `web_searches` and what is in `billable_units`; a begun second or hour counts as a whole one. Numbers may be
//! integers, integral doubles or decimal text; null is absent; what is absent is not stated, which is not 0.

mod answer;
mod anthropic;
mod bedrock;
mod cache_writes;
mod cohere;
mod count;
mod error;
mod gemini;
mod number;
mod openai_chat;
mod openai_responses;
mod openai_tools;
mod reported_cost;
mod rule;
mod shape;
mod stream;
mod usage;

#[cfg(test)]
mod expectations;
#[cfg(test)]
mod properties;

pub use count::{Count, Counts};
pub use error::UsageError;
pub use shape::UsageShape;
pub use stream::StreamUsage;
pub use usage::{Disagreement, ProviderUsage};

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
//!
//! # Shapes
//! The keys tell the dialect, whoever the provider is, because gateways and clouds speak each other's:
//!
//! | shape | speakers | input | output | reasoning |
//! |---|---|---|---|---|
//! | `openai_chat` | OpenAI, Azure, OpenRouter, DeepSeek, Mistral, Groq | `prompt_tokens` | `completion_tokens` | inside |
//! | the same | xAI, Perplexity's research | `prompt_tokens` | `completion_tokens` + reasoning | outside |
//! | `openai_responses` | OpenAI, xAI; realtime, images, transcriptions | `input_tokens` | `output_tokens` | inside |
//! | `anthropic` | Anthropic, Bedrock invoke, Vertex | `input_tokens` + cache reads + cache writes | `output_tokens` | inside |
//! | `bedrock_converse` | Bedrock | `inputTokens` + cache reads + cache writes | `outputTokens` | inside |
//! | `gemini` | Gemini, Vertex | `promptTokenCount` + `toolUsePromptTokenCount` | candidates + thoughts | outside |
//! | `gemini_interactions` | Gemini, Vertex | `total_input_tokens` + tools | `total_output_tokens` + thoughts | outside |
//! | `cohere` | Cohere | `billed_units.input_tokens` | `billed_units.output_tokens` | |
//!
//! The provider's name decides where keys do not: whether xAI's and Google's words of OpenAI's dialect mean what they say.
//! `total_tokens`, where it adds up one way only, decides before the name.
//!
//! # Units billed apart
//! What is billed and is no token of prompt or answer goes to `web_searches` or, by the provider's name for it, to
//! `billable_units`; so does a count that nobody knows yet, in the objects that hold nothing else. An operation
//! with a unit that has no price is unpriced rather than priced too low. Zeros and what is known to be free are left out.
//!
//! # Example
//! ```
//! use opstream_schemas::Operation;
//! use opstream_schemas::provider_usage::{ProviderUsage, StreamUsage, UsageShape};
//!
//! let answer = r#"{"model": "claude-opus-4-5", "usage":
//!     {"input_tokens": 1000, "cache_read_input_tokens": 100000, "output_tokens": 500}}"#;
//! let usage = ProviderUsage::parse(Some("anthropic"), answer)?;
//! let mut operation = Operation::default();
//! usage.apply_to(&mut operation);
//! assert_eq!(usage.shape, UsageShape::Anthropic);
//! assert_eq!((operation.input_tokens, operation.cache_read_tokens), (Some(101_000), 100_000));
//! assert_eq!(operation.response_model.as_deref(), Some("claude-opus-4-5"));
//!
//! let mut stream = StreamUsage::new(Some("openai"));
//! for data in [r#"{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}}"#, "[DONE]"] {
//!     stream.push(data)?;
//! }
//! stream.finish()?.apply_to(&mut operation);
//! assert_eq!(operation.output_tokens, Some(12));
//!
//! let error = ProviderUsage::parse(Some("openai"), r#"{"prompt_tokens": -1}"#).unwrap_err();
//! assert_eq!(error.to_string(), "prompt_tokens is -1; it must be 0 or more");
//! # Ok::<(), opstream_schemas::provider_usage::UsageError>(())
//! ```

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

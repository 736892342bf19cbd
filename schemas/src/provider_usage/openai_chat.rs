//! Chat completions and embeddings: OpenAI's dialect, and what its speakers add to it.
//!
//! `prompt_tokens` is the whole prompt and `completion_tokens` the whole answer, reasoning and predicted tokens (accepted or
//! not) included. Three count otherwise: xAI leaves reasoning out of `completion_tokens`, Perplexity's research out of
//! `total_tokens` too, and Google's gateway counts thoughts only in `total_tokens`. Times (Groq's `queue_time`) are not billed.

use serde_json::{Map, Value};

use super::count::Count::{
    CacheReadTokens, CacheWriteTokens, InputAudioTokens, InputImageTokens, InputTokens, OutputAudioTokens,
    OutputImageTokens, OutputTokens, ReasoningTokens,
};
use super::error::UsageError;
use super::rule::{Reading, Rule, find, first_tokens};
use super::{openai_tools, reported_cost};

const RULES: [Rule; 12] = [
    Rule::Tokens { into: &[InputTokens], paths: &["prompt_tokens"] },
    // OpenAI; DeepSeek; Moonshot; Mistral; LiteLLM.
    Rule::Tokens {
        into: &[CacheReadTokens],
        paths: &[
            "prompt_tokens_details.cached_tokens",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "num_cached_tokens",
            "cache_read_input_tokens",
        ],
    },
    // OpenAI and OpenRouter; LiteLLM; Alibaba; LiteLLM again.
    Rule::Tokens {
        into: &[CacheWriteTokens],
        paths: &[
            "prompt_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens",
            "prompt_tokens_details.cache_creation_input_tokens",
            "cache_creation_input_tokens",
        ],
    },
    Rule::Tokens { into: &[InputAudioTokens], paths: &["prompt_tokens_details.audio_tokens"] },
    Rule::Tokens { into: &[InputImageTokens], paths: &["prompt_tokens_details.image_tokens"] },
    Rule::Tokens { into: &[OutputTokens], paths: &["completion_tokens"] },
    // Perplexity has it beside the others.
    Rule::Tokens {
        into: &[ReasoningTokens],
        paths: &["completion_tokens_details.reasoning_tokens", "reasoning_tokens"],
    },
    Rule::Tokens { into: &[OutputAudioTokens], paths: &["completion_tokens_details.audio_tokens"] },
    Rule::Tokens { into: &[OutputImageTokens], paths: &["completion_tokens_details.image_tokens"] },
    // Perplexity's price list has a price of their own for them.
    Rule::Unit { name: "citation_tokens", paths: &["citation_tokens"] },
    // Mistral: what its connectors read, beside the prompt; and audio by its length.
    Rule::Unit { name: "connector_tokens", paths: &["connector_tokens"] },
    Rule::Unit { name: "audio_seconds", paths: &["prompt_audio_seconds"] },
];

/// Reads a usage object of this dialect.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn read(
    provider: Option<&str>,
    usage: &Map<String, Value>,
    reading: &mut Reading,
) -> Result<(), UsageError> {
    reading.apply(&RULES, usage)?;
    openai_tools::read(usage, reading)?;
    reading.reported_cost = reported_cost::read(provider, usage)?;
    add_hidden_reasoning(provider, usage, reading)
}

/// Adds what was generated but is not in `completion_tokens`.
fn add_hidden_reasoning(
    provider: Option<&str>,
    usage: &Map<String, Value>,
    reading: &mut Reading,
) -> Result<(), UsageError> {
    let counts = &mut reading.counts;
    let (Some(prompt), Some(completion)) = (counts.get(InputTokens), counts.get(OutputTokens)) else {
        return Ok(());
    };
    let total = first_tokens(usage, &["total_tokens"])?;
    let reasoning = counts.get(ReasoningTokens).unwrap_or(0);
    if reasoning > 0 {
        let is_outside = match total {
            _ if is_perplexity(provider, usage) => true,
            // The provider's own sum says it best, whoever it is and through whatever gateway.
            Some(total) if total == prompt + completion + reasoning => true,
            Some(total) if total == prompt + completion => false,
            _ => provider == Some("x_ai"),
        };
        if is_outside {
            counts.add(OutputTokens, reasoning);
        }
        return Ok(());
    }
    let counts_thoughts_in_total = provider.is_some_and(|provider| provider.starts_with("gcp."));
    if let Some(thoughts) = total.map(|total| total - prompt - completion).filter(|thoughts| *thoughts > 0)
        && counts_thoughts_in_total
    {
        counts.add(OutputTokens, thoughts);
        counts.add(ReasoningTokens, thoughts);
    }
    Ok(())
}

/// By its name, or behind a gateway by the keys that it alone sends.
fn is_perplexity(provider: Option<&str>, usage: &Map<String, Value>) -> bool {
    provider == Some("perplexity")
        || ["search_context_size", "citation_tokens"].into_iter().any(|key| find(usage, key).is_some())
}

#[cfg(test)]
mod tests;

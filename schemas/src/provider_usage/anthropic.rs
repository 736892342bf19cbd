//! Anthropic's messages, also through Bedrock's invoke and Vertex.
//!
//! `input_tokens` is what was neither read from a cache nor written to one: the prompt is the sum of three fields. The sums of an
//! answer leave out two things that are billed too and listed under `iterations`: the summary that a compaction wrote, by
//! the same model, is added here; advice of another model cannot be priced as this one's tokens and becomes units.

use serde_json::{Map, Value};

use super::cache_writes::CacheWrites;
use super::count::Count::{CacheReadTokens, InputTokens, OutputTokens, ReasoningTokens, WebSearches};
use super::error::UsageError;
use super::rule::{Reading, Rule, entries, first_tokens};

const RULES: [Rule; 4] = [
    Rule::Tokens { into: &[InputTokens], paths: &["input_tokens"] },
    Rule::Tokens { into: &[InputTokens, CacheReadTokens], paths: &["cache_read_input_tokens"] },
    Rule::Tokens { into: &[OutputTokens], paths: &["output_tokens"] },
    Rule::Tokens { into: &[ReasoningTokens], paths: &["output_tokens_details.thinking_tokens"] },
];

const TOOL_RULES: [Rule; 2] = [
    Rule::Tokens { into: &[WebSearches], paths: &["server_tool_use.web_search_requests"] },
    Rule::UnitsOf { object: "server_tool_use", except: UNBILLED_TOOLS },
];

/// Web searches have a count of their own; fetched pages and searched tools cost the tokens they add and nothing else.
pub(super) const UNBILLED_TOOLS: &[&str] =
    &["web_search_requests", "web_fetch_requests", "tool_search_requests", "tool_search_tool_requests"];

/// Reads a usage object of this dialect.
///
/// # Errors
/// Names the first field that is no count, or the parts of a cache write that exceed it.
pub(super) fn read(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    read_tokens(usage, reading)?;
    reading.apply(&TOOL_RULES, usage)?;
    for (list, iteration) in entries(usage, &["iterations"]) {
        let read = match iteration.get("type").and_then(Value::as_str) {
            Some("compaction") => read_tokens(iteration, reading),
            Some("advisor_message") => add_advice(iteration, reading),
            // The model's own, which the sums contain.
            _ => Ok(()),
        };
        read.map_err(|error| error.within(list))?;
    }
    Ok(())
}

fn read_tokens(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    reading.apply(&RULES, usage)?;
    let writes = CacheWrites {
        total: first_tokens(usage, &["cache_creation_input_tokens"])?,
        standard: first_tokens(usage, &["cache_creation.ephemeral_5m_input_tokens"])?,
        long: first_tokens(usage, &["cache_creation.ephemeral_1h_input_tokens"])?,
        names: ("cache_creation.ephemeral_5m_input_tokens+ephemeral_1h_input_tokens", "cache_creation_input_tokens"),
    };
    writes.add_to(reading)
}

fn add_advice(iteration: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    let mut advice = Reading::default();
    read_tokens(iteration, &mut advice)?;
    for (name, count) in [("advisor_input_tokens", InputTokens), ("advisor_output_tokens", OutputTokens)] {
        reading.add_units(name, advice.counts.get(count).unwrap_or(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

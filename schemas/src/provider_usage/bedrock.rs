//! Bedrock's converse, its stream's `metadata` event, and the invocation of Amazon's own models.
//!
//! As with Anthropic, `inputTokens` is what was neither read from a cache nor written to one.

use serde_json::{Map, Value};

use super::cache_writes::CacheWrites;
use super::count::Count::{CacheReadTokens, InputTokens, OutputTokens};
use super::error::UsageError;
use super::rule::{Reading, Rule, entries, first_tokens};

const RULES: [Rule; 3] = [
    Rule::Tokens { into: &[InputTokens], paths: &["inputTokens"] },
    // Converse; Nova, invoked.
    Rule::Tokens {
        into: &[InputTokens, CacheReadTokens],
        paths: &["cacheReadInputTokens", "cacheReadInputTokenCount"],
    },
    Rule::Tokens { into: &[OutputTokens], paths: &["outputTokens"] },
];

/// Reads a usage object of this dialect.
///
/// # Errors
/// Names the first field that is no count, or the parts of a cache write that exceed it.
pub(super) fn read(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    reading.apply(&RULES, usage)?;
    let mut writes = CacheWrites {
        total: first_tokens(usage, &["cacheWriteInputTokens", "cacheWriteInputTokenCount"])?,
        standard: None,
        long: None,
        names: ("cacheDetails.inputTokens", "cacheWriteInputTokens"),
    };
    for (list, entry) in entries(usage, &["cacheDetails"]) {
        let part = match entry.get("ttl").and_then(Value::as_str) {
            Some("1h") => &mut writes.long,
            _ => &mut writes.standard,
        };
        if let Some(tokens) = first_tokens(entry, &["inputTokens"]).map_err(|error| error.within(list))? {
            *part = Some(part.unwrap_or(0).saturating_add(tokens));
        }
    }
    writes.add_to(reading)
}

#[cfg(test)]
mod tests {
    use super::super::expectations::{Expected, assert_counts};
    use super::*;
    use crate::provider_usage::Count::{CacheWrite1hTokens, CacheWriteTokens};
    use crate::provider_usage::{ProviderUsage, UsageShape};

    #[test]
    fn converse_states_the_prompt_in_three_fields() {
        assert_counts(
            "aws.bedrock",
            r#"{"inputTokens": 1000, "outputTokens": 500, "totalTokens": 103500, "cacheReadInputTokens": 100000,
                "cacheWriteInputTokens": 2000, "cacheDetails": [{"ttl": "1h", "inputTokens": 1500},
                {"ttl": "5m", "inputTokens": 500}]}"#,
            UsageShape::BedrockConverse,
            &[
                Expected(InputTokens, 103_000),
                Expected(CacheReadTokens, 100_000),
                Expected(CacheWriteTokens, 500),
                Expected(CacheWrite1hTokens, 1500),
                Expected(OutputTokens, 500),
            ],
        );
    }

    #[test]
    fn without_a_cache_there_is_nothing_to_add() {
        assert_counts(
            "bedrock",
            r#"{"inputTokens": 30, "outputTokens": 628, "totalTokens": 658}"#,
            UsageShape::BedrockConverse,
            &[Expected(InputTokens, 30), Expected(OutputTokens, 628)],
        );
    }

    #[test]
    fn invoked_nova_spells_its_caches_otherwise() {
        assert_counts(
            "amazon-bedrock",
            r#"{"inputTokens": 12, "outputTokens": 30, "totalTokens": 42, "cacheReadInputTokenCount": 100,
                "cacheWriteInputTokenCount": 20}"#,
            UsageShape::BedrockConverse,
            &[
                Expected(InputTokens, 132),
                Expected(CacheReadTokens, 100),
                Expected(CacheWriteTokens, 20),
                Expected(CacheWrite1hTokens, 0),
                Expected(OutputTokens, 30),
            ],
        );
    }

    #[test]
    fn details_beyond_their_sum_are_refused() {
        let usage =
            r#"{"inputTokens": 1, "cacheWriteInputTokens": 1, "cacheDetails": [{"ttl": "5m", "inputTokens": 2}]}"#;
        assert_eq!(ProviderUsage::parse(None, usage).unwrap_err().code(), "part_exceeds_whole");
    }
}

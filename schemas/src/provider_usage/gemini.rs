//! Gemini's `usageMetadata`, also of Vertex and of live sessions, and the usage of its interactions.
//!
//! The prompt and what tools put into it are two fields, and so are the answer and the thoughts behind it; what was read from
//! a cache is in the prompt. Google leaves out what is 0. The SDK for Python writes the same names in snake case. Video and
//! documents have no count of their own and stay in the input.

use serde_json::{Map, Value};

use super::count::Count::{
    CacheReadTokens, InputAudioTokens, InputImageTokens, InputTokens, OutputAudioTokens, OutputImageTokens,
    OutputTokens, ReasoningTokens, WebSearches,
};
use super::error::UsageError;
use super::number;
use super::rule::{Reading, Rule, entries, find, is_unit_name};

const RULES: [Rule; 11] = [
    Rule::Tokens { into: &[InputTokens], paths: &["promptTokenCount", "prompt_token_count"] },
    Rule::Tokens { into: &[InputTokens], paths: &["toolUsePromptTokenCount", "tool_use_prompt_token_count"] },
    Rule::Tokens { into: &[CacheReadTokens], paths: &["cachedContentTokenCount", "cached_content_token_count"] },
    // The answer of a request; that of a live session.
    Rule::Tokens {
        into: &[OutputTokens],
        paths: &["candidatesTokenCount", "candidates_token_count", "responseTokenCount", "response_token_count"],
    },
    Rule::Tokens { into: &[OutputTokens, ReasoningTokens], paths: &["thoughtsTokenCount", "thoughts_token_count"] },
    by_modality(&[InputAudioTokens], &["promptTokensDetails", "prompt_tokens_details"], "AUDIO"),
    by_modality(&[InputImageTokens], &["promptTokensDetails", "prompt_tokens_details"], "IMAGE"),
    by_modality(&[InputAudioTokens], &["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"], "AUDIO"),
    by_modality(&[InputImageTokens], &["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"], "IMAGE"),
    by_modality(&[OutputAudioTokens], &ANSWER_DETAILS, "AUDIO"),
    by_modality(&[OutputImageTokens], &ANSWER_DETAILS, "IMAGE"),
];

const ANSWER_DETAILS: [&str; 4] =
    ["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"];

const INTERACTION_RULES: [Rule; 11] = [
    Rule::Tokens { into: &[InputTokens], paths: &["total_input_tokens", "totalInputTokens"] },
    Rule::Tokens { into: &[InputTokens], paths: &["total_tool_use_tokens", "totalToolUseTokens"] },
    Rule::Tokens { into: &[CacheReadTokens], paths: &["total_cached_tokens", "totalCachedTokens"] },
    Rule::Tokens { into: &[OutputTokens], paths: &["total_output_tokens", "totalOutputTokens"] },
    Rule::Tokens { into: &[OutputTokens, ReasoningTokens], paths: &["total_thought_tokens", "totalThoughtTokens"] },
    by_modality(&[InputAudioTokens], &["input_tokens_by_modality", "inputTokensByModality"], "AUDIO"),
    by_modality(&[InputImageTokens], &["input_tokens_by_modality", "inputTokensByModality"], "IMAGE"),
    by_modality(&[InputAudioTokens], &["tool_use_tokens_by_modality", "toolUseTokensByModality"], "AUDIO"),
    by_modality(&[InputImageTokens], &["tool_use_tokens_by_modality", "toolUseTokensByModality"], "IMAGE"),
    by_modality(&[OutputAudioTokens], &["output_tokens_by_modality", "outputTokensByModality"], "AUDIO"),
    by_modality(&[OutputImageTokens], &["output_tokens_by_modality", "outputTokensByModality"], "IMAGE"),
];

const fn by_modality(into: &'static [super::Count], lists: &'static [&'static str], modality: &'static str) -> Rule {
    Rule::Modality { into, lists, modality }
}

/// Reads `usageMetadata`.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn read(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    reading.apply(&RULES, usage)?;
    if reading.counts.get(InputTokens).is_some() {
        reading.counts.add(OutputTokens, 0);
    }
    Ok(())
}

/// Reads the usage of an interaction.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn read_interaction(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    reading.apply(&INTERACTION_RULES, usage)?;
    for (list, tool) in entries(usage, &["grounding_tool_count", "groundingToolCount"]) {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or_default();
        let Some(count) = find(tool, "count") else { continue };
        let count = number::tokens("count", count).map_err(|error| error.within(list))?;
        if kind.eq_ignore_ascii_case("google_search") {
            reading.counts.add(WebSearches, count);
        } else if is_unit_name(kind) {
            reading.add_units(&format!("grounding_{}", kind.to_ascii_lowercase()), count);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::expectations::{Expected, assert_counts};
    use super::*;
    use crate::provider_usage::UsageShape;

    #[test]
    fn thoughts_are_beside_the_candidates_and_the_cache_is_in_the_prompt() {
        for provider in ["google", "vertex_ai", "somebody"] {
            assert_counts(
                provider,
                r#"{"promptTokenCount": 4096, "candidatesTokenCount": 198, "thoughtsTokenCount": 405, "totalTokenCount": 4699,
                    "cachedContentTokenCount": 4000, "trafficType": "ON_DEMAND",
                    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4096}],
                    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4000}]}"#,
                UsageShape::Gemini,
                &[
                    Expected(InputTokens, 4096),
                    Expected(CacheReadTokens, 4000),
                    Expected(OutputTokens, 603),
                    Expected(ReasoningTokens, 405),
                ],
            );
        }
    }

    #[test]
    fn what_tools_put_into_the_prompt_is_input() {
        assert_counts(
            "gemini",
            r#"{"promptTokenCount": 20, "toolUsePromptTokenCount": 1300, "candidatesTokenCount": 40, "totalTokenCount": 1360,
                "toolUsePromptTokensDetails": [{"modality": "IMAGE", "tokenCount": 258}]}"#,
            UsageShape::Gemini,
            &[Expected(InputTokens, 1320), Expected(OutputTokens, 40), Expected(InputImageTokens, 258)],
        );
    }

    #[test]
    fn modalities_have_counts_of_their_own() {
        assert_counts(
            "gemini",
            r#"{"promptTokenCount": 1100, "candidatesTokenCount": 1300, "totalTokenCount": 2400,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 800}, {"modality": "VIDEO", "tokenCount": 40},
                    {"modality": "TEXT", "tokenCount": 2}, {"modality": "IMAGE", "tokenCount": 258}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]}"#,
            UsageShape::Gemini,
            &[
                Expected(InputTokens, 1100),
                Expected(OutputTokens, 1300),
                Expected(InputAudioTokens, 800),
                Expected(InputImageTokens, 258),
                Expected(OutputImageTokens, 1290),
            ],
        );
    }

    #[test]
    fn what_google_leaves_out_is_zero() {
        let expected = [Expected(InputTokens, 21), Expected(OutputTokens, 60), Expected(ReasoningTokens, 60)];
        let stopped_in_thought = r#"{"promptTokenCount": 21, "thoughtsTokenCount": 60, "totalTokenCount": 81}"#;
        assert_counts("gemini", stopped_in_thought, UsageShape::Gemini, &expected);
        let embedded = r#"{"promptTokenCount": 9}"#;
        assert_counts("gemini", embedded, UsageShape::Gemini, &[Expected(InputTokens, 9), Expected(OutputTokens, 0)]);
    }

    #[test]
    fn the_python_sdk_writes_snake_case_and_nulls() {
        assert_counts(
            "google",
            r#"{"cache_tokens_details": null, "cached_content_token_count": null, "candidates_token_count": 198,
                "prompt_token_count": 20, "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 7}],
                "thoughts_token_count": 405, "tool_use_prompt_token_count": null, "total_token_count": 623}"#,
            UsageShape::Gemini,
            &[
                Expected(InputTokens, 20),
                Expected(OutputTokens, 603),
                Expected(ReasoningTokens, 405),
                Expected(InputAudioTokens, 7),
            ],
        );
    }

    #[test]
    fn a_live_session_calls_its_answer_response() {
        assert_counts(
            "gemini",
            r#"{"promptTokenCount": 800, "responseTokenCount": 90, "totalTokenCount": 890,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 790}],
                "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 85}]}"#,
            UsageShape::Gemini,
            &[
                Expected(InputTokens, 800),
                Expected(OutputTokens, 90),
                Expected(InputAudioTokens, 790),
                Expected(OutputAudioTokens, 85),
            ],
        );
    }

    #[test]
    fn interactions_state_totals_and_grounding() {
        let usage = assert_counts(
            "gcp.gemini",
            r#"{"total_input_tokens": 500, "total_cached_tokens": 100, "total_tool_use_tokens": 40, "total_output_tokens": 30,
                "total_thought_tokens": 12, "total_tokens": 582,
                "input_tokens_by_modality": [{"modality": "text", "tokens": 242}, {"modality": "image", "tokens": 258}],
                "grounding_tool_count": [{"type": "google_search", "count": 2}, {"type": "google_maps", "count": 1}]}"#,
            UsageShape::GeminiInteractions,
            &[
                Expected(InputTokens, 540),
                Expected(CacheReadTokens, 100),
                Expected(OutputTokens, 42),
                Expected(ReasoningTokens, 12),
                Expected(InputImageTokens, 258),
                Expected(WebSearches, 2),
            ],
        );
        assert_eq!(usage.billable_units, [("grounding_google_maps".to_owned(), 1)].into());
    }
}

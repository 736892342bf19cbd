//! OpenAI's responses, images, transcriptions and realtime, and xAI's responses.
//!
//! `input_tokens` is the whole prompt and `output_tokens` the whole answer, reasoning included, xAI's too. Realtime and
//! transcriptions write `input_token_details`, and so does LangChain, whose parts of it have names of their own.

use serde_json::{Map, Value};

use super::count::Count::{
    CacheReadTokens, CacheWrite1hTokens, CacheWriteTokens, InputAudioTokens, InputImageTokens, InputTokens,
    OutputAudioTokens, OutputImageTokens, OutputTokens, ReasoningTokens,
};
use super::error::UsageError;
use super::rule::{Reading, Rule};
use super::{openai_tools, reported_cost};

const RULES: [Rule; 11] = [
    Rule::Tokens { into: &[InputTokens], paths: &["input_tokens"] },
    Rule::Tokens {
        into: &[CacheReadTokens],
        paths: &[
            "input_tokens_details.cached_tokens",
            "input_token_details.cached_tokens",
            "input_token_details.cache_read",
        ],
    },
    Rule::Tokens {
        into: &[CacheWriteTokens],
        paths: &[
            "input_tokens_details.cache_write_tokens",
            "input_token_details.cache_write_tokens",
            "input_token_details.cache_creation",
            "input_token_details.ephemeral_5m_input_tokens",
        ],
    },
    Rule::Tokens { into: &[CacheWrite1hTokens], paths: &["input_token_details.ephemeral_1h_input_tokens"] },
    Rule::Tokens {
        into: &[InputAudioTokens],
        paths: &["input_tokens_details.audio_tokens", "input_token_details.audio_tokens", "input_token_details.audio"],
    },
    Rule::Tokens {
        into: &[InputImageTokens],
        paths: &["input_tokens_details.image_tokens", "input_token_details.image_tokens"],
    },
    Rule::Tokens { into: &[OutputTokens], paths: &["output_tokens"] },
    Rule::Tokens {
        into: &[ReasoningTokens],
        paths: &[
            "output_tokens_details.reasoning_tokens",
            "output_token_details.reasoning_tokens",
            "output_token_details.reasoning",
        ],
    },
    Rule::Tokens {
        into: &[OutputAudioTokens],
        paths: &[
            "output_tokens_details.audio_tokens",
            "output_token_details.audio_tokens",
            "output_token_details.audio",
        ],
    },
    Rule::Tokens {
        into: &[OutputImageTokens],
        paths: &["output_tokens_details.image_tokens", "output_token_details.image_tokens"],
    },
    // A transcription that is billed by its length: `{"type": "duration", "seconds": 4}`.
    Rule::Unit { name: "audio_seconds", paths: &["seconds"] },
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::expectations::{Expected, assert_counts};
    use super::*;
    use crate::provider_usage::Count::WebSearches;
    use crate::provider_usage::UsageShape;

    #[test]
    fn responses_state_the_whole_prompt_and_the_whole_answer() {
        assert_counts(
            "openai",
            r#"{"input_tokens": 2006, "input_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 64},
                "output_tokens": 300, "output_tokens_details": {"reasoning_tokens": 192}, "total_tokens": 2306}"#,
            UsageShape::OpenAiResponses,
            &[
                Expected(InputTokens, 2006),
                Expected(CacheReadTokens, 1920),
                Expected(CacheWriteTokens, 64),
                Expected(OutputTokens, 300),
                Expected(ReasoningTokens, 192),
            ],
        );
    }

    #[test]
    fn realtime_states_audio_by_token_details() {
        assert_counts(
            "openai",
            r#"{"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
                "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
                    "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0}},
                "output_token_details": {"text_tokens": 30, "audio_tokens": 91}}"#,
            UsageShape::OpenAiResponses,
            &[
                Expected(InputTokens, 132),
                Expected(CacheReadTokens, 64),
                Expected(OutputTokens, 121),
                Expected(InputAudioTokens, 13),
                Expected(OutputAudioTokens, 91),
                Expected(InputImageTokens, 0),
            ],
        );
    }

    #[test]
    fn images_state_image_tokens_on_both_sides() {
        assert_counts(
            "openai",
            r#"{"total_tokens": 1480, "input_tokens": 424, "output_tokens": 1056,
                "input_tokens_details": {"text_tokens": 36, "image_tokens": 388},
                "output_tokens_details": {"text_tokens": 0, "image_tokens": 1056}}"#,
            UsageShape::OpenAiResponses,
            &[
                Expected(InputTokens, 424),
                Expected(OutputTokens, 1056),
                Expected(InputImageTokens, 388),
                Expected(OutputImageTokens, 1056),
            ],
        );
    }

    #[test]
    fn xai_includes_reasoning_here_and_names_its_tools_one_by_one() {
        let usage = assert_counts(
            "x_ai",
            r#"{"input_tokens": 9212, "input_tokens_details": {"cached_tokens": 3072}, "output_tokens": 3417,
                "output_tokens_details": {"reasoning_tokens": 3000}, "total_tokens": 12629, "num_sources_used": 0,
                "num_server_side_tools_used": 6, "cost_in_usd_ticks": 318319000, "server_side_tool_usage_details":
                {"web_search_calls": 2, "x_search_calls": 3, "code_interpreter_calls": 0, "mcp_calls": 1}}"#,
            UsageShape::OpenAiResponses,
            &[
                Expected(InputTokens, 9212),
                Expected(CacheReadTokens, 3072),
                Expected(OutputTokens, 3417),
                Expected(ReasoningTokens, 3000),
                Expected(WebSearches, 2),
            ],
        );
        assert_eq!(usage.billable_units, [("x_search_calls".to_owned(), 3)].into());
        assert_eq!(usage.reported_cost_usd.unwrap().to_string(), "0.0318319");
    }

    #[test]
    fn langchain_names_the_parts_otherwise() {
        assert_counts(
            "anthropic",
            r#"{"input_tokens": 350, "output_tokens": 240, "total_tokens": 590,
                "input_token_details": {"audio": 10, "cache_creation": 0, "ephemeral_5m_input_tokens": 150,
                    "ephemeral_1h_input_tokens": 50, "cache_read": 100},
                "output_token_details": {"audio": 10, "reasoning": 200}}"#,
            UsageShape::OpenAiResponses,
            &[
                Expected(InputTokens, 350),
                Expected(CacheReadTokens, 100),
                Expected(CacheWriteTokens, 150),
                Expected(CacheWrite1hTokens, 50),
                Expected(OutputTokens, 240),
                Expected(ReasoningTokens, 200),
                Expected(InputAudioTokens, 10),
                Expected(OutputAudioTokens, 10),
            ],
        );
    }

    #[test]
    fn a_transcription_by_length_has_seconds_and_no_tokens() {
        let usage =
            assert_counts("openai", r#"{"type": "duration", "seconds": 4.2}"#, UsageShape::OpenAiResponses, &[]);
        assert_eq!(usage.billable_units, [("audio_seconds".to_owned(), 5)].into());
    }
}

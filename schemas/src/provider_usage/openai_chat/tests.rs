//! Usage objects of chat completions as the speakers of OpenAI's dialect send them.

use super::super::expectations::{Expected, assert_counts};
use super::*;
use crate::provider_usage::Count::WebSearches;
use crate::provider_usage::{ProviderUsage, UsageShape};

#[test]
fn openai_states_the_whole_prompt_and_the_whole_answer() {
    for provider in ["openai", "azure", "openrouter", "gateway", ""] {
        assert_counts(
            provider,
            r#"{"prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
                "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0, "cache_write_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0,
                    "accepted_prediction_tokens": 40, "rejected_prediction_tokens": 60}}"#,
            UsageShape::OpenAiChat,
            &[
                Expected(InputTokens, 2006),
                Expected(CacheReadTokens, 1920),
                Expected(CacheWriteTokens, 64),
                // Predicted tokens, rejected ones too, are in it.
                Expected(OutputTokens, 300),
                Expected(ReasoningTokens, 192),
                Expected(InputAudioTokens, 0),
                Expected(OutputAudioTokens, 0),
            ],
        );
    }
}

#[test]
fn audio_and_images_have_counts_of_their_own() {
    assert_counts(
        "openai",
        r#"{"prompt_tokens": 117, "completion_tokens": 246, "total_tokens": 363,
            "prompt_tokens_details": {"audio_tokens": 100, "image_tokens": 12, "cached_tokens": 0, "text_tokens": 5},
            "completion_tokens_details": {"audio_tokens": 200, "image_tokens": 30, "text_tokens": 16}}"#,
        UsageShape::OpenAiChat,
        &[
            Expected(InputTokens, 117),
            Expected(CacheReadTokens, 0),
            Expected(OutputTokens, 246),
            Expected(InputAudioTokens, 100),
            Expected(InputImageTokens, 12),
            Expected(OutputAudioTokens, 200),
            Expected(OutputImageTokens, 30),
        ],
    );
}

#[test]
fn an_embedding_has_a_prompt_and_no_answer() {
    let usage = r#"{"prompt_tokens": 8, "total_tokens": 8}"#;
    assert_counts("openai", usage, UsageShape::OpenAiChat, &[Expected(InputTokens, 8)]);
}

#[test]
fn xai_leaves_reasoning_out_of_the_completion() {
    let expected = [Expected(InputTokens, 32), Expected(OutputTokens, 103), Expected(ReasoningTokens, 94)];
    let with_total = r#"{"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
        "completion_tokens_details": {"reasoning_tokens": 94}}"#;
    let without =
        r#"{"prompt_tokens": 32, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 94}}"#;
    assert_counts("xai", with_total, UsageShape::OpenAiChat, &expected);
    assert_counts("grok", without, UsageShape::OpenAiChat, &expected);
    // Its own sum says so to whoever does not know that it is xAI.
    assert_counts("", with_total, UsageShape::OpenAiChat, &expected);
    let unknown = ProviderUsage::parse(None, without).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "reasoning_tokens is 94, more than output_tokens, which it is a part of; name the provider if it counts \
         differently, or send the counts themselves"
    );
}

#[test]
fn a_sum_that_contains_reasoning_once_is_believed_of_xai_too() {
    assert_counts(
        "x_ai",
        r#"{"prompt_tokens": 32, "completion_tokens": 103, "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94}}"#,
        UsageShape::OpenAiChat,
        &[Expected(InputTokens, 32), Expected(OutputTokens, 103), Expected(ReasoningTokens, 94)],
    );
}

#[test]
fn xai_bills_sources_and_says_what_it_cost() {
    let usage = assert_counts(
        "x_ai",
        r#"{"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13, "num_sources_used": 7,
            "num_server_side_tools_used": 2, "cost_in_usd_ticks": 37756000}"#,
        UsageShape::OpenAiChat,
        &[Expected(InputTokens, 11), Expected(OutputTokens, 2)],
    );
    let units = [("num_server_side_tools_used".to_owned(), 2), ("num_sources_used".to_owned(), 7)];
    assert_eq!(usage.billable_units, units.into());
    assert_eq!(usage.reported_cost_usd.unwrap().to_string(), "0.0037756");
}

#[test]
fn deepseek_names_its_cache_hits() {
    let expected = [Expected(InputTokens, 2000), Expected(CacheReadTokens, 1920), Expected(OutputTokens, 50)];
    for cached in [
        r#""prompt_cache_hit_tokens": 1920, "prompt_cache_miss_tokens": 80"#,
        r#""prompt_cache_hit_tokens": 1920, "prompt_tokens_details": {"cached_tokens": 1920}"#,
        r#""prompt_cache_hit_tokens": 1920, "prompt_tokens_details": {"cached_tokens": 0}"#,
    ] {
        let usage = format!(r#"{{"prompt_tokens": 2000, "completion_tokens": 50, "total_tokens": 2050, {cached}}}"#);
        assert_counts("deepseek", &usage, UsageShape::OpenAiChat, &expected);
    }
}

#[test]
fn groq_is_not_billed_by_its_times() {
    let usage = assert_counts(
        "groq",
        r#"{"queue_time": 0.018, "prompt_tokens": 18, "prompt_time": 0.0003, "completion_tokens": 556,
            "completion_time": 0.4, "total_tokens": 574, "total_time": 0.41,
            "prompt_tokens_details": {"cached_tokens": 16}}"#,
        UsageShape::OpenAiChat,
        &[Expected(InputTokens, 18), Expected(CacheReadTokens, 16), Expected(OutputTokens, 556)],
    );
    assert!(usage.billable_units.is_empty(), "{:?}", usage.billable_units);
}

#[test]
fn mistral_bills_audio_by_its_length_and_connectors_beside_the_prompt() {
    let usage = assert_counts(
        "mistral",
        r#"{"prompt_tokens": 188, "completion_tokens": 55, "total_tokens": 7355, "connector_tokens": 7112,
            "connectors": {"web_search": 1, "code_interpreter": 2}, "prompt_audio_seconds": 12, "num_cached_tokens": 64}"#,
        UsageShape::OpenAiChat,
        &[
            Expected(InputTokens, 188),
            Expected(CacheReadTokens, 64),
            Expected(OutputTokens, 55),
            Expected(WebSearches, 1),
        ],
    );
    let units = [("audio_seconds", 12), ("code_interpreter", 2), ("connector_tokens", 7112)];
    assert_eq!(usage.billable_units, units.map(|(name, units)| (name.to_owned(), units)).into());
}

#[test]
fn perplexity_counts_research_beside_everything_else() {
    let usage = r#"{"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "citation_tokens": 20016,
        "num_search_queries": 18, "reasoning_tokens": 73997, "search_context_size": "low",
        "cost": {"input_tokens_cost": 0.0001, "total_cost": 0.409}}"#;
    for provider in ["perplexity", "gateway"] {
        let usage = assert_counts(
            provider,
            usage,
            UsageShape::OpenAiChat,
            &[Expected(InputTokens, 33), Expected(OutputTokens, 81_160), Expected(ReasoningTokens, 73_997)],
        );
        let units = [("citation_tokens".to_owned(), 20_016), ("num_search_queries".to_owned(), 18)];
        assert_eq!(usage.billable_units, units.into());
        assert_eq!(usage.reported_cost_usd.unwrap().to_string(), "0.409");
    }
}

#[test]
fn googles_gateway_counts_thoughts_only_in_the_total() {
    let usage = r#"{"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}"#;
    for provider in ["gemini", "vertex_ai"] {
        let expected = [Expected(InputTokens, 20), Expected(OutputTokens, 603), Expected(ReasoningTokens, 405)];
        assert_counts(provider, usage, UsageShape::OpenAiChat, &expected);
    }
    assert_counts("openai", usage, UsageShape::OpenAiChat, &[Expected(InputTokens, 20), Expected(OutputTokens, 198)]);
}

#[test]
fn gateways_state_anthropics_cache_in_their_own_words() {
    let expected = [
        Expected(InputTokens, 3100),
        Expected(CacheReadTokens, 2000),
        Expected(CacheWriteTokens, 1000),
        Expected(OutputTokens, 9),
    ];
    for cache in [
        r#""prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 1000}"#,
        r#""prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_input_tokens": 1000}"#,
        r#""cache_read_input_tokens": 2000, "cache_creation_input_tokens": 1000, "prompt_tokens_details": null"#,
    ] {
        let usage = format!(r#"{{"prompt_tokens": 3100, "completion_tokens": 9, "total_tokens": 3109, {cache}}}"#);
        assert_counts("anthropic", &usage, UsageShape::OpenAiChat, &expected);
    }
}

#[test]
fn searches_behind_openrouter_are_counted() {
    let usage = assert_counts(
        "openrouter",
        r#"{"prompt_tokens": 5, "completion_tokens": 1, "cost": 0.00014,
            "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 2}}"#,
        UsageShape::OpenAiChat,
        &[Expected(InputTokens, 5), Expected(OutputTokens, 1), Expected(WebSearches, 3)],
    );
    assert!(usage.billable_units.is_empty());
    assert_eq!(usage.reported_cost_usd.unwrap().to_string(), "0.00014");
}

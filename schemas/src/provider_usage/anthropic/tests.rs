//! Usage objects of Anthropic's messages.

use super::super::expectations::{Expected, assert_counts};
use super::*;
use crate::provider_usage::Count::{CacheWrite1hTokens, CacheWriteTokens};
use crate::provider_usage::{ProviderUsage, UsageShape};

#[test]
fn the_prompt_is_the_sum_of_three_fields() {
    for provider in ["anthropic", "aws.bedrock", "vertex_ai", "openrouter", ""] {
        assert_counts(
            provider,
            r#"{"input_tokens": 1000, "cache_creation_input_tokens": 2000, "cache_read_input_tokens": 100000,
                "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1500},
                "output_tokens": 500, "service_tier": "standard"}"#,
            UsageShape::Anthropic,
            &[
                Expected(InputTokens, 103_000),
                Expected(CacheReadTokens, 100_000),
                Expected(CacheWriteTokens, 500),
                Expected(CacheWrite1hTokens, 1500),
                Expected(OutputTokens, 500),
            ],
        );
    }
}

#[test]
fn without_a_split_writes_are_at_standard_retention() {
    assert_counts(
        "anthropic",
        r#"{"input_tokens": 3, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": null, "output_tokens": 8}"#,
        UsageShape::Anthropic,
        &[
            Expected(InputTokens, 12_307),
            Expected(CacheWriteTokens, 12_304),
            Expected(CacheWrite1hTokens, 0),
            Expected(OutputTokens, 8),
        ],
    );
}

#[test]
fn thinking_is_in_the_output() {
    assert_counts(
        "anthropic",
        r#"{"input_tokens": 10, "output_tokens": 900, "output_tokens_details": {"thinking_tokens": 700}}"#,
        UsageShape::Anthropic,
        &[Expected(InputTokens, 10), Expected(OutputTokens, 900), Expected(ReasoningTokens, 700)],
    );
}

#[test]
fn searches_are_counted_and_fetches_are_free() {
    let usage = assert_counts(
        "anthropic",
        r#"{"input_tokens": 10, "output_tokens": 90, "cache_read_input_tokens": 0, "server_tool_use":
            {"web_search_requests": 2, "web_fetch_requests": 5, "code_execution_requests": 1, "new_requests": 4}}"#,
        UsageShape::Anthropic,
        &[
            Expected(InputTokens, 10),
            Expected(CacheReadTokens, 0),
            Expected(OutputTokens, 90),
            Expected(WebSearches, 2),
        ],
    );
    let units = [("code_execution_requests".to_owned(), 1), ("new_requests".to_owned(), 4)];
    assert_eq!(usage.billable_units, units.into());
}

#[test]
fn a_compactions_summary_is_added_and_the_models_own_iterations_are_not() {
    assert_counts(
        "anthropic",
        r#"{"input_tokens": 23000, "output_tokens": 1000, "iterations": [
            {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500, "cache_read_input_tokens": 400},
            {"type": "message", "input_tokens": 23000, "output_tokens": 1000}]}"#,
        UsageShape::Anthropic,
        &[Expected(InputTokens, 203_400), Expected(CacheReadTokens, 400), Expected(OutputTokens, 4500)],
    );
}

#[test]
fn another_models_advice_is_billed_apart() {
    let usage = assert_counts(
        "anthropic",
        r#"{"input_tokens": 412, "cache_read_input_tokens": 0, "output_tokens": 531, "iterations": [
            {"type": "message", "input_tokens": 412, "output_tokens": 89},
            {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 823, "cache_read_input_tokens": 100,
             "output_tokens": 1612}]}"#,
        UsageShape::Anthropic,
        &[Expected(InputTokens, 412), Expected(CacheReadTokens, 0), Expected(OutputTokens, 531)],
    );
    let units = [("advisor_input_tokens".to_owned(), 923), ("advisor_output_tokens".to_owned(), 1612)];
    assert_eq!(usage.billable_units, units.into());
}

#[test]
fn fast_and_batch_are_said_because_they_are_not_the_standard_price() {
    let read = |rest: &str| {
        let usage = format!(r#"{{"input_tokens": 1, "output_tokens": 1, {rest}}}"#);
        ProviderUsage::parse(Some("anthropic"), &usage).unwrap()
    };
    let fast = read(r#""service_tier": "standard", "speed": "fast""#);
    assert_eq!((fast.service_tier.as_deref(), fast.processing), (Some("fast"), None));
    let batch = read(r#""service_tier": "batch", "speed": "standard""#);
    assert_eq!((batch.service_tier.as_deref(), batch.processing), (Some("batch"), Some("batch")));
    assert_eq!(read(r#""service_tier": null"#).service_tier, None);
}

#[test]
fn a_split_beyond_its_sum_is_refused_by_name() {
    let usage =
        r#"{"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 6}}"#;
    let error = ProviderUsage::parse(None, usage).unwrap_err();
    assert_eq!(error.code(), "part_exceeds_whole");
    assert!(error.to_string().contains("is 6, more than cache_creation_input_tokens"), "{error}");
}

#[test]
fn a_wrong_count_of_an_iteration_is_named_with_its_place() {
    let usage = r#"{"input_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": -2}]}"#;
    let error = ProviderUsage::parse(None, usage).unwrap_err();
    assert_eq!((error.code(), error.path()), ("negative_count", Some("iterations.input_tokens")));
}

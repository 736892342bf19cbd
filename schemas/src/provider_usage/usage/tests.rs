//! Whole answers, errors with their way out, and how counts meet an operation.

use serde_json::json;

use super::*;
use crate::provider_usage::expectations::{Expected, assert_stated};

fn read(value: &Value) -> ProviderUsage {
    ProviderUsage::from_json(None, value).unwrap()
}

fn error(text: &str) -> UsageError {
    ProviderUsage::parse(Some("openai"), text).unwrap_err()
}

#[test]
fn a_whole_answer_says_also_who_gave_it() {
    let usage = read(&json!({"id": "msg_1", "type": "message", "model": "claude-opus-5-5", "content": [{"text": "…"}],
        "usage": {"input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 3, "service_tier": "priority"}}));
    assert_eq!(usage.response_model.as_deref(), Some("claude-opus-5-5"));
    assert_eq!(usage.response_id.as_deref(), Some("msg_1"));
    assert_eq!(usage.service_tier.as_deref(), Some("priority"));
    assert_eq!(usage.counts.get(Count::InputTokens), Some(10));
}

#[test]
fn the_tier_is_the_answers_word_and_unspecified_is_none() {
    let tier = |value| read(&value).service_tier;
    let gemini = |kind| json!({"usageMetadata": {"promptTokenCount": 1, "trafficType": kind}});
    assert_eq!(tier(gemini("PROVISIONED_THROUGHPUT")).as_deref(), Some("PROVISIONED_THROUGHPUT"));
    assert_eq!(tier(gemini("TRAFFIC_TYPE_UNSPECIFIED")), None);
    let chat = json!({"service_tier": "flex", "usage": {"prompt_tokens": 1}});
    assert_eq!(tier(chat).as_deref(), Some("flex"));
}

#[test]
fn errors_name_the_field_and_the_way_out() {
    assert_eq!(
        error(r#"{"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": "some"}}"#).to_string(),
        "prompt_tokens_details.cached_tokens is \"some\"; expected a whole number, 0 or more"
    );
    assert_eq!(error(r#"{"prompt_tokens": -4}"#).to_string(), "prompt_tokens is -4; it must be 0 or more");
    assert_eq!(
        error(r#"{"inputTokens": 900000000, "cacheReadInputTokens": 900000000}"#).to_string(),
        "input_tokens is 1800000000; counts of one operation end at 1000000000"
    );
    let parts = error(r#"{"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}}"#);
    assert!(parts.to_string().contains("is 11, more than input_tokens"), "{parts}");
    assert!(error("[7]").to_string().starts_with("usage[0] is a number; expected the JSON object"), "{}", error("[7]"));
    assert!(error("{").to_string().starts_with("usage is not JSON: EOF"), "{}", error("{"));
    assert_eq!(error(r#"{"choices": [], "usage": null}"#), UsageError::Missing);
    assert_eq!(error("[]"), UsageError::Missing);
    for answer in [r#"{"id": "c", "choices": []}"#, r#"{"candidates": [{}]}"#, r#"{"output": {"message": {}}}"#] {
        assert_eq!(error(answer), UsageError::Missing, "{answer}");
    }
    assert_eq!(error(r#"{"input": 3, "output": 4}"#).code(), "unknown_usage");
}

#[test]
fn an_unknown_shape_lists_its_keys_and_every_shape_that_is_known() {
    let text = error(r#"{"tokens_in": 1, "tokens_out": 2}"#).to_string();
    assert!(
        text.starts_with(r#"usage has none of the known counts, its keys are: "tokens_in", "tokens_out"; known"#),
        "{text}"
    );
    for shape in UsageShape::ALL {
        assert!(text.contains(&format!("{} ({}", shape.name(), shape.telling_keys()[0])), "{text}");
    }
    let hostile = json!({"x".repeat(1_000_000): 1, "\u{1b}[31m": 2}).to_string();
    let text = error(&hostile).to_string();
    assert!(text.len() < 1200 && !text.contains('\u{1b}'), "{text}");
    assert!(error("{}").to_string().contains("its keys are: none"));
}

#[test]
fn a_part_without_its_whole_is_refused() {
    let error = error(r#"{"completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}"#);
    assert_eq!(error.code(), "part_exceeds_whole");
}

#[test]
fn counts_are_set_and_what_the_operation_says_of_itself_stays() {
    let usage = read(&json!({"id": "chatcmpl-1", "model": "gpt-6.1-2026-09-01", "service_tier": "flex",
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "num_sources_used": 3, "cost_in_usd_ticks": 10}}));
    let mut operation = Operation {
        response_model: Some("gpt-6.1".to_owned()),
        billable_units: Some(r#"{"pages":1}"#.to_owned()),
        output_tokens: Some(9),
        reasoning_tokens: 1,
        ..Operation::default()
    };
    usage.apply_to(&mut operation);
    assert_eq!((operation.input_tokens, operation.output_tokens), (Some(5), Some(2)));
    assert_eq!(operation.reasoning_tokens, 1, "usage says nothing of it");
    assert_eq!(operation.response_model.as_deref(), Some("gpt-6.1"));
    assert_eq!(operation.response_id.as_deref(), Some("chatcmpl-1"));
    assert_eq!(operation.service_tier.as_deref(), Some("flex"));
    assert_eq!(operation.reported_cost_usd, Some(NanoUsd::from_nanos(1)));
    assert_eq!(operation.billable_units.as_deref(), Some(r#"{"num_sources_used":3,"pages":1}"#));
}

#[test]
fn without_units_an_operation_keeps_none() {
    let mut operation = Operation::default();
    read(&json!({"billed_units": {"input_tokens": 1, "search_units": 0}})).apply_to(&mut operation);
    assert_eq!(operation.billable_units, None);
    let mut broken = Operation { billable_units: Some("[".to_owned()), ..Operation::default() };
    read(&json!({"billed_units": {"search_units": 1}})).apply_to(&mut broken);
    assert_eq!(broken.billable_units.as_deref(), Some("["));
}

#[test]
fn a_region_becomes_a_term_of_the_price() {
    let usage = |region: &str| read(&json!({"input_tokens": 1, "output_tokens": 1, "inference_geo": region}));
    let metadata = |region: &str, given: Option<&str>| {
        let mut operation = Operation { metadata: given.map(str::to_owned), ..Operation::default() };
        usage(region).apply_to(&mut operation);
        operation.metadata
    };
    assert_eq!(metadata("us", None).as_deref(), Some(r#"{"price_terms":{"region":"us"}}"#));
    let beside = r#"{"a":1,"price_terms":{"context":"high"}}"#;
    assert_eq!(
        metadata("us", Some(beside)).as_deref(),
        Some(r#"{"a":1,"price_terms":{"context":"high","region":"us"}}"#)
    );
    for kept in [r#"{"price_terms": {"region": "eu"}}"#, r#"{"price_terms": 1}"#, "[", "[]"] {
        assert_eq!(metadata("us", Some(kept)).as_deref(), Some(kept));
    }
    assert_eq!((metadata("global", None), metadata("not_available", None)), (None, None));
}

#[test]
fn what_was_given_and_is_another_count_disagrees() {
    let usage = read(&json!({"prompt_tokens": 5, "completion_tokens": 0, "num_sources_used": 3}));
    let operation = Operation { input_tokens: Some(4), output_tokens: Some(0), ..Operation::default() };
    let disagreement = usage.disagreement(&operation, |_| true).unwrap();
    assert_eq!(disagreement.to_string(), "input_tokens is 4, but usage says 5; leave one of them out");
    assert_eq!(usage.disagreement(&operation, |field| field == "output_tokens"), None);
    assert_eq!(usage.disagreement(&Operation::default(), |_| true), None, "an unknown total contradicts nothing");
    let units = |text: &str| Operation { billable_units: Some(text.to_owned()), ..Operation::default() };
    assert_eq!(usage.disagreement(&units(r#"{"num_sources_used": 3, "pages": 1}"#), |_| false), None);
    let disagreement = usage.disagreement(&units(r#"{"num_sources_used": 4}"#), |_| false).unwrap();
    assert_eq!(
        disagreement.to_string(),
        "billable_units is num_sources_used 4, but usage says 3; leave one of them out"
    );
}

#[test]
fn a_list_is_the_events_of_one_stream() {
    let usage = read(&json!([
        {"type": "message_start", "message": {"model": "claude-opus-5-5", "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 8}}
    ]));
    assert_stated(&usage, &[Expected(Count::InputTokens, 3), Expected(Count::OutputTokens, 8)]);
    assert_eq!(usage.response_model.as_deref(), Some("claude-opus-5-5"));
}

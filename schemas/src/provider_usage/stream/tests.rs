//! Streams as each provider sends them: every count once.

use super::*;
use crate::UtcMicros;
use crate::prices::{Catalogue, Charge, CostStatus, Terms, Usage};
use crate::provider_usage::Count::{
    CacheReadTokens, CacheWrite1hTokens, CacheWriteTokens, InputTokens, OutputTokens, ReasoningTokens, WebSearches,
};
use crate::provider_usage::UsageShape;
use crate::provider_usage::expectations::{Expected, assert_stated};

fn collected(provider: &str, events: &[&str]) -> ProviderUsage {
    let mut stream = StreamUsage::new(Some(provider));
    for event in events {
        stream.push(event).unwrap_or_else(|error| panic!("{event}: {error}"));
    }
    stream.finish().unwrap()
}

const ANTHROPIC_START: &str = r#"{"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
    "model": "claude-opus-4-5", "content": [], "usage": {"input_tokens": 1000, "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 100000, "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1, "service_tier": "standard"}}}"#;

/// 1,000 fresh and 100,000 cached tokens are a prompt of 101,000 and cost $0.0675, however often the prompt is repeated.
#[test]
fn a_cached_prompt_of_anthropic_is_counted_once() {
    let deltas = [
        r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}}"#,
        r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 1000,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 100000, "output_tokens": 500}}"#,
    ];
    for delta in deltas {
        let usage = collected(
            "anthropic",
            &[
                ANTHROPIC_START,
                r#"{"type": "ping"}"#,
                r#"{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "usage"}}"#,
                r#"{"type": "message_delta", "delta": {}, "usage": {"output_tokens": 200}}"#,
                delta,
                r#"{"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1000,
                    "outputTokenCount": 500}}"#,
            ],
        );
        assert_stated(
            &usage,
            &[
                Expected(InputTokens, 101_000),
                Expected(CacheReadTokens, 100_000),
                Expected(CacheWriteTokens, 0),
                Expected(CacheWrite1hTokens, 0),
                Expected(OutputTokens, 500),
            ],
        );
        assert_eq!(usage.response_id.as_deref(), Some("msg_1"));
        assert_cost(&usage, "0.0675");
    }
}

#[track_caller]
fn assert_cost(usage: &ProviderUsage, usd: &str) {
    let count = |count| usage.counts.get(count);
    let charged = Usage {
        input_tokens: count(InputTokens),
        cache_read_tokens: count(CacheReadTokens).unwrap(),
        output_tokens: count(OutputTokens),
        ..Usage::default()
    };
    let started_at = UtcMicros::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
    let catalogue = Catalogue::embedded();
    let key = catalogue.find("anthropic", usage.response_model.as_deref().unwrap());
    let priced = catalogue.price(key, &Charge { started_at, usage: charged, terms: Terms::STANDARD });
    assert_eq!((priced.status, priced.cost.unwrap().to_string().as_str()), (CostStatus::Priced, usd));
}

#[test]
fn anthropics_server_tools_come_with_the_last_event() {
    let usage = collected(
        "vertex_ai",
        &[
            ANTHROPIC_START,
            r#"{"type": "message_delta", "delta": {}, "usage": {"input_tokens": 9000, "output_tokens": 70,
                "cache_read_input_tokens": null, "server_tool_use": {"web_search_requests": 2}}}"#,
        ],
    );
    assert_eq!(usage.counts.get(InputTokens), Some(109_000));
    assert_eq!(usage.counts.get(WebSearches), Some(2));
}

#[test]
fn the_last_chunk_of_a_chat_completion_has_it() {
    let usage = collected(
        "openai",
        &[
            r#"{"id": "chatcmpl-1", "model": "gpt-6.1-2026-09-01", "service_tier": null, "choices": [{"delta": {"content": "Hi"}}],
                "usage": null}"#,
            r#"{"id": "chatcmpl-1", "model": "gpt-6.1-2026-09-01", "service_tier": "default", "choices": [],
                "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
                          "completion_tokens_details": {"reasoning_tokens": 4}}}"#,
            "[DONE]",
            "",
        ],
    );
    assert_stated(&usage, &[Expected(InputTokens, 9), Expected(OutputTokens, 12), Expected(ReasoningTokens, 4)]);
    assert_eq!(usage.response_model.as_deref(), Some("gpt-6.1-2026-09-01"));
    assert_eq!(usage.service_tier.as_deref(), Some("default"));
}

#[test]
fn servers_that_repeat_the_sum_in_every_chunk_are_counted_once() {
    let usage = collected(
        "xai",
        &[
            r#"{"choices": [], "usage": {"prompt_tokens": 32, "completion_tokens": 1, "total_tokens": 43,
                "completion_tokens_details": {"reasoning_tokens": 10}}}"#,
            r#"{"choices": [], "usage": {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94}}}"#,
        ],
    );
    assert_stated(&usage, &[Expected(InputTokens, 32), Expected(OutputTokens, 103), Expected(ReasoningTokens, 94)]);
}

#[test]
fn groq_has_it_in_an_envelope_of_its_own() {
    let usage = collected(
        "groq",
        &[
            r#"{"id": "chatcmpl-2", "model": "llama", "choices": [], "x_groq": {"id": "req_1"}}"#,
            r#"{"id": "chatcmpl-2", "model": "llama", "choices": [], "x_groq": {"id": "req_1", "usage":
                {"queue_time": 0.1, "prompt_tokens": 18, "completion_tokens": 5, "total_tokens": 23}}}"#,
        ],
    );
    assert_stated(&usage, &[Expected(InputTokens, 18), Expected(OutputTokens, 5)]);
    assert_eq!(usage.response_id.as_deref(), Some("chatcmpl-2"));
}

#[test]
fn a_response_has_it_when_it_is_completed() {
    let usage = collected(
        "openai",
        &[
            r#"{"type": "response.created", "response": {"id": "resp_1", "model": "gpt-6.1", "service_tier": "auto", "usage": null}}"#,
            r#"{"type": "response.output_text.delta", "delta": "Hi"}"#,
            r#"{"type": "response.completed", "response": {"id": "resp_1", "model": "gpt-6.1", "service_tier": "priority",
                "usage": {"input_tokens": 36, "input_tokens_details": {"cached_tokens": 12}, "output_tokens": 87,
                          "output_tokens_details": {"reasoning_tokens": 60}, "total_tokens": 123}}}"#,
        ],
    );
    assert_stated(
        &usage,
        &[
            Expected(InputTokens, 36),
            Expected(CacheReadTokens, 12),
            Expected(OutputTokens, 87),
            Expected(ReasoningTokens, 60),
        ],
    );
    assert_eq!((usage.shape, usage.service_tier.as_deref()), (UsageShape::OpenAiResponses, Some("priority")));
}

#[test]
fn gemini_repeats_the_sum_in_every_chunk() {
    let usage = collected(
        "gemini",
        &[
            r#"{"candidates": [], "usageMetadata": {"promptTokenCount": 50, "totalTokenCount": 90, "thoughtsTokenCount": 40}}"#,
            r#"{"candidates": [], "usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 7, "totalTokenCount": 97,
                "thoughtsTokenCount": 40}, "modelVersion": "gemini-4-argon", "responseId": "r1"}"#,
        ],
    );
    assert_stated(&usage, &[Expected(InputTokens, 50), Expected(OutputTokens, 47), Expected(ReasoningTokens, 40)]);
    assert_eq!(usage.response_model.as_deref(), Some("gemini-4-argon"));
}

#[test]
fn bedrock_and_cohere_have_it_in_their_last_event() {
    let bedrock = collected(
        "bedrock",
        &[
            r#"{"messageStart": {"role": "assistant"}}"#,
            r#"{"metadata": {"usage": {"inputTokens": 30, "outputTokens": 6, "totalTokens": 36, "cacheReadInputTokens": 10},
                "metrics": {"latencyMs": 512}}}"#,
        ],
    );
    assert_stated(&bedrock, &[Expected(InputTokens, 40), Expected(CacheReadTokens, 10), Expected(OutputTokens, 6)]);
    let cohere = collected(
        "cohere",
        &[
            r#"{"type": "content-delta", "delta": {"message": {"content": {"text": "Hi"}}}}"#,
            r#"{"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage":
                {"billed_units": {"input_tokens": 3, "output_tokens": 2}, "tokens": {"input_tokens": 80, "output_tokens": 2}}}}"#,
        ],
    );
    assert_stated(&cohere, &[Expected(InputTokens, 3), Expected(OutputTokens, 2)]);
}

#[test]
fn usage_objects_alone_are_enough() {
    let usage = collected("anthropic", &[r#"{"input_tokens": 7, "output_tokens": 1}"#, r#"{"output_tokens": 15}"#]);
    assert_stated(&usage, &[Expected(InputTokens, 7), Expected(OutputTokens, 15)]);
}

#[test]
fn a_stream_without_usage_says_how_to_get_it() {
    let mut stream = StreamUsage::new(None);
    stream.push(r#"{"id": "chatcmpl-1", "choices": [], "usage": null}"#).unwrap();
    let error = stream.finish().unwrap_err();
    assert!(error.to_string().contains("stream_options.include_usage"), "{error}");
}

#[test]
fn an_event_that_cannot_be_read_changes_nothing() {
    let mut stream = StreamUsage::new(None);
    stream.push(r#"{"usage": {"prompt_tokens": 4}}"#).unwrap();
    assert_eq!(stream.push("data: {}").unwrap_err().code(), "usage_not_json");
    assert_eq!(stream.push("[1]").unwrap_err().code(), "usage_not_an_object");
    assert_eq!(stream.push(r#"{"usage": 7}"#).unwrap_err().code(), "usage_not_an_object");
    assert_stated(&stream.finish().unwrap(), &[Expected(InputTokens, 4)]);
}

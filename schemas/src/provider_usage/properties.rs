//! What holds of any usage object: counts that an operation can have, or an error; never a panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

use super::*;
use crate::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR, MAX_COUNT, check_operation};
use crate::{Operation, UtcMicros};

const NOW: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

const PROVIDERS: [Option<&str>; 8] = [
    None,
    Some("openai"),
    Some("anthropic"),
    Some("x_ai"),
    Some("gemini"),
    Some("aws.bedrock"),
    Some("perplexity"),
    Some("openrouter"),
];

/// Keys that mean something somewhere.
const KEYS: [&str; 64] = [
    "usage",
    "usageMetadata",
    "meta",
    "response",
    "message",
    "delta",
    "metadata",
    "x_groq",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "image_tokens",
    "prompt_cache_hit_tokens",
    "input_tokens",
    "output_tokens",
    "input_tokens_details",
    "output_tokens_details",
    "input_token_details",
    "thinking_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "server_tool_use",
    "web_search_requests",
    "iterations",
    "type",
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheWriteInputTokens",
    "cacheDetails",
    "ttl",
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "toolUsePromptTokenCount",
    "promptTokensDetails",
    "modality",
    "tokenCount",
    "total_input_tokens",
    "total_output_tokens",
    "grounding_tool_count",
    "count",
    "billed_units",
    "tokens",
    "search_units",
    "citation_tokens",
    "num_sources_used",
    "cost_in_usd_ticks",
    "cost",
    "total_cost",
    "connectors",
    "seconds",
    "model",
    "service_tier",
];

/// Texts that mean something somewhere.
const TEXTS: [&str; 8] = ["compaction", "advisor_message", "1h", "AUDIO", "IMAGE", "duration", "12", "google_search"];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => (0..3000_i64).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => "\\PC{0,6}".prop_map(Value::from),
        1 => select(&TEXTS[..]).prop_map(Value::from),
    ];
    let key = prop_oneof![9 => select(&KEYS[..]).prop_map(str::to_owned), 1 => "\\PC{0,6}"];
    leaf.prop_recursive(4, 64, 10, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            5 => btree_map(key.clone(), inner, 0..10).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// What a reader is promised, whoever counted.
fn check_promises(usage: &ProviderUsage) -> Result<(), TestCaseError> {
    for (count, value) in usage.counts.stated() {
        prop_assert!((0..=MAX_COUNT).contains(&value), "{:?} {}", count, value);
    }
    prop_assert!(usage.billable_units.values().all(|units| (1..=MAX_COUNT).contains(units)));
    let mut operation = Operation::starting("chat", NOW);
    usage.apply_to(&mut operation);
    let accepted = AcceptedTimes::at(NOW.to_millis(), DEFAULT_RETENTION_FLOOR);
    prop_assert_eq!(check_operation(&operation, accepted), Ok(()));
    prop_assert_eq!(usage.disagreement(&operation, |_| true), None);
    Ok(())
}

fn stated(usage: &ProviderUsage, counts: [Count; 4]) -> [Option<i64>; 4] {
    counts.map(|count| usage.counts.get(count))
}

proptest! {
    #[test]
    fn any_json_gives_counts_that_an_operation_can_have_or_an_error(
        provider in select(&PROVIDERS[..]), value in any_json(),
    ) {
        match ProviderUsage::from_json(provider, &value) {
            Ok(usage) => check_promises(&usage)?,
            Err(error) => prop_assert!(!error.code().is_empty() && error.to_string().len() < 1500, "{}", error),
        }
    }

    #[test]
    fn any_stream_of_any_json_gives_counts_that_an_operation_can_have_or_an_error(
        provider in select(&PROVIDERS[..]), events in vec(any_json(), 0..4),
    ) {
        let mut stream = StreamUsage::new(provider);
        for event in &events {
            if let Err(error) = stream.push_json(event) {
                prop_assert_eq!(error.code(), "usage_not_an_object");
            }
        }
        if let Ok(usage) = stream.finish() {
            check_promises(&usage)?;
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        prop_assert!(ProviderUsage::parse(None, &text).is_err());
    }

    /// The three fields of the prompt, wherever the parts of the cache are stated.
    #[test]
    fn anthropics_prompt_is_the_sum_of_its_fields(
        [fresh, read, standard, long, output] in prop::array::uniform5(0..200_000_000_i64), has_split in any::<bool>(),
    ) {
        let mut usage = json!({"input_tokens": fresh, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": standard + long, "output_tokens": output});
        if has_split {
            usage["cache_creation"] =
                json!({"ephemeral_5m_input_tokens": standard, "ephemeral_1h_input_tokens": long});
        }
        let usage = ProviderUsage::from_json(None, &usage).unwrap();
        let (standard, long) = if has_split { (standard, long) } else { (standard + long, 0) };
        let counts = [Count::InputTokens, Count::CacheReadTokens, Count::CacheWriteTokens, Count::CacheWrite1hTokens];
        prop_assert_eq!(stated(&usage, counts), [fresh + read + standard + long, read, standard, long].map(Some));
        prop_assert_eq!(usage.counts.get(Count::OutputTokens), Some(output));
        check_promises(&usage)?;
    }

    /// Reasoning inside or outside of the completion: its sum tells, and the answer is the same.
    #[test]
    fn the_sum_tells_where_reasoning_is_counted(
        prompt in 0..1_000_000_i64, visible in 0..1_000_000_i64, reasoning in 1..1_000_000_i64, is_outside in any::<bool>(),
    ) {
        let output = visible + reasoning;
        let completion = if is_outside { visible } else { output };
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + output,
            "completion_tokens_details": {"reasoning_tokens": reasoning}});
        for provider in [None, Some("openai"), Some("x_ai")] {
            let usage = ProviderUsage::from_json(provider, &usage).unwrap();
            let counts = [Count::InputTokens, Count::CacheReadTokens, Count::OutputTokens, Count::ReasoningTokens];
            prop_assert_eq!(stated(&usage, counts), [Some(prompt), None, Some(output), Some(reasoning)]);
            check_promises(&usage)?;
        }
    }

    /// A stream that repeats growing sums gives the last, and so does its last event alone.
    #[test]
    fn a_stream_of_growing_sums_gives_the_last(prompt in 0..100_000_i64, steps in vec(0..1000_i64, 1..20)) {
        let mut stream = StreamUsage::new(Some("gemini"));
        let mut output = 0;
        for step in steps {
            output += step;
            let event = json!({"usageMetadata": {"promptTokenCount": prompt, "candidatesTokenCount": output}});
            stream.push_json(&event).unwrap();
        }
        let usage = stream.finish().unwrap();
        prop_assert_eq!(usage.counts.get(Count::InputTokens), Some(prompt));
        prop_assert_eq!(usage.counts.get(Count::OutputTokens), Some(output));
    }
}

/// The first property would hold of a reader that refuses everything.
#[test]
fn a_good_part_of_any_json_is_read() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let usage = btree_map(select(&KEYS[8..]), any_json(), 1..8);
    let is_read = |_: usize| {
        let members = usage.new_tree(&mut runner).unwrap().current();
        let value: Value = members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        PROVIDERS.iter().any(|provider| ProviderUsage::from_json(*provider, &value).is_ok())
    };
    let read = (0..2000).map(is_read).filter(|is_read| *is_read).count();
    assert!(read > 100, "{read} of 2000");
}

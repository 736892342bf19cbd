//! The field `usage` of an item: what the provider sent, from which the counts are derived that the item leaves out. Pure.
//!
//! It is no field of an operation and is not kept. A count that the item gives must be the one that its usage states: of two
//! numbers nobody knows which is wrong.

use opstream_schemas::Operation;
use opstream_schemas::provider_usage::{ProviderUsage, UsageError};

use super::item::{Flaw, excerpt};

/// Name of the field.
pub(crate) const USAGE_FIELD: &str = "usage";
/// What the field is, for the description of the API.
pub(crate) const USAGE_DESCRIPTION: &str = "The provider's usage object as it was sent, the whole answer that holds it, or the \
    list of a stream's events; as JSON, or as text that contains it. Derives the counts, billable_units, reported_cost_usd, \
    service_tier, processing, response_model and response_id that the operation leaves out; a count that is given must be the \
    same. Understood are OpenAI, Azure, OpenRouter, xAI, DeepSeek, Mistral, Groq, Perplexity, Anthropic, Bedrock, Gemini, Vertex \
    and Cohere, by their keys; send provider too. It is not stored.";
/// Longest reason, in characters: one lists every shape that is known.
const MAX_REASON_CHARACTERS: usize = 900;

/// Fills the counts that an operation leaves out. `usage` is the JSON of the field; `is_given` tells by its name whether the
/// item gave a field.
///
/// # Errors
/// Names the field of the usage object that is wrong, or the field of the item that it contradicts.
pub(crate) fn fill_counts(operation: &mut Operation, usage: &str, is_given: impl Fn(&str) -> bool) -> Result<(), Flaw> {
    let usage = ProviderUsage::parse(operation.provider.as_deref(), usage).map_err(|error| flaw_of(&error))?;
    if let Some(disagreement) = usage.disagreement(operation, is_given) {
        return Err(Flaw::of_field(disagreement.field, "contradicts_usage", disagreement.to_string()));
    }
    usage.apply_to(operation);
    Ok(())
}

fn flaw_of(error: &UsageError) -> Flaw {
    let field = error.path().map_or_else(|| USAGE_FIELD.to_owned(), |path| format!("{USAGE_FIELD}.{path}"));
    Flaw::of_field(&field, error.code(), excerpt(&error.to_string(), MAX_REASON_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use super::super::item::read_operation;
    use super::*;

    fn flaw(item: &str) -> Flaw {
        read_operation(item).unwrap_err()
    }

    #[test]
    fn usage_fills_what_the_item_leaves_out() {
        let operation = read_operation(
            r#"{"provider": "anthropic", "usage": {"input_tokens": 1000, "cache_read_input_tokens": 100000,
                "output_tokens": 500, "server_tool_use": {"web_search_requests": 1}}, "model": "claude-opus-4-5",
                "metadata": {"a": [1]}, "output_tokens": 500, "input_tokens": null}"#,
        )
        .unwrap();
        assert_eq!((operation.input_tokens, operation.output_tokens), (Some(101_000), Some(500)));
        assert_eq!((operation.cache_read_tokens, operation.web_searches), (100_000, 1));
        assert_eq!(operation.model.as_deref(), Some("claude-opus-4-5"));
        assert_eq!(operation.metadata.as_deref(), Some(r#"{"a": [1]}"#));
    }

    #[test]
    fn usage_may_be_an_answer_a_stream_or_text() {
        for usage in [
            r#"{"id": "c", "model": "m-1", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}"#,
            r#"[{"model": "m-1", "usage": null}, {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}]"#,
            r#""{\"model\": \"m-1\", \"usage\": {\"prompt_tokens\": 3, \"completion_tokens\": 4}}""#,
        ] {
            let operation = read_operation(&format!(r#"{{"usage": {usage}}}"#)).unwrap();
            assert_eq!((operation.input_tokens, operation.output_tokens), (Some(3), Some(4)), "{usage}");
            assert_eq!(operation.response_model.as_deref(), Some("m-1"), "{usage}");
        }
        let without = read_operation(r#"{"usage": null, "input_tokens": 3}"#).unwrap();
        assert_eq!((without.input_tokens, without.output_tokens), (Some(3), None));
    }

    #[test]
    fn a_given_count_that_usage_contradicts_is_refused_by_name() {
        let refused = flaw(r#"{"cache_read_tokens": 0, "usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 5}}"#);
        assert_eq!((refused.field.as_deref(), refused.code), (Some("cache_read_tokens"), "contradicts_usage"));
        assert_eq!(refused.reason, "cache_read_tokens is 0, but usage says 5; leave one of them out");
        let refused =
            flaw(r#"{"billable_units": {"search_units": 2}, "usage": {"billed_units": {"search_units": 1}}}"#);
        assert_eq!((refused.field.as_deref(), refused.code), (Some("billable_units"), "contradicts_usage"));
        let agreed = r#"{"billable_units": {"search_units": 1}, "usage": {"billed_units": {"search_units": 1}}}"#;
        assert_eq!(read_operation(agreed).unwrap().billable_units.as_deref(), Some(r#"{"search_units":1}"#));
    }

    #[test]
    fn what_is_wrong_in_usage_is_named_with_its_path() {
        let refused =
            flaw(r#"{"usage": {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": "x"}}}"#);
        assert_eq!(refused.field.as_deref(), Some("usage.completion_tokens_details.reasoning_tokens"));
        assert_eq!(refused.code, "not_a_count");
        let refused = flaw(r#"{"usage": {"tokens_in": 1}}"#);
        assert_eq!((refused.field.as_deref(), refused.code), (Some("usage"), "unknown_usage"));
        assert!(refused.reason.ends_with("cohere (billed_units, tokens)"), "{}", refused.reason);
        assert_eq!(flaw(r#"{"usage": 7}"#).code, "usage_not_an_object");
        assert_eq!(flaw(r#"{"usage": "{"}"#).code, "usage_not_json");
        assert_eq!(flaw(r#"{"usage": {"prompt_tokens": 1}, "usage": null}"#).code, "invalid_value");
    }

    #[test]
    fn other_fields_are_refused_beside_usage_as_without_it() {
        let refused = flaw(r#"{"usage": {"prompt_tokens": 1}, "input_token": 1}"#);
        assert_eq!((refused.field.as_deref(), refused.code), (Some("input_token"), "unknown_field"));
        assert_eq!(flaw(r#"{"usage": {"prompt_tokens": 1}, "model": 7}"#).field.as_deref(), Some("model"));
        assert_eq!(flaw(r#"{"usage": {"prompt_tokens": 1}, "model": "a", "model": "b"}"#).code, "invalid_value");
        assert_eq!(flaw(r#"{"\ud800": 1, "usage": {"prompt_tokens": 1}}"#).code, "invalid_value");
    }

    #[test]
    fn usage_may_stand_anywhere() {
        let usage = r#""usage" : {"prompt_tokens": 3}"#;
        for item in [
            format!("{{{usage}}}"),
            format!(" {{ {usage} }} "),
            format!("{{{usage}, \"model\": \"m,\"}}"),
            format!("{{\"model\": \"m,\" , {usage}\n}}"),
            format!("{{\"model\": \"m,\",{usage},\t\"metadata\": {{\"usage\": 1}}}}"),
        ] {
            let operation = read_operation(&item).unwrap_or_else(|flaw| panic!("{item}: {flaw:?}"));
            assert_eq!(operation.input_tokens, Some(3), "{item}");
            assert_eq!(operation.model.is_some(), item.contains("model"), "{item}");
        }
    }

    #[test]
    fn hostile_usage_is_refused_in_short() {
        let deep = format!(r#"{{"usage": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(flaw(&deep).code, "usage_not_json");
        let long = format!(r#"{{"usage": {{"prompt_tokens": "{}"}}}}"#, "9".repeat(5_000_000));
        assert!(flaw(&long).reason.len() < 1000);
        let keys = format!(r#"{{"usage": {{"{}": 1}}}}"#, "k".repeat(1_000_000));
        assert!(flaw(&keys).reason.len() < 1000);
        assert_eq!(flaw(r#"{"usage": {"prompt_tokens": 1e999}}"#).code, "usage_not_json");
    }
}

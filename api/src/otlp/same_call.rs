//! Whether two spans, one within the other, tell the same call of a model. Pure.
//!
//! The outer one is often a framework's, which names no response and the model by an alias, so they do unless they contradict each other.

use std::borrow::Cow;

use opstream_schemas::providers::canonical_provider;

use super::dialects::Meaning;
use super::said::Said;

/// False when both name the response and it is another, or both name provider and model and both are others.
pub(super) fn is_same_call(outer: &Said<'_, '_>, inner: &Said<'_, '_>) -> bool {
    let response = |said| text(said, Meaning::ResponseId);
    if let (Some(outer), Some(inner)) = (response(outer), response(inner)) {
        return outer == inner;
    }
    is_same_provider(outer, inner) || is_same_model(outer, inner)
}

/// Also when one of them names none.
fn is_same_provider(outer: &Said<'_, '_>, inner: &Said<'_, '_>) -> bool {
    let provider = |said| text(said, Meaning::Provider);
    match (provider(outer), provider(inner)) {
        (Some(outer), Some(inner)) => canonical_provider(&outer) == canonical_provider(&inner),
        _ => true,
    }
}

/// Also when one of them names none. What was asked for and what answered are names of one model.
fn is_same_model(outer: &Said<'_, '_>, inner: &Said<'_, '_>) -> bool {
    let [outer, inner] = [outer, inner]
        .map(|said| [Meaning::Model, Meaning::ResponseModel].map(|meaning| text(said, meaning)).into_iter().flatten());
    let inner: Vec<Cow<'_, str>> = inner.collect();
    let mut outer = outer.peekable();
    if outer.peek().is_none() || inner.is_empty() {
        return true;
    }
    outer.any(|outer| inner.iter().any(|inner| is_alias(&outer, inner)))
}

/// `anthropic/claude-haiku` and `claude-haiku-2025` are names of one model.
fn is_alias(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|name| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase());
    one.contains(&other) || other.contains(&one)
}

fn text<'s>(said: &Said<'s, '_>, meaning: Meaning) -> Option<Cow<'s, str>> {
    said.value(meaning).map(super::model::Value::to_text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::model::{Attribute, Value};
    use super::*;

    const NAMES: [&str; 4] =
        ["gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id"];

    /// Provider, model, the model that answered, response; what is empty is not said.
    type Call = [&'static str; 4];

    fn is_same(outer: Call, inner: Call) -> bool {
        let attributes = |call: Call| -> Vec<Attribute<'static>> {
            let said = NAMES.into_iter().zip(call).filter(|(_, text)| !text.is_empty());
            said.map(|(key, text)| Attribute { key: key.into(), value: Value::Text(text.into()) }).collect()
        };
        let (outer, inner) = (attributes(outer), attributes(inner));
        is_same_call(&Said::of(&outer), &Said::of(&inner))
    }

    #[test]
    fn spans_tell_the_same_call_unless_they_contradict_each_other() {
        let call = ["openai", "gpt-4o", "gpt-4o-2024-08-06", "r1"];
        for outer in [
            ["", "", "", ""],
            ["openai", "gpt-4o", "", ""],
            ["OpenAI", "another", "", ""],
            ["litellm", "openai/gpt-4o", "", ""],
            ["azure.ai.openai", "GPT-4o-2024-08-06", "", ""],
            ["azure.ai.openai", "our-deployment", "gpt-4o-2024-08-06", ""],
            ["langchain", "", "", ""],
            ["anthropic", "claude-haiku", "", "r1"],
        ] {
            assert!(is_same(outer, call), "{outer:?}");
        }
    }

    #[test]
    fn another_response_or_another_provider_and_model_is_another_call() {
        let call = ["openai", "gpt-4o", "gpt-4o-2024-08-06", "r1"];
        assert!(!is_same(["openai", "gpt-4o", "gpt-4o-2024-08-06", "r2"], call));
        assert!(!is_same(["anthropic", "claude-haiku", "", ""], call));
        assert!(!is_same(["anthropic", "", "claude-haiku", ""], call));
    }
}

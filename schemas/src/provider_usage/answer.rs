//! Finds the usage object within what the caller has: the object itself, a whole answer, or one event of a stream.

use serde_json::{Map, Value};

use super::error::UsageError;
use super::shape::UsageShape;

/// Names of the usage object.
const USAGE_KEYS: [&str; 3] = ["usage", "usageMetadata", "usage_metadata"];
/// What providers answer with: OpenAI's chats, responses and embeddings, Gemini, Anthropic, Cohere and Bedrock.
const ANSWER_KEYS: [&str; 6] = ["choices", "output", "data", "candidates", "content", "message"];
/// What events wrap around the usage object: responses and Anthropic's start; Cohere's end; Bedrock's end; Groq's.
const USAGE_WRAPPERS: [&str; 5] = ["response", "message", "delta", "metadata", "x_groq"];
/// What events wrap around the answer. Not `metadata`, which in a response is the caller's.
const ANSWER_WRAPPERS: [&str; 2] = ["response", "message"];

/// An answer, as far as it concerns its billing.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer<'a> {
    pub(super) usage: Option<&'a Map<String, Value>>,
    pub(super) facts: AnswerFacts,
}

/// What an answer says beside its usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AnswerFacts {
    /// Model that answered.
    pub(super) model: Option<String>,
    /// Id of the answer.
    pub(super) response_id: Option<String>,
    /// Tier at which it was served.
    pub(super) service_tier: Option<String>,
}

impl AnswerFacts {
    /// Takes over what a later event of the same answer says.
    pub(super) fn update(&mut self, later: Self) {
        self.model = later.model.or(self.model.take());
        self.response_id = later.response_id.or(self.response_id.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
    }
}

/// Looks into an answer, an event or a usage object. `provider` is the canonical name.
///
/// # Errors
/// When it is no object, or its usage is none.
pub(super) fn open<'a>(provider: Option<&str>, value: &'a Value) -> Result<Answer<'a>, UsageError> {
    let root = value.as_object().ok_or_else(|| not_an_object("usage", value))?;
    let mut answer = Answer { usage: usage_of(root)?, facts: AnswerFacts::default() };
    for wrapper in USAGE_WRAPPERS {
        let Some(Value::Object(wrapped)) = root.get(wrapper) else { continue };
        // What is no object here is not the provider's: `metadata` may be anybody's.
        answer.usage = answer.usage.or_else(|| usage_of(wrapped).ok().flatten());
    }
    let is_wrapped = answer.usage.is_some() || USAGE_KEYS.iter().any(|key| root.contains_key(*key));
    if !is_wrapped && UsageShape::recognise(provider, root).is_some() {
        answer.usage = Some(root);
        return Ok(answer);
    }
    answer.facts = facts_of(root);
    for wrapped in ANSWER_WRAPPERS.into_iter().filter_map(|wrapper| root.get(wrapper)?.as_object()) {
        answer.facts.update(facts_of(wrapped));
    }
    Ok(answer)
}

/// Whether this is an answer without a usage object: its place is empty, or there is what was answered and no place.
pub(super) fn leaves_usage_out(value: &Value) -> bool {
    let is_answered = |key: &&str| value.get(key).is_some_and(|part| part.is_array() || part.is_object());
    USAGE_KEYS.iter().any(|key| value.get(key).is_some()) || ANSWER_KEYS.iter().any(is_answered)
}

pub(super) fn not_an_object(field: &str, value: &Value) -> UsageError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    UsageError::NotAnObject { field: field.to_owned(), found }
}

fn usage_of(answer: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, UsageError> {
    for key in USAGE_KEYS {
        match answer.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(usage)) => return Ok(Some(usage)),
            Some(other) => return Err(not_an_object(key, other)),
        }
    }
    // Cohere's first version.
    let meta = answer.get("meta").and_then(Value::as_object);
    Ok(meta.filter(|meta| meta.contains_key("billed_units")))
}

fn facts_of(answer: &Map<String, Value>) -> AnswerFacts {
    let tier = text(answer, &["service_tier"]).or_else(|| text(answer.get("serviceTier")?.as_object()?, &["type"]));
    AnswerFacts {
        model: text(answer, &["model", "modelVersion", "model_version"]),
        response_id: text(answer, &["id", "responseId", "response_id"]),
        service_tier: tier,
    }
}

/// The first of these fields that holds text.
pub(super) fn text(object: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    let texts = keys.iter().filter_map(|key| object.get(*key)?.as_str());
    texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn opened(value: &Value) -> (Option<Value>, AnswerFacts) {
        let answer = open(None, value).unwrap();
        (answer.usage.cloned().map(Value::Object), answer.facts)
    }

    fn facts(model: &str, response_id: &str, service_tier: &str) -> AnswerFacts {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        AnswerFacts { model: given(model), response_id: given(response_id), service_tier: given(service_tier) }
    }

    #[test]
    fn usage_is_found_wherever_a_provider_puts_it() {
        let usage = json!({"prompt_tokens": 1});
        for answer in [
            usage.clone(),
            json!({"usage": usage, "choices": []}),
            json!({"usageMetadata": usage, "candidates": []}),
            json!({"usage_metadata": usage}),
            json!({"type": "response.completed", "response": {"usage": usage}}),
            json!({"type": "message_start", "message": {"usage": usage}}),
            json!({"type": "message-end", "delta": {"usage": usage}}),
            json!({"metadata": {"usage": usage, "metrics": {"latencyMs": 3}}}),
            json!({"choices": [], "usage": null, "x_groq": {"id": "req_1", "usage": usage}}),
        ] {
            assert_eq!(opened(&answer).0.as_ref(), Some(&usage), "{answer}");
        }
        let meta = json!({"billed_units": {"search_units": 1}});
        for answer in [json!({"meta": meta}), json!({"event_type": "stream-end", "response": {"meta": meta}})] {
            assert_eq!(opened(&answer).0.as_ref(), Some(&meta), "{answer}");
        }
    }

    #[test]
    fn an_answer_says_who_gave_it_and_how() {
        let chat = json!({"id": "chatcmpl-1", "model": "gpt-6.1", "service_tier": "flex", "usage": null});
        assert_eq!(opened(&chat), (None, facts("gpt-6.1", "chatcmpl-1", "flex")));
        let gemini = json!({"responseId": "r", "modelVersion": "gemini-4-argon", "usageMetadata": null});
        assert_eq!(opened(&gemini).1, facts("gemini-4-argon", "r", ""));
        let start = json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-5-5"}});
        assert_eq!(opened(&start).1, facts("claude-opus-5-5", "msg_1", ""));
        let converse = json!({"usage": {"inputTokens": 1}, "serviceTier": {"type": "priority"}});
        assert_eq!(opened(&converse).1, facts("", "", "priority"));
        let completed = json!({"type": "response.completed", "response": {"id": "resp_1", "model": "gpt-6.1",
            "service_tier": "default", "metadata": {"model": "mine", "usage": "heavy"}}});
        assert_eq!(opened(&completed), (None, facts("gpt-6.1", "resp_1", "default")));
    }

    #[test]
    fn the_callers_own_metadata_is_not_the_providers() {
        let response = json!({"id": "resp_1", "usage": null, "metadata": {"usage": "heavy", "model": "m", "id": "x"}});
        assert_eq!(opened(&response), (None, facts("", "resp_1", "")));
    }

    #[test]
    fn what_is_no_object_is_named() {
        for value in [json!(null), json!(5), json!("x"), json!(true)] {
            assert_eq!(open(None, &value).unwrap_err().code(), "usage_not_an_object", "{value}");
        }
        let error = open(None, &json!({"usageMetadata": "lots"})).unwrap_err();
        assert!(error.to_string().starts_with("usageMetadata is a text; expected the JSON object"), "{error}");
    }
}

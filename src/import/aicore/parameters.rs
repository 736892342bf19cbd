//! The request of a record: model and limits as fields, the prompt as content, the rest as parameters.

use serde_json::{Map, Value};

use super::record::{AicoreRecord, read_whole};
use super::{credentials, messages};

/// Arguments that have a field of their own or are content.
const TAKEN: &[&str] = &[
    "model",
    "messages",
    "input",
    "prompt",
    "system",
    "instructions",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "stream",
    "tools",
    "functions",
];

/// What an operation keeps of the request.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Model as requested.
    pub(super) model: Option<String>,
    /// Only where the request says so.
    pub(super) stream: Option<bool>,
    /// Only where the request says so: `AiCore` writes 0 both for 0 and for nothing.
    pub(super) temperature: Option<f64>,
    /// The same.
    pub(super) max_tokens: Option<i64>,
    /// Other arguments, a JSON object without credentials.
    pub(super) others: Option<String>,
    /// System prompt as text.
    pub(super) system_prompt: Option<String>,
    /// Messages as OpenTelemetry's JSON, without the system prompt.
    pub(super) input_messages: Option<String>,
    /// Tool definitions, JSON.
    pub(super) tool_definitions: Option<String>,
    /// Whether something was left out because it authenticates somebody.
    pub(super) had_credentials: bool,
}

impl Request {
    /// Takes the request apart; `arguments` are none when they could not be read.
    pub(super) fn of(record: &AicoreRecord, arguments: Option<&Map<String, Value>>) -> Self {
        let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let Some(arguments) = arguments else {
            return Self {
                model: non_empty(&record.model),
                temperature: record.temperature.filter(|temperature| *temperature != 0.0),
                max_tokens: record.max_tokens.filter(|limit| *limit != 0),
                system_prompt: non_empty(&record.system_prompt),
                input_messages: messages::input_messages(record, &Map::new()),
                ..Self::default()
            };
        };
        let named = |name: &str| arguments.get(name).and_then(Value::as_str).and_then(non_empty);
        let limits = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
        let mut others = arguments.clone();
        others.retain(|name, value| !TAKEN.contains(&name.as_str()) && !value.is_null());
        let had_credentials = credentials::remove_from(&mut others);
        Self {
            model: non_empty(&record.model).or_else(|| named("model")),
            stream: arguments.get("stream").and_then(Value::as_bool),
            temperature: arguments.get("temperature").and_then(Value::as_f64),
            max_tokens: limits.iter().find_map(|name| read_whole(arguments.get(*name)?).filter(|limit| *limit != 0)),
            others: (!others.is_empty()).then(|| Value::Object(others).to_string()),
            system_prompt: non_empty(&record.system_prompt).or_else(|| named("instructions")),
            input_messages: messages::input_messages(record, arguments),
            tool_definitions: messages::tool_definitions(arguments),
            had_credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_keep_no_header_and_no_prompt() {
        let record = AicoreRecord::default();
        let arguments = json!({
            "model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.0, "top_p": 0.9,
            "max_completion_tokens": 64, "extra_headers": {"authorization": "Bearer leak-me-not"}, "stop": null
        });
        let request = Request::of(&record, arguments.as_object());
        assert_eq!(request.others.as_deref(), Some(r#"{"top_p":0.9}"#));
        assert!(request.had_credentials);
        assert_eq!((request.temperature, request.max_tokens), (Some(0.0), Some(64)));
        assert_eq!(request.model.as_deref(), Some("gpt-4o"));
    }

    #[test]
    fn a_temperature_that_was_not_set_stays_unknown() {
        let record = AicoreRecord { temperature: Some(0.0), max_tokens: Some(0), ..AicoreRecord::default() };
        let request = Request::of(&record, json!({"model": "m"}).as_object());
        assert_eq!((request.temperature, request.max_tokens), (None, None));
    }
}

//! One record as `AiCore` stores it, before anything is made of it.
//!
//! Every field may be missing or null: `AiCore`'s own defaults differ between versions and between its stores. What a
//! field means is decided in `convert.rs`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// `AiCore`'s `LlmOperationRecord`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AicoreRecord {
    /// A ULID whose time is the end of the call.
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) operation_id: String,
    /// Empty means none, here and below.
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) session_id: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) workspace: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) agent_id: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) action_id: String,
    /// Local wall clock without a zone: kept as a curiosity, never as a time.
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) timestamp: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) operation_type: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) provider: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) model: String,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) system_prompt: String,
    /// Last user message, flattened; only used where the whole request is not there.
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) user_prompt: String,
    /// Request messages as JSON text; the same.
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) history_messages: String,
    /// Text, or JSON text of a structured answer.
    pub(super) response: Value,
    pub(super) temperature: Option<f64>,
    #[serde(deserialize_with = "whole")]
    pub(super) max_tokens: Option<i64>,
    #[serde(deserialize_with = "whole")]
    pub(super) input_tokens: Option<i64>,
    /// Contains `cached_tokens` a second time.
    #[serde(deserialize_with = "whole")]
    pub(super) output_tokens: Option<i64>,
    #[serde(deserialize_with = "whole")]
    pub(super) cached_tokens: Option<i64>,
    /// Dollars; 0 also where `AiCore` has no price.
    pub(super) cost: Option<f64>,
    /// Wall clock, milliseconds.
    pub(super) latency_ms: Option<f64>,
    #[serde(deserialize_with = "text_or_empty")]
    pub(super) error_message: String,
    /// The request, a map or its JSON text.
    pub(super) completion_args: Value,
    /// Anything the application added, a map or its JSON text.
    pub(super) extras: Value,
    /// Fields of a later `AiCore`, and those of [`REPEATING`].
    #[serde(flatten)]
    pub(super) others: Map<String, Value>,
}

/// Fields that only repeat what others say.
pub(super) const REPEATING: [&str; 3] = ["success", "total_tokens", "assistant_message"];

/// A map as it is, or read from its JSON text; anything else comes back as it was.
pub(super) fn read_map(value: &Value) -> Result<Map<String, Value>, Value> {
    match value {
        Value::Object(map) => Ok(map.clone()),
        Value::Null => Ok(Map::new()),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(other) => Err(other),
            Err(_) => Err(value.clone()),
        },
        other => Err(other.clone()),
    }
}

/// A whole number, also where it is written as 4096.0; none for what is no number of tokens.
pub(super) fn read_whole(value: &Value) -> Option<i64> {
    let decimal = || value.as_f64().filter(|number| number.fract() == 0.0);
    value.as_i64().or_else(|| format!("{:.0}", decimal()?).parse().ok())
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = read_whole(&value);
    if number.is_none() && !value.is_null() {
        return Err(D::Error::custom(format!("expected a whole number, found {value}")));
    }
    Ok(number)
}

fn text_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nulls_and_missing_fields_are_read_as_nothing() {
        let record: AicoreRecord = serde_json::from_value(json!({
            "operation_id": "01M83N1F1FPSWW9RVY3WF6JSM7", "workspace": null, "cost": null, "latency_ms": null,
            "success": true, "novelty": 1
        }))
        .unwrap();
        assert_eq!((record.workspace.as_str(), record.cost, record.latency_ms), ("", None, None));
        assert_eq!(record.others.keys().collect::<Vec<_>>(), ["novelty", "success"]);
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_decimal_point() {
        let read = |tokens: Value| serde_json::from_value::<AicoreRecord>(json!({"max_tokens": tokens}));
        assert_eq!(read(json!(4096.0)).unwrap().max_tokens, Some(4096));
        assert_eq!(read(json!(null)).unwrap().max_tokens, None);
        for wrong in [json!(0.5), json!(1e300), json!("many")] {
            assert!(read(wrong).unwrap_err().to_string().contains("expected a whole number"));
        }
    }

    #[test]
    fn arguments_are_the_same_as_a_map_and_as_its_text() {
        let map = json!({"model": "gpt-4o"});
        assert_eq!(read_map(&map), read_map(&Value::String(map.to_string())));
        assert_eq!(read_map(&Value::String(String::new())), Ok(Map::new()));
        assert_eq!(read_map(&json!("no json")), Err(json!("no json")));
    }
}

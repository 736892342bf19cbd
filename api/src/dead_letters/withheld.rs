//! Which parts of a record are content, and are not shown unless somebody asks for them. Pure.

use std::sync::LazyLock;

use opstream_schemas::avro::OPERATION_V1;
use serde_json::Value;

/// The fields of an operation that hold prompts, messages and tool definitions.
pub const CONTENT: [&str; 4] = ["system_prompt", "input_messages", "output_messages", "tool_definitions"];

/// Names of an operation's fields, as JSON has them.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(OPERATION_V1).expect("a built-in schema is JSON");
    let fields = schema["fields"].as_array().expect("a record has fields");
    let names = fields.iter().filter_map(|field| field["name"].as_str());
    names.map(|name| if name == "reported_cost_nano_usd" { "reported_cost_usd" } else { name }.to_owned()).collect()
});

/// A field that is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Name of the field.
    pub field: String,
    /// Size of its value, bytes.
    pub bytes: usize,
    /// Whether operations have such a field.
    pub is_known: bool,
}

/// Takes the fields out that may hold content: an operation's content, and anything under a name that operations do not have,
/// of which nobody knows what it is.
pub(super) fn withhold(fields: &mut Vec<(String, Value)>) -> Vec<Withheld> {
    let mut withheld = Vec::new();
    fields.retain(|(name, value)| {
        let is_known = is_known(name);
        let is_shown = is_known && !CONTENT.contains(&name.as_str());
        if !is_shown {
            withheld.push(Withheld { field: name.clone(), bytes: length(value), is_known });
        }
        is_shown
    });
    withheld
}

/// Whether operations have a field of this name.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.iter().any(|known| known == name)
}

fn length(value: &Value) -> usize {
    value.as_str().map_or_else(|| value.to_string().len(), str::len)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn content_and_unknown_fields_are_taken_out() {
        let mut fields: Vec<(String, Value)> = [
            ("model", json!("gpt-4o")),
            ("system_prompt", json!("secret")),
            ("messages", json!([{"content": "secret"}])),
            ("reported_cost_usd", json!("1")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let withheld = withhold(&mut fields);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["model", "reported_cost_usd"]);
        let withheld: Vec<_> = withheld.iter().map(|one| (one.field.as_str(), one.bytes, one.is_known)).collect();
        assert_eq!(withheld, [("system_prompt", 6, true), ("messages", 22, false)]);
    }

    #[test]
    fn every_content_field_is_a_field() {
        assert!(CONTENT.iter().all(|name| is_known(name)) && !is_known("reported_cost_nano_usd"));
    }
}

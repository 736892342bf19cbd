//! Which texts of an operation are redacted, and what happens when the caller's hook panics over one.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use opstream_schemas::Operation;
use serde_json::{Map, Value};

use super::Redaction;

/// Entry of the metadata that names the fields that were dropped.
const DROPPED: &str = "opstream.content_dropped";

/// Redacts every text of the operation that is no name: content, error text, endpoint, parameters, metadata, tags.
///
/// Returns whether a field had to be dropped because the hook panicked: nobody knows what is in it. Numbers, names and ids of
/// the operation stay in any case.
pub(crate) fn redact_operation(redaction: &Redaction, operation: &mut Operation) -> bool {
    let mut fate = Fate::default();
    let fields = [
        ("system_prompt", &mut operation.system_prompt),
        ("input_messages", &mut operation.input_messages),
        ("output_messages", &mut operation.output_messages),
        ("tool_definitions", &mut operation.tool_definitions),
        ("error_message", &mut operation.error_message),
        ("endpoint", &mut operation.endpoint),
        ("request_parameters", &mut operation.request_parameters),
        ("metadata", &mut operation.metadata),
    ];
    for (field, text) in fields {
        if let Some(given) = text.take() {
            *text = fate.redact(redaction, field, given);
        }
    }
    if !operation.tags.is_empty() {
        let tags = mem::take(&mut operation.tags);
        let redacted = tags.into_iter().filter_map(|(name, tag)| Some((name, fate.redact(redaction, "tags", tag)?)));
        operation.tags = redacted.collect();
    }
    operation.content_redacted |= fate.is_changed;
    if fate.dropped.is_empty() {
        return false;
    }
    operation.metadata = Some(note(operation.metadata.as_deref(), &fate.dropped));
    true
}

#[derive(Default)]
struct Fate {
    is_changed: bool,
    dropped: Vec<&'static str>,
}

impl Fate {
    /// What the text becomes; none when it has to be dropped.
    fn redact(&mut self, redaction: &Redaction, field: &'static str, text: String) -> Option<String> {
        // What the hook left behind is not looked at, so that its panic breaks no promise of ours.
        let redacted = catch_unwind(AssertUnwindSafe(|| redaction.redact_field(field, &text)));
        self.is_changed |= !matches!(redacted, Ok(None));
        if let Ok(redacted) = redacted {
            return Some(redacted.unwrap_or(text));
        }
        if !self.dropped.contains(&field) {
            self.dropped.push(field);
        }
        None
    }
}

/// The metadata with the names of the fields that are missing.
fn note(metadata: Option<&str>, dropped: &[&str]) -> String {
    let mut entries: Map<String, Value> = metadata.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    entries.insert(DROPPED.to_owned(), format!("the redaction hook panicked: {}", dropped.join(", ")).into());
    Value::Object(entries).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        let text = |name: &str| Some(format!("{name} hunter2"));
        Operation {
            system_prompt: text("system"),
            input_messages: text("input"),
            output_messages: text("output"),
            tool_definitions: text("tools"),
            error_message: text("error"),
            endpoint: text("endpoint"),
            request_parameters: Some(r#"{"stop": "hunter2"}"#.to_owned()),
            metadata: Some(r#"{"note": "hunter2"}"#.to_owned()),
            tags: [("tag".to_owned(), "hunter2".to_owned()), ("clean".to_owned(), "7".to_owned())].into(),
            session_id: text("session"),
            input_tokens: Some(9),
            ..Operation::default()
        }
    }

    #[test]
    fn every_text_is_redacted_and_no_name() {
        let redaction = Redaction::empty().pattern("password", "hunter2").unwrap();
        let mut redacted = operation();
        assert!(!redact_operation(&redaction, &mut redacted));
        let json = serde_json::to_string(&redacted).unwrap();
        assert_eq!(json.matches("[redacted password]").count(), 9);
        assert_eq!(json.matches("hunter2").count(), 1, "the session is a name: {json}");
        assert!(redacted.content_redacted);
        assert_eq!((redacted.tags["clean"].as_str(), redacted.input_tokens), ("7", Some(9)));
    }

    #[test]
    fn an_operation_without_findings_is_as_it_was() {
        let mut redacted = operation();
        assert!(!redact_operation(&Redaction::builtin(), &mut redacted));
        assert_eq!(redacted, operation());
    }

    #[test]
    fn a_hook_that_panics_costs_the_field_and_nothing_else() {
        let hook = |field: &str, _: &str| match field {
            "input_messages" | "tags" => panic!("the test wants it"),
            "metadata" => None,
            _ => Some("seen".to_owned()),
        };
        let mut redacted = operation();
        assert!(redact_operation(&Redaction::empty().hook(hook), &mut redacted));
        let note =
            r#"{"note":"hunter2","opstream.content_dropped":"the redaction hook panicked: input_messages, tags"}"#;
        let seen = || Some("seen".to_owned());
        let expected = Operation {
            system_prompt: seen(),
            input_messages: None,
            output_messages: seen(),
            tool_definitions: seen(),
            error_message: seen(),
            endpoint: seen(),
            request_parameters: Some(r#"{"stop":"seen"}"#.to_owned()),
            metadata: Some(note.to_owned()),
            tags: [].into(),
            content_redacted: true,
            ..operation()
        };
        assert_eq!(redacted, expected);
    }
}

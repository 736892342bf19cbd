//! Walks a JSON text: names of secrets, payloads by their shape, and every string by the rules of text.

use serde_json::{Map, Value};

use super::payloads::{self, Place};
use super::{Pass, marker, secrets};

/// The text with every finding replaced, or none. `levels` of JSON are looked into, this one included.
pub(super) fn redact(pass: &Pass<'_>, text: &str, levels: usize) -> Option<String> {
    let may_be_json = levels > 0 && text.trim_start().starts_with(['{', '[', '"']);
    // What is cut off or nested too deep is no JSON, and searched as text.
    match if may_be_json { serde_json::from_str::<Value>(text).ok() } else { None } {
        Some(mut value) => {
            let walk = Walk { pass, levels: levels - 1 };
            walk.visit(&mut value, &Place::default()).then(|| value.to_string())
        }
        None => pass.redact_text(text),
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    pass: &'a Pass<'a>,
    levels: usize,
}

impl Walk<'_> {
    /// Whether something in the value was replaced.
    fn visit(self, value: &mut Value, place: &Place<'_>) -> bool {
        let payload = if self.pass.is_builtin() { payloads::find(value, place) } else { None };
        if let Some(payload) = payload {
            *value = Value::String(payload);
            return true;
        }
        match value {
            Value::String(text) => replace(text, redact(self.pass, text, self.levels)),
            Value::Array(items) => {
                items.iter_mut().fold(false, |is_changed, item| self.visit(item, place) | is_changed)
            }
            Value::Object(fields) => self.visit_fields(fields, place),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn visit_fields(self, fields: &mut Map<String, Value>, place: &Place<'_>) -> bool {
        let media = place.media.within(fields);
        let mut is_changed = false;
        for (name, value) in fields {
            if self.pass.is_builtin() && secrets::is_secret_name(name) {
                is_changed |= hide(value);
            }
            // Also what is hidden: a list may hold more than texts.
            is_changed |= self.visit(value, &Place::named(name, &media));
        }
        is_changed
    }
}

/// Replaces the text or texts of a value whose name says that it is secret. Other values, such as the schema of a field of
/// this name, are none.
fn hide(value: &mut Value) -> bool {
    match value {
        Value::String(text) if !text.is_empty() && !text.starts_with("[redacted ") => {
            *text = marker("secret");
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |is_changed, item| hide(item) | is_changed),
        _ => false,
    }
}

fn replace(text: &mut String, redacted: Option<String>) -> bool {
    match redacted {
        Some(redacted) => {
            *text = redacted;
            true
        }
        None => false,
    }
}

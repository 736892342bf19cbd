//! How large the parts of an operation may be that are neither counts nor identifying texts, whose limits are in `opstream_schemas`. Pure.
//!
//! Prompts, messages and tool definitions have the limit of the whole operation only.

use opstream_schemas::Operation;

use super::item::Flaw;

/// Most tags of an operation.
pub(crate) const MOST_TAGS: usize = 256;
/// Longest name of a tag, in bytes.
pub(crate) const LONGEST_NAME: usize = 256;
/// Longest value of a tag, in bytes.
pub(crate) const LONGEST_VALUE: usize = 8 << 10;
/// Most reasons for which an answer ended.
pub(crate) const MOST_REASONS: usize = 64;
/// Longest of them, in bytes.
pub(crate) const LONGEST_REASON: usize = 256;
/// Longest endpoint and error message, in bytes.
pub(crate) const LONGEST_TEXT: usize = 64 << 10;
/// Longest JSON of parameters, billable units and metadata, in bytes.
pub(crate) const LONGEST_OBJECT: usize = 1 << 20;
/// How deep values may lie in each other there; SQL's functions for JSON give up at some depth.
pub(crate) const DEEPEST: usize = 64;

/// Checks an operation against these limits.
///
/// # Errors
/// Names the field and its limit.
pub(super) fn check_shape(operation: &Operation) -> Result<(), Flaw> {
    check_number("tags", operation.tags.len(), MOST_TAGS)?;
    for (name, value) in &operation.tags {
        check_length("tags", "a name of it", name, LONGEST_NAME)?;
        check_length("tags", "a value of it", value, LONGEST_VALUE)?;
    }
    check_number("finish_reasons", operation.finish_reasons.len(), MOST_REASONS)?;
    for reason in &operation.finish_reasons {
        check_length("finish_reasons", "one of it", reason, LONGEST_REASON)?;
    }
    for (field, text) in [("endpoint", &operation.endpoint), ("error_message", &operation.error_message)] {
        check_length(field, "it", text.as_deref().unwrap_or_default(), LONGEST_TEXT)?;
    }
    let objects = [
        ("request_parameters", &operation.request_parameters),
        ("billable_units", &operation.billable_units),
        ("metadata", &operation.metadata),
    ];
    for (field, text) in objects {
        let text = text.as_deref().unwrap_or_default();
        check_length(field, "it", text, LONGEST_OBJECT)?;
        check_depth(field, text)?;
    }
    Ok(())
}

fn check_number(field: &str, number: usize, most: usize) -> Result<(), Flaw> {
    if number <= most {
        return Ok(());
    }
    Err(Flaw::of_field(field, "too_many", format!("{field} has {number} entries; at most {most} are allowed")))
}

fn check_length(field: &str, what: &str, text: &str, longest: usize) -> Result<(), Flaw> {
    if text.len() <= longest {
        return Ok(());
    }
    let reason = format!("{field} is too long: {what} has {} bytes; at most {longest} are allowed", text.len());
    Err(Flaw::of_field(field, "too_long", reason))
}

fn check_depth(field: &str, json: &str) -> Result<(), Flaw> {
    if depth(json) <= DEEPEST {
        return Ok(());
    }
    Err(Flaw::of_field(field, "too_deep", format!("values of {field} lie in each other more than {DEEPEST} deep")))
}

/// How deep values of valid JSON lie in each other; 1 is an object of plain values. A look at the bytes: building the values would
/// take what is to be spared.
pub(crate) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMicros;

    use super::*;

    fn flaw(operation: &Operation) -> (Option<String>, &'static str) {
        let flaw = check_shape(operation).unwrap_err();
        assert!(flaw.reason.len() < 200, "{}", flaw.reason);
        (flaw.field, flaw.code)
    }

    fn tags(number: usize) -> Operation {
        let tags = (0..number).map(|number| (number.to_string(), String::new())).collect();
        Operation { tags, ..Operation::default() }
    }

    fn of_field(field: &str, value: serde_json::Value) -> Operation {
        let mut operation =
            serde_json::to_value(Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_000))).unwrap();
        operation[field] = value;
        serde_json::from_value(operation).unwrap()
    }

    #[test]
    fn the_largest_passes_and_one_more_is_refused_by_name() {
        check_shape(&tags(MOST_TAGS)).unwrap();
        assert_eq!(flaw(&tags(MOST_TAGS + 1)), (Some("tags".to_owned()), "too_many"));
        let texts = [
            ("tags", LONGEST_NAME, (|text| serde_json::json!({ text: "" })) as fn(String) -> serde_json::Value),
            ("tags", LONGEST_VALUE, |text| serde_json::json!({ "a": text })),
            ("finish_reasons", LONGEST_REASON, |text| serde_json::json!([text])),
            ("endpoint", LONGEST_TEXT, serde_json::Value::String),
            ("error_message", LONGEST_TEXT, serde_json::Value::String),
            ("request_parameters", LONGEST_OBJECT, serde_json::Value::String),
            ("billable_units", LONGEST_OBJECT, serde_json::Value::String),
            ("metadata", LONGEST_OBJECT, serde_json::Value::String),
        ];
        for (field, longest, value) in texts {
            check_shape(&of_field(field, value("x".repeat(longest)))).unwrap();
            let refused = flaw(&of_field(field, value("x".repeat(longest + 1))));
            assert_eq!(refused, (Some(field.to_owned()), "too_long"));
        }
        let reasons = |number| Operation { finish_reasons: vec![String::new(); number], ..Operation::default() };
        check_shape(&reasons(MOST_REASONS)).unwrap();
        assert_eq!(flaw(&reasons(MOST_REASONS + 1)), (Some("finish_reasons".to_owned()), "too_many"));
    }

    #[test]
    fn towers_are_refused_and_brackets_in_texts_are_none() {
        let tower = |height: usize| format!("{{\"a\":{}{}}}", "[".repeat(height), "]".repeat(height));
        for (height, is_taken) in [(DEEPEST - 1, true), (DEEPEST, false), (400_000, false)] {
            let metadata = of_field("metadata", tower(height).into());
            assert_eq!(check_shape(&metadata).is_ok(), is_taken, "{height}");
        }
        assert_eq!(depth(r#"{"a[[":"\"{{[[\\","b":[{},[1]]}"#), 3);
        assert_eq!((depth("{}"), depth("[[],[]]"), depth("1"), depth("]")), (1, 2, 0, 0));
    }
}

//! What readers are told, as server-sent events. Pure.

use bytes::Bytes;
use opstream_records::decode::RecordView;
use opstream_schemas::UtcMillis;
use opstream_schemas::providers::canonical_provider;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Fields that are not told: content, and what has no limit, which lists leave out too.
const LEFT_OUT: [&str; 8] = [
    "system_prompt",
    "input_messages",
    "output_messages",
    "tool_definitions",
    "request_parameters",
    "billable_units",
    "tags",
    "metadata",
];
/// Longest text of a field, bytes: what an identifier may have. Longer ones are cut, and their records become dead letters but for
/// those whose text is free.
const MAX_TEXT_BYTES: usize = 1024;
/// Longest list of a field, bytes of its JSON; a longer one is left out.
const MAX_LIST_BYTES: usize = 1000;

/// Sums of the operations that a reader is about, of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rates {
    operations: u64,
    failures: u64,
    input_tokens: i64,
    output_tokens: i64,
}

impl Rates {
    /// Counts an operation.
    pub(super) fn add(&mut self, record: &RecordView<'_>) {
        self.operations += 1;
        self.failures += u64::from(!record.flag("success").unwrap_or(true));
        // No rule is checked here: a negative count is one of a record that becomes a dead letter.
        let tokens = |name| record.int(name).unwrap_or(0).max(0);
        self.input_tokens = self.input_tokens.saturating_add(tokens("input_tokens"));
        self.output_tokens = self.output_tokens.saturating_add(tokens("output_tokens"));
    }
}

/// An operation, under the names that lists have.
pub(super) fn operation(record: &RecordView<'_>, partition: i32, offset: i64) -> Bytes {
    let mut fields: Map<String, Value> = record.fields(|name| !LEFT_OUT.contains(&name)).into_iter().collect();
    fields.retain(|_, value| match value {
        Value::String(text) => {
            shorten(text);
            true
        }
        Value::Array(_) | Value::Object(_) => value.to_string().len() <= MAX_LIST_BYTES,
        _ => true,
    });
    if let Some(Value::String(provider)) = fields.get_mut("provider") {
        *provider = canonical_provider(provider).into_owned();
    }
    fields.insert("time".to_owned(), record.id().time().to_string().into());
    fields.insert("source_partition".to_owned(), partition.into());
    fields.insert("source_offset".to_owned(), offset.into());
    // Prices come with the ingestor.
    fields.insert("cost_usd".to_owned(), Value::Null);
    event("operation", &Value::Object(fields))
}

/// What a second added up to.
pub(super) fn rates(at: UtcMillis, rates: Rates) -> Bytes {
    let mut data = serde_json::to_value(rates).expect("numbers always serialise");
    data["at"] = at.to_string().into();
    event("rates", &data)
}

/// Operations that were meant and not told.
pub(super) fn skipped(operations: u64) -> Bytes {
    event("skipped", &json!({ "operations": operations }))
}

/// Something may be missing.
pub(super) fn gap(message: &str) -> Bytes {
    event("gap", &json!({ "message": message }))
}

/// Windows were changed.
pub(super) fn windows(changed: u64, latest_minute: Option<UtcMillis>) -> Bytes {
    event("windows", &json!({ "changed": changed, "latest_minute": latest_minute.map(|minute| minute.to_string()) }))
}

/// A line that says nothing but that the connection is alive.
pub(super) const ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

/// JSON has no line ends outside of its texts, where they are escaped: one line of data.
fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

fn shorten(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opstream_records::decode::WriterSchemas;
    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::{Operation, UtcMicros};

    use super::*;

    fn encoded(operation: &Operation) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_operation(operation, &mut bytes);
        bytes
    }

    fn operation_of(bytes: &[u8]) -> (String, Value) {
        let event = operation(&RecordView::of(Some(bytes), &WriterSchemas::default()).unwrap(), 3, 17);
        let text = String::from_utf8(event.to_vec()).unwrap();
        let data = text.strip_prefix("event: operation\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        (text.clone(), serde_json::from_str(data).unwrap())
    }

    #[test]
    fn an_operation_is_told_as_lists_have_it_and_its_content_never() {
        let secret = Some("the secret\nprompt".to_owned());
        let sent = Operation {
            provider: Some("gemini".to_owned()),
            model: Some("a\nb".to_owned()),
            error_message: Some("é".repeat(700)),
            finish_reasons: vec!["x".repeat(1000)],
            reported_cost_usd: Some(opstream_schemas::NanoUsd::from_nanos(1_500_000_000)),
            system_prompt: secret.clone(),
            input_messages: secret.clone(),
            output_messages: secret.clone(),
            tool_definitions: secret.clone(),
            metadata: Some("{\"secret\":1}".to_owned()),
            tags: BTreeMap::from([("secret".to_owned(), "1".to_owned())]),
            ..Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_001))
        };
        let (text, told) = operation_of(&encoded(&sent));
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(told["operation_id"], sent.operation_id.to_string());
        assert_eq!((&told["provider"], &told["model"]), (&json!("gcp.gemini"), &json!("a\nb")));
        assert_eq!(
            (&told["time"], &told["started_at"]),
            (&json!("2026-09-21T14:13:20.000Z"), &json!("2026-09-21T14:13:20.000001Z"))
        );
        assert_eq!((&told["cost_usd"], &told["reported_cost_usd"]), (&Value::Null, &json!("1.50")));
        assert_eq!((&told["source_partition"], &told["source_offset"]), (&json!(3), &json!(17)));
        assert_eq!(told["error_message"].as_str().unwrap().len(), MAX_TEXT_BYTES);
        assert_eq!((told.get("finish_reasons"), told.get("latency_us")), (None, None));
        // The names of lists.
        let known: Vec<&str> =
            opstream_schemas::lake::OPERATION_COLUMNS.iter().map(crate::stored_operation::json_name).collect();
        let unknown: Vec<&String> =
            told.as_object().unwrap().keys().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn rates_count_failures_and_tokens_and_no_negative_ones() {
        let mut sums = Rates::default();
        for (success, input, output) in
            [(true, Some(5), Some(7)), (false, Some(-1), None), (true, Some(i64::MAX), Some(1))]
        {
            let started = Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_001));
            let bytes = encoded(&Operation { success, input_tokens: input, output_tokens: output, ..started });
            sums.add(&RecordView::of(Some(&bytes), &WriterSchemas::default()).unwrap());
        }
        let text = rates(UtcMillis::from_millis(0), sums);
        let expected = "event: rates\ndata: {\"at\":\"1970-01-01T00:00:00.000Z\",\"failures\":1,\"input_tokens\":9223372036854775807,\
                        \"operations\":3,\"output_tokens\":8}\n\n";
        assert_eq!(text, expected);
    }
}

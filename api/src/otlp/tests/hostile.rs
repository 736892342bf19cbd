//! Spans whose attributes are too many, too large, too deep or odd: they become operations that the front door takes.

use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR, MAX_IDENTIFIER_BYTES};
use opstream_schemas::{OperationId, UtcMicros};

use super::*;
use crate::front_door::{Admission, Source, shape};

/// The operation of a span with these attributes, as the front door takes it.
fn admitted(attributes: Json) -> Operation {
    let operation = of_span(attributes);
    let now = operation.started_at;
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), DEFAULT_RETENTION_FLOOR),
        now: UtcMicros::default(),
        idempotency_key: None,
        content: ContentCapture::On,
        subject: Some(super::super::label::SPAN),
    };
    assert_ne!(operation.operation_id, OperationId::MIN);
    let admitted = admission.admit(operation, Source { index: 0, text: b"{}" });
    admitted.unwrap_or_else(|flaw| panic!("{flaw:?}")).0
}

#[test]
fn huge_attributes_are_cut_and_their_number_is_bounded() {
    let mut attributes = json!({"gen_ai.operation.name": "chat", "x".repeat(1 << 20): 1, "long": "é".repeat(1 << 20)});
    for number in 0..1000 {
        attributes[format!("attribute.{number:04}")] = json!(number);
    }
    let metadata = of_span(attributes).metadata.unwrap();
    assert!(metadata.len() < 32 << 10, "{} bytes", metadata.len());
    assert!(metadata.contains("\"otel.dropped_attributes\":"));
}

#[test]
fn tags_reasons_and_texts_are_cut_to_what_the_front_door_takes() {
    let long = "x".repeat(1 << 20);
    let names: Vec<String> = (0..1000).map(|number| format!("tag {number}")).collect();
    let mut attributes = json!({"gen_ai.operation.name": "chat", "error.type": long, "gen_ai.response.finish_reasons": vec![&long; 100],
        "traceloop.association.properties.long": long, "tag.tags": names, "exception.message": long});
    for number in 0..1000 {
        attributes[format!("traceloop.association.properties.{number}")] = json!(long[..1000]);
    }
    let operation = admitted(attributes);
    assert_eq!((operation.tags.len(), operation.tags["0"].len()), (shape::MOST_TAGS, 256));
    assert_eq!(operation.error_type.unwrap().len(), MAX_IDENTIFIER_BYTES);
    assert_eq!((operation.finish_reasons.len(), operation.finish_reasons[0].len()), (64, 256));
    let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
    assert!(metadata["otel.dropped_attributes"].as_u64().unwrap() >= 1745, "{}", metadata["otel.dropped_attributes"]);
}

#[test]
fn parameters_and_metadata_that_come_as_text_have_the_same_limits() {
    let large: Json =
        (0..5000).map(|number| (number.to_string(), "y".repeat(500).into())).collect::<serde_json::Map<_, _>>().into();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let operation = admitted(json!({"openinference.span.kind": "LLM", "metadata": large.to_string(), "more": deep,
        "llm.invocation_parameters": large.to_string(), "gen_ai.request.deep": large}));
    for text in [operation.metadata.unwrap(), operation.request_parameters.unwrap()] {
        assert!(text.len() < 300 << 10 && shape::depth(&text) < 40, "{} bytes", text.len());
    }
    let operation =
        admitted(json!({"openinference.span.kind": "LLM", "metadata": deep, "llm.invocation_parameters": deep}));
    assert!(operation.metadata.unwrap().contains("\"a\":\"[[["));
}

#[test]
fn a_conversation_without_end_is_read_up_to_a_number() {
    let mut attributes = json!({"llm.request.type": "chat"});
    for number in 0..30_000 {
        attributes[format!("gen_ai.prompt.{number}.content")] = json!("x");
    }
    let operation = admitted(attributes);
    let messages: Vec<Json> = serde_json::from_str(&operation.input_messages.unwrap()).unwrap();
    assert_eq!(messages.len(), 20_000);
    assert!(operation.metadata.unwrap().contains("\"otel.dropped_attributes\":10000"));
}

#[test]
fn odd_keys_are_only_keys() {
    let keys = [
        "__proto__",
        "constructor",
        "toString",
        "\u{1}\u{7f}",
        "\u{202e}gnp",
        "a\"b\\c",
        "<img src=x>",
        "",
        "\u{feff}",
    ];
    let mut attributes = json!({"gen_ai.operation.name": "chat"});
    for key in keys {
        attributes[key] = json!({key: key});
        attributes[format!("traceloop.association.properties.{key}")] = json!(key);
        attributes[format!("gen_ai.request.{key}")] = json!(key);
    }
    let operation = admitted(attributes);
    let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
    let parameters: Json = serde_json::from_str(&operation.request_parameters.unwrap()).unwrap();
    for key in keys {
        assert_eq!((&metadata[key], &parameters[key]), (&json!({key: key}), &json!(key)), "{key:?}");
        assert_eq!(operation.tags.get(key).map(String::as_str), Some(key), "{key:?}");
    }
}

#[test]
fn of_equal_keys_the_last_is_kept() {
    let body = request(&[("01", "", json!({"gen_ai.operation.name": "chat"}))]).to_string();
    let twice = r#"{"key":"a","value":{"stringValue":"1"}},{"key":"a","value":{"stringValue":"2"}},{"key":"gen_ai"#;
    let body = body.replacen(r#"{"key":"gen_ai"#, twice, 1);
    let [operation] = operations(body.as_bytes(), Encoding::Json).try_into().unwrap();
    assert!(operation.metadata.unwrap().contains(r#""a":"2""#));
}

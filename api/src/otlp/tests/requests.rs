//! Requests in JSON: made by hand, or from what was read of protobuf.

use serde_json::{Value as Json, json};

use super::super::model::{self, Attribute, Traces, Value};

/// A request with spans of these attributes, each `(span id, parent, attributes)`, in one trace.
pub(super) fn request(spans: &[(&str, &str, Json)]) -> Json {
    let id = |id: &str| if id.is_empty() { String::new() } else { format!("{id:0>16}") };
    let spans: Vec<Json> = spans
        .iter()
        .map(|(span_id, parent, attributes)| {
            json!({
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id(span_id), "parentSpanId": id(parent),
                "name": "a call", "startTimeUnixNano": "1790000000123456789", "endTimeUnixNano": "1790000001123456789",
                "attributes": attributes_of(attributes),
            })
        })
        .collect();
    json!({"resourceSpans": [{"resource": {"attributes": attributes_of(&json!({"service.name": "shop"}))},
        "scopeSpans": [{"scope": {"name": "instrumentation"}, "spans": spans}]}]})
}

fn attributes_of(object: &Json) -> Json {
    let attributes = object.as_object().unwrap().iter();
    attributes.map(|(key, value)| json!({"key": key, "value": any_value(value)})).collect()
}

fn any_value(value: &Json) -> Json {
    match value {
        Json::String(text) => json!({"stringValue": text}),
        Json::Bool(value) => json!({"boolValue": value}),
        Json::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Json::Number(number) => json!({"intValue": number.to_string()}),
        Json::Array(list) => json!({"arrayValue": {"values": list.iter().map(any_value).collect::<Vec<_>>()}}),
        Json::Object(_) => json!({"kvlistValue": {"values": attributes_of(value)}}),
        Json::Null => json!({}),
    }
}

/// A request in protobuf's JSON.
pub(super) fn to_json(traces: &Traces<'_>) -> Json {
    let hex = |id: &[u8]| {
        let digit = |value: u8| char::from_digit(value.into(), 16).unwrap().to_ascii_uppercase();
        id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
    };
    let attributes = |list: &[Attribute<'_>]| -> Json {
        list.iter().map(|attribute| json!({"key": attribute.key, "value": value_to_json(&attribute.value)})).collect()
    };
    let span = |span: &model::Span<'_>| {
        let events: Vec<Json> = span
            .events
            .iter()
            .map(|event| json!({"name": event.name, "attributes": attributes(&event.attributes)}))
            .collect();
        json!({
            "traceId": hex(&span.trace_id), "spanId": hex(&span.span_id), "parentSpanId": hex(&span.parent_span_id),
            "name": span.name, "startTimeUnixNano": span.start_time_unix_nano.to_string(),
            "endTimeUnixNano": span.end_time_unix_nano, "attributes": attributes(&span.attributes), "events": events,
            "status": {"code": span.status.code, "message": span.status.message},
        })
    };
    let resource_spans: Vec<Json> = traces
        .resource_spans
        .iter()
        .map(|resource| {
            let scopes: Vec<Json> = resource
                .scope_spans
                .iter()
                .map(|scope| {
                    json!({"scope": {"name": scope.scope.name, "version": scope.scope.version},
                        "spans": scope.spans.iter().map(span).collect::<Vec<_>>()})
                })
                .collect();
            json!({"resource": {"attributes": attributes(&resource.resource.attributes)}, "scopeSpans": scopes})
        })
        .collect();
    json!({"resourceSpans": resource_spans})
}

fn value_to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Null => json!({}),
        Value::Text(text) => json!({"stringValue": text}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Int(value) => json!({"intValue": value}),
        Value::Double(value) => json!({"doubleValue": value}),
        Value::Bytes(_) => panic!("no capture has bytes"),
        // Empty lists are left out, as exporters do.
        Value::List(list) if list.is_empty() => json!({"arrayValue": {}}),
        Value::List(list) => json!({"arrayValue": {"values": list.iter().map(value_to_json).collect::<Vec<_>>()}}),
        Value::Map(entries) => {
            let entries: Vec<Json> =
                entries.iter().map(|entry| json!({"key": entry.key, "value": value_to_json(&entry.value)})).collect();
            json!({"kvlistValue": {"values": entries}})
        }
    }
}

//! What both encodings take alike, and what JSON may be written as.

use prost::encoding::{encode_key, encode_varint};

use super::super::budget::DEPTH;
use super::*;

/// A field of protobuf with these bytes.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    encode_key(number, prost::encoding::WireType::LengthDelimited, &mut message);
    encode_varint(bytes.len() as u64, &mut message);
    message.extend_from_slice(bytes);
    message
}

/// A map within a map and so on, in both encodings: `(JSON, protobuf)`.
fn nested(depth: usize) -> (Json, Vec<u8>) {
    (0..depth).fold((json!({"stringValue": "x"}), field(1, b"x")), |(json, protobuf), _| {
        let entry = [field(1, b"k"), field(2, &protobuf)].concat();
        (json!({"kvlistValue": {"values": [{"key": "k", "value": json}]}}), field(6, &field(1, &entry)))
    })
}

#[test]
fn both_encodings_take_values_of_the_same_depth_wherever_they_stand() {
    for (depth, expected) in [(DEPTH, Ok(1)), (DEPTH + 1, Err(DecodeError::TooDeep)), (60, Err(DecodeError::TooDeep))] {
        let (json, protobuf) = nested(depth);
        let attribute = json!([{"key": "a", "value": json}]);
        let bodies = [
            json!({"resourceSpans": [{"resource": {"attributes": attribute}, "scopeSpans": [{"spans": [{}]}]}]}),
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": attribute}]}]}]}),
            json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"events": [{"attributes": attribute}]}]}]}]}),
        ];
        for body in bodies {
            let converted = convert(body.to_string().as_bytes(), Encoding::Json, &terms());
            assert_eq!(converted.map(|converted| converted.surroundings), expected, "{depth}");
        }
        let attribute = [field(1, b"a"), field(2, &protobuf)].concat();
        let body = field(1, &field(2, &field(2, &field(11, &field(3, &attribute)))));
        let converted = convert(&body, Encoding::Protobuf, &terms());
        assert_eq!(converted.map(|converted| converted.surroundings), expected, "{depth}");
    }
    let reason = DecodeError::TooDeep.to_string();
    assert!(reason.contains(&DEPTH.to_string()) && reason.contains("as one text"), "{reason}");
}

#[test]
fn names_may_be_those_of_protobufs_files() {
    fn in_snake_case(json: &Json) -> Json {
        let name = |name: &str| {
            let letters = name
                .chars()
                .flat_map(|c| if c.is_ascii_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] });
            letters.collect::<String>()
        };
        match json {
            Json::Object(fields) => fields.iter().map(|(field, value)| (name(field), in_snake_case(value))).collect(),
            Json::Array(list) => list.iter().map(in_snake_case).collect(),
            other => other.clone(),
        }
    }
    for body in [OTEL, OPENINFERENCE] {
        let json = to_json(&protobuf::read_traces(body, &mut budget::Budget::default()).unwrap());
        let snake = in_snake_case(&json).to_string();
        assert!(snake.contains("resource_spans") && snake.contains("string_value") && !snake.contains("spanId"));
        assert_eq!(operations(snake.as_bytes(), Encoding::Json), operations(body, Encoding::Protobuf));
    }
}

#[test]
fn half_of_a_surrogate_pair_does_not_lose_the_batch() {
    let chats = ["01", "02"].map(|id| (id, "", json!({"gen_ai.operation.name": "chat", "my.own": "CUT"})));
    let body = request(&chats).to_string();
    let body = body.replacen("CUT", r"hello \ud83d", 1).replacen("CUT", r"C:\\ud83d \ud83d\ude00", 1);
    let metadata = operations(body.as_bytes(), Encoding::Json).into_iter().map(|operation| operation.metadata.unwrap());
    let own: Vec<Json> =
        metadata.map(|metadata| serde_json::from_str::<Json>(&metadata).unwrap()["my.own"].clone()).collect();
    assert_eq!(own, [json!("hello \u{fffd}"), json!("C:\\ud83d \u{1f600}")]);
    // What is damaged otherwise is so still.
    assert!(convert(format!("{body}]").as_bytes(), Encoding::Json, &terms()).is_err());
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"hi \ud83d"}]}]"#;
    let operation = of_span(json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": messages}));
    let input: Json = serde_json::from_str(&operation.input_messages.unwrap()).unwrap();
    assert_eq!(input[0]["parts"][0]["content"], "hi \u{fffd}");
}

//! A trace request of protobuf as protobuf's JSON, by the numbers of the fields in OTLP's definition.

use serde_json::{Map, Value as Json};

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    /// A message with these fields.
    Message(&'static [Field]),
    /// The same, any number of times.
    Messages(&'static [Field]),
    Text,
    /// Bytes that are ids, in hexadecimal.
    Id,
    /// A 64-bit number, which is text in JSON.
    Fixed64,
    Int64,
    Double,
    Bool,
    /// A number of at most 32 bits.
    Small,
    /// `AnyValue`, which holds itself.
    Value,
    Values,
}

/// Number, name in JSON, what it holds.
type Field = (u64, &'static str, Kind);

const TRACES: &[Field] = &[(1, "resourceSpans", Kind::Messages(RESOURCE_SPANS))];
const RESOURCE_SPANS: &[Field] = &[
    (1, "resource", Kind::Message(&[(1, "attributes", Kind::Messages(KEY_VALUE))])),
    (2, "scopeSpans", Kind::Messages(SCOPE_SPANS)),
    (3, "schemaUrl", Kind::Text),
];
const SCOPE_SPANS: &[Field] = &[
    (1, "scope", Kind::Message(&[(1, "name", Kind::Text), (2, "version", Kind::Text)])),
    (2, "spans", Kind::Messages(SPAN)),
    (3, "schemaUrl", Kind::Text),
];
const SPAN: &[Field] = &[
    (1, "traceId", Kind::Id),
    (2, "spanId", Kind::Id),
    (3, "traceState", Kind::Text),
    (4, "parentSpanId", Kind::Id),
    (5, "name", Kind::Text),
    (6, "kind", Kind::Small),
    (7, "startTimeUnixNano", Kind::Fixed64),
    (8, "endTimeUnixNano", Kind::Fixed64),
    (9, "attributes", Kind::Messages(KEY_VALUE)),
    (11, "events", Kind::Messages(EVENT)),
    (15, "status", Kind::Message(&[(2, "message", Kind::Text), (3, "code", Kind::Small)])),
    (16, "flags", Kind::Small),
];
const EVENT: &[Field] =
    &[(1, "timeUnixNano", Kind::Fixed64), (2, "name", Kind::Text), (3, "attributes", Kind::Messages(KEY_VALUE))];
const KEY_VALUE: &[Field] = &[(1, "key", Kind::Text), (2, "value", Kind::Value)];
const VALUE: &[Field] = &[
    (1, "stringValue", Kind::Text),
    (2, "boolValue", Kind::Bool),
    (3, "intValue", Kind::Int64),
    (4, "doubleValue", Kind::Double),
    (5, "arrayValue", Kind::Message(&[(1, "values", Kind::Values)])),
    (6, "kvlistValue", Kind::Message(&[(1, "values", Kind::Messages(KEY_VALUE))])),
];

/// `ExportTraceServiceRequest` in JSON.
///
/// # Panics
/// When it is none, or has fields that the definition did not have when this was written.
pub(crate) fn of_traces(protobuf: &[u8]) -> Json {
    message(protobuf, TRACES)
}

fn message(mut bytes: &[u8], fields: &[Field]) -> Json {
    let mut json = Map::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (number, content) = (tag >> 3, content(&mut bytes, tag & 7));
        let Some((_, name, kind)) = fields.iter().find(|(known, ..)| *known == number) else {
            panic!("a field {number} that this test does not know, beside {:?}", fields[0].1)
        };
        let value = value(content, *kind);
        match kind {
            Kind::Messages(_) | Kind::Values => {
                let list = json.entry(*name).or_insert_with(|| Json::Array(Vec::new()));
                list.as_array_mut().expect("it was made as one").push(value);
            }
            _ => {
                json.insert((*name).to_owned(), value);
            }
        }
    }
    Json::Object(json)
}

/// What stands behind a tag: a number, or bytes.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn content<'a>(bytes: &mut &'a [u8], wire_type: u64) -> Content<'a> {
    match wire_type {
        0 => Content::Number(varint(bytes)),
        1 => Content::Number(u64::from_le_bytes(take(bytes, 8).try_into().expect("eight bytes"))),
        2 => {
            let length = usize::try_from(varint(bytes)).expect("a capture is small");
            Content::Bytes(take(bytes, length))
        }
        5 => Content::Number(u32::from_le_bytes(take(bytes, 4).try_into().expect("four bytes")).into()),
        other => panic!("no wire type {other}"),
    }
}

fn value(content: Content<'_>, kind: Kind) -> Json {
    match (content, kind) {
        (Content::Bytes(bytes), Kind::Message(fields) | Kind::Messages(fields)) => message(bytes, fields),
        (Content::Bytes(bytes), Kind::Value | Kind::Values) => message(bytes, VALUE),
        (Content::Bytes(bytes), Kind::Text) => String::from_utf8(bytes.to_vec()).expect("text is UTF-8").into(),
        (Content::Bytes(bytes), Kind::Id) => hex::encode(bytes).into(),
        (Content::Number(number), Kind::Fixed64) => number.to_string().into(),
        (Content::Number(number), Kind::Int64) => number.cast_signed().to_string().into(),
        (Content::Number(number), Kind::Double) => f64::from_bits(number).into(),
        (Content::Number(number), Kind::Bool) => (number != 0).into(),
        (Content::Number(number), Kind::Small) => number.into(),
        _ => panic!("a field has another type than in the definition"),
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number of more than ten bytes")
}

//! Bytes on the topics: Avro records in Confluent framing.
//!
//! Without an external registry our schemas have ids from a reserved high range that every process resolves locally, so
//! that nothing has to be reached before a record can be written or read. With one, records carry the id that it gave.

mod alert_encoder;
mod binary;
mod framing;
mod operation_encoder;
mod span_content_encoder;
mod window_encoder;
mod writer_id;
mod writer_schema;

use std::ops::RangeInclusive;

pub use alert_encoder::encode_alert_as;
pub use framing::{FRAME_LENGTH, Framed, FramingError, SchemaId, split_frame};
pub use operation_encoder::{encode_operation, encode_operation_as};
pub use span_content_encoder::encode_span_content;
pub use window_encoder::{encode_window, encode_window_as};
pub use writer_id::WriterId;
pub use writer_schema::WriterSchema;

/// Schema text of `opstream.Operation` v1.
pub const OPERATION_V1: &str = include_str!("../avro/operation.v1.avsc");
/// Schema text of `opstream.Window` v1.
pub const WINDOW_V1: &str = include_str!("../avro/window.v1.avsc");
/// Schema text of `opstream.Window` v2.
pub const WINDOW_V2: &str = include_str!("../avro/window.v2.avsc");
/// Schema text of `opstream.Window` v3.
pub const WINDOW_V3: &str = include_str!("../avro/window.v3.avsc");
/// Schema text of `opstream.SpanContent` v1.
pub const SPAN_CONTENT_V1: &str = include_str!("../avro/span_content.v1.avsc");
/// Schema text of `opstream.Alert` v1.
pub const ALERT_V1: &str = include_str!("../avro/alert.v1.avsc");

/// Built-in id of `opstream.Operation` v1. The range from `0x7F00_0000` is far above what a registry, which counts from
/// 1, will ever assign, and still positive for clients that read the id as a signed number.
pub const OPERATION_V1_ID: SchemaId = SchemaId(0x7F00_0001);
/// Built-in id of `opstream.Window` v1.
pub const WINDOW_V1_ID: SchemaId = SchemaId(0x7F00_0101);
/// Built-in id of `opstream.Window` v2.
pub const WINDOW_V2_ID: SchemaId = SchemaId(0x7F00_0102);
/// Built-in id of `opstream.Window` v3.
pub const WINDOW_V3_ID: SchemaId = SchemaId(0x7F00_0103);
/// Built-in id of `opstream.SpanContent` v1.
pub const SPAN_CONTENT_V1_ID: SchemaId = SchemaId(0x7F00_0201);
/// Built-in id of `opstream.Alert` v1.
pub const ALERT_V1_ID: SchemaId = SchemaId(0x7F00_0301);

/// Ids that only schemas of opstream have: one that is not known here belongs to a newer version.
pub const RESERVED_IDS: RangeInclusive<u32> = 0x7F00_0000..=0x7FFF_FFFF;

/// A schema that every process knows without asking a registry.
#[derive(Clone, Copy, Debug)]
pub struct BuiltinSchema {
    /// Id in the reserved range.
    pub id: SchemaId,
    /// Kind of record; a subject is the topic's name plus `-value`.
    pub record: Record,
    /// Version within its subject, from 1.
    pub version: u32,
    /// Schema text, JSON.
    pub text: &'static str,
}

/// The kinds of records on our topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// `opstream.Operation`.
    Operation,
    /// `opstream.Window`.
    Window,
    /// `opstream.SpanContent`.
    SpanContent,
    /// `opstream.Alert`.
    Alert,
}

impl Record {
    /// Name and namespace, as the schemas have them.
    pub const fn full_name(self) -> &'static str {
        match self {
            Self::Operation => "opstream.Operation",
            Self::Window => "opstream.Window",
            Self::SpanContent => "opstream.SpanContent",
            Self::Alert => "opstream.Alert",
        }
    }

    /// The schema that this version writes with.
    pub fn newest(self) -> &'static BuiltinSchema {
        let versions = BUILTIN_SCHEMAS.iter().filter(|schema| schema.record == self);
        versions.max_by_key(|schema| schema.version).expect("each record has a schema")
    }
}

/// All schemas with built-in ids; old versions stay for ever.
pub const BUILTIN_SCHEMAS: &[BuiltinSchema] = &[
    BuiltinSchema { id: OPERATION_V1_ID, record: Record::Operation, version: 1, text: OPERATION_V1 },
    BuiltinSchema { id: WINDOW_V1_ID, record: Record::Window, version: 1, text: WINDOW_V1 },
    BuiltinSchema { id: WINDOW_V2_ID, record: Record::Window, version: 2, text: WINDOW_V2 },
    BuiltinSchema { id: WINDOW_V3_ID, record: Record::Window, version: 3, text: WINDOW_V3 },
    BuiltinSchema { id: SPAN_CONTENT_V1_ID, record: Record::SpanContent, version: 1, text: SPAN_CONTENT_V1 },
    BuiltinSchema { id: ALERT_V1_ID, record: Record::Alert, version: 1, text: ALERT_V1 },
];

/// The built-in schema with this id.
pub fn builtin_schema(id: SchemaId) -> Option<&'static BuiltinSchema> {
    BUILTIN_SCHEMAS.iter().find(|schema| schema.id == id)
}

#[cfg(test)]
mod tests;

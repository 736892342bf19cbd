//! A record that cannot become an operation, with the reason. Its offset still advances, in the same transaction.

use opstream_schemas::OperationId;
use opstream_schemas::offsets::{Offset, Partition};
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::Violation;

use crate::record::{Headers, RawBatch, RawRecord};

/// Why a record cannot become an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// The record has no value.
    #[error("record has no value (a tombstone); operations cannot be deleted through the topic")]
    NoValue,
    /// The value is not in Confluent framing.
    #[error("{0}")]
    NotFramed(#[from] opstream_schemas::avro::FramingError),
    /// The schema is not known here.
    #[error(
        "schema id {id} is not a built-in schema, nor one of a schema registry that the ingestor asks; write with schema id {expected} (opstream.Operation v1)"
    )]
    UnknownSchema {
        /// Id found in the frame.
        id: u32,
        /// Id of the newest operation schema.
        expected: u32,
    },
    /// The registry has the schema, and its values are not those of operations.
    #[error("records with schema id {id} cannot be read as opstream.Operation: {reason}")]
    Unresolvable {
        /// Id found in the frame.
        id: u32,
        /// What is wrong with the schema, with the field.
        reason: String,
    },
    /// The schema is one of ours, and not known to this version.
    #[error(
        "schema id {id} is one of a newer opstream; update the ingestors before the producers, then send the record again"
    )]
    NewerSchema {
        /// Id found in the frame.
        id: u32,
    },
    /// The datum does not follow its schema.
    #[error("value does not follow its Avro schema: {reason}")]
    Undecodable {
        /// What the decoder said.
        reason: String,
    },
    /// The operation breaks a rule.
    #[error("{0}")]
    Invalid(#[from] Violation),
    /// The id is taken.
    #[error("operation_id {id} is already used by another workspace")]
    OtherWorkspace {
        /// The id.
        id: OperationId,
    },
}

impl Poison {
    /// Stable code, as stored and as a metric label.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoValue => "no_value",
            Self::NotFramed(_) => "not_framed",
            Self::UnknownSchema { .. } => "unknown_schema",
            Self::Unresolvable { .. } => "unresolvable_schema",
            Self::NewerSchema { .. } => "newer_schema",
            Self::Undecodable { .. } => "undecodable",
            Self::Invalid(violation) => violation.code(),
            Self::OtherWorkspace { .. } => "id_of_another_workspace",
        }
    }
}

/// A dead letter as it is stored: origin, reason, original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Partition that the record came from.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// Why it is dead.
    pub poison: Poison,
    /// The id, if the record could be read that far.
    pub operation_id: Option<OperationId>,
    /// Original key.
    pub key: Option<Vec<u8>>,
    /// Original value.
    pub value: Option<Vec<u8>>,
    /// Original headers as a JSON array of `[name, hexadecimal value or null]`.
    pub headers: String,
    /// The record's timestamp.
    pub timestamp: Option<UtcMillis>,
}

impl DeadLetter {
    /// The dead letter of the record at `index` of the batch.
    pub fn of(batch: &RawBatch, index: usize, poison: Poison, operation_id: Option<OperationId>) -> Self {
        let record: &RawRecord = &batch.records()[index];
        Self {
            partition: record.partition,
            offset: record.offset,
            poison,
            operation_id,
            key: batch.key(record).map(<[u8]>::to_vec),
            value: batch.value(record).map(<[u8]>::to_vec),
            headers: headers_json(batch.headers(index)),
            timestamp: record.timestamp,
        }
    }
}

/// Headers as JSON: values are hexadecimal, because they are any bytes.
fn headers_json(headers: &[(String, Option<Vec<u8>>)]) -> String {
    let pairs: Vec<(&str, Option<String>)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(hex))).collect();
    serde_json::to_string(&pairs).expect("strings always serialise")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit"));
        }
        text
    })
}

/// Reads [`DeadLetter::headers`] for sending them again. Leaves out a name with a NUL: the client takes names as C strings.
pub fn sendable_headers(json: &str) -> Headers {
    let pairs: Vec<(String, Option<String>)> = serde_json::from_str(json).unwrap_or_default();
    let pairs = pairs.into_iter().map(|(name, value)| (name, value.map(|hex| bytes_of(&hex))));
    pairs.filter(|(name, _)| !name.contains('\0')).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn original_headers_come_back_as_they_were() {
        let json = r#"[["traceparent","30302d6162"],["empty",""],["none",null],["nul\u0000",null]]"#;
        let expected = [
            ("traceparent".to_owned(), Some(b"00-ab".to_vec())),
            ("empty".to_owned(), Some(Vec::new())),
            ("none".to_owned(), None),
        ];
        assert_eq!(sendable_headers(json), expected);
    }
}

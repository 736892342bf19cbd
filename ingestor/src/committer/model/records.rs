//! What producers send, as bytes.

use std::sync::LazyLock;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, OperationId, UtcMicros};

use super::Sent;

/// The clock of all histories: a little before that of the database, which refuses files of long ago.
pub(super) fn now() -> UtcMicros {
    static NOW: LazyLock<UtcMicros> = LazyLock::new(UtcMicros::now);
    *NOW
}

/// The id of an operation, the same in every workspace.
pub(super) fn operation_id(number: u8) -> OperationId {
    OperationId::mint(now().to_millis(), [number; 10])
}

/// Its bytes on the topic; none for an offset that holds no record.
pub(super) fn value_of(sent: Sent) -> Option<Vec<u8>> {
    let operation = |number| Operation {
        operation_id: operation_id(number),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1000 + i64::from(number)),
        output_tokens: Some(100),
        ..Operation::starting("chat", now())
    };
    let operation = match sent {
        Sent::Operation { number, in_lab: false } => operation(number),
        Sent::Operation { number, in_lab: true } => Operation { workspace: "lab".to_owned(), ..operation(number) },
        Sent::Negative { number } => Operation { cache_read_tokens: -1, ..operation(number) },
        Sent::Damaged => return Some(b"not a record".to_vec()),
        Sent::Marker => return None,
    };
    let mut bytes = Vec::new();
    encode_operation(&operation, &mut bytes);
    Some(bytes)
}

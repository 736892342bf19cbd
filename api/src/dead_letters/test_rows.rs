//! Dead letters of the tests, of the api and of the command, which includes this file.

use opstream_schemas::avro::encode_operation;
use opstream_schemas::database::Database;
use opstream_schemas::{Operation, UtcMicros, UtcMillis};

use super::{Letter, Place};

/// When the records of the tests began, Unix microseconds.
pub(crate) const STARTED_AT: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

/// Adds a letter to the stream of its place.
pub(crate) async fn insert(database: &Database, letter: &Letter) {
    let sql = "insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, operation_id, record_key, \
               record_value, record_headers, record_timestamp_ms, stored_at_ms) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, '[[\"app\",\"6869\"]]', $9, $10)";
    let [stream, partition, offset] = letter.place.values();
    let values = [
        stream,
        partition,
        offset,
        letter.reason_code.as_str().into(),
        letter.reason.as_str().into(),
        letter.operation_id.into(),
        letter.key.clone().into(),
        letter.value.clone().into(),
        letter.timestamp.into(),
        letter.stored_at.into(),
    ];
    let mut tx = database.begin().await.unwrap();
    tx.execute(sql, &values).await.unwrap();
    tx.commit().await.unwrap();
}

/// The operation of [`letter`].
pub(crate) fn operation(offset: i64) -> Operation {
    Operation {
        session_id: Some(format!("s-{offset}")),
        input_tokens: Some(-1),
        system_prompt: Some("the secret prompt".to_owned()),
        ..Operation::starting("chat", STARTED_AT)
    }
}

/// A letter of an operation with a negative count.
pub(crate) fn letter(offset: i64) -> Letter {
    let operation = operation(offset);
    let mut value = Vec::new();
    encode_operation(&operation, &mut value);
    Letter {
        place: Place { stream: 1, partition: 0, offset },
        cluster_id: "c".to_owned(),
        topic: "llm.operations".to_owned(),
        topic_id: "id".to_owned(),
        reason_code: "negative_count".to_owned(),
        reason: "input_tokens is -1; it must be 0 or more".to_owned(),
        operation_id: Some(operation.operation_id),
        key: operation.session_id.map(String::into_bytes),
        value: Some(value),
        headers: vec![("app".to_owned(), Some(b"hi".to_vec()))],
        timestamp: Some(UtcMillis::from_millis(1_790_000_000_500)),
        stored_at: UtcMillis::from_millis(1_790_000_001_000),
        published_at: None,
        redriven_at: None,
    }
}

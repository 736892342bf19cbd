//! An operation as bytes: the record's key, then its value, in one buffer. Sends nothing.

use std::cell::RefCell;
use std::io::Write;

use opstream_schemas::Operation;
use opstream_schemas::avro::{OPERATION_V1_ID, WriterId, encode_operation_as};

/// What the value looks like.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    /// Framed Avro under the record's key, by this id; by the built-in one until it is known, so that nobody waits for it.
    Avro(WriterId),
    /// A JSON object and a line feed, without key.
    JsonLine,
}

impl Format {
    /// Appends key and value to the empty buffer and returns the key's length.
    ///
    /// The key is the session, so that a conversation stays in one partition, else the id, so that a re-send lands where
    /// the first send did.
    pub(crate) fn encode(&self, operation: &Operation, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Avro(id) => {
                match operation.session_id.as_deref().filter(|session| !session.is_empty()) {
                    Some(session) => out.extend_from_slice(session.as_bytes()),
                    None => write!(out, "{}", operation.operation_id).expect("writing into memory does not fail"),
                }
                let key_length = out.len();
                encode_operation_as(operation, id.get().unwrap_or(OPERATION_V1_ID), out);
                key_length
            }
            Self::JsonLine => {
                serde_json::to_writer(&mut *out, operation).expect(
                    "an operation holds nothing that JSON cannot express, and writing into memory does not fail",
                );
                out.push(b'\n');
                0
            }
        }
    }
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's buffer, empty.
pub(crate) fn with_buffer<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut work = Some(work);
    let lent = BUFFER.try_with(|buffer| {
        let mut buffer = buffer.borrow_mut();
        buffer.clear();
        work.take().map(|work| work(&mut buffer))
    });
    match (lent, work) {
        (Ok(Some(result)), _) => result,
        // The thread is ending and its buffer is gone already; another thread-local's destructor records an operation.
        (_, Some(work)) => work(&mut Vec::new()),
        (_, None) => unreachable!("the work is taken only where its result is returned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opstream_schemas::OperationId;
    use opstream_schemas::avro::{SchemaId, split_frame};

    fn avro() -> Format {
        Format::Avro(WriterId::unknown())
    }

    #[test]
    fn values_carry_the_id_of_the_registry_from_when_it_is_known() {
        let id = WriterId::unknown();
        let format = Format::Avro(id.clone());
        let written = || {
            let mut bytes = Vec::new();
            let key_length = format.encode(&Operation::default(), &mut bytes);
            split_frame(&bytes[key_length..]).unwrap().schema_id
        };
        assert_eq!(written(), OPERATION_V1_ID);
        id.learn(SchemaId(100_001));
        assert_eq!(written(), SchemaId(100_001));
    }

    fn key_of(session_id: Option<&str>) -> String {
        let operation = Operation { session_id: session_id.map(str::to_owned), ..Operation::default() };
        let mut bytes = Vec::new();
        let key_length = avro().encode(&operation, &mut bytes);
        assert_eq!(split_frame(&bytes[key_length..]).unwrap().schema_id, OPERATION_V1_ID);
        String::from_utf8(bytes[..key_length].to_vec()).unwrap()
    }

    #[test]
    fn the_key_is_the_session_else_the_id() {
        assert_eq!(key_of(Some("session-1")), "session-1");
        assert_eq!(key_of(None), OperationId::MIN.to_string());
        assert_eq!(key_of(Some("")), OperationId::MIN.to_string());
    }

    #[test]
    fn the_buffer_is_lent_empty_every_time() {
        with_buffer(|buffer| buffer.extend_from_slice(b"left over"));
        assert_eq!(with_buffer(|buffer| buffer.len()), 0);
    }
}

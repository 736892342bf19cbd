//! Gives every item its id: the caller's, one derived from the idempotency key, or a new one. Pure.

use opstream_schemas::{Operation, OperationId, UtcMicros};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::canonical::canonical;
use super::item::Flaw;

/// Separates ids derived here from ids derived of spans and lines.
const DERIVATION: &[u8] = b"idempotency-key";

/// Where an operation's id comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdSource {
    /// The caller sent it.
    Caller,
    /// Derived from the workspace, the idempotency key, the item's position and what it says: a retry of the whole request gives
    /// it again, however it is written, and no other item does.
    Derived,
    /// New: a retry doubles the operation.
    Minted,
}

/// The value of the `Idempotency-Key` header: 1 to 255 visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

/// A key that could not be told apart from another or is not text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID, and be sent once")]
pub(crate) struct IdempotencyKeyError;

impl IdempotencyKey {
    /// Takes the header's value.
    ///
    /// # Errors
    /// When it is empty, longer than 255 characters or not visible ASCII.
    pub(crate) fn new(value: &[u8]) -> Result<Self, IdempotencyKeyError> {
        let text = std::str::from_utf8(value).map_err(|_| IdempotencyKeyError)?;
        if text.is_empty() || text.len() > 255 || !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(IdempotencyKeyError);
        }
        Ok(Self(text.to_owned()))
    }
}

/// An item as it stood in its request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Position, from 0.
    pub(crate) index: u64,
    /// Its JSON.
    pub(crate) text: &'a [u8],
}

/// Sets `operation_id` and `started_at` where the caller left them out.
///
/// A derived id needs a time that a retry repeats, so `started_at` is asked for; a new one takes `started_at`, else
/// `now`.
///
/// # Errors
/// Names `started_at` when an id is to be derived and it is missing.
pub(crate) fn identify(
    operation: &mut Operation,
    source: Source<'_>,
    key: Option<&IdempotencyKey>,
    now: UtcMicros,
) -> Result<IdSource, Flaw> {
    // Zero stands for no time and is also a time that can be sent: only the text tells one from the other.
    let has_started_at = operation.started_at != UtcMicros::default() || names_started_at(source.text);
    if operation.operation_id != OperationId::MIN {
        if !has_started_at {
            operation.started_at = operation.time().into();
        }
        return Ok(IdSource::Caller);
    }
    if let Some(IdempotencyKey(key)) = key {
        if !has_started_at {
            let reason = "missing: with Idempotency-Key the id is derived from this time, which a retry must repeat; \
                          send it or an operation_id";
            return Err(Flaw::of_field("started_at", "missing_time", reason));
        }
        // The position tells equal items apart; the content keeps an item that takes the place of another from taking its id.
        let (position, content) = (source.index.to_be_bytes(), canonical(source.text));
        let parts = [operation.workspace.as_bytes(), DERIVATION, key.as_bytes(), &position, &content];
        operation.operation_id = OperationId::derive(operation.started_at.to_millis(), &parts);
        return Ok(IdSource::Derived);
    }
    if !has_started_at {
        operation.started_at = now;
    }
    operation.operation_id = OperationId::generate(operation.started_at.to_millis());
    Ok(IdSource::Minted)
}

/// Whether the item's JSON has a `started_at`. A second reading, so it is for the few items that seem to have none.
fn names_started_at(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Sent {
        started_at: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Sent>(text).is_ok_and(|sent| sent.started_at.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

    fn identified(mut operation: Operation, key: Option<&str>) -> Result<(OperationId, UtcMicros, IdSource), Flaw> {
        let key = key.map(|key| IdempotencyKey::new(key.as_bytes()).unwrap());
        let source = identify(&mut operation, Source { index: 4, text: b"{}" }, key.as_ref(), NOW)?;
        Ok((operation.operation_id, operation.started_at, source))
    }

    #[test]
    fn the_callers_id_stays_and_gives_the_time() {
        let id = OperationId::generate(NOW.to_millis());
        let operation = Operation { operation_id: id, ..Operation::default() };
        assert_eq!(identified(operation, Some("k")).unwrap(), (id, NOW, IdSource::Caller));
    }

    #[test]
    fn the_same_key_and_time_give_the_same_id_and_another_workspace_another() {
        let operation = Operation { started_at: NOW, ..Operation::default() };
        let first = identified(operation.clone(), Some("k")).unwrap();
        assert_eq!(first.2, IdSource::Derived);
        assert_eq!(first.0.time(), NOW.to_millis());
        assert_eq!(identified(operation.clone(), Some("k")).unwrap(), first);
        assert_ne!(identified(operation.clone(), Some("l")).unwrap().0, first.0);
        let elsewhere = Operation { workspace: "lab".to_owned(), ..operation };
        assert_ne!(identified(elsewhere, Some("k")).unwrap().0, first.0);
    }

    #[test]
    fn another_text_or_another_place_is_another_operation() {
        let key = IdempotencyKey::new(b"k").unwrap();
        let id = |index, text| {
            let mut operation = Operation { started_at: NOW, ..Operation::default() };
            identify(&mut operation, Source { index, text }, Some(&key), NOW).unwrap();
            operation.operation_id
        };
        assert_eq!(id(0, b"a"), id(0, b"a"));
        assert_ne!(id(0, b"a"), id(0, b"b"));
        assert_ne!(id(0, b"a"), id(1, b"a"));
    }

    #[test]
    fn a_key_without_a_time_is_refused_by_field() {
        assert_eq!(identified(Operation::default(), Some("k")).unwrap_err().field.as_deref(), Some("started_at"));
    }

    #[test]
    fn a_time_of_zero_that_was_sent_is_not_replaced() {
        let text = br#"{"model":"started_at","started_at":0}"#;
        for key in [None, Some(IdempotencyKey::new(b"k").unwrap())] {
            let mut operation = Operation::default();
            identify(&mut operation, Source { index: 0, text }, key.as_ref(), NOW).unwrap();
            assert_eq!(operation.started_at, UtcMicros::default());
        }
        assert!(!names_started_at(br#"{"model":"started_at","tags":{"started_at":"1"}}"#));
    }

    #[test]
    fn without_id_and_key_every_call_is_new() {
        let (first, started_at, source) = identified(Operation::default(), None).unwrap();
        assert_eq!((started_at, source), (NOW, IdSource::Minted));
        assert_ne!(identified(Operation::default(), None).unwrap().0, first);
    }

    #[test]
    fn a_key_must_be_visible_text() {
        assert!(IdempotencyKey::new(b"").is_err());
        assert!(IdempotencyKey::new(&[b'x'; 256]).is_err());
        assert!(IdempotencyKey::new("schlüssel".as_bytes()).is_err());
        assert!(IdempotencyKey::new(b"7b1e 42").is_ok());
    }
}

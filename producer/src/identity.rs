//! Fills what an operation leaves open about itself: id, start, producer and sequence number.

use std::sync::atomic::{AtomicI64, Ordering};

use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};

/// Whether an operation gets a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// Yes: nobody hears of its fate, so that a loss is seen as a gap.
    Numbered,
    /// No: its caller hears of its fate and repeats it. A number would be used up by each attempt, and every gap of a loss
    /// that was none.
    Answered,
}

/// Name of a producer and the count of what it was given.
#[derive(Debug)]
pub(crate) struct Identity {
    producer_id: String,
    next_seq: AtomicI64,
}

impl Identity {
    /// The configured name, else one that no other start of any process has.
    pub(crate) fn new(producer_id: Option<String>, started: UtcMillis) -> Self {
        let producer_id = producer_id.unwrap_or_else(|| OperationId::generate(started).to_string());
        Self { producer_id, next_seq: AtomicI64::new(0) }
    }

    /// Fills in what is missing and leaves alone what is there.
    ///
    /// A number is used up by every operation that is handed over, also by one that is dropped afterwards: whoever reads
    /// the topic sees the loss as a gap.
    pub(crate) fn complete(&self, operation: &mut Operation, numbering: Numbering, now: impl FnOnce() -> UtcMicros) {
        let has_id = operation.operation_id != OperationId::MIN;
        if operation.started_at == UtcMicros::default() {
            operation.started_at = if has_id { operation.operation_id.time().into() } else { now() };
        }
        if !has_id {
            operation.operation_id = OperationId::generate(operation.started_at.to_millis());
        }
        if operation.producer_id.is_none() && operation.producer_seq.is_none() {
            operation.producer_id = Some(self.producer_id.clone());
            if numbering == Numbering::Numbered {
                operation.producer_seq = Some(self.next_seq.fetch_add(1, Ordering::Relaxed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_micros(1_790_000_000_123_456);

    fn completed(mut operation: Operation) -> Operation {
        Identity::new(Some("test".to_owned()), UtcMillis::default()).complete(
            &mut operation,
            Numbering::Numbered,
            || NOW,
        );
        operation
    }

    #[test]
    fn an_operation_without_id_gets_one_of_its_start() {
        let started_at = UtcMicros::from_micros(1_700_000_000_999_999);
        let operation = completed(Operation { started_at, ..Operation::default() });
        assert_eq!(operation.time().millis(), 1_700_000_000_999);
        assert!(operation.operation_id.is_version_7());
        assert_eq!(operation.started_at, started_at);
    }

    #[test]
    fn an_operation_that_knows_nothing_starts_now() {
        let operation = completed(Operation::default());
        assert_eq!((operation.started_at, operation.time()), (NOW, NOW.to_millis()));
    }

    #[test]
    fn an_operation_with_an_id_alone_started_at_the_ids_time() {
        let id = OperationId::generate(UtcMillis::from_millis(1_700_000_000_000));
        let operation = completed(Operation { operation_id: id, ..Operation::default() });
        assert_eq!((operation.operation_id, operation.started_at.micros()), (id, 1_700_000_000_000_000));
    }

    #[test]
    fn numbers_count_from_zero_and_a_foreign_producer_keeps_its_own() {
        let identity = Identity::new(None, UtcMillis::default());
        let (mut first, mut second) = (Operation::default(), Operation::default());
        let mut foreign = Operation { producer_id: Some("other".to_owned()), ..Operation::default() };
        for operation in [&mut first, &mut foreign, &mut second] {
            identity.complete(operation, Numbering::Numbered, || NOW);
        }
        assert_eq!((first.producer_seq, second.producer_seq), (Some(0), Some(1)));
        assert_eq!(first.producer_id, second.producer_id);
        assert_eq!((foreign.producer_id.as_deref(), foreign.producer_seq), (Some("other"), None));
    }

    #[test]
    fn an_operation_whose_caller_is_answered_uses_up_no_number() {
        let identity = Identity::new(None, UtcMillis::default());
        let (mut answered, mut recorded) = (Operation::default(), Operation::default());
        identity.complete(&mut answered, Numbering::Answered, || NOW);
        identity.complete(&mut recorded, Numbering::Numbered, || NOW);
        assert_eq!((answered.producer_seq, recorded.producer_seq), (None, Some(0)));
        assert_eq!(answered.producer_id, recorded.producer_id);
    }

    #[test]
    fn generated_names_differ_between_starts_in_one_millisecond() {
        let [a, b] = [(); 2].map(|()| Identity::new(None, UtcMillis::default()).producer_id);
        assert_ne!(a, b);
    }
}

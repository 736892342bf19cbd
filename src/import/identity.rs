//! Ids of records that bring none: a hash of the record and of how often the same record occurred before it.
//!
//! Two identical lines are two operations, and reading the same file again gives the same two ids. It remembers the ids
//! of one run, about 40 bytes each, because identical lines may stand anywhere in a file.

use std::collections::{HashMap, HashSet};

use opstream_schemas::{OperationId, UtcMillis};

/// The ids that one run has seen.
#[derive(Debug, Default)]
pub(super) struct SeenIds {
    seen: HashSet<OperationId>,
    /// Next occurrence number of records that occurred more than once, by the id of their first occurrence.
    next_occurrence: HashMap<OperationId, u64>,
}

impl SeenIds {
    /// The id of the next occurrence of the record that `parts` describe; the first of them is the workspace.
    pub(super) fn derive(&mut self, at: UtcMillis, parts: &[&[u8]]) -> OperationId {
        let occurrence_id = |occurrence: u64| {
            let number = occurrence.to_be_bytes();
            let mut all: Vec<&[u8]> = parts.to_vec();
            all.push(&number);
            OperationId::derive(at, &all)
        };
        let first = occurrence_id(0);
        if self.seen.insert(first) {
            return first;
        }
        let occurrence = self.next_occurrence.entry(first).or_insert(1);
        let id = occurrence_id(*occurrence);
        *occurrence += 1;
        self.seen.insert(id);
        id
    }

    /// Remembers an id that a record brought; false when an earlier record of this run had it.
    pub(super) fn is_first(&mut self, id: OperationId) -> bool {
        self.seen.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UtcMillis = UtcMillis::from_millis(1_700_000_000_000);

    #[test]
    fn identical_records_are_different_operations_and_a_second_run_gives_the_same_ids() {
        let run = || {
            let mut seen = SeenIds::default();
            [b"a", b"b", b"a", b"a"].map(|line| seen.derive(AT, &[b"core", line]))
        };
        let ids = run();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4);
        assert_eq!(ids, run());
    }

    #[test]
    fn the_order_of_other_records_does_not_change_an_id() {
        let mut forward = SeenIds::default();
        let mut backward = SeenIds::default();
        let a = forward.derive(AT, &[b"core", b"a"]);
        let b = forward.derive(AT, &[b"core", b"b"]);
        assert_eq!(backward.derive(AT, &[b"core", b"b"]), b);
        assert_eq!(backward.derive(AT, &[b"core", b"a"]), a);
    }

    #[test]
    fn an_id_that_a_record_brings_is_first_once() {
        let mut seen = SeenIds::default();
        let id = OperationId::derive(AT, &[b"core"]);
        assert!(seen.is_first(id));
        assert!(!seen.is_first(id));
    }
}

//! The account of an import: what became of each record, and what the operations add up to.

use std::collections::{BTreeMap, HashMap};

use opstream_schemas::{NanoUsd, OperationId, money::MoneyError};

use crate::import::door::{DoorError, PostAnswer};
use crate::import::feed::{Counts, Item, Refusal};

/// Refusals that are kept to be listed; the others are only counted.
const LISTED_REFUSALS: usize = 1000;

/// What became of the records so far.
#[derive(Debug, Default)]
pub(in crate::import) struct Delivered {
    /// Operations that the broker acknowledged in this run.
    pub(in crate::import) n_sent: u64,
    /// Operations that were committed before.
    pub(in crate::import) n_existing: u64,
    /// Records that repeat an operation of this run.
    pub(in crate::import) n_repeated: u64,
    /// Records that are no operation, or that the front door does not take.
    pub(in crate::import) n_refused: u64,
    /// The first of them.
    pub(in crate::import) refusals: Vec<Refusal>,
    /// Sums over the operations that were sent or in place.
    pub(in crate::import) totals: Totals,
    /// Ids of the operations that the broker acknowledged in this run.
    pub(in crate::import) sent_ids: Vec<OperationId>,
    /// Those of them that are no rows although everything up to their offsets is settled.
    pub(in crate::import) not_stored: Vec<OperationId>,
    /// Per partition the highest acknowledged offset plus one.
    pub(in crate::import) next_offsets: BTreeMap<i32, i64>,
}

/// Sums over operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::import) struct Totals {
    /// Number of operations.
    pub(in crate::import) operations: u64,
    /// Tokens in.
    pub(in crate::import) input_tokens: i128,
    /// Tokens in that came from a cache.
    pub(in crate::import) cache_read_tokens: i128,
    /// Tokens out.
    pub(in crate::import) output_tokens: i128,
    /// Reported cost in billionths of a dollar.
    reported_nanos: i128,
}

impl Totals {
    /// Adds one operation.
    pub(in crate::import) fn count(&mut self, counts: Counts) {
        self.operations += 1;
        self.input_tokens += i128::from(counts.input_tokens);
        self.cache_read_tokens += i128::from(counts.cache_read_tokens);
        self.output_tokens += i128::from(counts.output_tokens);
        self.reported_nanos += i128::from(counts.reported_cost.nanos());
    }

    /// The reported cost.
    ///
    /// # Errors
    /// `OutOfRange` beyond nine billion dollars.
    pub(in crate::import) fn reported_cost(&self) -> Result<NanoUsd, MoneyError> {
        NanoUsd::try_from(self.reported_nanos)
    }

    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.input_tokens += other.input_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.output_tokens += other.output_tokens;
        self.reported_nanos += other.reported_nanos;
    }
}

impl Delivered {
    /// Adds another part of the same import.
    pub(super) fn add(&mut self, other: Self) {
        self.n_sent += other.n_sent;
        self.n_existing += other.n_existing;
        self.n_repeated += other.n_repeated;
        self.n_refused += other.n_refused;
        let room = LISTED_REFUSALS.saturating_sub(self.refusals.len());
        self.refusals.extend(other.refusals.into_iter().take(room));
        self.totals.add(other.totals);
        self.sent_ids.extend(other.sent_ids);
        self.not_stored.extend(other.not_stored);
        for (partition, next_offset) in other.next_offsets {
            self.advance(partition, next_offset);
        }
    }

    /// Counts an operation that was committed before.
    pub(super) fn keep(&mut self, counts: Counts) {
        self.n_existing += 1;
        self.totals.count(counts);
    }

    /// Counts a refusal and keeps it while there is room.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.n_refused += 1;
        if self.refusals.len() < LISTED_REFUSALS {
            self.refusals.push(refusal);
        }
    }

    /// Refuses every item of a batch for the same reason.
    pub(super) fn refuse_all(&mut self, batch: Vec<Item>, error: &DoorError) {
        for item in batch {
            self.refuse(Refusal::because(item.place, error));
        }
    }

    /// Books the front door's answer to a batch.
    pub(super) fn settle(&mut self, batch: Vec<Item>, answer: PostAnswer) {
        let mut reasons: HashMap<usize, String> = HashMap::new();
        for refused in answer.refused {
            let names_field = refused.field.filter(|field| !refused.reason.contains(field));
            let reason = names_field.map_or(refused.reason.clone(), |field| format!("{field}: {}", refused.reason));
            reasons.insert(refused.index, reason);
        }
        for (index, item) in batch.into_iter().enumerate() {
            if let Some(reason) = reasons.remove(&index) {
                self.refuse(Refusal { place: item.place, reason });
            } else {
                self.n_sent += 1;
                self.sent_ids.push(item.id);
                self.totals.count(item.counts);
            }
        }
        for offset in answer.offsets {
            self.advance(offset.partition, offset.next_offset);
        }
    }

    fn advance(&mut self, partition: i32, next_offset: i64) {
        let highest = self.next_offsets.entry(partition).or_insert(next_offset);
        *highest = (*highest).max(next_offset);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opstream_schemas::{Operation, UtcMicros};

    use super::*;
    use crate::import::feed::{At, Place};

    fn item(line: u64) -> Item {
        let operation = Operation {
            input_tokens: Some(10),
            reported_cost_usd: Some(NanoUsd::from_nanos(5)),
            ..Operation::starting("chat", UtcMicros::from_micros(1_700_000_000_000_000))
        };
        Item::new(&operation, Place { file: Arc::from("f.jsonl"), at: At::Line(line) }, 1)
    }

    #[test]
    fn a_refused_line_is_listed_with_its_own_place_and_not_added_up() {
        let answer = r#"{"accepted": 2, "refused": [{"index": 1, "field": "attempt", "reason": "must be 1 or more"}],
            "offsets": [{"partition": 0, "next_offset": 9}, {"partition": 3, "next_offset": 4}]}"#;
        let mut delivered = Delivered::default();
        delivered.settle(vec![item(7), item(8), item(9)], serde_json::from_str(answer).unwrap());
        assert_eq!((delivered.n_sent, delivered.n_refused), (2, 1));
        assert_eq!(delivered.refusals[0].to_string(), "f.jsonl:8: attempt: must be 1 or more");
        assert_eq!((delivered.totals.operations, delivered.totals.input_tokens), (2, 20));
        assert_eq!(delivered.totals.reported_cost().unwrap(), NanoUsd::from_nanos(10));
    }

    #[test]
    fn the_highest_offset_of_each_partition_is_kept() {
        let mut delivered = Delivered::default();
        for offsets in [[(0, 9), (1, 2)], [(0, 5), (1, 7)]] {
            delivered.add(Delivered { next_offsets: BTreeMap::from(offsets), ..Delivered::default() });
        }
        assert_eq!(delivered.next_offsets, BTreeMap::from([(0, 9), (1, 7)]));
    }

    #[test]
    fn refusals_beyond_the_list_are_still_counted() {
        let mut delivered = Delivered::default();
        for line in 0..1500 {
            let place = Place { file: Arc::from("f"), at: At::Line(line) };
            delivered.refuse(Refusal { place, reason: String::new() });
        }
        assert_eq!((delivered.n_refused, delivered.refusals.len()), (1500, LISTED_REFUSALS));
    }
}

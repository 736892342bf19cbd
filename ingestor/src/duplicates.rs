//! Finds re-sends before anything is written: within the batch and against the ids that were stored lately.
//!
//! This saves work; it does not carry the promise. An id that was stored long ago, or by a batch that is still on its
//! way, is found by the primary key, which makes the transaction fail and the batch be filtered again. Only ids that
//! are durably stored are remembered from batch to batch: a batch that is dropped will be read again, and must not
//! find its own operations here.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use opstream_schemas::OperationId;
use xxhash_rust::xxh3::xxh3_64;

/// Ids kept in each generation, and generations that are kept: together at most 800,000 ids in about 32 MB.
const GENERATION_IDS: usize = 100_000;
const GENERATIONS: usize = 8;

/// What an operation is to the batch that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Not seen lately.
    New,
    /// A re-send of an operation that is in this batch or was stored lately.
    Duplicate,
    /// The id is in use by another workspace.
    OtherWorkspace,
}

/// Ids of operations that were stored lately, each with a hash of its workspace. When the youngest generation is full, the
/// eldest is forgotten.
#[derive(Debug, Default)]
pub struct StoredIds {
    /// The youngest is the last.
    generations: VecDeque<Generation>,
}

/// Ids and the range they lie in. Ids follow time, so that a new one lies above most generations and is not looked for there.
#[derive(Debug)]
struct Generation {
    ids: HashMap<OperationId, u64, RandomState>,
    lowest: OperationId,
    highest: OperationId,
}

impl StoredIds {
    /// Remembers an operation that is durably stored.
    pub fn remember(&mut self, id: OperationId, workspace: &str) {
        if self.generations.back().is_none_or(|youngest| youngest.ids.len() >= GENERATION_IDS) {
            if self.generations.len() == GENERATIONS {
                self.generations.pop_front();
            }
            self.generations.push_back(Generation { ids: HashMap::default(), lowest: id, highest: id });
        }
        let Some(youngest) = self.generations.back_mut() else { return };
        youngest.ids.insert(id, xxh3_64(workspace.as_bytes()));
        youngest.lowest = youngest.lowest.min(id);
        youngest.highest = youngest.highest.max(id);
    }

    fn workspace_of(&self, id: OperationId) -> Option<u64> {
        let may_have = |generation: &&Generation| generation.lowest <= id && id <= generation.highest;
        self.generations.iter().rev().filter(may_have).find_map(|generation| generation.ids.get(&id)).copied()
    }
}

/// Looks through the ids of a batch, in their order, and at those stored lately.
#[derive(Debug)]
pub struct BatchIds<'a> {
    stored: &'a StoredIds,
    /// The last new id and its workspace.
    last: Option<(OperationId, u64)>,
}

impl<'a> BatchIds<'a> {
    /// Has seen nothing of the batch yet.
    pub const fn new(stored: &'a StoredIds) -> Self {
        Self { stored, last: None }
    }

    /// What the operation with this id is; ids come in ascending order.
    pub fn see(&mut self, id: OperationId, workspace: &str) -> Sighting {
        let workspace = xxh3_64(workspace.as_bytes());
        let in_batch = self.last.filter(|(last, _)| *last == id).map(|(_, workspace)| workspace);
        match in_batch.or_else(|| self.stored.workspace_of(id)) {
            Some(known) if known == workspace => Sighting::Duplicate,
            Some(_) => Sighting::OtherWorkspace,
            None => {
                self.last = Some((id, workspace));
                Sighting::New
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;

    use super::*;

    fn id(n: u64) -> OperationId {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        OperationId::mint(UtcMillis::from_millis(1), random)
    }

    #[test]
    fn a_resend_is_a_duplicate_and_a_foreign_use_is_not() {
        let mut stored = StoredIds::default();
        stored.remember(id(1), "core");
        let mut batch = BatchIds::new(&stored);
        assert_eq!(batch.see(id(1), "core"), Sighting::Duplicate);
        assert_eq!(batch.see(id(1), "lab"), Sighting::OtherWorkspace);
        assert_eq!(batch.see(id(2), "core"), Sighting::New);
        assert_eq!(batch.see(id(2), "core"), Sighting::Duplicate);
    }

    #[test]
    fn a_batch_that_was_dropped_is_new_when_it_is_read_again() {
        let stored = StoredIds::default();
        assert_eq!(BatchIds::new(&stored).see(id(1), "core"), Sighting::New);
        assert_eq!(BatchIds::new(&stored).see(id(1), "core"), Sighting::New);
    }

    #[test]
    fn memory_is_bounded_by_the_generations() {
        let mut stored = StoredIds::default();
        let last = u64::try_from(GENERATION_IDS * (GENERATIONS + 2)).unwrap();
        for n in 0..=last {
            stored.remember(id(n), "core");
        }
        let remembered: usize = stored.generations.iter().map(|generation| generation.ids.len()).sum();
        assert_eq!(remembered, GENERATION_IDS * (GENERATIONS - 1) + 1);
        assert_eq!((stored.workspace_of(id(0)), stored.workspace_of(id(last)).is_some()), (None, true));
    }
}

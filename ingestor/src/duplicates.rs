//! Finds re-sends before anything is written: within the batch and against the ids that were stored lately.
//!
//! This saves work; it does not carry the promise. An id that was stored long ago, or by a batch that is still on its
//! way, is found by the primary key, which makes the transaction fail and the batch be filtered again. Only ids that
//! are durably stored are remembered from batch to batch: a batch that is dropped will be read again, and must not
//! find its own operations here.

use std::collections::HashMap;

use opstream_schemas::OperationId;
use xxhash_rust::xxh3::xxh3_64;

/// Ids kept in each of the two generations; both together bound the memory at about 32 MB.
const GENERATION_IDS: usize = 400_000;

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

/// Ids of operations that were stored lately, each with a hash of its workspace. Two generations: when the younger is
/// full, the elder is forgotten.
#[derive(Debug, Default)]
pub struct StoredIds {
    young: HashMap<OperationId, u64>,
    old: HashMap<OperationId, u64>,
}

impl StoredIds {
    /// Remembers an operation that is durably stored.
    pub fn remember(&mut self, id: OperationId, workspace: &str) {
        if self.young.len() >= GENERATION_IDS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, xxh3_64(workspace.as_bytes()));
    }

    fn workspace_of(&self, id: OperationId) -> Option<u64> {
        self.young.get(&id).or_else(|| self.old.get(&id)).copied()
    }
}

/// Ids of the batch at hand, and a view of those stored lately.
#[derive(Debug)]
pub struct BatchIds<'a> {
    stored: &'a StoredIds,
    batch: HashMap<OperationId, u64>,
}

impl<'a> BatchIds<'a> {
    /// For a batch of up to `rows` operations.
    pub fn new(stored: &'a StoredIds, rows: usize) -> Self {
        Self { stored, batch: HashMap::with_capacity(rows) }
    }

    /// Looks the id up and remembers it for the rest of the batch.
    pub fn see(&mut self, id: OperationId, workspace: &str) -> Sighting {
        let workspace = xxh3_64(workspace.as_bytes());
        match self.batch.get(&id).copied().or_else(|| self.stored.workspace_of(id)) {
            Some(known) if known == workspace => Sighting::Duplicate,
            Some(_) => Sighting::OtherWorkspace,
            None => {
                self.batch.insert(id, workspace);
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
        let mut batch = BatchIds::new(&stored, 8);
        assert_eq!(batch.see(id(1), "core"), Sighting::Duplicate);
        assert_eq!(batch.see(id(1), "lab"), Sighting::OtherWorkspace);
        assert_eq!(batch.see(id(2), "core"), Sighting::New);
        assert_eq!(batch.see(id(2), "core"), Sighting::Duplicate);
    }

    #[test]
    fn a_batch_that_was_dropped_is_new_when_it_is_read_again() {
        let stored = StoredIds::default();
        assert_eq!(BatchIds::new(&stored, 8).see(id(1), "core"), Sighting::New);
        assert_eq!(BatchIds::new(&stored, 8).see(id(1), "core"), Sighting::New);
    }

    #[test]
    fn memory_is_bounded_by_two_generations() {
        let mut stored = StoredIds::default();
        for n in 0..u64::try_from(GENERATION_IDS * 3).unwrap() {
            stored.remember(id(n), "core");
        }
        assert!(stored.young.len() + stored.old.len() <= 2 * GENERATION_IDS);
    }
}

//! Finds re-sends before anything is written: within the batch and against the ids that were stored lately.
//!
//! This saves work; it does not carry the promise. An id that was stored long ago is found by the primary key, which
//! makes the transaction fail and the batch be filtered again.

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

/// Ids that were seen lately, each with a hash of its workspace. Two generations: when the younger is full, the elder
/// is forgotten.
#[derive(Debug, Default)]
pub struct RecentIds {
    young: HashMap<OperationId, u64>,
    old: HashMap<OperationId, u64>,
}

impl RecentIds {
    /// Looks the id up and remembers it.
    pub fn see(&mut self, id: OperationId, workspace: &str) -> Sighting {
        let workspace = xxh3_64(workspace.as_bytes());
        match self.young.get(&id).or_else(|| self.old.get(&id)) {
            Some(known) if *known == workspace => Sighting::Duplicate,
            Some(_) => Sighting::OtherWorkspace,
            None => {
                if self.young.len() >= GENERATION_IDS {
                    self.old = std::mem::take(&mut self.young);
                }
                self.young.insert(id, workspace);
                Sighting::New
            }
        }
    }

    /// Forgets everything: batches were dropped, and what they held will be read again.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;

    use super::*;

    fn id(n: u8) -> OperationId {
        OperationId::mint(UtcMillis::from_millis(1), [n; 10])
    }

    #[test]
    fn a_resend_is_a_duplicate_and_a_foreign_use_is_not() {
        let mut recent = RecentIds::default();
        assert_eq!(recent.see(id(1), "core"), Sighting::New);
        assert_eq!(recent.see(id(1), "core"), Sighting::Duplicate);
        assert_eq!(recent.see(id(1), "lab"), Sighting::OtherWorkspace);
        recent.clear();
        assert_eq!(recent.see(id(1), "lab"), Sighting::New);
    }

    #[test]
    fn memory_is_bounded_by_two_generations() {
        let mut recent = RecentIds::default();
        for n in 0..u64::try_from(GENERATION_IDS * 3).unwrap() {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&n.to_be_bytes());
            assert_eq!(recent.see(OperationId::mint(UtcMillis::from_millis(1), random), "core"), Sighting::New);
        }
        assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION_IDS);
    }
}

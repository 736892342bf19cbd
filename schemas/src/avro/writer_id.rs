//! The schema id that a process writes its records with, which a registry may not have said yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Record, SchemaId};

/// What [`WriterId`] holds until it is known; no registry gives it.
const UNKNOWN: u32 = 0;

/// Id of the schema that records are written with. Clones are one and the same: who learns it tells all of them.
#[derive(Clone, Debug)]
pub struct WriterId(Arc<AtomicU32>);

impl WriterId {
    /// The built-in id, which needs no registry.
    pub fn builtin(record: Record) -> Self {
        Self::of(record.newest().id)
    }

    /// An id that a registry gave.
    pub fn of(id: SchemaId) -> Self {
        Self(Arc::new(AtomicU32::new(id.0)))
    }

    /// One that a registry has still to say.
    pub fn unknown() -> Self {
        Self(Arc::new(AtomicU32::new(UNKNOWN)))
    }

    /// The id, if it is known.
    #[inline]
    pub fn get(&self) -> Option<SchemaId> {
        // Nothing else is read that was written before it.
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            id => Some(SchemaId(id)),
        }
    }

    /// The registry has said it.
    pub fn learn(&self, id: SchemaId) {
        self.0.store(id.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::OPERATION_V1_ID;

    #[test]
    fn whoever_learns_it_tells_all() {
        let id = WriterId::unknown();
        let clone = id.clone();
        assert_eq!(clone.get(), None);
        id.learn(SchemaId(7));
        assert_eq!(clone.get(), Some(SchemaId(7)));
        assert_eq!(WriterId::builtin(Record::Operation).get(), Some(OPERATION_V1_ID));
    }
}

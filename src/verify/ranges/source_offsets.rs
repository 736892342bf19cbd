//! Which offsets of which partitions rows came from, collected while the rows are read in the order of their ids.

use std::collections::BTreeMap;

use opstream_schemas::OperationId;

use crate::verify::offset_set::OffsetSet;

/// Stream and partition.
pub(in crate::verify) type Place = (i64, i64);

/// Places of doubled rows that are kept in full; more are only counted.
const DOUBLED_KEPT: usize = 10;

/// The offsets of all rows, and those that more than one row claims.
#[derive(Debug, Default)]
pub(in crate::verify) struct SourceOffsets {
    partitions: BTreeMap<Place, OffsetSet>,
    /// Rows whose place was taken by a row of a lower id.
    pub(super) doubled_total: u64,
    /// The first of them.
    pub(super) doubled: Vec<(Place, i64, OperationId)>,
}

impl SourceOffsets {
    /// Adds the place of a row.
    pub(in crate::verify) fn insert(&mut self, place: Place, offset: i64, id: OperationId) {
        if !self.partitions.entry(place).or_default().insert(offset) {
            self.doubled_total += 1;
            if self.doubled.len() < DOUBLED_KEPT {
                self.doubled.push((place, offset, id));
            }
        }
    }

    /// Takes out the offsets of one partition.
    pub(super) fn take(&mut self, place: Place) -> OffsetSet {
        self.partitions.remove(&place).unwrap_or_default()
    }

    /// Partitions that were not taken out.
    pub(super) fn remaining(&self) -> impl Iterator<Item = (Place, i64)> {
        self.partitions.iter().map(|(place, offsets)| (*place, offsets.count(i64::MIN, i64::MAX)))
    }
}

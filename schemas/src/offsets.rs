//! Places in a topic: partitions, offsets and half-open ranges of offsets, as types that cannot be confused.

use std::fmt;

/// Number of a partition, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

/// Position of a record within its partition, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Half-open range of offsets, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetRange {
    /// First offset of the range.
    pub from: Offset,
    /// First offset after the range.
    pub to: Offset,
}

impl OffsetRange {
    /// Number of offsets in the range; 0 when it is empty.
    pub const fn len(self) -> i64 {
        if self.to.0 > self.from.0 { self.to.0 - self.from.0 } else { 0 }
    }

    /// Whether the range holds no offset.
    pub const fn is_empty(self) -> bool {
        self.to.0 <= self.from.0
    }
}

/// A counter that only grows: whoever holds a lower one has been replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub i64);

/// Row number of a topic's incarnation in `streams`: its cluster, name and topic id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub i64);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

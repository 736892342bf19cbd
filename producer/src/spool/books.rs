//! The books of the disk: what lies there, and what became of what lay there.

use std::sync::atomic::{AtomicU64, Ordering};

/// Operations of the spool by fate, and its size. Everything that was spooled or found is in exactly one of the others:
/// [`spooled`](crate::Counters::spooled) + `inherited` = `waiting` + `resent` + `discarded` + `damaged` + `refused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolCounters {
    /// Found on disk: left by an earlier start of the application, or by a process that is gone.
    pub inherited: u64,
    /// On disk, and not acknowledged yet.
    pub waiting: u64,
    /// Acknowledged by the broker. Their segment is deleted when all of its operations are settled.
    pub resent: u64,
    /// Deleted before the broker could be reached, oldest first, to stay within the bytes of the spool.
    pub discarded: u64,
    /// Lost to damage of their segment. Counted from the number of operations in the segment's name; in a segment that
    /// a crash left unnamed, each run of damaged bytes counts as one.
    pub damaged: u64,
    /// Refused by the broker for good, such as one that is larger than the topic allows.
    pub refused: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// The same numbers while they change: the delivering thread writes, the polling thread settles, everybody reads.
#[derive(Debug, Default)]
pub(crate) struct SpoolBooks {
    inherited: AtomicU64,
    waiting: AtomicU64,
    resent: AtomicU64,
    discarded: AtomicU64,
    damaged: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
}

impl SpoolBooks {
    /// Operations of this producer were written.
    pub(crate) fn spooled(&self, operations: u64) {
        add(&self.waiting, operations);
    }

    /// Operations of another producer were found.
    pub(crate) fn inherited(&self, operations: u64) {
        add(&self.inherited, operations);
        add(&self.waiting, operations);
    }

    /// One was acknowledged.
    pub(crate) fn resent(&self) {
        self.settle(&self.resent, 1);
    }

    /// One was refused for good.
    pub(crate) fn refused(&self) {
        self.settle(&self.refused, 1);
    }

    /// These were deleted unsent.
    pub(crate) fn discarded(&self, operations: u64) {
        self.settle(&self.discarded, operations);
    }

    /// These cannot be read.
    pub(crate) fn damaged(&self, operations: u64) {
        self.settle(&self.damaged, operations);
    }

    /// Sets the size of the spool.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// What of the spool was acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    pub(crate) fn counters(&self) -> SpoolCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SpoolCounters {
            inherited: read(&self.inherited),
            waiting: read(&self.waiting),
            resent: read(&self.resent),
            discarded: read(&self.discarded),
            damaged: read(&self.damaged),
            refused: read(&self.refused),
            bytes: read(&self.bytes),
        }
    }

    fn settle(&self, fate: &AtomicU64, operations: u64) {
        add(fate, operations);
        self.waiting.fetch_sub(operations, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, operations: u64) {
    counter.fetch_add(operations, Ordering::Relaxed);
}

//! What an aggregator remembers while it holds the lease: nothing of it outlives the lease, or an error.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opstream_schemas::offsets::Fence;

use crate::dimension_ids::DimensionIds;
use crate::kept::KeptCombinations;
use crate::lease::RENEW_AFTER;
use crate::offsets::Place;
use crate::stored::StoredWindows;

/// How often the whole manifest is compared.
const COMPARE_EVERY: Duration = Duration::from_mins(5);

/// One time of holding the lease, or of it since the last error.
pub(crate) struct Tenure {
    /// What is shown to the database with every write.
    pub(crate) fence: Fence,
    /// Numbers of combinations, the same in all generations.
    pub(crate) ids: DimensionIds,
    /// Where the next look at a partition begins, when that is behind files that failed.
    pub(crate) looked_to: HashMap<Place, i64>,
    /// Files up to this number were offered to the generation that is being built; -1: none yet.
    pub(crate) rebuild_after: i64,
    memories: HashMap<i64, Memory>,
    wrote_at: Instant,
    compared_at: Option<Instant>,
}

/// What is remembered of one generation. It is taken out while files are added, and comes back only after the commit.
pub(crate) struct Memory {
    /// Which combinations each hour keeps.
    pub(crate) kept: KeptCombinations,
    /// Windows as they are stored.
    pub(crate) stored: StoredWindows,
}

impl Tenure {
    /// Remembers nothing yet.
    pub(crate) fn new(fence: Fence) -> Self {
        let (ids, memories) = (DimensionIds::default(), HashMap::new());
        let looked_to = HashMap::new();
        Self { fence, ids, looked_to, rebuild_after: -1, memories, wrote_at: Instant::now(), compared_at: None }
    }

    /// Whether the last write, each of which renews the lease, is some time ago.
    pub(crate) fn needs_renewal(&self) -> bool {
        self.wrote_at.elapsed() > RENEW_AFTER
    }

    /// The lease was renewed.
    pub(crate) fn wrote(&mut self) {
        self.wrote_at = Instant::now();
    }

    /// Whether it is time to compare the whole manifest; at first it is.
    pub(crate) fn compares_manifest(&mut self) -> bool {
        if self.compared_at.is_some_and(|at| at.elapsed() < COMPARE_EVERY) {
            return false;
        }
        self.compared_at = Some(Instant::now());
        true
    }

    /// Takes out what is remembered of a generation.
    pub(crate) fn take_memory(&mut self, generation: i64, predecessor: i64) -> Memory {
        self.memories.remove(&generation).unwrap_or_else(|| Memory {
            kept: KeptCombinations::new(generation, predecessor),
            stored: StoredWindows::new(generation),
        })
    }

    /// Puts it back after a commit. Of generations only the current one and the one being built are remembered.
    pub(crate) fn put_memory(&mut self, generation: i64, memory: Memory) {
        self.memories.retain(|known, _| *known + 1 >= generation);
        self.memories.insert(generation, memory);
    }
}

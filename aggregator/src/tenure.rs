//! What an aggregator remembers while it holds the lease: nothing of it outlives the lease, or an error.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;

use crate::add_files::UnderWay;
use crate::dimension_ids::DimensionIds;
use crate::expire::minutes_kept_from;
use crate::kept::KeptCombinations;
use crate::lease::{self, LeaseError, RENEW_AFTER};
use crate::offsets::Place;
use crate::rebuild_copy::CopiedTo;
use crate::settings::WindowSettings;
use crate::stored::StoredWindows;
use crate::write_budget::WriteBudget;

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
    /// The generation that is being built, and how far windows were copied into it.
    pub(crate) copied: (i64, CopiedTo),
    /// How long windows take to be written.
    pub(crate) budget: WriteBudget,
    memories: HashMap<i64, Memory>,
    renewed_at: Instant,
    compared_at: Option<Instant>,
    checked_clock: bool,
}

/// What is remembered of one generation. It is taken out while files are added, and comes back only after the commit.
pub(crate) struct Memory {
    /// Which combinations each hour keeps.
    pub(crate) kept: KeptCombinations,
    /// Windows as they are stored.
    pub(crate) stored: StoredWindows,
    /// The file whose first part is committed. It goes on before any other, since `kept` knows its combinations already.
    pub(crate) under_way: Option<UnderWay>,
}

impl Tenure {
    /// Remembers nothing yet; the lease was just acquired or renewed.
    pub(crate) fn new(fence: Fence) -> Self {
        Self {
            fence,
            ids: DimensionIds::default(),
            looked_to: HashMap::new(),
            rebuild_after: -1,
            copied: (0, 0),
            budget: WriteBudget::default(),
            memories: HashMap::new(),
            renewed_at: Instant::now(),
            compared_at: None,
            checked_clock: false,
        }
    }

    /// Renews the lease if the last write, each of which renews it, is some time ago.
    pub(crate) async fn keep_lease(&mut self, database: &Database) -> Result<(), LeaseError> {
        if self.renewed_at.elapsed() > RENEW_AFTER {
            let began = Instant::now();
            lease::renew(database, self.fence).await?;
            self.renewed_at = began;
        }
        Ok(())
    }

    /// A transaction that began at this time renewed the lease.
    pub(crate) fn wrote(&mut self, began: Instant) {
        self.renewed_at = began;
    }

    /// Whether the first part of a file is committed and the rest is not.
    pub(crate) fn is_under_way(&self, generation: i64) -> bool {
        self.memories.get(&generation).is_some_and(|memory| memory.under_way.is_some())
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
            under_way: None,
        })
    }

    /// Puts it back after a commit.
    pub(crate) fn put_memory(&mut self, generation: i64, memory: Memory) {
        self.memories.insert(generation, memory);
    }

    /// Forgets what it knows of other generations than these.
    pub(crate) fn retain_generations(&mut self, is_used: impl Fn(i64) -> bool) {
        self.memories.retain(|generation, _| is_used(*generation));
    }

    /// Raises the alarm, once, when minutes are refused that the clock would keep: a clock was wrong.
    pub(crate) fn check_clock(&mut self, settings: WindowSettings, now: UtcMillis) {
        let kept_from = minutes_kept_from(now);
        if !self.checked_clock && settings.minute_floor.millis() > kept_from.millis() + DAY_MILLIS {
            tracing::error!(
                minutes_from = %settings.minute_floor,
                "minutes before {} have no windows, although those from {kept_from} on are to be kept: a clock was ahead. When \
                 all clocks are right, `opstream aggregator --rebuild` makes the minutes again",
                settings.minute_floor
            );
            self.checked_clock = true;
        }
    }
}

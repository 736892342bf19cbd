//! Windows as they are stored, as far as they are remembered; and what they become when changes are added.
//!
//! Only the lease's holder writes windows, so what it committed last is what is stored: a window is read once and then kept in a
//! bounded memory. Each write states the revision that it replaces, so a memory that is wrong after all is found out.

use std::collections::HashMap;
use std::sync::LazyLock;

use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::sketch::{Sketch, SketchBytesError};
use opstream_schemas::window::{SumOverflow, WindowSums};

use crate::changes::{Change, Changes, WindowPlace};
use crate::dimension_ids::DimensionIds;
use crate::rows_statement::RowsStatement;

/// Bytes of windows that are remembered.
const REMEMBERED_BYTES: usize = 24 << 20;
/// A window takes this much beside its sketches.
const WINDOW_BYTES: usize = 320;
/// When memory is full, windows that these many commits did not touch are forgotten first: the open ones stay.
const RECENT_COMMITS: u64 = 20;

static LOAD: LazyLock<RowsStatement> = LazyLock::new(|| RowsStatement::new(include_str!("load_windows.sql"), 1, 4));

/// What is stored of a window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredWindow {
    /// Number of its combination.
    pub(crate) dimension_id: i64,
    /// Changes so far.
    pub(crate) revision: i64,
    /// Sums.
    pub(crate) sums: WindowSums,
    /// Bytes of the sketch of latencies.
    pub(crate) latency: Vec<u8>,
    /// Bytes of the sketch of times to first token.
    pub(crate) ttft: Vec<u8>,
}

/// The memory of one generation.
#[derive(Debug)]
pub(crate) struct StoredWindows {
    generation: i64,
    windows: HashMap<WindowPlace, (StoredWindow, u64)>,
    bytes: usize,
    commits: u64,
}

/// Why changes could not be added to a window.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    /// The files that brought the changes must wait.
    #[error(transparent)]
    Overflow(#[from] SumOverflow),
    /// The stored window was tampered with; a rebuild brings it back.
    #[error("the stored sketch of a {} window of {} at {} is damaged; rebuild the windows", .place.level.name(), .place.set.name(), .place.start)]
    Sketch { place: WindowPlace, source: SketchBytesError },
    /// A combination without a number.
    #[error("a combination of {} has no row in window_dimensions", .place.set.name())]
    Unnumbered { place: WindowPlace },
}

impl StoredWindows {
    /// Remembers nothing yet.
    pub(crate) fn new(generation: i64) -> Self {
        Self { generation, windows: HashMap::new(), bytes: 0, commits: 0 }
    }

    /// Reads the windows that `changes` touch and that are not remembered.
    pub(crate) async fn load(
        &mut self,
        database: &Database,
        changes: &Changes,
        ids: &DimensionIds,
    ) -> Result<(), sqlx::Error> {
        let unknown = changes.windows.keys().filter(|place| !self.windows.contains_key(*place));
        let mut wanted: Vec<(WindowPlace, i64)> =
            unknown.filter_map(|place| ids.get(place.combination).map(|id| (*place, id))).collect();
        // In the order of the primary key, so that neighbours share pages.
        wanted.sort_unstable_by_key(|(place, id)| (place.set, place.level, place.start, *id));
        for (range, text) in LOAD.chunks(database.engine(), wanted.len()) {
            let wanted = &wanted[range];
            let mut values: Vec<Value> = vec![self.generation.into()];
            values.extend(wanted.iter().flat_map(|(place, id)| key_values(place, *id)));
            let mut found: HashMap<(i64, i64, i64, i64), StoredWindow> = HashMap::new();
            for row in database.fetch_all(text, &values).await? {
                found.insert(key_of(&row)?, read_stored(&row)?);
            }
            for (place, id) in wanted {
                let key = (place.set.code(), place.level.code(), place.start.millis(), *id);
                if let Some(stored) = found.remove(&key) {
                    self.remember(*place, stored);
                }
            }
        }
        Ok(())
    }

    /// The windows after `changes`, sorted by primary key. Every window that they touch was loaded.
    pub(crate) fn after(
        &self,
        changes: &Changes,
        ids: &DimensionIds,
    ) -> Result<Vec<(WindowPlace, StoredWindow)>, AddError> {
        let mut after = Vec::with_capacity(changes.windows.len());
        for (place, change) in &changes.windows {
            let window = match self.windows.get(place) {
                Some((stored, _)) => stored.plus(change, place)?,
                None => StoredWindow {
                    dimension_id: ids.get(place.combination).ok_or(AddError::Unnumbered { place: *place })?,
                    revision: 1,
                    sums: change.sums,
                    latency: change.latency.to_bytes(),
                    ttft: change.ttft.to_bytes(),
                },
            };
            after.push((*place, window));
        }
        after.sort_unstable_by_key(|(place, window)| (place.set, place.level, place.start, window.dimension_id));
        Ok(after)
    }

    /// Remembers what was committed.
    pub(crate) fn committed(&mut self, windows: Vec<(WindowPlace, StoredWindow)>) {
        self.commits += 1;
        for (place, window) in windows {
            self.remember(place, window);
        }
        if self.bytes > REMEMBERED_BYTES {
            let oldest = self.commits.saturating_sub(RECENT_COMMITS);
            self.windows.retain(|_, (_, touched)| *touched > oldest);
            self.bytes = self.windows.values().map(|(window, _)| window.bytes()).sum();
        }
        if self.bytes > REMEMBERED_BYTES {
            self.windows.clear();
            self.bytes = 0;
        }
    }

    fn remember(&mut self, place: WindowPlace, window: StoredWindow) {
        self.bytes += window.bytes();
        if let Some((old, _)) = self.windows.insert(place, (window, self.commits)) {
            self.bytes -= old.bytes();
        }
    }
}

impl StoredWindow {
    fn plus(&self, change: &Change, place: &WindowPlace) -> Result<Self, AddError> {
        Ok(Self {
            dimension_id: self.dimension_id,
            revision: self.revision + 1,
            sums: self.sums.checked_add(&change.sums)?,
            latency: add_sketch(&self.latency, &change.latency, place, "latency_count")?,
            ttft: add_sketch(&self.ttft, &change.ttft, place, "ttft_count")?,
        })
    }

    const fn bytes(&self) -> usize {
        WINDOW_BYTES + self.latency.len() + self.ttft.len()
    }
}

fn add_sketch(stored: &[u8], more: &Sketch, place: &WindowPlace, column: &'static str) -> Result<Vec<u8>, AddError> {
    if more.is_empty() {
        return Ok(stored.to_vec());
    }
    let stored = Sketch::from_bytes(stored).map_err(|source| AddError::Sketch { place: *place, source })?;
    let merged = stored.merge(more).map_err(|_| SumOverflow { column })?;
    Ok(merged.to_bytes())
}

/// The primary key behind the generation.
pub(crate) fn key_values(place: &WindowPlace, dimension_id: i64) -> [Value; 4] {
    [place.set.code().into(), place.level.code().into(), place.start.into(), dimension_id.into()]
}

fn key_of(row: &Row) -> Result<(i64, i64, i64, i64), sqlx::Error> {
    Ok((row.int("dimension_set")?, row.int("level")?, row.int("window_start_ms")?, row.int("dimension_id")?))
}

fn read_stored(row: &Row) -> Result<StoredWindow, sqlx::Error> {
    Ok(StoredWindow {
        dimension_id: row.int("dimension_id")?,
        revision: row.int("revision")?,
        sums: WindowSums::from_row(row)?,
        latency: row.bytes("latency_sketch")?,
        ttft: row.bytes("ttft_sketch")?,
    })
}

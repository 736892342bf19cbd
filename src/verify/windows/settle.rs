//! Compares windows that are complete with the table, in pages.

use std::collections::{BTreeMap, HashSet};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Row, Value};
use opstream_schemas::window::{
    Dimension, DimensionSet, Dimensions, KeyHash, Level, SUM_COLUMNS, WindowSums, window_key,
};
use sqlx::AssertSqlSafe;

use super::tally::{StoredSums, Tally};
use super::{WindowPlace, WindowsCheck};
use crate::verify::report::Finding;
use crate::verify::snapshot::{Snapshot, VerifyError};

const WRONG_WINDOW: (&str, &str) = (
    "the window was changed outside the aggregator, or a file was marked or unmarked as windowed by hand",
    "`opstream aggregator --rebuild` makes all windows again from the live files",
);
const WRONG_NAME: (&str, &str) = (
    "the row of window_dimensions was changed outside the aggregator",
    "`opstream aggregator --rebuild`, after deleting the row and the windows that name it",
);

/// One row of `windows`.
struct StoredWindow {
    start: UtcMillis,
    dimension_id: i64,
    /// None when no row of `window_dimensions` of the same set has the id.
    hash: Option<KeyHash>,
    /// None likewise.
    workspace: Option<String>,
    fence: i64,
    revision: i64,
    published_revision: i64,
    sums: StoredSums,
}

/// What the windows of an hour are for: they say which combinations it keeps.
pub(super) async fn kept_combinations(
    snapshot: &mut Snapshot,
    hour: UtcMillis,
) -> Result<HashSet<(DimensionSet, KeyHash)>, VerifyError> {
    let mut kept = HashSet::new();
    for set in DimensionSet::ALL {
        let generation = snapshot.settings.generation;
        let values = [generation.into(), set.code().into(), Level::Hour.code().into(), hour.into()];
        for row in snapshot.fetch("windows", include_str!("kept_combinations.sql"), &values).await? {
            kept.insert((set, key_hash(&row).map_err(windows_failed)?));
        }
    }
    Ok(kept)
}

impl WindowsCheck {
    /// Compares the windows of each level that begin before a time of that level.
    pub(super) async fn compare_before(
        &mut self,
        snapshot: &mut Snapshot,
        end_of: impl Fn(Level) -> UtcMillis,
    ) -> Result<(), VerifyError> {
        for index in 0..self.levels.len() {
            let open = &mut self.levels[index];
            let (level, from, to) = (open.level, open.compared_to, end_of(open.level));
            if to <= from {
                continue;
            }
            let lowest = (to, DimensionSet::Base, KeyHash([0; 16]));
            let later = open.windows.split_off(&lowest);
            let mut expected = std::mem::replace(&mut open.windows, later);
            open.compared_to = to;
            for set in DimensionSet::ALL {
                self.compare_set(snapshot, &Span { level, set, from, to }, &mut expected).await?;
            }
            for missing in expected {
                self.find_missing(snapshot, level, missing).await?;
            }
        }
        Ok(())
    }

    async fn compare_set(
        &mut self,
        snapshot: &mut Snapshot,
        span: &Span,
        expected: &mut BTreeMap<WindowPlace, Tally>,
    ) -> Result<(), VerifyError> {
        let (mut start, mut dimension_id) = (span.from, i64::MIN);
        loop {
            let page = span.page(snapshot, (start, dimension_id)).await?;
            for stored in &page {
                (start, dimension_id) = (stored.start, stored.dimension_id);
                if let Some(workspace) = &stored.workspace {
                    self.totals.add_window((span.set, span.level, stored.start), workspace, stored.sums.sums);
                }
                let place = stored.hash.map(|hash| (stored.start, span.set, hash));
                let tally = place.and_then(|place| expected.remove(&place)).unwrap_or_default();
                self.compare_window(snapshot, span, (stored, &tally)).await?;
            }
            if page.is_empty() {
                return Ok(());
            }
        }
    }

    async fn compare_window(
        &mut self,
        snapshot: &mut Snapshot,
        span: &Span,
        (stored, tally): (&StoredWindow, &Tally),
    ) -> Result<(), VerifyError> {
        if self.is_in_gap(span.level, stored.start) {
            self.check.compared("windows not compared, their files being unreadable", 1);
            return Ok(());
        }
        self.check.compared("windows", 1);
        let mut differences = tally.differences(&stored.sums);
        if stored.hash.is_none() {
            differences.push(format!("dimension_id {} is not of this set in window_dimensions", stored.dimension_id));
        }
        if stored.fence > self.lease_fence {
            differences.push(format!("fence {} is above the lease's {}", stored.fence, self.lease_fence));
        }
        if stored.published_revision > stored.revision {
            differences.push(format!("revision {} was published as {}", stored.revision, stored.published_revision));
        }
        if !differences.is_empty() {
            let name = self.name(snapshot, span.level, (stored.start, span.set, stored.hash)).await?;
            let what = format!("window {name}: table ≠ files: {}", differences.join("; "));
            self.check.find(|| Finding { what, cause: WRONG_WINDOW.0, way_out: WRONG_WINDOW.1 });
        }
        Ok(())
    }

    async fn find_missing(
        &mut self,
        snapshot: &mut Snapshot,
        level: Level,
        ((start, set, hash), tally): (WindowPlace, Tally),
    ) -> Result<(), VerifyError> {
        if !self.is_in_gap(level, start) {
            let name = self.name(snapshot, level, (start, set, Some(hash))).await?;
            let what = format!("window {name} is missing; the files hold {} operations for it", tally.operations());
            self.check.find(|| Finding { what, cause: WRONG_WINDOW.0, way_out: WRONG_WINDOW.1 });
        }
        Ok(())
    }

    /// Whether operations of the window are in a file that cannot be read.
    fn is_in_gap(&self, level: Level, start: UtcMillis) -> bool {
        self.gaps.iter().any(|(first, last)| *first < level.window_end(start) && *last >= start)
    }

    /// The window's key as on the topic, and its start for people. Looked up only while findings are kept in full.
    async fn name(
        &self,
        snapshot: &mut Snapshot,
        level: Level,
        (start, set, hash): (UtcMillis, DimensionSet, Option<KeyHash>),
    ) -> Result<String, VerifyError> {
        let unknown = || format!("{} of {start} in {}, of an unknown combination", level.name(), set.name());
        let Some(hash) = hash.filter(|_| self.check.has_room()) else { return Ok(unknown()) };
        let sql = "select * from window_dimensions where key_hash = $1";
        let rows = snapshot.fetch("window_dimensions", sql, &[hash.0.to_vec().into()]).await?;
        let Some(row) = rows.first() else { return Ok(unknown()) };
        let dimensions = dimensions(row, set).map_err(windows_failed)?;
        Ok(format!("{} ({start})", window_key(set, level, start, &dimensions)))
    }

    /// A combination is found by the hash of its values, so one must follow from the other.
    pub(super) async fn check_dimensions(&mut self, snapshot: &mut Snapshot) -> Result<(), VerifyError> {
        let mut after = i64::MIN;
        loop {
            let values: [Value; 2] = [after.into(), snapshot.page_limit()];
            let page = snapshot.fetch("window_dimensions", include_str!("dimensions.sql"), &values).await?;
            for row in &page {
                after = row.int("dimension_id").map_err(windows_failed)?;
                self.check.compared("combinations", 1);
                if !has_own_hash(row).map_err(windows_failed)? {
                    let what = format!("dimension_id {after} of window_dimensions: key_hash is not that of its values");
                    self.check.find(|| Finding { what, cause: WRONG_NAME.0, way_out: WRONG_NAME.1 });
                }
            }
            if page.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Windows of one level and set that begin in `[from, to)`.
struct Span {
    level: Level,
    set: DimensionSet,
    from: UtcMillis,
    to: UtcMillis,
}

impl Span {
    /// The next page after a start and a combination.
    async fn page(&self, snapshot: &mut Snapshot, after: (UtcMillis, i64)) -> Result<Vec<StoredWindow>, VerifyError> {
        let columns: Vec<String> = SUM_COLUMNS.iter().map(|column| format!("windows.{column}")).collect();
        let sql = include_str!("windows.sql").replace("{sums}", &columns.join(", "));
        let values = [
            snapshot.settings.generation.into(),
            self.set.code().into(),
            self.level.code().into(),
            after.0.into(),
            after.1.into(),
            self.to.into(),
            snapshot.page_limit(),
        ];
        let rows = snapshot.fetch("windows", AssertSqlSafe(sql), &values).await?;
        rows.iter().map(stored_window).collect::<Result<_, _>>().map_err(windows_failed)
    }
}

fn stored_window(row: &Row) -> Result<StoredWindow, sqlx::Error> {
    let hash = row.optional_bytes("key_hash")?.and_then(|bytes| bytes.try_into().ok()).map(KeyHash);
    Ok(StoredWindow {
        start: UtcMillis::from_millis(row.int("window_start_ms")?),
        dimension_id: row.int("dimension_id")?,
        hash,
        workspace: row.optional_text("workspace")?,
        fence: row.int("fence")?,
        revision: row.int("revision")?,
        published_revision: row.int("published_revision")?,
        sums: StoredSums {
            sums: WindowSums::from_row(row)?,
            latency_sketch: row.bytes("latency_sketch")?,
            ttft_sketch: row.bytes("ttft_sketch")?,
        },
    })
}

fn key_hash(row: &Row) -> Result<KeyHash, sqlx::Error> {
    let bytes = row.bytes("key_hash")?;
    let bytes = bytes.try_into().map_err(|_| sqlx::Error::Decode("key_hash has not 16 bytes".into()))?;
    Ok(KeyHash(bytes))
}

fn dimensions(row: &Row, set: DimensionSet) -> Result<Dimensions, sqlx::Error> {
    let mut values = BTreeMap::new();
    for dimension in Dimension::ALL {
        values.insert(dimension, row.optional_text(dimension.column())?);
    }
    Ok(Dimensions::from_values(set, |dimension| values.remove(&dimension).flatten()))
}

fn has_own_hash(row: &Row) -> Result<bool, sqlx::Error> {
    let Some(set) = DimensionSet::from_code(row.int("dimension_set")?) else { return Ok(false) };
    Ok(row.bytes("key_hash")? == dimensions(row, set)?.key_hash(set).0)
}

fn windows_failed(source: sqlx::Error) -> VerifyError {
    VerifyError::Database { what: "windows", source }
}

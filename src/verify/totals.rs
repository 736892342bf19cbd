//! Adds rows, files and windows up by day and workspace, and holds the totals against each other, column by column.
//!
//! In: slices of operations in the order of ids, and every window that is read. Out: the check `totals`. Of a day the rows, the rows of
//! files and the windows of each set and level must come to the same, to the nano-dollar; operations whose file is not in windows yet
//! are left out of the last. `rows_and_files` and `windows` prove it piece by piece; this check adds up without looking at pieces,
//! and says how much is at stake. A day is compared and forgotten once all of it has been read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use opstream_schemas::UtcMillis;
use opstream_schemas::prices::CostStatus;
use opstream_schemas::window::{DimensionSet, Level, SUM_COLUMNS, WindowSums};

use super::facts::{Symbol, text_place};
use super::report::{Check, Finding};
use super::slice::Slice;
use super::sums::Sums;

const WORKSPACE: usize = text_place("workspace");

/// Totals that are kept apart at once: about 30 MB. The workspaces of a day that come after are added up together.
const MOST_TOTALS: usize = 2000;

const UNEQUAL_ROWS: (&str, &str) = (
    "rows or files were changed after their commit: `rows_and_files` names them",
    "mend what `rows_and_files` names; this check says how much is at stake",
);
const UNEQUAL_WINDOWS: (&str, &str) = (
    "windows or files were changed after their commit: `windows` names the windows",
    "mend what `files` or `rows_and_files` name, then rebuild the windows; this check says how much is at stake",
);

/// Day and workspace; none are the workspaces beyond [`MOST_TOTALS`].
type Place = (UtcMillis, Option<Arc<str>>);

/// The totals of the days that are being read.
#[derive(Debug)]
pub(super) struct TotalsCheck {
    check: Check,
    /// Spans of time, both ends included, whose operations are in files that cannot be read.
    gaps: Vec<(UtcMillis, UtcMillis)>,
    /// Per level, in the order of [`Level::ALL`], the first window that is kept.
    kept_from: [UtcMillis; Level::ALL.len()],
    open: BTreeMap<Place, Totals>,
    most: usize,
}

/// What one workspace comes to on one day.
#[derive(Debug, Default)]
struct Totals {
    rows: Sums,
    files: Sums,
    /// What of `files` is in windows.
    windowed: Sums,
    windows: Box<[[Sums; Level::ALL.len()]; DimensionSet::ALL.len()]>,
}

/// What a slice adds.
#[derive(Default)]
struct Added {
    rows: Sums,
    files: Sums,
    windowed: Sums,
}

impl TotalsCheck {
    /// Nothing was read yet. `kept_from` are the first windows of each level, `gaps` the spans of time of files that cannot be read.
    pub(super) fn new(kept_from: [UtcMillis; Level::ALL.len()], gaps: &[(UtcMillis, UtcMillis)]) -> Self {
        let promise = "of each workspace and day, rows, files and windows of every set and level come to the same sums";
        let check = Check::new("totals", promise);
        Self { check, gaps: gaps.to_vec(), kept_from, open: BTreeMap::new(), most: MOST_TOTALS }
    }

    /// The same, keeping other numbers of totals apart.
    #[cfg(test)]
    pub(super) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Adds the rows and the rows of files of the next slice.
    pub(super) fn take(&mut self, slice: &Slice) {
        let mut added: HashMap<(UtcMillis, Option<Symbol>), Added> = HashMap::new();
        let reported = slice.interner.find(CostStatus::Reported.name());
        for row in &slice.rows {
            let day = Level::Day.window_start(row.id.time());
            added.entry((day, row.text(WORKSPACE))).or_default().rows.add(row, reported);
        }
        for row in &slice.file_rows {
            let time = row.facts.id.time();
            let added = added.entry((Level::Day.window_start(time), row.facts.text(WORKSPACE))).or_default();
            added.files.add(&row.facts, reported);
            if time < slice.files[row.file].windowed_before {
                added.windowed.add(&row.facts, reported);
            }
        }
        for ((day, workspace), Added { rows, files, windowed }) in added {
            let totals = self.totals_of(day, workspace.map_or("", |symbol| slice.interner.text(symbol)));
            totals.rows += rows;
            totals.files += files;
            totals.windowed += windowed;
        }
    }

    /// Adds a window.
    pub(super) fn add_window(
        &mut self,
        (set, level, start): (DimensionSet, Level, UtcMillis),
        workspace: &str,
        sums: WindowSums,
    ) {
        let (set, level) = (place_of(&DimensionSet::ALL, &set), place_of(&Level::ALL, &level));
        self.totals_of(Level::Day.window_start(start), workspace).windows[set][level] += sums.into();
    }

    /// Once a workspace of a day was added to the others, so are all that come after it, windows like rows.
    fn totals_of(&mut self, day: UtcMillis, workspace: &str) -> &mut Totals {
        let mut place = (day, Some(Arc::from(workspace)));
        let is_full = self.open.len() >= self.most || self.open.contains_key(&(day, None));
        if is_full && !self.open.contains_key(&place) {
            place = (day, None);
        }
        self.open.entry(place).or_default()
    }

    /// Compares the days before this one, of which nothing may come any more.
    pub(super) fn close_before(&mut self, day: UtcMillis) {
        let later = self.open.split_off(&(day, None));
        for ((day, workspace), totals) in std::mem::replace(&mut self.open, later) {
            self.compare(day, workspace.as_deref(), &totals);
        }
    }

    /// Compares what is left and returns the check.
    pub(super) fn finish(mut self) -> Check {
        self.close_before(UtcMillis::from_millis(i64::MAX));
        self.check
    }

    fn compare(&mut self, day: UtcMillis, workspace: Option<&str>, totals: &Totals) {
        let end = Level::Day.window_end(day);
        if self.gaps.iter().any(|(first, last)| *first < end && *last >= day) {
            self.check.compared("days of workspaces not compared, their files being unreadable", 1);
            return;
        }
        self.check.compared("days of workspaces", 1);
        self.check.compared("nano-USD", u64::try_from(totals.rows.cost()).unwrap_or(0));
        self.hold("rows ≠ files", (day, workspace), (&totals.rows, &totals.files), UNEQUAL_ROWS);
        for (set, levels) in DimensionSet::ALL.into_iter().zip(totals.windows.iter()) {
            let levels = Level::ALL.into_iter().zip(levels).zip(self.kept_from);
            // Of a day that is kept in part, the windows are compared one by one only.
            for ((level, sums), _) in levels.filter(|(_, kept_from)| *kept_from <= day) {
                let what = format!("{} windows of the set {} ≠ files", level.name(), set.name());
                self.hold(&what, (day, workspace), (sums, &totals.windowed), UNEQUAL_WINDOWS);
            }
        }
    }

    fn hold(
        &mut self,
        what: &str,
        (day, workspace): (UtcMillis, Option<&str>),
        (one, other): (&Sums, &Sums),
        (cause, way_out): (&'static str, &'static str),
    ) {
        self.check.compared("sums", SUM_COLUMNS.len() as u64);
        if one == other {
            return;
        }
        self.check.find(|| {
            let workspace = workspace.map_or_else(|| "the other workspaces".to_owned(), |name| format!("{name:?}"));
            let date = day.to_string();
            let what = format!("{workspace} on {}: {what}: {}", &date[..10], one.differences(other).join("; "));
            Finding { what, cause, way_out }
        });
    }
}

fn place_of<T: PartialEq>(all: &[T], one: &T) -> usize {
    all.iter().position(|other| other == one).expect("all of them are listed")
}

//! Adds every windowed file up again and holds the sums against every window of the current generation.
//!
//! In: slices of operations in the order of ids, which is the order of time. Out: the check `windows`, and with the windows
//! that it reads anyway the check `totals`. A minute's
//! operations are first added up by combination, then to the four levels of the seven sets; windows that time has
//! passed are compared with the tables and forgotten, so that memory holds open windows and a bounded number of others.
//!
//! Which combinations an hour keeps and which add to `(other)` is decided by arrival, which the files do not tell; the
//! tables do: a combination is kept in an hour exactly if its hour window exists. The sums below `(other)` and beside it
//! are then fixed, and a window that was deleted still shows, in `(other)` and in its minutes.

mod settle;
mod tally;

use std::collections::{BTreeMap, HashMap, HashSet};

use opstream_schemas::UtcMillis;
use opstream_schemas::prices::CostStatus;
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, KeyHash, Level};

use self::tally::Tally;
use super::facts::{Interner, Symbol, text_place};
use super::report::Check;
use super::slice::{FileRow, Slice};
use super::snapshot::{Snapshot, VerifyError};
use super::totals::TotalsCheck;

/// Number of dimensions.
const DIMENSIONS: usize = Dimension::ALL.len();
/// Places of [`Dimension::ALL`] among the compared texts.
const DIMENSION_PLACES: [usize; DIMENSIONS] = {
    let mut places = [0; DIMENSIONS];
    let mut at = 0;
    while at < DIMENSIONS {
        places[at] = text_place(Dimension::ALL[at].column());
        at += 1;
    }
    places
};

/// The values of all dimensions of an operation.
type Combination = [Option<Symbol>; DIMENSIONS];
/// A window of one level: start, set, values.
type WindowPlace = (UtcMillis, DimensionSet, KeyHash);

/// The windows that are being added up.
pub(super) struct WindowsCheck {
    check: Check,
    /// What the same operations and windows come to by day and workspace.
    totals: TotalsCheck,
    /// Spans of time, both ends included, whose operations are in files that cannot be read.
    gaps: Vec<(UtcMillis, UtcMillis)>,
    lease_fence: i64,
    minute: Option<UtcMillis>,
    /// The operations of `minute`, until the minute or the slice ends.
    by_combination: HashMap<Combination, Tally>,
    /// The combinations that the hour of `minute` keeps.
    kept: HashSet<(DimensionSet, KeyHash)>,
    /// Per level, in the order of [`Level::ALL`]: what has been added up, and up to where windows were compared.
    levels: [OpenLevel; Level::ALL.len()],
}

/// The windows of one level that were not compared yet.
#[derive(Debug)]
struct OpenLevel {
    level: Level,
    windows: BTreeMap<WindowPlace, Tally>,
    compared_to: UtcMillis,
}

impl WindowsCheck {
    /// Prepares for the first slice. `gaps` are the spans of time of files that cannot be read.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn begin(snapshot: &mut Snapshot, gaps: &[(UtcMillis, UtcMillis)]) -> Result<Self, VerifyError> {
        let promise = "every window of every set and level is the sum over the live files that are marked as windowed";
        let rows = snapshot.fetch("aggregator_lease", "select fence from aggregator_lease", &[]).await?;
        let fence = rows.first().map_or(Ok(0), |row| row.int("fence"));
        let settings = snapshot.settings;
        let open = |level| {
            let start = if level == Level::Minute { settings.floor.max(settings.minute_floor) } else { settings.floor };
            OpenLevel { level, windows: BTreeMap::new(), compared_to: first_start(level, start) }
        };
        let levels = Level::ALL.map(open);
        let kept_from = levels.each_ref().map(|open| open.compared_to);
        Ok(Self {
            check: Check::new("windows", promise),
            totals: TotalsCheck::new(kept_from, gaps),
            gaps: gaps.to_vec(),
            lease_fence: fence.map_err(|source| VerifyError::Database { what: "aggregator_lease", source })?,
            minute: None,
            by_combination: HashMap::new(),
            kept: HashSet::new(),
            levels,
        })
    }

    /// Adds the windowed operations of the next slice.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn take(&mut self, snapshot: &mut Snapshot, slice: &Slice) -> Result<(), VerifyError> {
        self.totals.take(slice);
        let mut hashes = HashMap::new();
        let reported = slice.interner.find(CostStatus::Reported.name());
        let is_windowed = |row: &&FileRow| row.facts.id.time() < slice.files[row.file].windowed_before;
        for row in slice.file_rows.iter().filter(is_windowed) {
            let minute = Level::Minute.window_start(row.facts.id.time());
            if self.minute != Some(minute) {
                self.spread(&slice.interner, &mut hashes);
                self.turn_to(snapshot, minute).await?;
            }
            let combination = DIMENSION_PLACES.map(|place| row.facts.text(place));
            self.by_combination.entry(combination).or_default().add(&row.facts, reported);
        }
        // The symbols end with the slice.
        self.spread(&slice.interner, &mut hashes);
        let day = Level::Day.window_start(slice.range.end().time());
        self.compare_before(snapshot, |_| day).await?;
        self.totals.close_before(day);
        Ok(())
    }

    /// Compares what is left and returns the checks `windows` and `totals`.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn finish(mut self, snapshot: &mut Snapshot) -> Result<(Check, Check), VerifyError> {
        self.compare_before(snapshot, |_| UtcMillis::from_millis(i64::MAX)).await?;
        self.check_dimensions(snapshot).await?;
        Ok((self.check, self.totals.finish()))
    }

    /// Goes on to another minute; time never runs backwards, since slices are in the order of ids.
    async fn turn_to(&mut self, snapshot: &mut Snapshot, minute: UtcMillis) -> Result<(), VerifyError> {
        let hour = Level::Hour.window_start(minute);
        if self.minute.map(|minute| Level::Hour.window_start(minute)) != Some(hour) {
            self.kept = settle::kept_combinations(snapshot, hour).await?;
        }
        self.minute = Some(minute);
        if self.levels.iter().map(|open| open.windows.len()).sum::<usize>() > snapshot.limits.open_windows {
            self.compare_before(snapshot, |level| level.window_start(minute)).await?;
        }
        Ok(())
    }

    /// Adds the minute's combinations to the windows of all sets and levels.
    fn spread(&mut self, interner: &Interner, hashes: &mut HashMap<Combination, [KeyHash; DimensionSet::ALL.len()]>) {
        let Some(minute) = self.minute else { return };
        for (combination, tally) in std::mem::take(&mut self.by_combination) {
            let own = hashes.entry(combination).or_insert_with(|| {
                let dimensions = dimensions_of(&combination, interner);
                DimensionSet::ALL.map(|set| dimensions.kept_by(set).key_hash(set))
            });
            for (set, hash) in DimensionSet::ALL.into_iter().zip(*own) {
                let hash = if self.kept.contains(&(set, hash)) {
                    hash
                } else {
                    Dimensions::other(set, &dimensions_of(&combination, interner).workspace).key_hash(set)
                };
                for open in &mut self.levels {
                    let start = open.level.window_start(minute);
                    if start >= open.compared_to {
                        open.windows.entry((start, set, hash)).or_default().merge(&tally);
                    }
                }
            }
        }
    }
}

/// The first window of the level that begins at or after `from`.
fn first_start(level: Level, from: UtcMillis) -> UtcMillis {
    let start = level.window_start(from);
    if start == from { from } else { level.window_end(start) }
}

fn dimensions_of(combination: &Combination, interner: &Interner) -> Dimensions {
    let value = |dimension: Dimension| {
        let place = Dimension::ALL.iter().position(|other| *other == dimension).expect("every dimension is listed");
        combination[place].map(|symbol| interner.text(symbol).to_string())
    };
    Dimensions::from_values(DimensionSet::Base, value)
}

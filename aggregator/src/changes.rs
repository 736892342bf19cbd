//! What files change: groups spread over all dimension sets and levels. Pure.
//!
//! A file is immutable and its changes are in the order of time, so "all its operations before T" is a complete description of
//! how much of it is in windows. A file of many windows is added in such portions. Each has whole minutes in all sets
//! and levels, so that an operation is in all its windows or in none.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{DimensionSet, Dimensions, KeyHash, Level, SumOverflow, WindowSums};

use crate::file_sums::Group;
use crate::kept::{Admission, KeptCombinations};

/// One window, whatever its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WindowPlace {
    /// Its set.
    pub(crate) set: DimensionSet,
    /// Its width.
    pub(crate) level: Level,
    /// Its start.
    pub(crate) start: UtcMillis,
    /// Its combination of values.
    pub(crate) combination: KeyHash,
}

/// What is added to one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    /// Sums.
    pub(crate) sums: WindowSums,
    /// Latencies.
    pub(crate) latency: Sketch,
    /// Times to first token.
    pub(crate) ttft: Sketch,
}

/// What is added to all windows.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Changes {
    /// Per window.
    pub(crate) windows: HashMap<WindowPlace, Change>,
    /// The values of every combination among them.
    pub(crate) combinations: Combinations,
}

/// The values of combinations.
pub(crate) type Combinations = HashMap<KeyHash, (DimensionSet, Dimensions)>;

/// What one file changes, or what is left of it: minute by minute in the order of time, not spread over wider windows yet.
#[derive(Debug, Default)]
pub(crate) struct FileChanges {
    minutes: VecDeque<MinuteChanges>,
    combinations: Combinations,
}

/// One minute in all sets.
#[derive(Debug)]
struct MinuteChanges {
    start: UtcMillis,
    changes: HashMap<(DimensionSet, KeyHash), Change>,
}

/// What limits the windows of one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Minutes before this have no windows.
    pub(crate) minute_floor: UtcMillis,
    /// About how many windows a transaction writes.
    pub(crate) most_windows: usize,
}

impl Change {
    /// Adds `more`. After an error the change is of no use.
    pub(crate) fn add(&mut self, more: &Self) -> Result<(), SumOverflow> {
        let sketch = |column| move |_| SumOverflow { column };
        self.sums = self.sums.checked_add(&more.sums)?;
        self.latency.add(&more.latency).map_err(sketch("latency_count"))?;
        self.ttft.add(&more.ttft).map_err(sketch("ttft_count"))
    }
}

impl FileChanges {
    /// What these groups of a file change; they are in the order of time. Their hours are loaded in `kept`, which decides
    /// about every combination here, for good.
    pub(crate) fn of_groups(groups: Vec<Group>, kept: &mut KeptCombinations) -> Result<Self, SumOverflow> {
        let mut file = Self::default();
        for group in groups {
            let change = Change { sums: group.sums, latency: group.latency, ttft: group.ttft };
            let hour = Level::Hour.window_start(group.minute);
            if file.minutes.back().is_none_or(|last| last.start != group.minute) {
                file.minutes.push_back(MinuteChanges { start: group.minute, changes: HashMap::new() });
            }
            for set in DimensionSet::ALL {
                let combination =
                    file.admit(set, &group.dimensions, |dimensions, hash| kept.admit((set, hour), dimensions, hash));
                let minute = file.minutes.back_mut().expect("the group's minute is the last one");
                add_to(&mut minute.changes, (set, combination), &change)?;
            }
        }
        Ok(file)
    }

    /// The first minute that was not taken.
    pub(crate) fn next_minute(&self) -> Option<UtcMillis> {
        self.minutes.front().map(|minute| minute.start)
    }

    /// Takes the first minutes: all if their windows are no more than `bounds` says, else up to the start of an hour, a
    /// quarter-hour or a minute, the widest that fits. At least one minute.
    pub(crate) fn take_portion(&mut self, bounds: Bounds) -> Result<Changes, SumOverflow> {
        let length = self.portion_length(bounds);
        let mut windows = HashMap::new();
        let mut narrow = HashMap::new();
        for minute in self.minutes.drain(..length) {
            for ((set, combination), change) in minute.changes {
                narrow.insert(WindowPlace { set, level: Level::Minute, start: minute.start, combination }, change);
            }
        }
        for wider in [Level::QuarterHour, Level::Hour, Level::Day] {
            let mut wide = HashMap::new();
            for (place, change) in &narrow {
                let start = wider.window_start(place.start);
                add_to(&mut wide, WindowPlace { level: wider, start, ..*place }, change)?;
            }
            let is_kept = |place: &WindowPlace| place.level != Level::Minute || place.start >= bounds.minute_floor;
            windows.extend(narrow.into_iter().filter(|(place, _)| is_kept(place)));
            narrow = wide;
        }
        let hashes: HashSet<KeyHash> = narrow.keys().map(|place| place.combination).collect();
        windows.extend(narrow);
        let named = |hash: KeyHash| self.combinations.get(&hash).map(|named| (hash, named.clone()));
        Ok(Changes { windows, combinations: hashes.into_iter().filter_map(named).collect() })
    }

    fn portion_length(&self, bounds: Bounds) -> usize {
        let mut wide = HashSet::new();
        let (mut windows, mut hour_begins, mut quarter_begins) = (0, None, None);
        for (number, minute) in self.minutes.iter().enumerate() {
            if number > 0 {
                let before = self.minutes[number - 1].start;
                let begins = |level: Level| level.window_start(before) != level.window_start(minute.start);
                hour_begins = if begins(Level::Hour) { Some(number) } else { hour_begins };
                quarter_begins = if begins(Level::QuarterHour) { Some(number) } else { quarter_begins };
            }
            if minute.start >= bounds.minute_floor {
                windows += minute.changes.len();
            }
            for (set, combination) in minute.changes.keys() {
                for level in [Level::QuarterHour, Level::Hour, Level::Day] {
                    wide.insert((level, level.window_start(minute.start), *set, *combination));
                }
            }
            if number > 0 && windows + wide.len() > bounds.most_windows {
                return hour_begins.or(quarter_begins).unwrap_or(number);
            }
        }
        self.minutes.len()
    }

    /// The combination under which `set` counts operations with these values.
    fn admit(
        &mut self,
        set: DimensionSet,
        all: &Dimensions,
        decide: impl FnOnce(&Dimensions, KeyHash) -> Admission,
    ) -> KeyHash {
        let dimensions = all.kept_by(set);
        let hash = dimensions.key_hash(set);
        match decide(&dimensions, hash) {
            Admission::Kept => {
                self.combinations.entry(hash).or_insert((set, dimensions));
                hash
            }
            Admission::Other(other) => {
                self.combinations.entry(other).or_insert_with(|| (set, Dimensions::other(set, &all.workspace)));
                other
            }
        }
    }
}

impl Changes {
    /// Adds what another file changes. After an error the changes are of no use.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), SumOverflow> {
        for (place, change) in other.windows {
            match self.windows.entry(place) {
                Entry::Occupied(mut known) => known.get_mut().add(&change)?,
                Entry::Vacant(new) => {
                    new.insert(change);
                }
            }
        }
        self.combinations.extend(other.combinations);
        Ok(())
    }
}

fn add_to<P: Eq + Hash>(changes: &mut HashMap<P, Change>, place: P, change: &Change) -> Result<(), SumOverflow> {
    match changes.entry(place) {
        Entry::Occupied(mut known) => known.get_mut().add(change),
        Entry::Vacant(new) => {
            new.insert(change.clone());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const COMBINATION: KeyHash = KeyHash([7; 16]);

    /// One operation of one set in each of the first minutes of a day.
    fn minutes(count: i64) -> FileChanges {
        let minute = |number| {
            let sums = WindowSums { operations: 1, ..WindowSums::default() };
            let change = Change { sums, ..Change::default() };
            let changes = HashMap::from([((DimensionSet::Workspace, COMBINATION), change)]);
            MinuteChanges { start: UtcMillis::from_millis(number * 60_000), changes }
        };
        FileChanges { minutes: (0..count).map(minute).collect(), combinations: HashMap::new() }
    }

    fn bounds(most_windows: usize) -> Bounds {
        Bounds { minute_floor: UtcMillis::default(), most_windows }
    }

    /// Where the portions end, in minutes.
    fn cuts(mut file: FileChanges, most_windows: usize) -> Vec<i64> {
        let mut cuts = Vec::new();
        while let Some(from) = file.next_minute() {
            cuts.push(from.millis() / 60_000);
            file.take_portion(bounds(most_windows)).unwrap();
        }
        cuts
    }

    #[test]
    fn a_portion_ends_at_the_widest_boundary_that_fits_and_is_never_empty() {
        assert_eq!(cuts(minutes(71), 1000), [0]);
        assert_eq!(cuts(minutes(71), 70), [0, 60]);
        assert_eq!(cuts(minutes(71), 65), [0, 45]);
        assert_eq!(cuts(minutes(20), 12), [0, 9, 15], "the first quarter-hour has 9 + 3 windows in its first part");
        assert_eq!(cuts(minutes(3), 1), [0, 1, 2]);
    }

    #[test]
    fn portions_add_up_to_the_whole() {
        let whole = minutes(200).take_portion(bounds(usize::MAX)).unwrap();
        let (mut file, mut parts) = (minutes(200), Changes::default());
        while file.next_minute().is_some() {
            parts.merge(file.take_portion(bounds(40)).unwrap()).unwrap();
        }
        assert_eq!(parts, whole);
        assert_eq!(whole.windows.len(), 200 + 14 + 4 + 1);
    }

    #[test]
    fn minutes_below_the_floor_count_in_wider_windows_only() {
        let bounds = Bounds { minute_floor: UtcMillis::from_millis(HOUR), most_windows: 10 };
        let changes = minutes(60).take_portion(bounds).unwrap();
        assert_eq!(changes.windows.len(), 4 + 1 + 1);
    }
}

//! What files change: groups spread over all dimension sets and levels. Pure.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
    pub(crate) combinations: HashMap<KeyHash, (DimensionSet, Dimensions)>,
}

impl Change {
    /// Adds `more`.
    pub(crate) fn add(&mut self, more: &Self) -> Result<(), SumOverflow> {
        let sums = self.sums.checked_add(&more.sums)?;
        let sketch = |column| move |_| SumOverflow { column };
        let latency = self.latency.merge(&more.latency).map_err(sketch("latency_count"))?;
        let ttft = self.ttft.merge(&more.ttft).map_err(sketch("ttft_count"))?;
        *self = Self { sums, latency, ttft };
        Ok(())
    }
}

impl Changes {
    /// What one file changes. The hours of its groups are loaded in `kept`. Minutes before `minute_floor` are not kept.
    pub(crate) fn of_file(
        groups: Vec<Group>,
        kept: &mut KeptCombinations,
        minute_floor: UtcMillis,
    ) -> Result<Self, SumOverflow> {
        let mut changes = Self::default();
        let mut narrow = HashMap::new();
        for group in groups {
            let change = Change { sums: group.sums, latency: group.latency, ttft: group.ttft };
            let hour = Level::Hour.window_start(group.minute);
            for set in DimensionSet::ALL {
                let combination =
                    changes.admit(set, &group.dimensions, |dimensions, hash| kept.admit((set, hour), dimensions, hash));
                let place = WindowPlace { set, level: Level::Minute, start: group.minute, combination };
                add_to(&mut narrow, place, &change)?;
            }
        }
        for wider in [Level::QuarterHour, Level::Hour, Level::Day] {
            let mut wide = HashMap::new();
            for (place, change) in &narrow {
                let start = wider.window_start(place.start);
                add_to(&mut wide, WindowPlace { level: wider, start, ..*place }, change)?;
            }
            let is_kept = |place: &WindowPlace| place.level != Level::Minute || place.start >= minute_floor;
            changes.windows.extend(narrow.into_iter().filter(|(place, _)| is_kept(place)));
            narrow = wide;
        }
        changes.windows.extend(narrow);
        Ok(changes)
    }

    /// Adds what another file changes. After an error the changes are of no use.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), SumOverflow> {
        for (place, change) in other.windows {
            add_to(&mut self.windows, place, &change)?;
        }
        self.combinations.extend(other.combinations);
        Ok(())
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

fn add_to(windows: &mut HashMap<WindowPlace, Change>, place: WindowPlace, change: &Change) -> Result<(), SumOverflow> {
    match windows.entry(place) {
        Entry::Occupied(mut known) => known.get_mut().add(change),
        Entry::Vacant(new) => {
            new.insert(change.clone());
            Ok(())
        }
    }
}

//! Which combinations each hour keeps: the first [`KEPT_COMBINATIONS`] of every set and workspace; the others add to `(other)`.
//!
//! A combination is kept in an hour exactly if it has an hour window, so the windows themselves are the memory of this
//! decision. A generation that is rebuilt begins with what its predecessor kept: a combination that did not fit finds the same
//! full hour again, whatever the order of files, and the rebuilt windows are the same.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::window::{DimensionSet, Dimensions, KEPT_COMBINATIONS, KeyHash, Level};

use crate::rows_statement::RowsStatement;

/// Combinations that are remembered before all are forgotten: about 30 MB.
const REMEMBERED: usize = 500_000;

static LOAD: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("kept_combinations.sql"), 3, 1));

/// One hour of one dimension set.
pub(crate) type SetHour = (DimensionSet, UtcMillis);

/// The decisions of the hours that were looked at.
#[derive(Debug)]
pub(crate) struct KeptCombinations {
    generation: i64,
    /// The generation that this one is rebuilt from.
    predecessor: i64,
    hours: HashMap<SetHour, HashMap<String, KeptOfWorkspace>>,
    remembered: usize,
}

#[derive(Debug)]
struct KeptOfWorkspace {
    /// `(other)` itself is always kept and not counted.
    other: KeyHash,
    kept: HashSet<KeyHash>,
}

/// What became of a combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It has windows of its own in that hour.
    Kept,
    /// It adds to this one.
    Other(KeyHash),
}

impl KeptCombinations {
    /// Nothing remembered yet.
    pub(crate) fn new(generation: i64, predecessor: i64) -> Self {
        Self { generation, predecessor, hours: HashMap::new(), remembered: 0 }
    }

    /// Reads the decisions of these hours, where they are not remembered.
    pub(crate) async fn load(&mut self, database: &Database, hours: &HashSet<SetHour>) -> Result<(), sqlx::Error> {
        if self.remembered > REMEMBERED {
            self.hours.clear();
            self.remembered = 0;
        }
        for set in DimensionSet::ALL {
            let unknown = |hour: &&SetHour| hour.0 == set && !self.hours.contains_key(*hour);
            let starts: Vec<UtcMillis> = hours.iter().filter(unknown).map(|(_, start)| *start).collect();
            for (range, text) in LOAD.chunks(database.engine(), starts.len()) {
                let mut values: Vec<Value> = vec![self.generation.into(), self.predecessor.into(), set.code().into()];
                values.extend(starts[range].iter().map(|start| Value::from(*start)));
                for row in database.fetch_all(text, &values).await? {
                    let hash = <[u8; 16]>::try_from(row.bytes("key_hash")?)
                        .map_err(|bytes| sqlx::Error::Decode(format!("key_hash has {} bytes", bytes.len()).into()))?;
                    let hour = (set, UtcMillis::from_millis(row.int("window_start_ms")?));
                    self.keep(hour, &row.text("workspace")?, KeyHash(hash));
                }
            }
            for start in starts {
                self.hours.entry((set, start)).or_default();
            }
        }
        Ok(())
    }

    /// Decides about a combination of an hour that was loaded, for good.
    pub(crate) fn admit(&mut self, hour: SetHour, combination: &Dimensions, hash: KeyHash) -> Admission {
        let workspaces = self.hours.get_mut(&hour).expect("the hours of a file are loaded before it is added");
        if let Some(known) = workspaces.get(&combination.workspace) {
            if known.kept.contains(&hash) || known.other == hash {
                return Admission::Kept;
            }
            if known.kept.len() >= KEPT_COMBINATIONS {
                return Admission::Other(known.other);
            }
        }
        self.keep(hour, &combination.workspace, hash);
        Admission::Kept
    }

    fn keep(&mut self, hour: SetHour, workspace: &str, hash: KeyHash) {
        let workspaces = self.hours.entry(hour).or_default();
        if !workspaces.contains_key(workspace) {
            let other = Dimensions::other(hour.0, workspace).key_hash(hour.0);
            workspaces.insert(workspace.to_owned(), KeptOfWorkspace { other, kept: HashSet::new() });
        }
        let Some(known) = workspaces.get_mut(workspace) else { return };
        if known.other != hash && known.kept.insert(hash) {
            self.remembered += 1;
        }
    }
}

/// All set-hours that operations of this minute fall into.
pub(crate) fn set_hours(minute: UtcMillis) -> impl Iterator<Item = SetHour> {
    let hour = Level::Hour.window_start(minute);
    DimensionSet::ALL.into_iter().map(move |set| (set, hour))
}

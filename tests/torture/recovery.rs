//! How long a pipeline takes to be whole again: from a fault until everything that was acknowledged before it is in windows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opstream_schemas::database::Database;

use super::ledger::Acknowledged;
use super::load::Shared;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Faults that the windows have not caught up with, and how long that took for the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recoveries {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    open: Vec<(Instant, Acknowledged)>,
    durations: Vec<Duration>,
}

impl Recoveries {
    /// A fault just happened, when this was acknowledged.
    pub(crate) fn begin(&self, acknowledged: Acknowledged) {
        self.begin_at(Instant::now(), acknowledged);
    }

    /// A fault was over then; it is recovered from when this has been windowed.
    pub(crate) fn begin_at(&self, over: Instant, acknowledged: Acknowledged) {
        self.state.lock().expect("nobody panics here").open.push((over, acknowledged));
    }

    /// How many have not ended.
    pub(crate) fn open(&self) -> usize {
        self.state.lock().expect("nobody panics here").open.len()
    }

    /// The longest that has ended.
    pub(crate) fn longest(&self) -> Duration {
        self.state.lock().expect("nobody panics here").durations.iter().max().copied().unwrap_or_default()
    }

    /// Watches the windows until the future is dropped. A database that does not answer is part of the fault.
    pub(crate) async fn watch(self, database: Database, shared: Arc<Shared>) {
        loop {
            if let Ok(windowed) = windowed(&database).await {
                shared.note_windowed(windowed.records);
                self.settle(&windowed, Instant::now());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn settle(&self, windowed: &Acknowledged, now: Instant) {
        let mut state = self.state.lock().expect("nobody panics here");
        let has_caught_up = |before: &Acknowledged| {
            before
                .ends
                .iter()
                .all(|(partition, end)| windowed.ends.get(partition).is_some_and(|reached| reached >= end))
        };
        let (done, open): (Vec<_>, Vec<_>) = state.open.drain(..).partition(|(_, before)| has_caught_up(before));
        state.open = open;
        state.durations.extend(done.into_iter().map(|(began, _)| now - began));
    }
}

/// How far the windows are, by partition and altogether.
async fn windowed(database: &Database) -> Result<Acknowledged, sqlx::Error> {
    let sql = "select cast(partition as bigint) as partition, next_offset from windowed_offsets";
    let mut reached = Acknowledged::default();
    for row in database.fetch_all(sql, &[]).await? {
        let next = row.int("next_offset")?;
        let partition = i32::try_from(row.int("partition")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
        reached.ends.insert(partition, next);
        reached.records += u64::try_from(next).unwrap_or_default();
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_fault_is_over_when_every_partition_has_caught_up() {
        let at = |first, second| Acknowledged { ends: BTreeMap::from([(0, first), (1, second)]), records: 0 };
        let recoveries = Recoveries::default();
        recoveries.begin(at(10, 20));
        recoveries.settle(&at(10, 19), Instant::now());
        assert_eq!((recoveries.open(), recoveries.longest()), (1, Duration::ZERO));
        recoveries.settle(&at(11, 20), Instant::now() + Duration::from_secs(3));
        assert_eq!(recoveries.open(), 0);
        assert!(recoveries.longest() >= Duration::from_secs(3));
    }
}

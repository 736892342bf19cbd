//! A model of the windows: random histories of two aggregators beside an ingestor, run by the real code on SQLite and compared with
//! a reference in memory.
//!
//! After every step, in each generation: the windows are the sums over exactly the files that count as windowed, and the part
//! of a file that is under way; that set only grows, and only by the holder of the lease; what is said to be complete is; a new
//! generation takes over only with everything that the old one has. At the end of a history a new aggregator finishes: then
//! every committed file is in the windows, once.
//!
//! The histories are always the same, except that the clock decides how large a portion of a file is; `PROPTEST_CASES` makes
//! more of them, one for each 32, and `PROPTEST_RNG_SEED` others. One that fails is made as short as possible and
//! kept in `proptest-regressions`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::oracle::{TestOperation, Windows, stored_windows, windows_of};
use super::station::Station;
use super::{MINUTE, NOON, at};
use crate::config::LeaseStart;
use crate::expire::delete_other_generations;
use crate::lease::database_now;
use crate::rebuild::{abandon_rebuild, ask};
use crate::settings::WindowSettings;
use crate::windower::{Turn, TurnError, Windower};

const AGGREGATORS: usize = 2;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A file of one operation in each of these minutes before noon, under a number that may be lower than others.
    Commit {
        partition: i64,
        number: i64,
        minutes: Vec<i64>,
    },
    /// A file of so many windows that it is added in portions.
    CommitMany {
        partition: i64,
        number: i64,
    },
    Turn {
        aggregator: usize,
    },
    /// The holder is taken for dead: whoever takes the next turn without a lease gets it.
    Expire,
    /// An aggregator starts again and takes the lease at once.
    TakeOver {
        aggregator: usize,
    },
    /// An aggregator starts again and stands by.
    Crash {
        aggregator: usize,
    },
    AskRebuild,
    AbandonRebuild,
    /// An aggregator deletes what is left of generations that nobody reads.
    CleanUp {
        aggregator: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (aggregator, partition, number) = (0..AGGREGATORS, 0_i64..2, 1_i64..200);
    prop_oneof![
        6 => (partition.clone(), number.clone(), prop::collection::vec(0_i64..3000, 1..5))
            .prop_map(|(partition, number, minutes)| Step::Commit { partition, number, minutes }),
        1 => (partition, number).prop_map(|(partition, number)| Step::CommitMany { partition, number }),
        8 => aggregator.clone().prop_map(|aggregator| Step::Turn { aggregator }),
        1 => Just(Step::Expire),
        2 => aggregator.clone().prop_map(|aggregator| Step::TakeOver { aggregator }),
        1 => aggregator.clone().prop_map(|aggregator| Step::Crash { aggregator }),
        2 => Just(Step::AskRebuild),
        1 => Just(Step::AbandonRebuild),
        1 => aggregator.prop_map(|aggregator| Step::CleanUp { aggregator }),
    ]
}

/// The tables, as far as windows are concerned.
#[derive(Debug, PartialEq)]
struct Facts {
    settings: WindowSettings,
    /// For each generation the files that are windowed, and where a file that is under way has got.
    windowed: BTreeMap<i64, BTreeSet<i64>>,
    under_way: BTreeMap<i64, BTreeMap<i64, i64>>,
    windows: BTreeMap<i64, Windows>,
    /// For each partition the offset below which everything is said to be in windows.
    complete_to: BTreeMap<i64, i64>,
}

/// What the model knows.
struct World {
    station: Station,
    aggregators: Vec<Windower>,
    /// Whose transactions count; `None` when anybody may take the lease at once.
    holder: Option<usize>,
    files: BTreeMap<i64, Vec<TestOperation>>,
    /// For each partition its ranges, in order: the end of each and its file.
    ranges: [Vec<(i64, i64)>; 2],
    facts: Facts,
    /// As they are after a turn, so that they are read once for each step.
    read: Option<Facts>,
}

impl World {
    async fn new() -> Self {
        let station = Station::on_sqlite().await;
        let aggregators = (0..AGGREGATORS).map(|_| standby(&station)).collect();
        let facts = Facts::read(&station).await;
        let (files, ranges) = (BTreeMap::new(), Default::default());
        Self { station, aggregators, holder: None, files, ranges, facts, read: None }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Commit { partition, number, minutes } => {
                let operations = minutes.iter().map(|minute| operation(*minute)).collect();
                self.commit(partition, number, operations).await;
            }
            Step::CommitMany { partition, number } => {
                self.commit(partition, number, (0..200).map(operation).collect()).await;
            }
            Step::Turn { aggregator } => drop(self.turn(aggregator).await),
            Step::Expire => self.station.execute("update aggregator_lease set expires_at_ms = 0", &[]).await,
            Step::TakeOver { aggregator } => {
                self.aggregators[aggregator] = self.station.windower();
                self.holder = None;
                self.turn(aggregator).await;
            }
            Step::Crash { aggregator } => self.aggregators[aggregator] = standby(&self.station),
            Step::AskRebuild => drop(ask(&self.station.database).await.unwrap()),
            Step::AbandonRebuild => {
                if abandon_rebuild(&self.station.database).await.unwrap().is_some() {
                    // So that nothing is added to what was called off, the holder must take the lease again.
                    self.holder = None;
                }
            }
            Step::CleanUp { aggregator } => {
                if let Some(fence) = self.aggregators[aggregator].fence() {
                    let settings = WindowSettings::read(&self.station.database).await.unwrap();
                    let cleaned = delete_other_generations(&self.station.database, fence, settings).await;
                    assert!(cleaned.is_ok() || self.holder != Some(aggregator), "{cleaned:?}");
                }
            }
        }
    }

    async fn commit(&mut self, partition: i64, number: i64, operations: Vec<TestOperation>) {
        if self.files.contains_key(&number) {
            return;
        }
        let ranges = &mut self.ranges[usize::try_from(partition).unwrap()];
        let from = ranges.last().map_or(0, |(to, _)| *to);
        let mut tx = self.station.database.begin().await.unwrap();
        self.station.insert(&mut tx, &operations, (partition, from), Some(number)).await;
        tx.commit().await.unwrap();
        ranges.push((from + i64::try_from(operations.len()).unwrap(), number));
        self.files.insert(number, operations);
    }

    async fn turn(&mut self, aggregator: usize) -> Turn {
        let had = self.aggregators[aggregator].fence();
        let expires_at = self.station.int("select coalesce(max(expires_at_ms), 0) as n from aggregator_lease").await;
        let outcome = self.aggregators[aggregator].turn(at(NOON)).await;
        if had.is_none() {
            let now = database_now(&self.station.database).await.unwrap().millis();
            let (is_free, has_taken) =
                (self.holder.is_none() || expires_at == 0, self.aggregators[aggregator].fence().is_some());
            assert!(has_taken || !is_free, "nobody takes a free lease");
            assert!(is_free || !has_taken || expires_at <= now, "a lease is taken that is held");
            self.holder = if has_taken { Some(aggregator) } else { self.holder };
        }
        let after = Facts::read(&self.station).await;
        let is_holder =
            self.holder == Some(aggregator) && (had.is_some() || self.aggregators[aggregator].fence().is_some());
        let turn = match outcome {
            Ok(turn) => turn,
            Err(TurnError::Replaced { .. }) if !is_holder => Turn::default(),
            Err(error) => panic!("{error:?}"),
        };
        if is_holder {
            assert_eq!(after.added_since(&self.facts), turn.files, "files that were added");
            assert!(turn.more || after.windowed_now() == self.files.keys().copied().collect(), "a file is forgotten");
        } else {
            assert_eq!(after, self.facts, "somebody without the lease changes something");
        }
        self.read = Some(after);
        turn
    }

    /// Compares the tables with the reference, and with how they were before the step.
    async fn check(&mut self) {
        let facts = match self.read.take() {
            Some(facts) => facts,
            None => Facts::read(&self.station).await,
        };
        for (generation, windows) in &facts.windows {
            let whole = facts.windowed[generation].iter().flat_map(|file| self.files[file].clone());
            let parts = facts.under_way[generation].iter().flat_map(|(file, before)| {
                self.files[file].iter().filter(|operation| operation.time_ms < *before).cloned()
            });
            let expected = windows_of(&whole.chain(parts).collect::<Vec<_>>(), 0);
            assert!(*windows == expected, "windows of generation {generation} are not the sums over its files");
            let before = self.facts.windowed.get(generation);
            assert!(
                before.is_none_or(|before| before.is_subset(&facts.windowed[generation])),
                "a file is not windowed any more"
            );
        }
        if facts.settings.generation != self.facts.settings.generation {
            assert_eq!(
                Some(facts.settings.generation),
                self.facts.settings.rebuild,
                "only what was asked for takes over"
            );
            assert!(
                self.facts.windowed_now().is_subset(&facts.windowed_now()),
                "a generation takes over without a file"
            );
        }
        for (partition, complete_to) in &facts.complete_to {
            let ranges = self.ranges[usize::try_from(*partition).unwrap()].iter();
            let mut below = ranges.take_while(|(to, _)| to <= complete_to);
            assert!(
                below.all(|(_, file)| facts.windowed_now().contains(file)),
                "what is not in windows counts as complete"
            );
        }
        self.facts = facts;
    }

    /// A new aggregator does all that is left.
    async fn finish(&mut self) {
        self.take(Step::TakeOver { aggregator: 0 }).await;
        self.check().await;
        while self.turn(0).await.more {
            self.check().await;
        }
        self.check().await;
        assert_eq!(self.facts.settings.rebuild, None, "a rebuild that was asked for is done");
        let ends = self
            .ranges
            .iter()
            .enumerate()
            .filter_map(|(partition, ranges)| Some((i64::try_from(partition).unwrap(), ranges.last()?.0)));
        assert_eq!(self.facts.complete_to, ends.collect(), "everything is complete");
    }
}

impl Facts {
    async fn read(station: &Station) -> Self {
        let database = &station.database;
        let settings = WindowSettings::read(database).await.unwrap();
        let used = || std::iter::once(settings.generation).chain(settings.rebuild);
        let mut facts = Self {
            settings,
            windowed: used().map(|generation| (generation, BTreeSet::new())).collect(),
            under_way: used().map(|generation| (generation, BTreeMap::new())).collect(),
            windows: BTreeMap::new(),
            complete_to: BTreeMap::new(),
        };
        for row in database.fetch_all("select generation, file_number from windowed_files", &[]).await.unwrap() {
            if let Some(files) = facts.windowed.get_mut(&row.int("generation").unwrap()) {
                files.insert(row.int("file_number").unwrap());
            }
        }
        let progress = "select generation, file_number, before_ms from window_progress";
        for row in database.fetch_all(progress, &[]).await.unwrap() {
            if let Some(files) = facts.under_way.get_mut(&row.int("generation").unwrap()) {
                files.insert(row.int("file_number").unwrap(), row.int("before_ms").unwrap());
            }
        }
        for generation in used() {
            facts.windows.insert(generation, stored_windows(database, generation).await);
        }
        let offsets = "select cast(partition as bigint) as place, next_offset from windowed_offsets";
        for row in database.fetch_all(offsets, &[]).await.unwrap() {
            facts.complete_to.insert(row.int("place").unwrap(), row.int("next_offset").unwrap());
        }
        facts
    }

    /// The files of the generation that readers take.
    fn windowed_now(&self) -> BTreeSet<i64> {
        self.windowed[&self.settings.generation].clone()
    }

    /// How many files the generations have more than before.
    fn added_since(&self, before: &Self) -> usize {
        let had = |generation| before.windowed.get(generation).map_or(0, BTreeSet::len);
        self.windowed.iter().map(|(generation, files)| files.len() - had(generation)).sum()
    }
}

fn standby(station: &Station) -> Windower {
    Windower::new(station.database.clone(), station.lake(), "standby".to_owned(), LeaseStart::AfterExpiry)
}

/// One of few combinations, so that windows are shared.
fn operation(minute: i64) -> TestOperation {
    let mut operation = TestOperation::at(NOON - minute * MINUTE);
    operation.dimensions.agent_id = (minute % 3 == 0).then(|| "planner".to_owned());
    operation.cost = (minute % 5 > 0).then_some(minute);
    operation.latency_us = Some(1000 + minute);
    operation
}

fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let rng_seed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { given.rng_seed };
    ProptestConfig { cases: given.cases.div_ceil(32), rng_seed, max_shrink_iters: 1000, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn windows_are_the_sums_over_the_windowed_files(history in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Box::pin(async move {
            let mut world = World::new().await;
            for step in history {
                world.take(step).await;
                world.check().await;
            }
            world.finish().await;
            world.station.database.close().await;
        }));
    }
}

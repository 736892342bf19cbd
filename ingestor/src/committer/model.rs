//! A model of the law: random histories of three ingestors on two partitions, run by the real code on SQLite and, beside it, by
//! a reference that keeps everything in memory.
//!
//! After every step the tables must say what the reference says: fences and checkpoints, every range with its counts, every
//! row with the record that it came from, every dead letter. At the end of a history the files are read too, and whatever is
//! left on the topic is stored by a new ingestor: then every operation that retention left is there, once.
//!
//! The histories are always the same, so that the test is; `PROPTEST_CASES` makes more of them, a quarter of what it says,
//! and `PROPTEST_RNG_SEED` others. One that fails is made as short as possible and kept in `proptest-regressions`.

mod facts;
mod ingestor;
mod records;
mod reference;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use self::facts::{check_files, check_tables};
use self::ingestor::World;

/// Ingestors that the group may give partitions to.
const INGESTORS: usize = 3;
/// Partitions of the topic.
const PARTITIONS: usize = 2;

/// A record that a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sent {
    /// An operation; the same number again is a re-send, or another workspace's use of its id.
    Operation { number: u8, in_lab: bool },
    /// An operation that breaks a rule.
    Negative { number: u8 },
    /// Bytes that are no record.
    Damaged,
    /// An offset that holds no record.
    Marker,
}

/// What the network or the database keeps from an ingestor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The transaction: the database did nothing and the answer is an error.
    Transaction,
    /// The answer: the database has committed and the answer is an error.
    Answer,
    /// The answer, and the answer of the checkpoint.
    AnswerAndCheckpoint,
    /// The answer, and before the checkpoint is asked, another ingestor claims the partition.
    AnswerAndPartition { by: usize, partition: usize },
}

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Produce {
        partition: usize,
        records: Vec<Sent>,
    },
    /// The group gives a partition to an ingestor; who had it may not know yet.
    Assign {
        ingestor: usize,
        partition: usize,
    },
    /// An ingestor learns that a partition is not its own any more.
    Revoke {
        ingestor: usize,
        partition: usize,
    },
    /// One of the ingestors that hold partitions, or believe so, reads up to so many offsets of each and prepares them as one batch.
    Read {
        nth: usize,
        offsets: i64,
    },
    /// One of the ingestors that have prepared batches stores the first of them.
    Store {
        nth: usize,
        lost: Vec<Lost>,
    },
    /// An ingestor dies and starts again; its files may be on disk already.
    Crash {
        ingestor: usize,
    },
    /// Retention removes so many offsets from the start of a partition.
    Expire {
        partition: usize,
        offsets: i64,
    },
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        8 => (0_u8..12, prop::bool::weighted(0.1)).prop_map(|(number, in_lab)| Sent::Operation { number, in_lab }),
        1 => (0_u8..12).prop_map(|number| Sent::Negative { number }),
        1 => Just(Sent::Damaged),
        1 => Just(Sent::Marker),
    ]
}

fn lost() -> impl Strategy<Value = Lost> {
    prop_oneof![
        Just(Lost::Transaction),
        Just(Lost::Answer),
        Just(Lost::AnswerAndCheckpoint),
        (0..INGESTORS, 0..PARTITIONS).prop_map(|(by, partition)| Lost::AnswerAndPartition { by, partition }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (ingestor, partition) = (0..INGESTORS, 0..PARTITIONS);
    let both = || (ingestor.clone(), partition.clone());
    prop_oneof![
        4 => (partition.clone(), prop::collection::vec(sent(), 1..6))
            .prop_map(|(partition, records)| Step::Produce { partition, records }),
        3 => both().prop_map(|(ingestor, partition)| Step::Assign { ingestor, partition }),
        1 => both().prop_map(|(ingestor, partition)| Step::Revoke { ingestor, partition }),
        6 => (ingestor.clone(), 1_i64..6).prop_map(|(nth, offsets)| Step::Read { nth, offsets }),
        6 => (ingestor.clone(), prop_oneof![Just(Vec::new()), prop::collection::vec(lost(), 1..3)])
            .prop_map(|(nth, lost)| Step::Store { nth, lost }),
        1 => ingestor.clone().prop_map(|ingestor| Step::Crash { ingestor }),
        1 => (partition.clone(), 1_i64..4).prop_map(|(partition, offsets)| Step::Expire { partition, offsets }),
    ]
}

async fn live(history: Vec<Step>) {
    let mut world = World::new().await;
    for step in history {
        world.take(step).await;
        check_tables(&world).await;
    }
    world.store_what_is_left().await;
    check_tables(&world).await;
    check_files(&world).await;
    world.reference.assert_complete();
    // Else its threads would stay until the last history.
    world.config.database.close().await;
}

fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let rng_seed = if given.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { given.rng_seed };
    ProptestConfig { cases: given.cases.div_ceil(4), rng_seed, max_shrink_iters: 4000, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_tables_say_what_the_reference_says(history in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Box::pin(live(history)));
    }
}

//! What is done to a pipeline. A class of faults is one line of the table in docs/reliability.md; which step, which moment and
//! which process follow from the seed.

mod plans;

use std::fmt;
use std::time::Duration;

use opstream_schemas::failpoint::Step;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::harness::backends::Combination;
use crate::harness::fault_proxy::Cut;

/// How long a stalled step stands still.
const STALL: Duration = Duration::from_secs(2);
/// Latest moment of a kill after the start.
const LATEST_KILL_MS: u64 = 4_000;
/// The longest that a second ingestor stays, or stays away.
const LONGEST_STAY_MS: u64 = 5_000;

/// One kind of fault in one part of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `kill -9` of everything at any moment.
    Kill,
    /// `kill -9` at a step of this part.
    Crash(&'static str),
    /// A step of this part reports an error.
    Error(&'static str),
    /// A step of this part stands still for two seconds.
    Stall(&'static str),
    /// A process is frozen at a step of this part, until others have done its work or have given it up.
    Freeze(&'static str),
    /// A second ingestor comes, and goes in order or by `kill -9`.
    Rebalance,
    /// Something that the pipeline needs is away.
    Outage(Outage),
}

/// What can be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// The broker, by `kill -9`.
    Broker,
    /// Postgres, by `kill -9`, or SQLite's one writer, which somebody else holds.
    Database,
    /// The connection to Postgres at which a transaction commits.
    Connection,
    /// The peer of every connection to Postgres, without a word.
    Peer,
    /// Most of the speed of the connections to Postgres.
    Speed,
    /// The space on the disk of the lake; on a laptop it is that of everything.
    Space,
}

/// One round or several: what to do, and how it is seen to have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// Kill every process so long after it was started.
    KillAfter(Duration),
    /// Start with this plan, and wait until so many of its faults have happened.
    Planned { plan: String, faults: usize },
    /// Start with this plan, and freeze the process that comes there.
    Freeze { plan: String },
    /// Start a second ingestor, and end it so long afterwards.
    Join { stays: Duration, is_killed: bool },
    /// Take this away for so long.
    Away { what: Outage, lasts: Duration },
    /// Cut the connection that comes there.
    Cut(Cut),
}

impl Disturbance {
    /// Whether its plan has a step of this part of the pipeline.
    pub(crate) fn meets(&self, part: &str) -> bool {
        match self {
            Self::Planned { plan, .. } | Self::Freeze { plan } => {
                plan.split(';').any(|entry| entry.trim().split('.').next() == Some(part))
            }
            _ => false,
        }
    }
}

impl Class {
    /// Every class that means something on this combination.
    pub(crate) fn all(combination: Combination) -> Vec<Self> {
        let parts = plans::parts();
        let of = |class: fn(&'static str) -> Self| parts.iter().map(move |part| class(part));
        let outages = Outage::all(combination).into_iter().map(Self::Outage);
        let rebalance = (combination == Combination::KafkaPostgres).then_some(Self::Rebalance);
        let planned = of(Self::Crash).chain(of(Self::Error)).chain(of(Self::Stall)).chain(of(Self::Freeze));
        [Self::Kill].into_iter().chain(planned).chain(rebalance).chain(outages).collect()
    }

    /// Whether its faults are kills.
    pub(crate) const fn kills(&self) -> bool {
        matches!(self, Self::Kill | Self::Crash(_))
    }

    /// So many rounds of it; which, follows from the seed. Of a part's steps each comes in turn.
    pub(crate) fn rounds(&self, rounds: usize, seed: u64, longest_outage: Duration) -> Vec<Disturbance> {
        let mut rng = StdRng::seed_from_u64(seed);
        let each_step = |part: &str, rng: &mut StdRng, disturb: fn(Step, &mut StdRng) -> Disturbance| {
            let steps = plans::steps_of(part);
            (0..rounds).map(|round| disturb(steps[round % steps.len()], rng)).collect()
        };
        match self {
            Self::Kill => (0..rounds).map(|_| kill(&mut rng)).collect(),
            Self::Crash(part) => each_step(part, &mut rng, crash),
            Self::Error(part) => plans::planned(&plans::steps_of(part), "error", rounds, &mut rng),
            Self::Stall(part) => {
                plans::planned(&plans::steps_of(part), &format!("stall:{}", STALL.as_millis()), rounds, &mut rng)
            }
            Self::Freeze(part) => each_step(part, &mut rng, freeze),
            Self::Rebalance => (0..rounds).map(|round| join(round % 2 == 1, &mut rng)).collect(),
            Self::Outage(Outage::Connection) => (0..rounds).map(|round| cut(round, &mut rng)).collect(),
            Self::Outage(what) => (0..rounds).map(|_| away(*what, longest_outage, &mut rng)).collect(),
        }
    }
}

impl Outage {
    fn all(combination: Combination) -> Vec<Self> {
        match combination {
            Combination::EmbeddedSqlite => vec![Self::Broker, Self::Database, Self::Space],
            Combination::KafkaPostgres => {
                vec![Self::Broker, Self::Database, Self::Connection, Self::Peer, Self::Speed, Self::Space]
            }
        }
    }
}

/// A few of everything: what `make test` has time for.
pub(crate) fn sample(crashes: usize, seed: u64) -> Vec<Disturbance> {
    let mut rng = StdRng::seed_from_u64(seed);
    let every_step: Vec<Step> = plans::every_step().collect();
    let crashed: Vec<Step> = every_step.choose_multiple(&mut rng, crashes).copied().collect();
    let mut disturbances: Vec<Disturbance> = crashed.into_iter().map(|step| crash(step, &mut rng)).collect();
    disturbances.push(kill(&mut rng));
    let plan: Vec<String> = every_step.iter().map(|step| format!("{}=error@1", step.name())).collect();
    disturbances.push(Disturbance::Planned { faults: plan.len(), plan: plan.join("; ") });
    disturbances
}

/// How many faults these are.
pub(crate) fn count(disturbances: &[Disturbance]) -> usize {
    let faults = |disturbance: &Disturbance| match disturbance {
        Disturbance::Planned { faults, .. } => *faults,
        _ => 1,
    };
    disturbances.iter().map(faults).sum()
}

fn kill(rng: &mut StdRng) -> Disturbance {
    Disturbance::KillAfter(up_to(LATEST_KILL_MS, rng))
}

fn crash(step: Step, rng: &mut StdRng) -> Disturbance {
    Disturbance::Planned { plan: plans::once(step, "crash", rng), faults: 1 }
}

/// The stall keeps the process at the step until it is frozen.
fn freeze(step: Step, rng: &mut StdRng) -> Disturbance {
    Disturbance::Freeze { plan: plans::once(step, "stall:5000", rng) }
}

fn join(is_killed: bool, rng: &mut StdRng) -> Disturbance {
    Disturbance::Join { stays: up_to(LONGEST_STAY_MS, rng), is_killed }
}

/// Before the server has the commit, after it, or anywhere.
fn cut(round: usize, rng: &mut StdRng) -> Disturbance {
    Disturbance::Cut(match round % 3 {
        0 => Cut::Before(b"COMMIT"),
        1 => Cut::After(b"COMMIT"),
        _ => Cut::AtByte(rng.random_range(100_000..2_000_000)),
    })
}

/// At least half as long as the longest.
fn away(what: Outage, longest: Duration, rng: &mut StdRng) -> Disturbance {
    Disturbance::Away { what, lasts: longest.mul_f64(rng.random_range(0.5..1.0)) }
}

fn up_to(milliseconds: u64, rng: &mut StdRng) -> Duration {
    Duration::from_millis(rng.random_range(0..milliseconds))
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill -9 at any moment"),
            Self::Crash(part) => write!(f, "kill -9 at a step of {part}"),
            Self::Error(part) => write!(f, "error at a step of {part}"),
            Self::Stall(part) => write!(f, "stall of 2 s at a step of {part}"),
            Self::Freeze(part) => write!(f, "frozen at a step of {part} beyond its session"),
            Self::Rebalance => f.write_str("a second ingestor joins and leaves"),
            Self::Outage(what) => what.fmt(f),
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "broker crashed and away",
            Self::Database => "database crashed and away (SQLite: locked)",
            Self::Connection => "connection to the database cut, often at COMMIT",
            Self::Peer => "database gone from every connection without a word",
            Self::Speed => "network to the database at 10 kB/s",
            Self::Space => "disk full",
        })
    }
}

#[cfg(test)]
mod tests;

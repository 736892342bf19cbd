//! What is done to a pipeline. A class of faults is one line of the table in docs/reliability.md; which step, which moment and
//! which process follow from the seed.

use std::fmt;
use std::time::Duration;

use opstream_schemas::failpoint::Step;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// How long a stalled step stands still.
const STALL: Duration = Duration::from_secs(2);
/// Latest moment of a kill after the start.
const LATEST_KILL_MS: u64 = 4_000;
/// Faults of one process before it is restarted with others.
const FAULTS_PER_START: usize = 6;

/// One kind of fault in one part of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `kill -9` of everything at any moment.
    Kill,
    /// `kill -9` at a step of this part.
    Crash(&'static str),
    /// A step of this part reports an error.
    Error(&'static str),
    /// A step of this part stands still for two seconds.
    Stall(&'static str),
}

/// One round or several: what to do, and how it is seen to have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// Kill every process so long after it was started.
    KillAfter(Duration),
    /// Start with this plan, and wait until it has killed a process.
    Crash(String),
    /// Start with this plan, and wait until so many of its faults have happened.
    Planned { plan: String, faults: usize },
}

impl Class {
    /// Every class.
    pub(crate) fn all() -> Vec<Self> {
        let parts = parts();
        let of = |class: fn(&'static str) -> Self| parts.iter().map(move |part| class(part));
        [Self::Kill].into_iter().chain(of(Self::Crash)).chain(of(Self::Error)).chain(of(Self::Stall)).collect()
    }

    /// Whether its faults are kills.
    pub(crate) const fn kills(&self) -> bool {
        matches!(self, Self::Kill | Self::Crash(_))
    }

    /// So many rounds of it; which, follows from the seed. Of a part's steps each comes in turn.
    pub(crate) fn rounds(&self, rounds: usize, seed: u64) -> Vec<Disturbance> {
        let mut rng = StdRng::seed_from_u64(seed);
        match self {
            Self::Kill => (0..rounds).map(|_| kill(&mut rng)).collect(),
            Self::Crash(part) => {
                let steps = steps_of(part);
                (0..rounds).map(|round| crash(steps[round % steps.len()], &mut rng)).collect()
            }
            Self::Error(part) => planned(&steps_of(part), "error", rounds, &mut rng),
            Self::Stall(part) => planned(&steps_of(part), &format!("stall:{}", STALL.as_millis()), rounds, &mut rng),
        }
    }
}

/// A few of everything: what `make test` has time for.
pub(crate) fn sample(crashes: usize, seed: u64) -> Vec<Disturbance> {
    let mut rng = StdRng::seed_from_u64(seed);
    let every_step: Vec<Step> = Step::all().collect();
    let mut disturbances: Vec<Disturbance> = every_step
        .choose_multiple(&mut rng, crashes)
        .copied()
        .collect::<Vec<_>>()
        .into_iter()
        .map(|step| crash(step, &mut rng))
        .collect();
    disturbances.push(kill(&mut rng));
    let plan: Vec<String> = every_step.iter().map(|step| format!("{}=error@1", step.name())).collect();
    disturbances.push(Disturbance::Planned { faults: plan.len(), plan: plan.join("; ") });
    disturbances
}

/// Settings of a pipeline that meets them: files are merged while they are small, and full batches are not.
pub(crate) fn settings(disturbances: &[Disturbance]) -> &'static [(&'static str, &'static str)] {
    let meets_compaction = |disturbance: &Disturbance| match disturbance {
        Disturbance::Crash(plan) | Disturbance::Planned { plan, .. } => plan.contains("compaction."),
        Disturbance::KillAfter(_) => false,
    };
    if disturbances.iter().any(meets_compaction) { &[("OPSTREAM_BATCH_RECORDS", "2000")] } else { &[] }
}

/// How many faults these are.
pub(crate) fn count(disturbances: &[Disturbance]) -> usize {
    let faults = |disturbance: &Disturbance| match disturbance {
        Disturbance::Planned { faults, .. } => *faults,
        Disturbance::KillAfter(_) | Disturbance::Crash(_) => 1,
    };
    disturbances.iter().map(faults).sum()
}

fn parts() -> Vec<&'static str> {
    let mut parts: Vec<&'static str> = Step::all().map(Step::part).collect();
    parts.dedup();
    parts
}

fn steps_of(part: &str) -> Vec<Step> {
    Step::all().filter(|step| step.part() == part).collect()
}

fn kill(rng: &mut StdRng) -> Disturbance {
    Disturbance::KillAfter(Duration::from_millis(rng.random_range(0..LATEST_KILL_MS)))
}

fn crash(step: Step, rng: &mut StdRng) -> Disturbance {
    Disturbance::Crash(format!("{}=crash@{}", step.name(), rng.random_range(1..=latest_visit(step))))
}

/// Some steps come several times a second, some every few seconds, and a claim once in a life.
fn latest_visit(step: Step) -> u64 {
    match step.part() {
        "claim" | "letters" | "publication" | "compaction" => 1,
        _ => 6,
    }
}

fn planned(steps: &[Step], fault: &str, rounds: usize, rng: &mut StdRng) -> Vec<Disturbance> {
    let all: Vec<Step> = (0..rounds).map(|round| steps[round % steps.len()]).collect();
    let per_start = if steps.iter().any(|step| latest_visit(*step) == 1) { steps.len() } else { FAULTS_PER_START };
    all.chunks(per_start)
        .map(|steps| {
            let entry = |(place, step): (usize, &Step)| {
                let visit = if latest_visit(*step) == 1 { 1 } else { 1 + place as u64 * 2 + rng.random_range(0..2) };
                format!("{}={fault}@{visit}", step.name())
            };
            let plan: Vec<String> = steps.iter().enumerate().map(entry).collect();
            Disturbance::Planned { faults: plan.len(), plan: plan.join("; ") }
        })
        .collect()
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill -9 at any moment"),
            Self::Crash(part) => write!(f, "kill -9 at a step of {part}"),
            Self::Error(part) => write!(f, "error at a step of {part}"),
            Self::Stall(part) => write!(f, "stall of 2 s at a step of {part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opstream_schemas::failpoint::FaultPlan;

    use super::*;

    #[test]
    fn the_rounds_follow_from_the_seed_and_meet_every_step() {
        for class in Class::all() {
            let rounds = class.rounds(30, 7);
            assert_eq!(rounds, class.rounds(30, 7));
            assert_eq!(count(&rounds), 30, "{class}");
            let are_kills = rounds.iter().all(|round| !matches!(round, Disturbance::Planned { .. }));
            assert_eq!(class.kills(), are_kills, "{class}");
            for disturbance in rounds {
                if let Disturbance::Crash(plan) | Disturbance::Planned { plan, .. } = disturbance {
                    plan.parse::<FaultPlan>().unwrap();
                }
            }
        }
        let crashes = Class::Crash("commit").rounds(30, 7);
        let steps: BTreeSet<String> = crashes
            .iter()
            .map(|crash| match crash {
                Disturbance::Crash(plan) => plan.split('=').next().unwrap().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(steps.len(), steps_of("commit").len());
    }

    #[test]
    fn the_sample_has_an_error_at_every_step() {
        let sample = sample(3, 1);
        assert_eq!(count(&sample), 3 + 1 + Step::all().count());
    }
}

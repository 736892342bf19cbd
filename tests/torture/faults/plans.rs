//! Plans of faults at steps, as `OPSTREAM_FAILPOINTS` takes them.

use opstream_schemas::failpoint::Step;
use rand::Rng as _;
use rand::rngs::StdRng;

use super::Disturbance;

/// Faults of one process before it is restarted with others.
const FAULTS_PER_START: usize = 6;

/// Every step that a pipeline comes to by itself. Those of alerts and of re-pricing are not reached unless somebody asks, and have stories of
/// their own.
pub(super) fn every_step() -> impl Iterator<Item = Step> {
    Step::all().filter(|step| !matches!(step.part(), "alerts" | "webhooks" | "repricing"))
}

/// The parts of the pipeline that have steps.
pub(super) fn parts() -> Vec<&'static str> {
    let mut parts: Vec<&'static str> = every_step().map(Step::part).collect();
    parts.dedup();
    parts
}

/// The steps of a part.
pub(super) fn steps_of(part: &str) -> Vec<Step> {
    Step::all().filter(|step| step.part() == part).collect()
}

/// One fault at one visit of a step.
pub(super) fn once(step: Step, fault: &str, rng: &mut StdRng) -> String {
    format!("{}={fault}@{}", step.name(), rng.random_range(1..=latest_visit(step)))
}

/// So many of the same fault, at each step in turn, a few in one process.
pub(super) fn planned(steps: &[Step], fault: &str, rounds: usize, rng: &mut StdRng) -> Vec<Disturbance> {
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

/// Some steps come several times a second, some every few seconds, and a claim once in a life.
fn latest_visit(step: Step) -> u64 {
    match step.part() {
        "claim" | "letters" | "publication" | "compaction" => 1,
        _ => 6,
    }
}

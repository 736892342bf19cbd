//! What the rounds of a class are.

use std::collections::BTreeSet;

use opstream_schemas::failpoint::FaultPlan;

use super::*;

const LONGEST_OUTAGE: Duration = Duration::from_secs(20);

fn plan(disturbance: &Disturbance) -> Option<&str> {
    match disturbance {
        Disturbance::Planned { plan, .. } | Disturbance::Freeze { plan } => Some(plan),
        _ => None,
    }
}

#[test]
fn the_rounds_follow_from_the_seed() {
    for combination in [Combination::EmbeddedSqlite, Combination::KafkaPostgres] {
        for class in Class::all(combination) {
            let rounds = class.rounds(30, 7, LONGEST_OUTAGE);
            assert_eq!(rounds, class.rounds(30, 7, LONGEST_OUTAGE));
            assert_eq!(count(&rounds), 30, "{class}");
            let is_kill = |round: &Disturbance| {
                matches!(round, Disturbance::KillAfter(_)) || plan(round).is_some_and(|plan| plan.contains("=crash"))
            };
            assert_eq!(class.kills(), rounds.iter().all(is_kill), "{class}");
            for plan in rounds.iter().filter_map(plan) {
                plan.parse::<FaultPlan>().unwrap();
            }
        }
    }
    assert_ne!(Class::Kill.rounds(30, 7, LONGEST_OUTAGE), Class::Kill.rounds(30, 8, LONGEST_OUTAGE));
}

#[test]
fn every_step_has_its_turn() {
    for class in [Class::Crash("commit"), Class::Freeze("commit")] {
        let rounds = class.rounds(30, 7, LONGEST_OUTAGE);
        let steps: BTreeSet<&str> =
            rounds.iter().map(|round| plan(round).unwrap().split('=').next().unwrap()).collect();
        assert_eq!(steps.len(), plans::steps_of("commit").len(), "{class}");
    }
}

#[test]
fn the_sample_has_an_error_at_every_step() {
    let sample = sample(3, 1);
    assert_eq!(count(&sample), 3 + 1 + plans::every_step().count());
}

//! Does what is to be done to a pipeline under load, and lets it recover.

use std::time::{Duration, Instant};

use opstream_schemas::failpoint::Step;

use super::faults::Disturbance;
use super::load::Load;
use super::recovery::Recoveries;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// How long a planned fault may take to happen: some steps come every few seconds, and a pipeline that was killed
/// has to catch up first.
const HAPPENS_WITHIN: Duration = Duration::from_mins(2);
/// How long a pipeline may take to be whole again after its last fault.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);

/// Runs the disturbances one after the other and waits until the pipeline has recovered from all of them.
pub(crate) async fn disturb(
    pipeline: &mut Pipeline<'_>,
    load: &Load,
    recoveries: &Recoveries,
    disturbances: &[Disturbance],
) {
    for disturbance in disturbances {
        match disturbance {
            Disturbance::KillAfter(pause) => {
                restart(pipeline, load, recoveries, "").await;
                tokio::time::sleep(*pause).await;
                pipeline.kill().await;
                recoveries.begin(load.ledger.acknowledged());
            }
            Disturbance::Crash(plan) => {
                restart(pipeline, load, recoveries, plan).await;
                eventually(HAPPENS_WITHIN, async || {
                    if pipeline.has_ended() { Ok(()) } else { Err(format!("{plan} has not happened")) }
                })
                .await;
                recoveries.begin(load.ledger.acknowledged());
            }
            Disturbance::Planned { plan, faults } => {
                let before = happened(pipeline);
                restart(pipeline, load, recoveries, plan).await;
                let mut seen = 0;
                eventually(HAPPENS_WITHIN, async || {
                    let now = happened(pipeline) - before;
                    for _ in seen..now {
                        recoveries.begin(load.ledger.acknowledged());
                    }
                    seen = now;
                    if now >= *faults {
                        Ok(())
                    } else {
                        Err(format!("{now} of {faults} faults of {plan} have happened"))
                    }
                })
                .await;
            }
        }
    }
    restart(pipeline, load, recoveries, "").await;
    let ready_at = Instant::now();
    eventually(WHOLE_WITHIN, async || match recoveries.open() {
        0 => Ok(()),
        open => Err(format!("{open} faults are not recovered from {:?} after the last restart", ready_at.elapsed())),
    })
    .await;
}

/// Starts the roles that these faults are planned for, and whatever else has ended. Killing what still runs is one more fault.
async fn restart(pipeline: &mut Pipeline<'_>, load: &Load, recoveries: &Recoveries, plan: &str) {
    recoveries.begin(load.ledger.acknowledged());
    pipeline.restart(&roles_of(plan), plan).await;
}

/// The roles that go through a plan's steps; all of them for none.
fn roles_of(plan: &str) -> Vec<&'static str> {
    let role = |step: Step| match step.part() {
        "aggregation" | "publication" | "compaction" => "aggregator",
        _ => "ingestor",
    };
    let steps = plan.split(';').filter_map(|piece| Step::from_name(piece.trim().split('=').next()?));
    let mut roles: Vec<&'static str> = steps.map(role).collect();
    if roles.is_empty() {
        roles.extend(["ingestor", "aggregator", "api"]);
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// How many planned faults the logs tell of.
fn happened(pipeline: &Pipeline<'_>) -> usize {
    pipeline.count_in_logs("failpoint step=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_roles_that_it_meets() {
        assert_eq!(roles_of("commit.begun=crash@1"), ["ingestor"]);
        assert_eq!(roles_of("commit.begun=error@1; publication.sent=error@2"), ["aggregator", "ingestor"]);
        assert_eq!(roles_of(""), ["aggregator", "api", "ingestor"]);
    }
}

//! Does what is to be done to a pipeline under load, and lets it recover.

use std::time::{Duration, Instant};

use opstream_schemas::failpoint::Step;

use super::faults::Disturbance;
use super::load::Load;
use super::recovery::Recoveries;
use super::stage::Stage;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// How long a planned fault may take to happen: some steps come every few seconds, and a pipeline that was killed
/// has to catch up first.
const HAPPENS_WITHIN: Duration = Duration::from_mins(2);
/// How long a pipeline may take to be whole again after its last fault.
const WHOLE_WITHIN: Duration = Duration::from_mins(5);
/// Records that are acknowledged between two outages.
const BETWEEN_OUTAGES: u64 = 50_000;
/// Above the 10 s after which the group and the lease give a silent holder up.
const BEYOND_SESSION: Duration = Duration::from_secs(15);

/// Runs the disturbances one after the other and waits until the pipeline has recovered from all of them.
pub(crate) async fn disturb(stage: &mut Stage<'_>, load: &Load, recoveries: &Recoveries, disturbances: &[Disturbance]) {
    for disturbance in disturbances {
        match disturbance {
            Disturbance::KillAfter(pause) => {
                restart(&mut stage.pipeline, load, recoveries, "").await;
                tokio::time::sleep(*pause).await;
                stage.pipeline.kill().await;
                recoveries.begin(load.ledger.acknowledged());
            }
            Disturbance::Planned { plan, faults } => {
                fail_as_planned(&mut stage.pipeline, load, recoveries, plan, *faults).await;
            }
            Disturbance::Freeze { plan } => freeze(stage, load, recoveries, plan).await,
            Disturbance::Join { stays, is_killed } => {
                stage.start_second("ingestor");
                tokio::time::sleep(*stays).await;
                stage.end_second(*is_killed).await;
                recoveries.begin(load.ledger.acknowledged());
            }
            Disturbance::Away { what, lasts } => {
                stage.take_away(*what, *lasts).await;
                flows_again(load, recoveries).await;
                is_whole(recoveries).await;
            }
            Disturbance::Cut(cut) => {
                stage.cut(cut).await;
                recoveries.begin(load.ledger.acknowledged());
            }
        }
    }
    if let Some(Disturbance::KillAfter(_) | Disturbance::Planned { .. }) = disturbances.last() {
        restart(&mut stage.pipeline, load, recoveries, "").await;
    }
    is_whole(recoveries).await;
}

/// Everything that was acknowledged before the last fault is in windows.
async fn is_whole(recoveries: &Recoveries) {
    let since = Instant::now();
    eventually(WHOLE_WITHIN, async || match recoveries.open() {
        0 => Ok(()),
        open => Err(format!("{open} faults are not recovered from after {:?}", since.elapsed())),
    })
    .await;
}

/// Waits until a good deal was acknowledged after an outage: what was acknowledged before may have been in windows all the time.
async fn flows_again(load: &Load, recoveries: &Recoveries) {
    let over = Instant::now();
    let before = load.ledger.acknowledged().records;
    let acknowledged = eventually(WHOLE_WITHIN, async || match load.ledger.acknowledged() {
        more if more.records >= before + BETWEEN_OUTAGES => Ok(more),
        few => Err(few),
    })
    .await;
    recoveries.begin_at(over, acknowledged);
}

async fn fail_as_planned(pipeline: &mut Pipeline<'_>, load: &Load, recoveries: &Recoveries, plan: &str, faults: usize) {
    let before = happened(pipeline);
    restart(pipeline, load, recoveries, plan).await;
    let mut seen = 0;
    eventually(HAPPENS_WITHIN, async || {
        let now = happened(pipeline) - before;
        for _ in seen..now {
            recoveries.begin(load.ledger.acknowledged());
        }
        seen = now;
        if now >= faults { Ok(()) } else { Err(format!("{now} of {faults} faults of {plan} have happened")) }
    })
    .await;
    if plan.contains("=crash") {
        // It says so first: whoever looks at once sees a process that still runs, and does not start it again.
        pipeline.ended(&roles_of(plan)).await;
    }
}

/// A process stands still at a step until a second one has done all that was acknowledged by then; where there can be no second
/// one, until the group and the lease have given it up. Then it goes on beside its successor.
async fn freeze(stage: &mut Stage<'_>, load: &Load, recoveries: &Recoveries, plan: &str) {
    // The one that is to be frozen has to be the one that works.
    stage.end_second(true).await;
    fail_as_planned(&mut stage.pipeline, load, recoveries, plan, 1).await;
    let role = roles_of(plan)[0];
    stage.pipeline.process(role).signal("STOP").await;
    recoveries.begin(load.ledger.acknowledged());
    if stage.start_second(role) {
        is_whole(recoveries).await;
    } else {
        tokio::time::sleep(BEYOND_SESSION).await;
    }
    stage.pipeline.process(role).signal("CONT").await;
    recoveries.begin(load.ledger.acknowledged());
    is_whole(recoveries).await;
}

/// Starts the roles that these faults are planned for, and whatever else has ended. Killing what still runs is one more fault.
async fn restart(pipeline: &mut Pipeline<'_>, load: &Load, recoveries: &Recoveries, plan: &str) {
    recoveries.begin(load.ledger.acknowledged());
    pipeline.restart(&roles_of(plan), plan).await;
}

/// The roles that go through a plan's steps; all of them for none.
fn roles_of(plan: &str) -> Vec<&'static str> {
    let role = |step: Step| match step.part() {
        "aggregation" | "publication" | "compaction" | "repricing" => "aggregator",
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

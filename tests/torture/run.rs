//! One run: a pipeline of its own under load, its disturbances, and the verdict.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::faults::{self, Disturbance};
use super::ledger::Ledger;
use super::load::{Extent, Load};
use super::oracle::{self, Verdict};
use super::recovery::Recoveries;
use super::rounds;
use super::stage::Stage;

/// How long what was handed over last may take to be acknowledged.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_mins(2);

/// What a run has shown.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Faults that have happened.
    pub(crate) faults: usize,
    /// What the oracle found.
    pub(crate) verdict: Verdict,
    /// From a fault until everything that was acknowledged before it was in windows.
    pub(crate) longest_recovery: Duration,
    /// Of the whole run.
    pub(crate) took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, verdict, longest_recovery, took } = self;
        write!(f, "{faults} faults in {took:.0?}, longest recovery {longest_recovery:.1?}: {verdict}")
    }
}

/// Disturbs the pipeline of a stage under load, and judges it.
///
/// # Panics
/// When the pipeline does not recover, or a fault does not happen.
pub(crate) async fn run(mut stage: Stage<'_>, disturbances: &[Disturbance], extent: Extent) -> Outcome {
    let began = Instant::now();
    let ledger = Arc::new(Ledger::create(&stage.pipeline.folder().join("ledger")));
    let load = Load::start(&stage.pipeline, ledger, extent);
    let recoveries = Recoveries::default();
    let watched = stage.pipeline.database().await;
    tokio::select! {
        () = rounds::disturb(&mut stage, &load, &recoveries, disturbances) => {}
        () = recoveries.clone().watch(watched, load.shared()) => unreachable!("it watches until it is dropped"),
    }
    let stopped = tokio::time::timeout(ACKNOWLEDGED_WITHIN, load.stop()).await;
    let ledger = stopped.expect("a pipeline that is whole acknowledges");
    stage.pipeline.settle().await;
    let verdict = oracle::judge(&stage.pipeline, &ledger).await;
    stage.stop().await;
    let longest_recovery = recoveries.longest();
    Outcome { faults: faults::count(disturbances), verdict, longest_recovery, took: began.elapsed() }
}

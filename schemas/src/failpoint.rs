//! Places where a test makes a process fail: each numbered step of the pipeline can crash it, report an error, or stand still.
//!
//! They exist only in builds with debug assertions, such as those of `make up` and `make test`; in the release image [`reach`]
//! does nothing and no setting changes that. docs/reliability.md lists the steps and what is shown with them.

mod plan;
mod step;

pub use plan::{Fault, FaultPlan, PlanError};
pub use step::Step;

use std::io;
#[cfg(debug_assertions)]
use std::{sync::OnceLock, time::Duration};

#[cfg(debug_assertions)]
static PLAN: OnceLock<FaultPlan> = OnceLock::new();

/// Has this process fail as planned. Only the first plan counts.
#[cfg(debug_assertions)]
pub fn arm(plan: FaultPlan) {
    tracing::warn!(%plan, "this process fails on purpose, as a test has ordered");
    PLAN.get_or_init(|| plan);
}

/// Says that the process is at this step. A step in a transaction's future is cancelled with it.
///
/// # Errors
/// The failure that is planned for now.
#[cfg(debug_assertions)]
pub async fn reach(step: Step) -> io::Result<()> {
    match due(step) {
        None => Ok(()),
        Some(Fault::Stall { millis }) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(())
        }
        Some(fault) => fail(step, fault),
    }
}

/// As [`reach`], on a thread that may block.
///
/// # Errors
/// The failure that is planned for now.
#[cfg(debug_assertions)]
pub fn reach_blocking(step: Step) -> io::Result<()> {
    match due(step) {
        None => Ok(()),
        Some(Fault::Stall { millis }) => {
            std::thread::sleep(Duration::from_millis(millis));
            Ok(())
        }
        Some(fault) => fail(step, fault),
    }
}

#[cfg(debug_assertions)]
fn due(step: Step) -> Option<Fault> {
    let fault = PLAN.get()?.due(step)?;
    // Tests count this line.
    tracing::warn!(step = step.name(), %fault, "failpoint");
    Some(fault)
}

#[cfg(debug_assertions)]
fn fail(step: Step, fault: Fault) -> io::Result<()> {
    if fault == Fault::Crash {
        kill_this_process();
    }
    Err(io::Error::other(format!("planned failure at {}", step.name())))
}

/// `kill -9`: no handler, flush or destructor runs.
#[cfg(debug_assertions)]
fn kill_this_process() -> ! {
    let id = std::process::id().to_string();
    // An own signal would need unsafe code. While the program starts, the step does not go on.
    match std::process::Command::new("kill").args(["-9", &id]).status() {
        Ok(_) | Err(_) => std::process::abort(),
    }
}

/// Does nothing: this build has no failpoints.
///
/// # Errors
/// None.
#[cfg(not(debug_assertions))]
#[expect(clippy::unused_async, reason = "the callers are the same in both builds")]
#[inline]
pub async fn reach(_step: Step) -> io::Result<()> {
    Ok(())
}

/// Does nothing: this build has no failpoints.
///
/// # Errors
/// None.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reach_blocking(_step: Step) -> io::Result<()> {
    Ok(())
}

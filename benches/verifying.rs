//! The proof: `opstream verify` reads every row, file and window of a whole run.

use std::time::{Duration, Instant};

use crate::figures::{Figure, Unit};
use crate::processes::RunningProcess;
use crate::roles::Roles;

/// How often the memory of the process is looked at, since nothing tells of it afterwards.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(30);

/// Measures it on so many operations, all of which are in windows.
pub(crate) async fn measure(roles: &Roles<'_>, operations: u64) -> Vec<Figure> {
    let began = Instant::now();
    let mut verify = roles.start(&["verify"]);
    let running = RunningProcess::find("verify");
    let mut peak = 0.0_f64;
    let watching = async {
        loop {
            // A process that has ended has no memory, and f64::max leaves that out.
            peak = peak.max(running.peak_memory());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ended = tokio::select! {
        ended = verify.ended(PATIENCE) => ended,
        never = watching => never,
    };
    let took = began.elapsed().as_secs_f64();
    assert!(ended.success(), "verify found something: {}", verify.log());
    vec![
        Figure::new("opstream verify", operations as f64 / took, Unit::PerSecond),
        Figure::new("peak memory, verify", peak, Unit::Bytes),
    ]
}

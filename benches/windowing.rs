//! Committed files to windows: an aggregator of its own process finds the files of a whole run waiting.
//!
//! The clock starts when it has its lease. What one core does is told by the processor time that it used, publication on
//! the topic of windows included; by the clock it also waits for the disk.

use std::time::{Duration, Instant};

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::processes::RunningProcess;
use crate::roles::{ENDS_WITHIN, Roles};
use crate::waiting::{WINDOWED, moment_reached, moment_when, number};

const FENCE: &str = "select fence as n from aggregator_lease";
const WINDOWS: &str = "select count(*) as n from windows";

/// Measures an aggregator on the files of so many operations, none of which is in a window yet.
pub(crate) async fn measure(roles: &Roles<'_>, operations: u64) -> Vec<Figure> {
    let mut aggregator = roles.start(&["aggregator"]);
    moment_when(Duration::from_millis(1), async || number(&roles.database, FENCE).await > 0).await;
    let began = Instant::now();
    let running = RunningProcess::find("aggregator");
    let cpu_before = running.cpu_seconds();
    let done = moment_reached(&roles.database, WINDOWED, operations).await;
    let cpu = running.cpu_seconds() - cpu_before;
    let elapsed = (done - began).as_secs_f64();
    let windows = number(&roles.database, WINDOWS).await;
    let note = format!("{windows} windows, by the clock {}", Unit::PerSecond.text(operations as f64 / elapsed));
    let figures = vec![
        Figure::new("aggregator, per second of one core", operations as f64 / cpu, Unit::PerSecond)
            .against(budgets::WINDOW)
            .noting(note),
        Figure::new("peak memory, aggregator", running.peak_memory(), Unit::Bytes),
    ];
    let ended = aggregator.stop(ENDS_WITHIN).await;
    assert!(ended.success(), "the aggregator ended with {ended}");
    figures
}

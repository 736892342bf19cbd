//! The thread that takes operations from where callers left them to where they go.
//!
//! It collects for a few milliseconds, delivers what it has, reports, and does so until the producer is closed. What
//! "deliver" means is the outlet's: [`kafka`] or [`json_lines`].

pub(crate) mod json_lines;
pub(crate) mod kafka;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hand_over::{Collected, HandOver};
use crate::ledger::Ledger;
use crate::report::{Report, Trouble};
use json_lines::JsonLinesOutlet;
use kafka::KafkaOutlet;

/// Empty rounds after which the application counts as idle: a second at the default linger.
const ROUNDS_UNTIL_IDLE: u32 = 200;
/// How long the thread rests while the application is idle. Its first operation waits for so long at most.
const IDLE_REST: Duration = Duration::from_millis(50);
/// Shortest rest, so that a linger of 0 does not keep a core busy.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// What the callers and the delivering side of one producer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) hand_over: HandOver,
    /// With the broker or the file.
    pub(crate) trouble: Trouble,
    /// With the disk of the spool.
    pub(crate) disk_trouble: Trouble,
}

impl Shared {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { ledger, hand_over: HandOver::default(), trouble: Trouble::default(), disk_trouble: Trouble::default() }
    }
}

/// Where operations leave the process.
pub(crate) enum Outlet {
    Kafka(Box<KafkaOutlet>),
    JsonLines(JsonLinesOutlet),
}

/// Delivers until the producer is closed, and then until its deadline. Everything is accounted for when it returns.
pub(crate) fn run(mut outlet: Outlet, shared: &Arc<Shared>, linger: Duration) {
    let mut collected = Collected::default();
    let mut report = Report::default();
    let mut empty_rounds: u32 = 0;
    let deadline = loop {
        let shortest = if empty_rounds < ROUNDS_UNTIL_IDLE { SHORTEST_REST } else { IDLE_REST };
        let closing = shared.hand_over.collect(&mut collected, linger.max(shortest));
        let was_empty = collected.is_empty();
        let is_busy = match &mut outlet {
            Outlet::Kafka(kafka) => kafka.deliver(&mut collected, Instant::now()),
            Outlet::JsonLines(file) => {
                file.deliver(&mut collected);
                false
            }
        };
        empty_rounds = if was_empty && !is_busy { empty_rounds.saturating_add(1) } else { 0 };
        report.publish(shared, Instant::now());
        if let Some(deadline) = closing {
            break deadline;
        }
    };
    match outlet {
        Outlet::Kafka(kafka) => kafka.finish(deadline),
        Outlet::JsonLines(file) => file.finish(),
    }
    report.end(shared, Instant::now());
}

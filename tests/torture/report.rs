//! The table of docs/reliability.md.

use std::fmt::Write as _;
use std::time::Duration;

use crate::harness::backends::Combination;
use crate::machine::Machine;
use crate::torture::faults::Class;
use crate::torture::run::Outcome;

/// Between these lines of a page the table stands.
pub(crate) const MARKERS: (&str, &str) = ("<!-- torture -->", "<!-- /torture -->");

/// What was done and found.
pub(crate) struct Report {
    machine: Machine,
    seed: u64,
    /// Seconds.
    longest_outage: u16,
    /// One per run.
    pub(crate) lines: Vec<Line>,
    /// What was left out, and why.
    pub(crate) not_run: Vec<String>,
}

/// One run.
pub(crate) struct Line {
    /// What was done.
    pub(crate) class: Class,
    /// To what.
    pub(crate) combination: Combination,
    /// What was found, or why the run had no end.
    pub(crate) outcome: Result<Outcome, String>,
}

impl Report {
    /// An empty one.
    pub(crate) const fn new(machine: Machine, seed: u64, longest_outage: u16) -> Self {
        Self { machine, seed, longest_outage, lines: Vec::new(), not_run: Vec::new() }
    }

    /// Whether every run came to its end and nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        self.lines.iter().all(|line| line.outcome.as_ref().is_ok_and(|outcome| outcome.verdict.is_clean()))
    }

    /// The table, and under which conditions it was made.
    pub(crate) fn markdown(&self) -> String {
        let Self { machine, seed, longest_outage, .. } = self;
        let mut text = format!("{}; seed {seed}; outages of up to {longest_outage} s.\n\n", machine.line());
        text += "| fault | on | rounds | acknowledged | lost | doubled | wrong | longest recovery |\n|---|---|--:|--:|--:|--:|--:|--:|\n";
        for Line { class, combination, outcome } in &self.lines {
            let cells = match outcome {
                Ok(Outcome { faults, verdict, longest_recovery, .. }) => format!(
                    "{faults} | {} | {} | {} | {} | {:.1} s",
                    thousands(verdict.acknowledged),
                    verdict.lost,
                    verdict.doubled,
                    verdict.wrong,
                    longest_recovery.as_secs_f64()
                ),
                Err(_) => "– | – | – | – | – | no end".to_owned(),
            };
            writeln!(text, "| {class} | {combination} | {cells} |").expect("writing into memory does not fail");
        }
        text += &self.sums();
        for what in &self.not_run {
            writeln!(text, "Not run: {what}.").expect("writing into memory does not fail");
        }
        text
    }

    fn sums(&self) -> String {
        let outcomes =
            || self.lines.iter().filter_map(|line| line.outcome.as_ref().ok().map(|outcome| (&line.class, outcome)));
        let faults: usize = outcomes().map(|(_, outcome)| outcome.faults).sum();
        let kills: usize = outcomes().filter(|(class, _)| class.kills()).map(|(_, outcome)| outcome.faults).sum();
        let acknowledged: u64 = outcomes().map(|(_, outcome)| outcome.verdict.acknowledged).sum();
        let took: Duration = outcomes().map(|(_, outcome)| outcome.took).sum();
        format!(
            "\nAltogether {faults} faults, of them {kills} kills, and {} operations acknowledged in {:.0} minutes.\n",
            thousands(acknowledged),
            took.as_secs_f64() / 60.0
        )
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

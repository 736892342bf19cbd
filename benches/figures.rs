//! One measured figure, its unit, and the budget that it is held against. Pure.

use std::fmt;

use crate::harness::backends::Combination;

/// A measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Broker and database that it was measured on; none where neither took part.
    pub(crate) on: Option<Combination>,
    /// What was measured. Together with `on` it names the figure from run to run.
    pub(crate) what: &'static str,
    /// In seconds, operations per second, seconds of CPU time, or bytes.
    pub(crate) value: f64,
    /// Which of these.
    pub(crate) unit: Unit,
    /// What it must reach.
    pub(crate) budget: Option<Budget>,
    /// What else belongs to it, such as a second quantile.
    pub(crate) note: Option<String>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Time that passes, seconds.
    Seconds,
    /// Time of the processors, seconds.
    CpuSeconds,
    /// Operations per second.
    PerSecond,
    /// Bytes.
    Bytes,
}

/// What a figure must reach, in its unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) bound: Bound,
    /// The budget itself.
    pub(crate) required: f64,
    /// What is aimed at.
    pub(crate) goal: Option<f64>,
}

/// On which side of the budget a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    AtMost,
    AtLeast,
}

/// How a figure stands to its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The goal is reached too.
    Goal,
    /// Within the budget.
    Within,
    /// The budget is missed.
    Missed,
}

impl Figure {
    /// A figure without budget and note.
    pub(crate) fn new(what: &'static str, value: f64, unit: Unit) -> Self {
        Self { on: None, what, value, unit, budget: None, note: None }
    }

    /// Measured on this broker and database.
    pub(crate) fn on(self, combination: Combination) -> Self {
        Self { on: Some(combination), ..self }
    }

    /// Held against this budget.
    pub(crate) fn against(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// With something else to know.
    pub(crate) fn noting(self, note: String) -> Self {
        Self { note: Some(note), ..self }
    }

    /// How it stands to its budget, if it has one.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        let budget = self.budget?;
        let reaches = |bar: f64| match budget.bound {
            Bound::AtMost => self.value <= bar,
            Bound::AtLeast => self.value >= bar,
        };
        Some(match budget {
            Budget { goal: Some(goal), .. } if reaches(goal) => Verdict::Goal,
            Budget { required, goal, .. } if reaches(required) => {
                if goal.is_none() {
                    Verdict::Goal
                } else {
                    Verdict::Within
                }
            }
            _ => Verdict::Missed,
        })
    }

    /// The value as people read it.
    pub(crate) fn text(&self) -> String {
        self.unit.text(self.value)
    }
}

impl Budget {
    /// Budget and goal as people read them; the goal is empty where there is none.
    pub(crate) fn texts(&self, unit: Unit) -> (String, String) {
        let sign = match self.bound {
            Bound::AtMost => "≤",
            Bound::AtLeast => "≥",
        };
        let text = |value| format!("{sign} {}", unit.text(value));
        (text(self.required), self.goal.map(text).unwrap_or_default())
    }
}

impl Unit {
    /// A value of this unit as people read it.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Seconds => seconds_text(value),
            Self::CpuSeconds => format!("{value:.2} s"),
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Bytes if value < 10_000.0 => format!("{value:.0} bytes"),
            Self::Bytes => format!("{:.0} MB", value / 1e6),
        }
    }

    /// Its name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::CpuSeconds => "cpu_seconds",
            Self::PerSecond => "operations_per_second",
            Self::Bytes => "bytes",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Goal => "goal",
            Self::Within => "budget",
            Self::Missed => "MISSED",
        })
    }
}

fn seconds_text(seconds: f64) -> String {
    match seconds {
        ..0.000_000_999_5 => format!("{:.0} ns", seconds * 1e9),
        ..0.000_999_5 => format!("{:.1} µs", seconds * 1e6),
        ..0.999_5 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

//! Alert rules and the alerts that come of them, as they stand in SQL, in files, in the api and on the topic `llm.alerts`.
//!
//! In reading order: what a rule is ([`Rule`], [`Condition`]); how people write it, and what is wrong with what they wrote
//! ([`RuleText`], [`RuleError`]), many of them in a file ([`read_rules`]); the table of rules ([`store`]); and one alert ([`Alert`]). When a
//! rule is looked at, and what becomes of an alert, is the aggregator's.

mod alert;
mod condition;
mod decimal;
mod file;
mod parts;
mod rule;
pub mod store;
mod text;

pub use alert::{Alert, AlertKey, AlertState, Because, Unit};
pub use condition::{AnomalyMeasure, BudgetPeriod, Condition, DurationMeasure, RateWindow, UnpricedLimit};
pub use file::{RuleFileError, read_rules};
pub use rule::{MAX_RULES, Rule};
pub use text::{RuleError, RuleText};

/// Combinations of values for which one rule is looked at; of more, those with the largest sums.
pub const MAX_COMBINATIONS: usize = 1000;

#[cfg(test)]
mod tests;

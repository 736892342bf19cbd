//! What a re-pricing changes, added up by provider and model.

use std::collections::BTreeMap;

/// Models that are told apart: names come from outside, and a thousand of them say nothing to anybody.
const MOST_MODELS: usize = 1_000;
/// Stands for all further ones.
const OTHER: &str = "(other)";

/// The sums of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelChange {
    /// Operations that cost something else now, or for another reason; with another model all.
    pub changed: i64,
    /// Those of them whose cost was unknown.
    pub unpriced_before: i64,
    /// Those of them whose cost is unknown now.
    pub unpriced_after: i64,
    /// What they cost, nano-USD.
    pub cost_before: i128,
    /// What they cost now, nano-USD.
    pub cost_after: i128,
}

/// The sums by provider and model; an empty name is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelChanges(BTreeMap<(String, String), ModelChange>);

impl ModelChange {
    /// Adds one operation.
    fn count(&mut self, before: Option<i64>, after: Option<i64>) {
        self.changed += 1;
        self.unpriced_before += i64::from(before.is_none());
        self.unpriced_after += i64::from(after.is_none());
        self.cost_before += i128::from(before.unwrap_or(0));
        self.cost_after += i128::from(after.unwrap_or(0));
    }

    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        self.changed += other.changed;
        self.unpriced_before += other.unpriced_before;
        self.unpriced_after += other.unpriced_after;
        self.cost_before += other.cost_before;
        self.cost_after += other.cost_after;
    }
}

impl ModelChanges {
    /// Adds one operation with its cost before and after.
    pub(super) fn add(&mut self, provider: &str, model: &str, before: Option<i64>, after: Option<i64>) {
        self.entry(provider, model).count(before, after);
    }

    /// Adds what is already added up.
    pub fn merge(&mut self, provider: &str, model: &str, change: &ModelChange) {
        self.entry(provider, model).add(change);
    }

    /// By provider and model.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &ModelChange)> {
        self.0.iter().map(|((provider, model), change)| (provider.as_str(), model.as_str(), change))
    }

    /// All of them together.
    pub fn total(&self) -> ModelChange {
        self.0.values().fold(ModelChange::default(), |mut total, change| {
            total.add(change);
            total
        })
    }

    fn entry(&mut self, provider: &str, model: &str) -> &mut ModelChange {
        let mut key = (provider.to_owned(), model.to_owned());
        if self.0.len() >= MOST_MODELS && !self.0.contains_key(&key) {
            key = (OTHER.to_owned(), OTHER.to_owned());
        }
        self.0.entry(key).or_default()
    }
}

//! Which cost counts, where an operation has two: the catalogue's, and the one that its provider or application reported. Pure.
//!
//! A reported cost is a whole: what it is made of is not known, so that a cost taken over from a report has no parts.

use super::operation_cost::{CostStatus, Priced};
use super::parts::CostParts;
use crate::NanoUsd;

/// Whose cost counts. Whatever counts, a reported cost is kept beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CostPolicy {
    /// The catalogue's alone: where it has none, the cost is unknown.
    #[default]
    Catalogue,
    /// The catalogue's where it has one, else the reported one.
    CatalogueOrReported,
    /// The reported one where there is one, else the catalogue's.
    ReportedOrCatalogue,
}

/// The cost of an operation that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedCost {
    /// The cost; none is "unknown", never 0.
    pub cost: Option<NanoUsd>,
    /// What it consists of; there exactly if it is the catalogue's.
    pub parts: Option<CostParts>,
    /// How it came about.
    pub status: CostStatus,
    /// What the catalogue says, where a cost was reported too: the two can be compared, whichever counts.
    pub catalogue_cost: Option<NanoUsd>,
}

impl CostPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Catalogue, Self::CatalogueOrReported, Self::ReportedOrCatalogue];

    /// The name in settings, such as `catalogue-or-reported`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::CatalogueOrReported => "catalogue-or-reported",
            Self::ReportedOrCatalogue => "reported-or-catalogue",
        }
    }

    /// The cost that counts, of what the catalogue says and what was reported. A cost of 0 is a cost, also a reported one.
    pub fn settle(self, priced: &Priced<'_>, reported: Option<NanoUsd>) -> CountedCost {
        let taken_over = match self {
            Self::Catalogue => None,
            Self::CatalogueOrReported => reported.filter(|_| priced.cost.is_none()),
            Self::ReportedOrCatalogue => reported,
        };
        let Priced { cost, parts, status, .. } = *priced;
        let catalogue_cost = reported.and(cost);
        if taken_over.is_none() {
            return CountedCost { cost, parts, status, catalogue_cost };
        }
        CountedCost { cost: taken_over, parts: None, status: CostStatus::Reported, catalogue_cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Option<NanoUsd> = Some(NanoUsd::from_nanos(3_000));
    const THEIRS: Option<NanoUsd> = Some(NanoUsd::from_nanos(5_000));
    const ZERO: Option<NanoUsd> = Some(NanoUsd::ZERO);

    fn priced(cost: Option<NanoUsd>, status: CostStatus) -> Priced<'static> {
        let parts = cost.map(|input| CostParts { input, ..CostParts::default() });
        Priced { cost, parts, status, used: None }
    }

    /// The cost that counts, and its status.
    type Counts = (Option<NanoUsd>, CostStatus);

    #[test]
    fn a_policy_says_whose_cost_counts() {
        use CostStatus::{Free, NoPriceAtTime, Priced, Reported, Unpriced};
        // What the catalogue says, what was reported, and what counts by each policy in the order of `ALL`.
        let cases: [(Counts, Option<NanoUsd>, [Counts; 3]); 8] = [
            ((OURS, Priced), None, [(OURS, Priced); 3]),
            ((OURS, Priced), THEIRS, [(OURS, Priced), (OURS, Priced), (THEIRS, Reported)]),
            ((OURS, Priced), ZERO, [(OURS, Priced), (OURS, Priced), (ZERO, Reported)]),
            ((ZERO, Free), None, [(ZERO, Free); 3]),
            ((ZERO, Free), THEIRS, [(ZERO, Free), (ZERO, Free), (THEIRS, Reported)]),
            ((None, Unpriced), None, [(None, Unpriced); 3]),
            ((None, Unpriced), THEIRS, [(None, Unpriced), (THEIRS, Reported), (THEIRS, Reported)]),
            ((None, NoPriceAtTime), THEIRS, [(None, NoPriceAtTime), (THEIRS, Reported), (THEIRS, Reported)]),
        ];
        for ((cost, status), reported, expected) in cases {
            for (policy, counts) in CostPolicy::ALL.into_iter().zip(expected) {
                let priced = priced(cost, status);
                let counted = policy.settle(&priced, reported);
                let what = format!("{}: {cost:?}, {reported:?}", policy.name());
                assert_eq!((counted.cost, counted.status), counts, "{what}");
                let parts = priced.parts.filter(|_| counts.1 != Reported);
                assert_eq!(
                    counted.parts, parts,
                    "a report does not say what it is made of, the catalogue does; {what}"
                );
                assert_eq!(counted.catalogue_cost, cost.filter(|_| reported.is_some()), "{what}");
            }
        }
    }
}

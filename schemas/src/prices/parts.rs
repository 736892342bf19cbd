//! What a cost consists of: parts in whole nano-dollars that add up to it, and what caches saved.

use super::explanation::Item;
use super::rates::TokenClass;
use crate::NanoUsd;
use crate::money::ExactUsd;

/// The parts of a cost. They add up to it exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostParts {
    /// Input that was neither read from nor written to a cache.
    pub input: NanoUsd,
    /// Input that was read from a cache.
    pub cache_read: NanoUsd,
    /// Input that was written to a cache.
    pub cache_write: NanoUsd,
    /// Output, reasoning included.
    pub output: NanoUsd,
    /// Searches, requests and other units.
    pub units: NanoUsd,
    /// What cached input cost less than other input; negative where writes cost more than reads saved. No part of the cost.
    pub cache_savings: NanoUsd,
}

/// Parts that are not rounded yet, in the order of [`Part`].
pub(super) type ExactParts = [ExactUsd; Part::COUNT];

/// A part of a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Input,
    CacheRead,
    CacheWrite,
    Output,
    Units,
}

impl Part {
    pub(super) const COUNT: usize = 5;

    /// The part that a line of the bill belongs to.
    pub(super) const fn of(item: &Item<'_>) -> Self {
        match item {
            Item::Units(_) => Self::Units,
            Item::Tokens { class, .. } => match class {
                TokenClass::Input | TokenClass::InputAudio | TokenClass::InputImage => Self::Input,
                TokenClass::CacheRead | TokenClass::CacheReadAudio => Self::CacheRead,
                TokenClass::CacheWrite | TokenClass::CacheWrite1h | TokenClass::CacheWrite12h => Self::CacheWrite,
                TokenClass::Output | TokenClass::Reasoning | TokenClass::OutputAudio | TokenClass::OutputImage => {
                    Self::Output
                }
            },
        }
    }
}

impl TokenClass {
    /// What tokens of this class would be without a cache; none for those that are not cached.
    pub(super) const fn uncached(self) -> Option<Self> {
        match self {
            Self::CacheRead | Self::CacheWrite | Self::CacheWrite1h | Self::CacheWrite12h => Some(Self::Input),
            Self::CacheReadAudio => Some(Self::InputAudio),
            _ => None,
        }
    }
}

impl CostParts {
    /// Splits `cost`, the rounded sum of the parts: each is rounded down, and what is missing goes to those that lost most.
    pub(super) fn split(cost: NanoUsd, exact: ExactParts, cache_savings: NanoUsd) -> Self {
        let mut parts = exact.map(ExactUsd::whole_nanos);
        let mut missing = cost.nanos() - parts.iter().map(|(nanos, _)| nanos).sum::<i64>();
        while missing > 0 {
            // The first of the largest; each is raised once at most, since less than one was cut off.
            let most = parts.iter().map(|(_, rest)| *rest).max().unwrap_or_default();
            if let Some((nanos, rest)) = parts.iter_mut().find(|(_, rest)| *rest == most) {
                *nanos += 1;
                *rest = -1;
            }
            missing -= 1;
        }
        let [input, cache_read, cache_write, output, units] = parts.map(|(nanos, _)| NanoUsd::from_nanos(nanos));
        Self { input, cache_read, cache_write, output, units, cache_savings }
    }

    /// The sum of the parts.
    pub fn total(&self) -> NanoUsd {
        let parts = [self.input, self.cache_read, self.cache_write, self.output, self.units];
        NanoUsd::from_nanos(parts.iter().map(|part| part.nanos()).sum())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up_to_the_rounded_sum_and_none_is_off_by_a_whole_nano(
            picos in proptest::array::uniform5(0_i64..10_000_000),
        ) {
            let exact = picos.map(ExactUsd::from_picos);
            let total = exact.iter().try_fold(ExactUsd::default(), |sum, part| sum.checked_add(*part)).unwrap();
            let cost = NanoUsd::try_from(total).unwrap();
            let parts = CostParts::split(cost, exact, NanoUsd::ZERO);
            prop_assert_eq!(parts.total(), cost);
            let split = [parts.input, parts.cache_read, parts.cache_write, parts.output, parts.units];
            for (part, picos) in split.iter().zip(picos) {
                prop_assert!((part.nanos() * 1000 - picos).abs() < 1000, "{part:?} of {picos}");
            }
        }
    }
}

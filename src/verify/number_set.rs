//! The numbers of one producer, as runs without a gap: a producer that lost little has few of them, however many operations it has.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberSet {
    /// Last number of each run, by its first. Neighbouring runs are at least two apart.
    runs: BTreeMap<i64, i64>,
}

impl NumberSet {
    /// Adds a number; false when it was there.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        let before = self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| number <= last) {
            return false;
        }
        let first = before.filter(|(_, last)| last.checked_add(1) == Some(number)).map_or(number, |(first, _)| first);
        let joined = number.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, joined.unwrap_or(number));
        true
    }

    /// How many runs it takes, which is what its memory grows with.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The lowest and the highest number.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.runs.first_key_value()?.0, *self.runs.last_key_value()?.1))
    }

    /// How many numbers of `[first, …)` are there.
    pub(super) fn count_from(&self, first: i64) -> u64 {
        let runs = self.runs.iter().filter(|(_, last)| **last >= first);
        runs.map(|(start, last)| last.abs_diff((*start).max(first)).saturating_add(1)).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_an_ordinary_set_holds(
            numbers in proptest::collection::vec(-20_i64..40, 0..60),
            first in -30_i64..50,
        ) {
            let (mut set, mut plain) = (NumberSet::default(), BTreeSet::new());
            for number in numbers {
                prop_assert_eq!(set.insert(number), plain.insert(number));
            }
            prop_assert_eq!(set.bounds(), plain.first().copied().zip(plain.last().copied()));
            prop_assert_eq!(set.count_from(first), plain.range(first..).count() as u64);
            let runs = plain.iter().filter(|number| !plain.contains(&(**number - 1))).count();
            prop_assert_eq!(set.runs(), runs);
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let mut set = NumberSet::default();
        assert!(set.insert(i64::MAX) && set.insert(i64::MIN) && !set.insert(i64::MAX));
        assert_eq!((set.runs(), set.count_from(i64::MIN)), (2, 2));
    }
}

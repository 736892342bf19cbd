//! What was handed over and what was acknowledged. Every operation has a number, so that a set of them is a row of bits.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    words: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// Adds a number; false if it was there already.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let word = usize::try_from(number / 64).expect("as many words as fit into memory");
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(is_new);
        is_new
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Whether the number is in it.
    pub(crate) fn contains(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// All of them, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        let words = (0_u64..).zip(&self.words);
        words.flat_map(|(place, word)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| place * 64 + bit)
        })
    }
}

/// Where a record is, and the next offset of its partition.
pub(crate) type Place = (i32, i64);

/// What happened so far; also written to a file, one line per portion, so that a failed run can be looked into.
#[derive(Debug)]
pub(crate) struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    acknowledged: Numbers,
    handed_over: u64,
    /// Acknowledged records, those that were sent again included.
    records: u64,
    ends: BTreeMap<i32, i64>,
    file: BufWriter<File>,
}

/// What was acknowledged up to a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// Per partition, the offset behind the last record that the broker named.
    pub(crate) ends: BTreeMap<i32, i64>,
    /// Records, those that were sent again included.
    pub(crate) records: u64,
}

impl Ledger {
    /// An empty one, kept in this file too.
    pub(crate) fn create(file: &Path) -> Self {
        let file = BufWriter::new(File::create(file).expect("the folder of the run is writable"));
        let state = State { acknowledged: Numbers::default(), handed_over: 0, records: 0, ends: BTreeMap::new(), file };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while writing down what happened")
    }

    /// Takes the next numbers, of which from now on any may be stored. None beyond `most`.
    pub(crate) fn hand_over(&self, count: u64, most: u64) -> Option<std::ops::Range<u64>> {
        let mut state = self.state();
        let from = state.handed_over;
        let to = (from + count).min(most);
        if from == to {
            return None;
        }
        state.handed_over = to;
        writeln!(state.file, "handed over {from}..{to}").expect("the ledger can be written");
        Some(from..to)
    }

    /// The broker has these. Without a place the answer did not name one.
    pub(crate) fn acknowledge(&self, answers: &[(u64, Option<Place>)]) {
        let mut state = self.state();
        for (number, place) in answers {
            state.acknowledged.insert(*number);
            state.records += 1;
            if let Some((partition, next)) = place {
                let end = state.ends.entry(*partition).or_default();
                *end = (*end).max(*next);
            }
        }
        if let (Some((first, _)), Some((last, _))) = (answers.first(), answers.last()) {
            let count = answers.len();
            writeln!(state.file, "acknowledged {count} of {first}..={last}").expect("the ledger can be written");
        }
    }

    /// What is acknowledged now.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        let state = self.state();
        Acknowledged { ends: state.ends.clone(), records: state.records }
    }

    /// Numbers below this were handed over.
    pub(crate) fn handed_over(&self) -> u64 {
        self.state().handed_over
    }

    /// The numbers that were acknowledged.
    pub(crate) fn numbers(&self) -> Numbers {
        let mut state = self.state();
        state.file.flush().expect("the ledger can be written");
        state.acknowledged.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_counted_once() {
        let mut numbers = Numbers::default();
        assert!([3, 64, 1_000, 0].iter().all(|number| numbers.insert(*number)));
        assert!(!numbers.insert(64));
        assert_eq!((numbers.count(), numbers.iter().collect::<Vec<_>>()), (4, vec![0, 3, 64, 1_000]));
        assert!(numbers.contains(1_000) && !numbers.contains(1) && !numbers.contains(1 << 40));
    }

    #[test]
    fn numbers_are_given_out_up_to_the_limit_and_ends_only_grow() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&folder.path().join("ledger"));
        assert_eq!(ledger.hand_over(10, 15), Some(0..10));
        assert_eq!(ledger.hand_over(10, 15), Some(10..15));
        assert_eq!(ledger.hand_over(10, 15), None);
        ledger.acknowledge(&[(1, Some((0, 8))), (2, Some((0, 5))), (1, None)]);
        assert_eq!(ledger.acknowledged(), Acknowledged { ends: BTreeMap::from([(0, 8)]), records: 3 });
        assert_eq!((ledger.numbers().count(), ledger.handed_over()), (2, 15));
        assert!(std::fs::read_to_string(folder.path().join("ledger")).unwrap().contains("acknowledged 3 of 1..=1"));
    }
}

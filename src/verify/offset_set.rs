//! The offsets that rows came from, one bit each: 125 MB for a billion operations, exact.
//!
//! Rows are read in the order of their ids, ranges in the order of their offsets, and there is no index to translate.
//! The set holds what was seen until the ranges ask how many there are between two offsets.

use std::collections::BTreeMap;

/// Bits of a word.
const WORD_BITS: i64 = 64;
/// Words of a chunk: 65,536 offsets in 8 KiB, allocated when the first of them is seen.
const CHUNK_WORDS: usize = 1024;
/// Offsets of a chunk.
const CHUNK_BITS: i64 = 65_536;

/// A set of offsets of one partition.
#[derive(Debug, Default)]
pub(super) struct OffsetSet {
    chunks: BTreeMap<i64, Box<[u64; CHUNK_WORDS]>>,
}

impl OffsetSet {
    /// Adds an offset; false when it was there.
    pub(super) fn insert(&mut self, offset: i64) -> bool {
        let (chunk, word, bit) = place(offset);
        let words = self.chunks.entry(chunk).or_insert_with(|| Box::new([0; CHUNK_WORDS]));
        let was_there = words[word] & bit != 0;
        words[word] |= bit;
        !was_there
    }

    /// How many offsets of `[from, to)` were added; 0 when the range is empty or backwards.
    pub(super) fn count(&self, from: i64, to: i64) -> i64 {
        if from >= to {
            return 0;
        }
        let chunks = self.chunks.range(from.div_euclid(CHUNK_BITS)..=(to - 1).div_euclid(CHUNK_BITS));
        chunks
            .map(|(chunk, words)| {
                count_in_chunk(words, from.saturating_sub(chunk * CHUNK_BITS), to.saturating_sub(chunk * CHUNK_BITS))
            })
            .sum()
    }

    /// Offsets that both sets hold, ascending.
    pub(super) fn common(&self, other: &Self) -> impl Iterator<Item = i64> {
        let shared = self.chunks.iter().filter_map(|(chunk, words)| Some((chunk, words, other.chunks.get(chunk)?)));
        shared.flat_map(|(chunk, ours, theirs)| {
            let words = ours.iter().zip(theirs.iter()).map(|(ours, theirs)| ours & theirs);
            let starts = (chunk * CHUNK_BITS..).step_by(64);
            words.zip(starts).flat_map(|(word, start)| bits(word).map(move |bit| start + bit))
        })
    }
}

/// Positions of the ones, ascending.
fn bits(word: u64) -> impl Iterator<Item = i64> {
    (0..WORD_BITS).filter(move |bit| word >> bit & 1 == 1)
}

/// Bits that are set in `[from, to)`, counted from the chunk's first offset; both may lie outside it.
fn count_in_chunk(words: &[u64; CHUNK_WORDS], from: i64, to: i64) -> i64 {
    let (from, to) = (from.max(0), to.min(CHUNK_BITS));
    let mut count = 0;
    let mut at = from;
    while at < to {
        let start = at.rem_euclid(WORD_BITS);
        let end = (to - at + start).min(WORD_BITS);
        count += i64::from((words[word_of(at)] & mask(start, end)).count_ones());
        at += end - start;
    }
    count
}

/// Ones at the bits `[start, end)`, with 0 ≤ start < end ≤ 64.
fn mask(start: i64, end: i64) -> u64 {
    (u64::MAX >> (WORD_BITS - (end - start))) << start
}

/// Index of the word that holds this offset of a chunk.
fn word_of(within: i64) -> usize {
    usize::try_from(within / WORD_BITS).expect("an offset within a chunk is not negative")
}

fn place(offset: i64) -> (i64, usize, u64) {
    let within = offset.rem_euclid(CHUNK_BITS);
    (offset.div_euclid(CHUNK_BITS), word_of(within), 1 << (within % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_those_of_an_ordinary_set(
            offsets in proptest::collection::vec(-200_000_i64..400_000, 0..200),
            from in -250_000_i64..450_000,
            to in -250_000_i64..450_000,
        ) {
            let mut set = OffsetSet::default();
            let mut plain = BTreeSet::new();
            for offset in offsets {
                prop_assert_eq!(set.insert(offset), plain.insert(offset));
            }
            let expected = if from < to { plain.range(from..to).count() } else { 0 };
            prop_assert_eq!(set.count(from, to), i64::try_from(expected).unwrap());
            let odd: Vec<i64> = plain.iter().copied().filter(|offset| offset % 2 != 0).collect();
            let mut other = OffsetSet::default();
            for offset in &odd {
                prop_assert!(other.insert(*offset));
            }
            prop_assert_eq!(set.common(&other).collect::<Vec<_>>(), odd);
        }
    }

    #[test]
    fn the_ends_of_words_and_chunks_are_counted_once() {
        let mut set = OffsetSet::default();
        for offset in [0, 63, 64, 65_535, 65_536, 131_071] {
            assert!(set.insert(offset));
        }
        assert!(!set.insert(65_535));
        assert_eq!(set.count(0, 64), 2);
        assert_eq!(set.count(63, 65), 2);
        assert_eq!(set.count(65_535, 65_537), 2);
        assert_eq!(set.count(0, 131_072), 6);
        assert_eq!(set.count(10, 10), 0);
    }
}

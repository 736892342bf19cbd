//! What each idempotent producer wrote last to one partition: repeats are answered, gaps are refused.
//!
//! Pure bookkeeping. The state is rebuilt from the batches' headers, so it survives whatever the log survives.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::batch::{BatchHeader, ProducerStamp};

/// A client may have five requests in flight, so a repeat can be at most this many batches old.
const REMEMBERED_BATCHES: usize = 5;
/// Producers remembered per partition; beyond it the one that wrote longest ago is forgotten. A forgotten producer may
/// go on with any sequence: what is lost is only the detection of its repeats.
const REMEMBERED_PRODUCERS: usize = 1_000;

/// State of all producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Producers {
    by_id: HashMap<i64, Producer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    /// Oldest first, never empty.
    recent: VecDeque<WrittenBatch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WrittenBatch {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Append it.
    New,
    /// It is in the log already, at this offset: acknowledge it again.
    Repeat { base_offset: i64 },
}

/// Why a batch is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SequenceError {
    /// A batch before this one is missing: the producer must send that one first.
    #[error("producer {producer} sent sequence {sent}, expected {expected}")]
    OutOfOrder { producer: i64, sent: i32, expected: i32 },
    /// A newer instance of the producer has taken over.
    #[error("producer {producer} has epoch {sent}, but epoch {current} has written since")]
    Fenced { producer: i64, sent: i16, current: i16 },
}

impl Producers {
    /// Decides about a batch; does not change the state.
    ///
    /// # Errors
    /// When a batch before it is missing or its producer is fenced.
    pub(super) fn admit(&self, header: &BatchHeader) -> Result<Admission, SequenceError> {
        let Some(stamp) = header.producer else { return Ok(Admission::New) };
        let Some(known) = self.by_id.get(&stamp.id) else { return Ok(Admission::New) };
        if stamp.epoch < known.epoch {
            return Err(SequenceError::Fenced { producer: stamp.id, sent: stamp.epoch, current: known.epoch });
        }
        if stamp.epoch > known.epoch {
            return expect_sequence(stamp, 0);
        }
        let last_sequence = sequence_after(stamp.first_sequence, header.last_offset_delta);
        let repeat = known
            .recent
            .iter()
            .find(|written| written.first_sequence == stamp.first_sequence && written.last_sequence == last_sequence);
        if let Some(written) = repeat {
            return Ok(Admission::Repeat { base_offset: written.base_offset });
        }
        let expected = known.recent.back().map_or(0, |last| sequence_after(last.last_sequence, 1));
        expect_sequence(stamp, expected)
    }

    /// Remembers that a batch stands in the log at its base offset.
    pub(super) fn remember(&mut self, header: &BatchHeader) {
        let Some(stamp) = header.producer else { return };
        if self.by_id.len() >= REMEMBERED_PRODUCERS && !self.by_id.contains_key(&stamp.id) {
            self.forget_longest_silent();
        }
        let producer =
            self.by_id.entry(stamp.id).or_insert_with(|| Producer { epoch: stamp.epoch, recent: VecDeque::new() });
        if producer.epoch != stamp.epoch {
            producer.epoch = stamp.epoch;
            producer.recent.clear();
        }
        if producer.recent.len() == REMEMBERED_BATCHES {
            producer.recent.pop_front();
        }
        producer.recent.push_back(WrittenBatch {
            first_sequence: stamp.first_sequence,
            last_sequence: sequence_after(stamp.first_sequence, header.last_offset_delta),
            base_offset: header.base_offset,
        });
    }

    fn forget_longest_silent(&mut self) {
        let longest_silent = self
            .by_id
            .iter()
            .min_by_key(|(_, producer)| producer.recent.back().map(|last| last.base_offset))
            .map(|(id, _)| *id);
        if let Some(id) = longest_silent {
            self.by_id.remove(&id);
        }
    }
}

fn expect_sequence(stamp: ProducerStamp, expected: i32) -> Result<Admission, SequenceError> {
    if stamp.first_sequence == expected {
        Ok(Admission::New)
    } else {
        Err(SequenceError::OutOfOrder { producer: stamp.id, sent: stamp.first_sequence, expected })
    }
}

/// The sequence `steps` after `sequence`: sequences count from 0 to `i32::MAX` and start again at 0.
fn sequence_after(sequence: i32, steps: i32) -> i32 {
    sequence.wrapping_add(steps) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::super::batch::tests::batch;
    use super::*;

    fn header(epoch: i16, first_sequence: i32, base_offset: i64) -> BatchHeader {
        let bytes = batch(Some(ProducerStamp { id: 9, epoch, first_sequence }), &[("a", None), ("b", None)]);
        let mut header = BatchHeader::parse(&bytes).unwrap();
        header.base_offset = base_offset;
        header
    }

    #[test]
    fn a_repeated_batch_is_answered_with_its_first_offset() {
        let mut producers = Producers::default();
        for nth in 0..4 {
            let written = header(0, nth * 2, i64::from(nth) * 100);
            assert_eq!(producers.admit(&written), Ok(Admission::New));
            producers.remember(&written);
        }
        assert_eq!(producers.admit(&header(0, 2, 0)), Ok(Admission::Repeat { base_offset: 100 }));
        assert_eq!(
            producers.admit(&header(0, 10, 0)),
            Err(SequenceError::OutOfOrder { producer: 9, sent: 10, expected: 8 })
        );
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_starts_at_zero() {
        let mut producers = Producers::default();
        producers.remember(&header(3, 0, 0));
        assert_eq!(producers.admit(&header(2, 2, 0)), Err(SequenceError::Fenced { producer: 9, sent: 2, current: 3 }));
        assert!(producers.admit(&header(4, 2, 0)).is_err());
        assert_eq!(producers.admit(&header(4, 0, 0)), Ok(Admission::New));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        producers.remember(&header(0, i32::MAX, 0));
        assert_eq!(producers.admit(&header(0, 1, 0)), Ok(Admission::New));
    }
}

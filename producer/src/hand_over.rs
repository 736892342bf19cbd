//! Passes encoded operations from many application threads to the one thread that delivers them.
//!
//! A caller copies its bytes under a lock that is otherwise held only to swap two buffers. It wakes nobody, which would
//! cost it a system call: the delivering thread looks by itself every few milliseconds, and is woken only by those who
//! wait for an answer. How much may wait is the ledger's business, not this file's.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::acknowledgement::Waiter;
use crate::record::Record;

/// Records above this size change hands instead of being copied, so that a large prompt does not hold the lock.
const COPIED_BYTES: usize = 32 * 1024;
/// Buffers that a burst made larger than this are given back.
const KEPT_BYTES: usize = 1024 * 1024;

/// The place between callers and the delivering thread.
#[derive(Debug, Default)]
pub(crate) struct HandOver {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    collected: Collected,
    /// Somebody waits for what is collected.
    urgent: bool,
    /// Nothing is taken any more, and delivery ends at this time.
    closing: Option<Instant>,
}

/// Records in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    bytes: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    place: Place,
    key_length: usize,
    waiter: Option<Waiter>,
}

#[derive(Debug)]
enum Place {
    /// So many next bytes of the common buffer.
    Copied(usize),
    /// A buffer of its own.
    Apart(Vec<u8>),
}

/// The place takes nothing any more.
#[derive(Debug)]
pub(crate) struct Closed;

impl HandOver {
    /// Takes the record in `buffer`, whose first bytes are the key. Large buffers are taken whole.
    pub(crate) fn push(&self, buffer: &mut Vec<u8>, key_length: usize, waiter: Option<Waiter>) -> Result<(), Closed> {
        let large = if buffer.len() > COPIED_BYTES { Some(mem::take(buffer)) } else { None };
        let mut state = self.lock();
        if state.closing.is_some() {
            return Err(Closed);
        }
        let place = large.map_or_else(|| Place::Copied(buffer.len()), Place::Apart);
        state.collected.bytes.extend_from_slice(buffer_to_copy(&place, buffer));
        state.collected.pending.push(Pending { place, key_length, waiter });
        Ok(())
    }

    /// Has the delivering thread look now.
    pub(crate) fn hurry(&self) {
        let was_urgent = mem::replace(&mut self.lock().urgent, true);
        if !was_urgent {
            self.changed.notify_one();
        }
    }

    /// Takes nothing any more and ends delivery at `deadline`; of several calls the earliest deadline counts.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = self.lock();
        state.closing = Some(state.closing.map_or(deadline, |earlier| earlier.min(deadline)));
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for `rest`, or less when somebody is in a hurry, and swaps what was collected for the empty `into`.
    /// Returns the end of delivery once the place is closed; nothing comes after that.
    pub(crate) fn collect(&self, into: &mut Collected, rest: Duration) -> Option<Instant> {
        let keep_resting = |state: &mut State| !state.urgent && state.closing.is_none();
        let rested = self.changed.wait_timeout_while(self.lock(), rest, keep_resting);
        let (mut state, _) = rested.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut state.collected, into);
        state.urgent = false;
        state.closing
    }

    /// Goes on after a panic elsewhere: an application must not fail because its telemetry did.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn buffer_to_copy<'a>(place: &Place, buffer: &'a [u8]) -> &'a [u8] {
    match place {
        Place::Copied(_) => buffer,
        Place::Apart(_) => &[],
    }
}

impl Collected {
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Hands every record on, in order, and is empty afterwards.
    pub(crate) fn drain(&mut self, mut deliver: impl FnMut(Record<'_>, Option<Waiter>)) {
        let mut rest = self.bytes.as_slice();
        for Pending { place, key_length, waiter } in self.pending.drain(..) {
            let whole = match &place {
                Place::Copied(length) => {
                    let (whole, behind) = rest.split_at(*length);
                    rest = behind;
                    whole
                }
                Place::Apart(bytes) => bytes,
            };
            let (key, value) = whole.split_at(key_length);
            deliver(Record { key, value }, waiter);
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.pending.shrink_to(KEPT_BYTES / mem::size_of::<Pending>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(collected: &mut Collected) -> Vec<(Vec<u8>, usize)> {
        let mut records = Vec::new();
        collected.drain(|record, _| records.push((record.key.to_vec(), record.value.len())));
        records
    }

    #[test]
    fn small_and_large_records_keep_their_order_and_their_keys() {
        let hand_over = HandOver::default();
        let sizes = [1, COPIED_BYTES + 1, 0, COPIED_BYTES, 7];
        for (number, size) in sizes.iter().enumerate() {
            let mut buffer = format!("key{number}").into_bytes();
            buffer.resize(4 + size, b'x');
            hand_over.push(&mut buffer, 4, None).unwrap();
        }
        let mut collected = Collected::default();
        hand_over.collect(&mut collected, Duration::ZERO);
        let expected: Vec<_> =
            sizes.iter().enumerate().map(|(n, size)| (format!("key{n}").into_bytes(), *size)).collect();
        assert_eq!(drained(&mut collected), expected);
        assert!(collected.is_empty());
    }

    #[test]
    fn hurry_ends_the_rest() {
        let hand_over = HandOver::default();
        hand_over.push(&mut b"key".to_vec(), 3, None).unwrap();
        hand_over.hurry();
        let mut collected = Collected::default();
        let before = Instant::now();
        hand_over.collect(&mut collected, Duration::from_mins(1));
        assert!(before.elapsed() < Duration::from_secs(30));
        assert_eq!(drained(&mut collected).len(), 1);
    }

    #[test]
    fn what_was_taken_before_closing_is_collected_and_nothing_after_it() {
        let hand_over = HandOver::default();
        hand_over.push(&mut b"key".to_vec(), 3, None).unwrap();
        let deadline = Instant::now();
        hand_over.close(deadline + Duration::from_secs(1));
        hand_over.close(deadline);
        assert!(hand_over.push(&mut b"key".to_vec(), 3, None).is_err());
        let mut collected = Collected::default();
        assert_eq!(hand_over.collect(&mut collected, Duration::from_mins(1)), Some(deadline));
        assert_eq!(drained(&mut collected).len(), 1);
    }
}

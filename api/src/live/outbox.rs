//! What waits for one reader. Bounded: of a reader that takes too little, operations are skipped and counted, and one that takes nothing
//! for [`PATIENCE`] is given up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use opstream_records::decode::RecordView;
use opstream_schemas::UtcMillis;
use tokio::sync::Notify;

use super::event::{self, Rates};

/// Most bytes of operations that wait.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// Seconds in which a reader may take nothing.
pub(super) const PATIENCE: u32 = 30;
/// Bytes that are handed over together.
const PIECE_BYTES: usize = 64 << 10;

/// Events for one reader.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    // Held for a look, never across an await.
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Bytes>,
    bytes: usize,
    /// Operations that were told since the last tick.
    told: u32,
    /// Operations that were not, of which the reader does not know yet.
    skipped: u64,
    rates: Rates,
    /// Whether something was taken since the last tick.
    is_taken: bool,
    /// Ticks at which nothing had been taken though something waited.
    stuck: u32,
    is_ended: bool,
}

impl Outbox {
    /// Counts an operation that is meant, and keeps it unless there are too many.
    pub(super) fn offer(&self, record: &RecordView<'_>, most_per_second: u32, encoded: impl FnOnce() -> Bytes) {
        let mut waiting = self.waiting();
        waiting.rates.add(record);
        if waiting.told >= most_per_second || waiting.bytes >= MAX_WAITING_BYTES {
            waiting.skipped += 1;
            return;
        }
        waiting.told += 1;
        waiting.push(encoded());
        drop(waiting);
        self.changed.notify_one();
    }

    /// Tells something else.
    pub(super) fn tell(&self, event: Bytes) {
        self.waiting().push(event);
        self.changed.notify_one();
    }

    /// Tells what the last second added up to, and begins another. Says whether the reader stays: one that takes nothing is given up.
    pub(super) fn tick(&self, at: UtcMillis) -> bool {
        let mut waiting = self.waiting();
        let is_stuck = !waiting.events.is_empty() && !waiting.is_taken;
        waiting.stuck = if is_stuck { waiting.stuck + 1 } else { 0 };
        waiting.is_taken = false;
        if waiting.stuck >= PATIENCE {
            // Whoever takes nothing does not see the end either, and would keep what waits.
            *waiting = Waiting { is_ended: true, ..Waiting::default() };
            drop(waiting);
            self.changed.notify_one();
            return false;
        }
        waiting.told = 0;
        let skipped = std::mem::take(&mut waiting.skipped);
        if skipped > 0 {
            waiting.push(event::skipped(skipped));
        }
        let rates = std::mem::take(&mut waiting.rates);
        waiting.push(event::rates(at, rates));
        drop(waiting);
        self.changed.notify_one();
        true
    }

    /// What waits, several events at once; waits for the next one. None when the reader was given up.
    pub(super) async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut waiting = self.waiting();
                if waiting.is_ended {
                    return None;
                }
                if let Some(piece) = waiting.take() {
                    return Some(piece);
                }
            }
            self.changed.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.events.push_back(event);
    }

    fn take(&mut self) -> Option<Bytes> {
        let mut piece = BytesMut::new();
        while piece.len() < PIECE_BYTES
            && let Some(event) = self.events.pop_front()
        {
            self.bytes -= event.len();
            piece.extend_from_slice(&event);
        }
        self.is_taken |= !piece.is_empty();
        (!piece.is_empty()).then(|| piece.freeze())
    }
}

#[cfg(test)]
mod tests {
    use opstream_records::decode::WriterSchemas;
    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::{Operation, UtcMicros};

    use super::*;

    const AT: UtcMillis = UtcMillis::from_millis(0);

    fn offer(outbox: &Outbox, operations: usize, most: u32, bytes: usize) {
        let mut value = Vec::new();
        encode_operation(&Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_000)), &mut value);
        let schemas = WriterSchemas::default();
        let record = RecordView::of(Some(&value), &schemas).unwrap();
        for _ in 0..operations {
            outbox.offer(&record, most, || Bytes::from(vec![b'x'; bytes]));
        }
    }

    async fn text(outbox: &Outbox) -> Option<String> {
        outbox.next().await.map(|piece| String::from_utf8(piece.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_too_much_in_a_second_is_skipped_and_counted_and_the_rates_are_exact() {
        let outbox = Outbox::default();
        offer(&outbox, 5, 2, 1);
        assert_eq!(text(&outbox).await.unwrap(), "xx");
        outbox.tick(AT);
        let told = text(&outbox).await.unwrap();
        assert!(told.starts_with("event: skipped\ndata: {\"operations\":3}\n\nevent: rates\n"), "{told}");
        assert!(told.contains("\"operations\":5"), "{told}");
        offer(&outbox, 1, 2, 1);
        outbox.tick(AT);
        let told = text(&outbox).await.unwrap();
        assert!(told.starts_with("xevent: rates\n") && told.contains("\"operations\":1"), "{told}");
    }

    #[tokio::test]
    async fn a_slow_reader_takes_no_more_memory_than_this() {
        let outbox = Outbox::default();
        offer(&outbox, 100, 1000, MAX_WAITING_BYTES / 8);
        assert_eq!(outbox.waiting().bytes, MAX_WAITING_BYTES);
        assert_eq!(outbox.waiting().skipped, 92);
        while outbox.waiting().bytes > 0 {
            text(&outbox).await.unwrap();
        }
        outbox.tick(AT);
        assert!(text(&outbox).await.unwrap().contains("{\"operations\":92}"));
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let outbox = Outbox::default();
        for _ in 0..3 * PATIENCE {
            assert!(outbox.tick(AT));
            outbox.next().await.unwrap();
        }
        for _ in 0..PATIENCE {
            assert!(outbox.tick(AT));
        }
        assert!(!outbox.tick(AT));
        assert_eq!(outbox.next().await, None);
    }
}

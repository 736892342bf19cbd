//! The entries of one segment that are with the Kafka client: counted by the delivering thread, settled by the polling
//! thread.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::books::SpoolBooks;

/// Shared by a segment that is being sent again and the tickets of its entries.
#[derive(Debug)]
pub(crate) struct Flight {
    books: Arc<SpoolBooks>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// With the client.
    operations: usize,
    bytes: usize,
    /// Came back undelivered; to be sent again.
    returned: Vec<usize>,
    /// The segment was deleted: what comes back now is lost.
    is_gone: bool,
}

/// How much is with the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) operations: usize,
    pub(crate) bytes: usize,
}

impl Flight {
    pub(crate) fn new(books: Arc<SpoolBooks>) -> Arc<Self> {
        Arc::new(Self { books, state: Mutex::default() })
    }

    /// An entry of so many bytes is handed to the client.
    pub(crate) fn depart(&self, bytes: usize) {
        let mut state = self.lock();
        state.operations += 1;
        state.bytes += bytes;
    }

    /// The broker has it.
    pub(crate) fn acknowledge(&self, bytes: usize) {
        self.books.resent();
        self.lock().land(bytes);
    }

    /// The broker will never take it.
    pub(crate) fn refuse(&self, bytes: usize) {
        self.books.refused();
        self.lock().land(bytes);
    }

    /// It could not be delivered this time.
    pub(crate) fn give_back(&self, entry: usize, bytes: usize) {
        let mut state = self.lock();
        state.land(bytes);
        if state.is_gone {
            self.books.discarded(1);
        } else {
            state.returned.push(entry);
        }
    }

    /// What came back since the last call.
    pub(crate) fn take_returned(&self) -> Vec<usize> {
        mem::take(&mut self.lock().returned)
    }

    /// Whether something came back since the last call of `take_returned`.
    pub(crate) fn has_returned(&self) -> bool {
        !self.lock().returned.is_empty()
    }

    /// What is with the client now.
    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        Load { operations: state.operations, bytes: state.bytes }
    }

    /// The segment is deleted. Returns how many came back and were not sent again.
    pub(crate) fn abandon(&self) -> usize {
        let mut state = self.lock();
        state.is_gone = true;
        mem::take(&mut state.returned).len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn land(&mut self, bytes: usize) {
        self.operations -= 1;
        self.bytes -= bytes;
    }
}

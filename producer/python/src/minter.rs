//! Ids of operations, also in processes that were forked.
//!
//! A generator of random numbers is copied by `fork`: two workers would then mint the same ids, and one operation of each pair would
//! count as a re-send. So the bits come from the system, some hundred ids at a time, and a forked process has another minter.

use std::sync::{Mutex, PoisonError};

use opstream_schemas::{OperationId, UtcMicros};
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Random bytes of one id.
const ID_BYTES: usize = 10;
/// Ids for which random bytes are fetched together: a call of the system takes as long as the rest of a recording.
const IDS_AT_ONCE: usize = 128;

/// Mints ids for one process.
#[derive(Debug)]
pub(crate) struct Minter {
    pool: Mutex<Pool>,
}

#[derive(Debug)]
struct Pool {
    bytes: [u8; ID_BYTES * IDS_AT_ONCE],
    /// Bytes that were used; all at the beginning.
    used: usize,
}

impl Default for Minter {
    fn default() -> Self {
        let pool = Pool { bytes: [0; ID_BYTES * IDS_AT_ONCE], used: ID_BYTES * IDS_AT_ONCE };
        Self { pool: Mutex::new(pool) }
    }
}

impl Minter {
    /// A new id of an operation that starts then.
    pub(crate) fn mint(&self, started_at: UtcMicros) -> OperationId {
        match self.pool.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(random) => OperationId::mint(started_at.to_millis(), random),
            None => OperationId::generate(started_at.to_millis()),
        }
    }
}

impl Pool {
    /// The next bytes; none where the system has none.
    fn take(&mut self) -> Option<[u8; ID_BYTES]> {
        if self.used == self.bytes.len() {
            OsRng.try_fill_bytes(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let taken = self.bytes[self.used..].first_chunk().copied();
        self.used += ID_BYTES;
        taken
    }
}

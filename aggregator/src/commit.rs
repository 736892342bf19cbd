//! The one transaction: the lease's fence, the files, the windows, and how far each partition is in windows.

use std::sync::LazyLock;
use std::time::Instant;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Transaction, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::SUM_COLUMNS;

use crate::changes::WindowPlace;
use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::offsets::Reached;
use crate::rows_statement::RowsStatement;
use crate::stored::{StoredWindow, key_values};

static MARK_FILES: LazyLock<RowsStatement> = LazyLock::new(|| {
    RowsStatement::new("insert into windowed_files (generation, file_number, windowed_at_ms) values {rows}", 0, 3)
});
static MOVE_OFFSETS: LazyLock<RowsStatement> = LazyLock::new(|| {
    let text = "insert into windowed_offsets (stream_id, partition, next_offset) values {rows} \
                on conflict (stream_id, partition) do update set next_offset = excluded.next_offset \
                where excluded.next_offset > windowed_offsets.next_offset";
    RowsStatement::new(text, 0, 3)
});
static WRITE_WINDOWS: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("write_windows.sql"), 0, 8 + SUM_COLUMNS.len() + 2));

/// What is committed together.
pub(crate) struct WindowBatch {
    /// The generation that is written.
    pub(crate) generation: i64,
    /// Numbers of the files that are added.
    pub(crate) files: Vec<i64>,
    /// Windows as they are after it, in the order of their primary key.
    pub(crate) windows: Vec<(WindowPlace, StoredWindow)>,
    /// The clock.
    pub(crate) now: UtcMillis,
    /// Partitions that move on with it; none for a generation that readers do not take yet.
    pub(crate) offsets: Vec<Reached>,
}

/// A batch that was not committed, or of which that is unknown. In every case nothing that was remembered counts any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The windows were changed by somebody else: read them again.
    #[error(
        "{written} of {expected} windows had the revision that was remembered; the others were changed outside the aggregator"
    )]
    Stale { written: u64, expected: usize },
    /// Ask the tables what became of it.
    #[error("the database did not commit windows")]
    Database(#[from] sqlx::Error),
}

/// Commits a batch.
pub(crate) async fn commit_batch(database: &Database, fence: Fence, batch: &WindowBatch) -> Result<(), CommitError> {
    let mut tx = lease::begin(database, fence).await?;
    let began = Instant::now();
    for (range, text) in MARK_FILES.chunks(tx.engine(), batch.files.len()) {
        let row = |number: &i64| [batch.generation.into(), (*number).into(), batch.now.into()];
        let values: Vec<Value> = batch.files[range].iter().flat_map(row).collect();
        tx.execute(text, &values).await?;
    }
    write_windows(&mut tx, fence, batch).await?;
    for (range, text) in MOVE_OFFSETS.chunks(tx.engine(), batch.offsets.len()) {
        let row = |reached: &Reached| {
            [reached.place.stream_id, reached.place.partition, reached.next_offset].map(Value::from)
        };
        let values: Vec<Value> = batch.offsets[range].iter().flat_map(row).collect();
        tx.execute(text, &values).await?;
    }
    tx.commit().await?;
    metrics::record_write(batch.windows.len(), began.elapsed());
    Ok(())
}

async fn write_windows(tx: &mut Transaction, fence: Fence, batch: &WindowBatch) -> Result<(), CommitError> {
    let mut written = 0;
    for (range, text) in WRITE_WINDOWS.chunks(tx.engine(), batch.windows.len()) {
        let mut values = Vec::with_capacity(range.len() * (10 + SUM_COLUMNS.len()));
        for (place, window) in &batch.windows[range] {
            values.push(Value::from(batch.generation));
            values.extend(key_values(place, window.dimension_id));
            values.extend([fence.0, window.revision, 0].map(Value::from));
            values.extend(window.sums.to_array().map(Value::from));
            values.extend([window.latency.as_slice(), window.ttft.as_slice()].map(Value::from));
        }
        written += tx.execute(text, &values).await?;
    }
    if written != batch.windows.len() as u64 {
        return Err(CommitError::Stale { written, expected: batch.windows.len() });
    }
    Ok(())
}

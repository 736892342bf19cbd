//! The one transaction: the lease's fence, the files, the windows, and how far each partition is in windows.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Engine, Transaction, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::SUM_COLUMNS;
use sqlx::AssertSqlSafe;

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
    /// The files that are wholly in the windows with it.
    pub(crate) files: Vec<DoneFile>,
    /// The file of which a part is added, and more is left.
    pub(crate) portion: Option<Portion>,
    /// Windows as they are after it, in the order of their primary key.
    pub(crate) windows: Vec<(WindowPlace, StoredWindow)>,
    /// The clock.
    pub(crate) now: UtcMillis,
    /// Partitions that move on with it; none for a generation that readers do not take yet.
    pub(crate) offsets: Vec<Reached>,
}

/// A file whose last operations are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoneFile {
    /// Its number.
    pub(crate) number: i64,
    /// Its operations before this were in the windows already; `None`: it is added in one piece.
    pub(crate) windowed_before: Option<UtcMillis>,
}

/// A part of a file: its operations from one minute up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portion {
    /// The file.
    pub(crate) file_number: i64,
    /// Where the last portion ended; `None` for the first.
    pub(crate) from: Option<UtcMillis>,
    /// Where the next one begins.
    pub(crate) before: UtcMillis,
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
    /// The file was added to by somebody else: begin again from the tables.
    #[error("file {file_number} is not in the windows up to where it was remembered")]
    OtherProgress { file_number: i64 },
    /// Ask the tables what became of it.
    #[error("the database did not commit windows")]
    Database(#[from] sqlx::Error),
}

/// A statement with its values, made before the transaction begins: all roles wait for SQLite's one writer.
pub(crate) type Prepared = Vec<(AssertSqlSafe<Arc<str>>, Vec<Value>)>;

/// Commits a batch. Returns how long it held the writer.
pub(crate) async fn commit_batch(
    database: &Database,
    fence: Fence,
    batch: &WindowBatch,
) -> Result<Duration, CommitError> {
    let (files, windows, offsets) = prepare(database.engine(), fence, batch);
    let mut tx = lease::begin(database, fence).await?;
    let began = Instant::now();
    failpoint::reach(Step::WindowsBegun).await.map_err(sqlx::Error::from)?;
    mark_progress(&mut tx, batch).await?;
    run(&mut tx, files).await?;
    failpoint::reach(Step::FilesMarked).await.map_err(sqlx::Error::from)?;
    let written = run(&mut tx, windows).await?;
    if written != batch.windows.len() as u64 {
        return Err(CommitError::Stale { written, expected: batch.windows.len() });
    }
    run(&mut tx, offsets).await?;
    failpoint::reach(Step::WindowsWritten).await.map_err(sqlx::Error::from)?;
    tx.commit().await?;
    failpoint::reach(Step::WindowsCommitted).await.map_err(sqlx::Error::from)?;
    let held = began.elapsed();
    metrics::record_write(batch.windows.len(), held);
    Ok(held)
}

/// The statements of the files, the windows and the offsets.
fn prepare(engine: Engine, fence: Fence, batch: &WindowBatch) -> (Prepared, Prepared, Prepared) {
    let WindowBatch { generation, now, .. } = *batch;
    let files = prepare_rows(engine, &MARK_FILES, batch.files.len(), |row, values| {
        values.extend([generation.into(), batch.files[row].number.into(), now.into()]);
    });
    let windows = prepare_windows(engine, fence, generation, &batch.windows);
    let offsets = prepare_rows(engine, &MOVE_OFFSETS, batch.offsets.len(), |row, values| {
        let Reached { place, next_offset } = batch.offsets[row];
        values.extend([place.stream_id, place.partition, next_offset].map(Value::from));
    });
    (files, windows, offsets)
}

/// The statements of windows as they are to be; each replaces the revision before its own.
pub(crate) fn prepare_windows(
    engine: Engine,
    fence: Fence,
    generation: i64,
    windows: &[(WindowPlace, StoredWindow)],
) -> Prepared {
    prepare_rows(engine, &WRITE_WINDOWS, windows.len(), |row, values| {
        let (place, window) = &windows[row];
        values.push(generation.into());
        values.extend(key_values(place, window.dimension_id));
        values.extend([fence.0, window.revision, 0].map(Value::from));
        values.extend(window.sums.to_array().map(Value::from));
        values.extend([window.latency.as_slice(), window.ttft.as_slice()].map(Value::from));
    })
}

/// The statements of so many rows; `add` gives the values of one.
pub(crate) fn prepare_rows(
    engine: Engine,
    statement: &RowsStatement,
    rows: usize,
    add: impl Fn(usize, &mut Vec<Value>),
) -> Prepared {
    let prepared = statement.chunks(engine, rows).into_iter().map(|(range, text)| {
        let mut values = Vec::new();
        range.for_each(|row| add(row, &mut values));
        (text, values)
    });
    prepared.collect()
}

/// Runs statements; returns how many rows they changed.
pub(crate) async fn run(tx: &mut Transaction, statements: Prepared) -> Result<u64, sqlx::Error> {
    let mut rows = 0;
    for (text, values) in statements {
        rows += tx.execute(text, &values).await?;
    }
    Ok(rows)
}

/// Moves on how much of each file is in windows, from exactly where it was remembered.
async fn mark_progress(tx: &mut Transaction, batch: &WindowBatch) -> Result<(), CommitError> {
    let generation = batch.generation;
    for file in &batch.files {
        let Some(before) = file.windowed_before else { continue };
        let done = "delete from window_progress where generation = $1 and file_number = $2 and before_ms = $3";
        if tx.execute(done, &[generation.into(), file.number.into(), before.into()]).await? != 1 {
            return Err(CommitError::OtherProgress { file_number: file.number });
        }
    }
    let Some(Portion { file_number, from, before }) = batch.portion else { return Ok(()) };
    let values: [Value; 4] = [generation.into(), file_number.into(), before.into(), from.into()];
    if tx.execute(include_str!("advance_progress.sql"), &values).await? != 1 {
        return Err(CommitError::OtherProgress { file_number });
    }
    Ok(())
}

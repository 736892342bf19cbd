//! The outbox: windows whose last revision is not on the topic yet.
//!
//! `published_revision` follows the broker's acknowledgement, so whoever holds the lease next sends again what its predecessor
//! did not finish. A predecessor that was frozen and comes back may still deliver an older value after a newer one: its mark is
//! then refused by the fence, and it resets `published_revision`, so that the present holder sends the newest once more. Readers
//! are never misled meanwhile: they keep the highest (generation, fence, revision).

use std::sync::LazyLock;

use opstream_schemas::UtcMillis;
use opstream_schemas::avro::{SchemaId, encode_window_as};
use opstream_schemas::database::{Database, Row, Transaction, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{DimensionSet, Dimensions, Level, Window, WindowSums};

use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::rows_statement::RowsStatement;
use crate::topic::{TopicError, WindowRecord, WindowTopic};

static MARK: LazyLock<RowsStatement> = LazyLock::new(|| RowsStatement::new(include_str!("mark_published.sql"), 1, 5));
/// Binds a window of a generation and a revision that counts for nothing.
pub(crate) static UNMARK: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("mark_unpublished.sql"), 1, 5));

/// Why windows were not published. All are tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// See there.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Try again: somebody else asks the registry.
    #[error("the schema registry has not said yet under which id windows are published")]
    SchemaUnknown,
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Try again.
    #[error("the database did not answer about windows to publish")]
    Database(#[from] sqlx::Error),
}

/// A window's place in the order of its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    start: i64,
    set: i64,
    dimension_id: i64,
}

impl Cursor {
    const BEFORE_ALL: Self = Self { start: i64::MIN, set: 0, dimension_id: 0 };
}

/// One way through the outbox, level by level and slice by slice: it sends every window at most once, so that those which change all
/// the time do not keep the others waiting.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The level that it is at, and those behind it.
    levels: &'static [Level],
    /// The last window that was sent of it.
    cursor: Cursor,
}

/// A window of the outbox.
struct Unpublished {
    generation: i64,
    cursor: Cursor,
    level: Level,
    revision: i64,
    record: WindowRecord,
}

impl Pass {
    pub(crate) const fn begin() -> Self {
        Self { levels: &Level::ALL, cursor: Cursor::BEFORE_ALL }
    }

    /// Sends the next changed windows. Returns how many; none when the pass is over.
    pub(crate) async fn send_slice(
        &mut self,
        database: &Database,
        topic: &mut WindowTopic,
        fence: Fence,
    ) -> Result<Option<usize>, PublishError> {
        while let Some((level, behind)) = self.levels.split_first() {
            let slice = unpublished(database, (*level, topic.schema_id()), self.cursor).await?;
            let Some(last) = slice.last() else {
                *self = Self { levels: behind, cursor: Cursor::BEFORE_ALL };
                continue;
            };
            let records: Vec<WindowRecord> = slice.iter().map(|window| window.record.clone()).collect();
            topic.send(&records).await?;
            failpoint::reach(Step::WindowsSent).await.map_err(sqlx::Error::from)?;
            mark(database, fence, &slice).await?;
            failpoint::reach(Step::WindowsMarked).await.map_err(sqlx::Error::from)?;
            metrics::record_published(slice.len());
            self.cursor = last.cursor;
            return Ok(Some(slice.len()));
        }
        Ok(None)
    }
}

/// Sends the changed windows of all levels. Returns how many.
pub(crate) async fn publish(database: &Database, topic: &mut WindowTopic, fence: Fence) -> Result<usize, PublishError> {
    let mut pass = Pass::begin();
    let mut published = 0;
    while let Some(sent) = pass.send_slice(database, topic, fence).await? {
        published += sent;
    }
    Ok(published)
}

/// The next 500 windows of one level: with their sketches about 1 MB.
async fn unpublished(
    database: &Database,
    (level, id): (Level, Option<SchemaId>),
    cursor: Cursor,
) -> Result<Vec<Unpublished>, PublishError> {
    let Cursor { start, set, dimension_id } = cursor;
    let values = [level.code(), start, set, dimension_id].map(Value::from);
    let rows = database.fetch_all(include_str!("unpublished_windows.sql"), &values).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let id = id.ok_or(PublishError::SchemaUnknown)?;
    Ok(rows.iter().map(|row| read_unpublished(row, level, id)).collect::<Result<_, _>>()?)
}

fn read_unpublished(row: &Row, level: Level, id: SchemaId) -> Result<Unpublished, sqlx::Error> {
    let (dimension_set, dimensions) = read_combination(row)?;
    let window = Window {
        dimension_set,
        level,
        window_start: UtcMillis::from_millis(row.int("window_start_ms")?),
        dimensions,
        generation: row.int("generation")?,
        fence: Fence(row.int("fence")?),
        revision: row.int("revision")?,
        sums: WindowSums::from_row(row)?,
        latency_sketch: row.bytes("latency_sketch")?,
        ttft_sketch: row.bytes("ttft_sketch")?,
    };
    let mut value = Vec::with_capacity(256 + window.latency_sketch.len() + window.ttft_sketch.len());
    encode_window_as(&window, id, &mut value);
    let start = window.window_start.millis();
    Ok(Unpublished {
        generation: window.generation,
        cursor: Cursor { start, set: dimension_set.code(), dimension_id: row.int("dimension_id")? },
        level,
        revision: window.revision,
        record: WindowRecord { key: window.key(), value: Some(value) },
    })
}

/// The set and the values of a row of `window_dimensions`.
pub(crate) fn read_combination(row: &Row) -> Result<(DimensionSet, Dimensions), sqlx::Error> {
    let code = row.int("dimension_set")?;
    let set = DimensionSet::from_code(code)
        .ok_or_else(|| sqlx::Error::Decode(format!("window_dimensions has the unknown set {code}").into()))?;
    let mut failed = None;
    let dimensions = Dimensions::from_values(set, |dimension| match row.optional_text(dimension.column()) {
        Ok(value) => value,
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    Ok((set, dimensions))
}

async fn mark(database: &Database, fence: Fence, sent: &[Unpublished]) -> Result<(), PublishError> {
    match lease::begin(database, fence).await {
        Ok(mut tx) => {
            mark_rows(&mut tx, &MARK, sent).await?;
            Ok(tx.commit().await?)
        }
        Err(LeaseError::Replaced { fence }) => {
            let mut tx = database.begin().await?;
            mark_rows(&mut tx, &UNMARK, sent).await?;
            tx.commit().await?;
            Err(LeaseError::Replaced { fence }.into())
        }
        Err(error) => Err(error.into()),
    }
}

async fn mark_rows(tx: &mut Transaction, statement: &RowsStatement, sent: &[Unpublished]) -> Result<(), sqlx::Error> {
    // A slice is of one generation unless one took over in between.
    for of_generation in sent.chunk_by(|a, b| a.generation == b.generation) {
        for (range, text) in statement.chunks(tx.engine(), of_generation.len()) {
            let mut values = vec![Value::from(of_generation[0].generation)];
            for window in &of_generation[range] {
                let Cursor { start, set, dimension_id } = window.cursor;
                values.extend([set, window.level.code(), start, dimension_id, window.revision].map(Value::from));
            }
            tx.execute(text, &values).await?;
        }
    }
    Ok(())
}

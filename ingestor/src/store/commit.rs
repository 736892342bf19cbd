//! The one transaction of a batch. Its first statements are the compare-and-set of fence and checkpoint of every
//! partition, in order; everything else follows, and nothing is there until all of it is.

use std::time::Duration;

use arrow_array::RecordBatch;
use opstream_schemas::database::{Database, Engine, Transaction, within};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::{Fence, OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;

use super::{ANSWER_LIMIT, Checkpoint, StoreError, postgres_rows, sqlite_rows};
use crate::dead_letter::DeadLetter;
use crate::lake_file::LakeFile;

/// How long a transaction may take, and how much longer for each of its rows: far more than a slow disk needs. Past it the
/// connection counts as lost, and what became of the transaction is left to the checkpoint.
const COMMIT_LIMIT: Duration = Duration::from_mins(2);
const COMMIT_LIMIT_PER_ROW: Duration = Duration::from_millis(1);

/// What becomes of a partition's offsets: the four counts add up to the length of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedRange {
    /// The partition.
    pub partition: Partition,
    /// Fence of our claim.
    pub fence: Fence,
    /// The offsets.
    pub offsets: OffsetRange,
    /// Hash of its last record.
    pub record_hash: Option<i64>,
    /// Operations stored.
    pub rows: i64,
    /// Re-sends left out.
    pub duplicates: i64,
    /// Dead letters.
    pub dead: i64,
    /// Offsets that hold no record.
    pub skipped: i64,
}

/// Everything that one transaction stores.
pub struct BatchCommit<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Ranges in order of partition.
    pub ranges: &'a [AppliedRange],
    /// Operations in order of id, if there are any, and their file.
    pub operations: Option<(&'a RecordBatch, &'a LakeFile)>,
    /// Content, if there is any, and its file.
    pub contents: Option<(&'a RecordBatch, &'a LakeFile)>,
    /// Whether content goes into SQL too.
    pub content_in_sql: bool,
    /// Dead letters.
    pub dead: &'a [DeadLetter],
}

impl BatchCommit<'_> {
    /// Stores everything or nothing.
    ///
    /// # Errors
    /// Says what to do; after [`StoreError::Unavailable`] the outcome is unknown and the checkpoint must be asked.
    pub async fn store(&self, database: &Database) -> Result<(), StoreError> {
        let rows = self.operations.map_or(0, |(rows, _)| rows.num_rows()) + self.dead.len();
        let limit = COMMIT_LIMIT + COMMIT_LIMIT_PER_ROW * u32::try_from(rows).unwrap_or(u32::MAX);
        within(limit, self.run(database)).await
    }

    async fn run(&self, database: &Database) -> Result<(), StoreError> {
        let mut tx = database.begin().await?;
        failpoint::reach(Step::CommitBegun).await.map_err(sqlx::Error::from)?;
        // In the way may be a session of our own, given up when the network lost it.
        let refused = database.without_blockers(&mut tx, async |tx| self.advance_checkpoints(tx).await).await?;
        if let Some(range) = refused {
            return Err(self.explain_mismatch(&mut tx, range).await?);
        }
        failpoint::reach(Step::CheckpointMoved).await.map_err(sqlx::Error::from)?;
        self.check_floor(&mut tx).await?;
        let file = self.insert_files(&mut tx, database.engine()).await?;
        failpoint::reach(Step::FilesListed).await.map_err(sqlx::Error::from)?;
        if let Some((rows, _)) = self.operations {
            insert_operations(&mut tx, rows).await?;
        }
        if let Some((rows, _)) = self.contents.filter(|_| self.content_in_sql) {
            insert_contents(&mut tx, rows).await?;
        }
        let now = UtcMillis::now();
        for letter in self.dead {
            self.insert_dead_letter(&mut tx, letter, now).await?;
        }
        failpoint::reach(Step::RowsInserted).await.map_err(sqlx::Error::from)?;
        for range in self.ranges {
            self.insert_range(&mut tx, range, (file, now)).await?;
        }
        failpoint::reach(Step::CommitComing).await.map_err(sqlx::Error::from)?;
        tx.commit().await?;
        failpoint::reach(Step::Committed).await.map_err(sqlx::Error::from)?;
        Ok(())
    }

    /// The first range whose fence or checkpoint is not as expected, if there is one.
    async fn advance_checkpoints(&self, tx: &mut Transaction) -> Result<Option<&AppliedRange>, sqlx::Error> {
        let now = UtcMillis::now();
        for range in self.ranges {
            let OffsetRange { from, to } = range.offsets;
            let values = [
                self.stream.0.into(),
                range.partition.0.into(),
                range.fence.0.into(),
                from.0.into(),
                to.0.into(),
                now.into(),
                range.record_hash.into(),
            ];
            if tx.execute(include_str!("advance_checkpoint.sql"), &values).await? != 1 {
                return Ok(Some(range));
            }
        }
        Ok(None)
    }

    async fn explain_mismatch(&self, tx: &mut Transaction, range: &AppliedRange) -> Result<StoreError, StoreError> {
        let partition = range.partition;
        let Checkpoint { fence, next_offset, .. } = read_in(tx, self.stream, partition).await?;
        if fence == range.fence {
            Ok(StoreError::CheckpointMoved { partition, stored: next_offset, from: range.offsets.from })
        } else {
            Ok(StoreError::Fenced { partition, found: fence.0, ours: range.fence.0 })
        }
    }

    /// Holds the retention floor where it is until the commit, and refuses operations below it.
    async fn check_floor(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let Some((_, file)) = self.operations else { return Ok(()) };
        let sql = match tx {
            Transaction::Postgres(_) => "select value from settings where name = 'retention_floor_ms' for share",
            Transaction::Sqlite(_) => "select value from settings where name = 'retention_floor_ms'",
        };
        let row = tx.fetch_optional(sql, &[]).await?.ok_or(sqlx::Error::RowNotFound)?;
        if file.summary.ids.0.time().millis() < row.int("value")? {
            return Err(StoreError::FloorMoved);
        }
        Ok(())
    }

    async fn insert_files(&self, tx: &mut Transaction, engine: Engine) -> Result<Option<i64>, StoreError> {
        let Some((_, file)) = self.operations else { return Ok(None) };
        let number = insert_file(tx, engine, file, None).await?;
        if let Some((_, contents)) = self.contents {
            insert_file(tx, engine, contents, Some(number)).await?;
        }
        Ok(Some(number))
    }

    async fn insert_range(
        &self,
        tx: &mut Transaction,
        range: &AppliedRange,
        stored: (Option<i64>, UtcMillis),
    ) -> Result<(), StoreError> {
        let (file, now) = stored;
        let values = [
            self.stream.0.into(),
            range.partition.0.into(),
            range.offsets.from.0.into(),
            range.offsets.to.0.into(),
            range.rows.into(),
            range.duplicates.into(),
            range.dead.into(),
            range.skipped.into(),
            file.filter(|_| range.rows > 0).into(),
            now.into(),
        ];
        tx.execute(include_str!("insert_range.sql"), &values).await?;
        Ok(())
    }

    async fn insert_dead_letter(
        &self,
        tx: &mut Transaction,
        letter: &DeadLetter,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let values = [
            self.stream.0.into(),
            letter.partition.0.into(),
            letter.offset.0.into(),
            letter.poison.code().into(),
            letter.poison.to_string().replace('\0', "\u{fffd}").into(),
            letter.operation_id.into(),
            letter.key.clone().into(),
            letter.value.clone().into(),
            letter.headers.clone().into(),
            letter.timestamp.into(),
            now.into(),
        ];
        tx.execute(include_str!("insert_dead_letter.sql"), &values).await?;
        Ok(())
    }
}

async fn insert_file(
    tx: &mut Transaction,
    engine: Engine,
    file: &LakeFile,
    operations: Option<i64>,
) -> Result<i64, StoreError> {
    let sql = match engine {
        Engine::Postgres => include_str!("insert_file.postgres.sql"),
        Engine::Sqlite => include_str!("insert_file.sqlite.sql"),
    };
    let summary = &file.summary;
    let mut values = vec![
        file.path.clone().into(),
        file.kind.name().into(),
        operations.into(),
        file.named_at.into(),
        summary.rows.into(),
        file.bytes.into(),
        summary.id_hash.into(),
        summary.ids.0.into(),
        summary.ids.1.into(),
        summary.failures.into(),
        summary.unpriced.into(),
    ];
    values.extend(summary.sums.map(Into::into));
    let row = tx.fetch_optional(sql, &values).await?.ok_or(StoreError::StaleFile)?;
    Ok(row.int("file_number")?)
}

async fn insert_operations(tx: &mut Transaction, rows: &RecordBatch) -> Result<(), StoreError> {
    match tx {
        Transaction::Postgres(tx) => postgres_rows::copy_operations(tx, rows).await,
        Transaction::Sqlite(tx) => sqlite_rows::insert(tx, "operations", rows).await,
    }
}

async fn insert_contents(tx: &mut Transaction, rows: &RecordBatch) -> Result<(), StoreError> {
    match tx {
        Transaction::Postgres(tx) => postgres_rows::copy_contents(tx, rows).await,
        Transaction::Sqlite(tx) => sqlite_rows::insert(tx, "operation_contents", rows).await,
    }
}

/// Fence and checkpoint of a partition as they are now.
///
/// # Errors
/// What the database answers.
pub async fn read_checkpoint(
    database: &Database,
    stream: StreamId,
    partition: Partition,
) -> Result<Checkpoint, StoreError> {
    let values = [stream.0.into(), partition.0.into()];
    let row = within(ANSWER_LIMIT, database.fetch_optional(include_str!("read_checkpoint.sql"), &values)).await?;
    Ok(Checkpoint::from_row(&row.ok_or(sqlx::Error::RowNotFound)?)?)
}

async fn read_in(tx: &mut Transaction, stream: StreamId, partition: Partition) -> Result<Checkpoint, StoreError> {
    let values = [stream.0.into(), partition.0.into()];
    let row = tx.fetch_optional(include_str!("read_checkpoint.sql"), &values).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Checkpoint::from_row(&row)?)
}

//! Claims partitions: raises the fence, learns the checkpoint, and from then on every older owner is fenced out.

use opstream_schemas::database::{Database, Row, within};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::{Fence, Offset, OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use uuid::Uuid;

use super::{ANSWER_LIMIT, StoreError};

/// What identifies an incarnation of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKey {
    /// Id of the Kafka cluster.
    pub cluster_id: String,
    /// Name of the topic.
    pub topic: String,
    /// Id of the topic, empty as long as the client cannot learn it.
    pub topic_id: String,
}

/// How far a partition is applied, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Of the last claim.
    pub fence: Fence,
    /// First offset that is not applied.
    pub next_offset: Offset,
    /// Hash of the record before it, as [`crate::record::record_hash`] has it; none when that is not known.
    pub record_hash: Option<i64>,
}

impl Checkpoint {
    pub(super) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let next_offset = row.int("next_offset")?;
        // An ingestor of a version without hashes may have moved the checkpoint since.
        let is_current = row.optional_int("record_hash_offset")? == Some(next_offset - 1);
        let record_hash = row.optional_int("record_hash")?.filter(|_| is_current);
        Ok(Self { fence: Fence(row.int("fence")?), next_offset: Offset(next_offset), record_hash })
    }
}

/// Finds or registers the incarnation of the topic.
///
/// # Errors
/// What the database answers.
pub async fn find_stream(database: &Database, key: &StreamKey, now: UtcMillis) -> Result<StreamId, StoreError> {
    within(ANSWER_LIMIT, find_or_register(database, key, now)).await
}

async fn find_or_register(database: &Database, key: &StreamKey, now: UtcMillis) -> Result<StreamId, StoreError> {
    let names = [key.cluster_id.as_str().into(), key.topic.as_str().into(), key.topic_id.as_str().into()];
    let find = "select stream_id from streams where cluster_id = $1 and topic = $2 and topic_id = $3";
    if let Some(row) = database.fetch_optional(find, &names).await? {
        return Ok(StreamId(row.int("stream_id")?));
    }
    let mut tx = database.begin().await?;
    let [cluster_id, topic, topic_id] = names.clone();
    tx.execute(include_str!("insert_stream.sql"), &[cluster_id, topic, topic_id, now.into()]).await?;
    let row = tx.fetch_optional(find, &names).await?.ok_or(sqlx::Error::RowNotFound)?;
    tx.commit().await?;
    Ok(StreamId(row.int("stream_id")?))
}

/// Raises the fence of the partition; one that was never read starts at `earliest`.
///
/// # Errors
/// What the database answers.
pub async fn claim_partition(
    database: &Database,
    place: (StreamId, Partition),
    owner: Uuid,
    earliest: Offset,
) -> Result<Checkpoint, StoreError> {
    within(ANSWER_LIMIT, raise_fence(database, place, owner, earliest)).await
}

async fn raise_fence(
    database: &Database,
    place: (StreamId, Partition),
    owner: Uuid,
    earliest: Offset,
) -> Result<Checkpoint, StoreError> {
    let mut tx = database.begin().await?;
    let (stream, partition) = place;
    let now = UtcMillis::now();
    let values = [stream.0.into(), partition.0.into(), owner.to_string().into(), earliest.0.into(), now.into()];
    let raise = include_str!("claim_partition.sql");
    let raised = database.without_blockers(&mut tx, async |tx| tx.fetch_optional(raise, &values).await);
    let row = raised.await?;
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    let claim = Checkpoint::from_row(&row)?;
    failpoint::reach(Step::FenceRaised).await.map_err(sqlx::Error::from)?;
    tx.commit().await?;
    failpoint::reach(Step::Claimed).await.map_err(sqlx::Error::from)?;
    Ok(claim)
}

/// Records that retention has removed offsets before they were read, and moves the checkpoint past them.
///
/// # Errors
/// [`StoreError::CheckpointMoved`] when the checkpoint or the fence is not what it was, else what the database answers.
pub async fn record_retention_gap(
    database: &Database,
    place: (StreamId, Partition),
    fence: Fence,
    gap: OffsetRange,
) -> Result<(), StoreError> {
    within(ANSWER_LIMIT, pass_gap(database, place, fence, gap)).await
}

async fn pass_gap(
    database: &Database,
    place: (StreamId, Partition),
    fence: Fence,
    gap: OffsetRange,
) -> Result<(), StoreError> {
    let (stream, partition) = place;
    let now = UtcMillis::now();
    let mut tx = database.begin().await?;
    let moved = [
        stream.0.into(),
        partition.0.into(),
        fence.0.into(),
        gap.from.0.into(),
        gap.to.0.into(),
        now.into(),
        None::<i64>.into(),
    ];
    if tx.execute(include_str!("advance_checkpoint.sql"), &moved).await? != 1 {
        return Err(StoreError::CheckpointMoved { partition, stored: gap.to, from: gap.from });
    }
    let range = [stream.0.into(), partition.0.into(), gap.from.0.into(), gap.to.0.into(), now.into()];
    tx.execute(include_str!("insert_retention_gap.sql"), &range).await?;
    Ok(tx.commit().await?)
}

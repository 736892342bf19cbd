//! What a failure of the database asks of the pipeline.

use opstream_schemas::offsets::{Offset, Partition};

/// Why a statement or a batch was not stored. Each variant asks for another reaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try the same again with back-off; of a commit, ask the checkpoint first.
    #[error("the database did not do what it was asked")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else owns the partition: drop the batch and join the group again.
    #[error("partition {partition} has fence {found}, ours is {ours}: another ingestor has taken over")]
    Fenced {
        /// The partition.
        partition: Partition,
        /// Fence in the database.
        found: i64,
        /// Fence of our claim.
        ours: i64,
    },
    /// The checkpoint is elsewhere: drop the batch and read from the checkpoint.
    #[error("partition {partition} is stored up to {stored}, the batch starts at {from}")]
    CheckpointMoved {
        /// The partition.
        partition: Partition,
        /// Offset in the database.
        stored: Offset,
        /// First offset of the batch.
        from: Offset,
    },
    /// Some ids exist already: filter the batch and write it again.
    #[error("some operations of the batch are stored already")]
    DuplicateIds(#[source] sqlx::Error),
    /// The retention floor has moved past an operation of the batch: check it again.
    #[error("the retention floor has moved past operations of the batch")]
    FloorMoved,
    /// The file waited too long: write it again under a new name.
    #[error("the file was named more than an hour ago; the sweeper may already be looking at it")]
    StaleFile,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::DuplicateIds(error),
            _ => Self::Unavailable(error),
        }
    }
}

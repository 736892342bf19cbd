//! How far the windows are complete, read from SQL alone.
//!
//! The ingestor remembers per partition how many offsets the broker had acknowledged at which time (`watermarks`); the
//! aggregator says per partition which offsets are all in windows (`windowed_offsets`). Both meet here. What producers hold
//! in their spools is not covered.

use crate::UtcMillis;
use crate::database::Database;
use crate::offsets::{Offset, Partition, StreamId};

/// How far one partition is applied and windowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The incarnation of the topic.
    pub stream_id: StreamId,
    /// The partition.
    pub partition: Partition,
    /// Every offset below is applied: committed as a row, a dead letter, a duplicate or a gap.
    pub next_offset: Offset,
    /// Every offset below is in the windows too. Never above `next_offset`.
    pub windowed_to: Offset,
}

/// The moment T such that every operation which the broker acknowledged before T is in the windows: the minimum over all
/// partitions of the incarnation of `topic` that is being ingested, idle ones included. `None` while a partition has not reached
/// its first mark or has never been claimed by an ingestor.
///
/// # Errors
/// What the database answers.
pub async fn complete_to(database: &Database, topic: &str) -> Result<Option<UtcMillis>, sqlx::Error> {
    let row = database.fetch_optional(include_str!("complete_to.sql"), &[topic.into()]).await?;
    let millis = row.map(|row| row.optional_int("complete_to_ms")).transpose()?.flatten();
    Ok(millis.map(UtcMillis::from_millis))
}

/// Progress of every partition of the same stream, in order of partition.
///
/// # Errors
/// What the database answers.
pub async fn partition_progress(database: &Database, topic: &str) -> Result<Vec<PartitionProgress>, sqlx::Error> {
    let rows = database.fetch_all(include_str!("partition_progress.sql"), &[topic.into()]).await?;
    rows.iter()
        .map(|row| {
            let partition = i32::try_from(row.int("partition")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(PartitionProgress {
                stream_id: StreamId(row.int("stream_id")?),
                partition: Partition(partition),
                next_offset: Offset(row.int("next_offset")?),
                windowed_to: Offset(row.int("windowed_to")?),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::DatabaseUrl;

    async fn database_with(statements: &[&'static str]) -> (tempfile::TempDir, Database) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        crate::migrations::migrate(&database).await.unwrap();
        let mut tx = database.begin().await.unwrap();
        for statement in statements {
            tx.execute(*statement, &[]).await.unwrap();
        }
        tx.commit().await.unwrap();
        (folder, database)
    }

    const TWO_PARTITIONS: &str = "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) values (1, 0, 1, '', 5, 100, 0), (1, 1, 1, '', 0, 0, 0)";
    const STREAM: &str =
        "insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms) values (1, 'c', 't', 'i', 0)";

    #[tokio::test]
    async fn the_slowest_partition_decides_and_an_idle_one_counts() {
        let marks = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 1000, 50), (1, 0, 2000, 100), (1, 0, 3000, 120), (1, 1, 2500, 0)";
        let windowed = "insert into windowed_offsets (stream_id, partition, next_offset) values (1, 0, 60)";
        let (_folder, database) = database_with(&[STREAM, TWO_PARTITIONS, marks, windowed]).await;
        assert_eq!(complete_to(&database, "t").await.unwrap(), Some(UtcMillis::from_millis(1000)));
        let mut tx = database.begin().await.unwrap();
        tx.execute("update windowed_offsets set next_offset = 119", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(complete_to(&database, "t").await.unwrap(), Some(UtcMillis::from_millis(2000)));
        let mut tx = database.begin().await.unwrap();
        tx.execute("update windowed_offsets set next_offset = 120", &[]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(complete_to(&database, "t").await.unwrap(), Some(UtcMillis::from_millis(2500)));
    }

    #[tokio::test]
    async fn a_partition_that_reached_no_mark_leaves_it_unknown() {
        let marks = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 1000, 50), (1, 1, 2500, 0)";
        let (_folder, database) = database_with(&[STREAM, TWO_PARTITIONS, marks]).await;
        assert_eq!(complete_to(&database, "t").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_partition_that_nobody_has_claimed_yet_leaves_it_unknown() {
        let marks = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 1000, 5), (1, 1, 1000, 0)";
        let (_folder, database) = database_with(&[STREAM, TWO_PARTITIONS, marks]).await;
        for (partitions, expected) in [(2, Some(UtcMillis::from_millis(1000))), (3, None)] {
            let mut tx = database.begin().await.unwrap();
            tx.execute("update streams set partitions = $1", &[i64::from(partitions).into()]).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(complete_to(&database, "t").await.unwrap(), expected, "{partitions} partitions");
        }
    }

    #[tokio::test]
    async fn a_replaced_topic_no_longer_holds_it_back() {
        let second =
            "insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms) values (2, 'c', 't', 'j', 9)";
        let place = "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) values (2, 0, 1, '', 0, 7, 0)";
        let marks = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 1000, 50), (2, 0, 2000, 3)";
        let windowed = "insert into windowed_offsets (stream_id, partition, next_offset) values (2, 0, 3)";
        let (_folder, database) = database_with(&[STREAM, TWO_PARTITIONS, second, place, marks, windowed]).await;
        assert_eq!(complete_to(&database, "t").await.unwrap(), Some(UtcMillis::from_millis(2000)));
        let progress = partition_progress(&database, "t").await.unwrap();
        let expected = PartitionProgress {
            stream_id: StreamId(2),
            partition: Partition(0),
            next_offset: Offset(7),
            windowed_to: Offset(3),
        };
        assert_eq!(progress, [expected]);
    }

    #[tokio::test]
    async fn progress_and_completeness_are_of_the_same_topic_whoever_came_later() {
        let streams = "insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms) values (1, 'c', 't', 'i', 0), (2, 'c', 'u', 'j', 9)";
        let places = "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) values (1, 0, 1, '', 5, 5, 0), (2, 0, 1, '', 0, 7, 0)";
        let marks = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 3000, 5), (2, 0, 2000, 0)";
        let (_folder, database) = database_with(&[streams, places, marks]).await;
        for (topic, stream_id, millis) in [("t", 1, 3000), ("u", 2, 2000)] {
            assert_eq!(complete_to(&database, topic).await.unwrap(), Some(UtcMillis::from_millis(millis)), "{topic}");
            let progress = partition_progress(&database, topic).await.unwrap();
            let streams: Vec<StreamId> = progress.iter().map(|place| place.stream_id).collect();
            assert_eq!(streams, [StreamId(stream_id)], "{topic}");
        }
        assert_eq!(complete_to(&database, "elsewhere").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_topic_that_was_set_aside_tells_nothing_of_the_one_after_it() {
        let streams = "insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms) values (1, 'c', 't', 'until 1', 0), (2, 'c', 't', '', 9)";
        let places = "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) values (1, 0, 1, '', 5, 5, 0)";
        let marks =
            "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 3000, 5)";
        let (_folder, database) = database_with(&[streams, places, marks]).await;
        assert_eq!(complete_to(&database, "t").await.unwrap(), None, "nobody has looked at the new one yet");
        assert_eq!(partition_progress(&database, "t").await.unwrap(), []);
    }
}

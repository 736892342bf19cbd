//! A dead letter with its record, as the table holds it.

use opstream_records::dead_letter::sendable_headers;
use opstream_records::record::Headers;
use opstream_schemas::database::{Database, Row};
use opstream_schemas::{OperationId, UtcMillis};

use super::place::Place;

/// Everything about one letter.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Where the record was.
    pub place: Place,
    /// Id of the cluster that it was on.
    pub cluster_id: String,
    /// Name of the topic that it was on.
    pub topic: String,
    /// Id of the topic's incarnation; empty where the client does not learn it.
    pub topic_id: String,
    /// Stable code of the reason.
    pub reason_code: String,
    /// The reason in words.
    pub reason: String,
    /// The operation's id, if the record could be read that far.
    pub operation_id: Option<OperationId>,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Value of the record.
    pub value: Option<Vec<u8>>,
    /// Headers of the record.
    pub headers: Headers,
    /// Timestamp of the record.
    pub timestamp: Option<UtcMillis>,
    /// When it became a dead letter.
    pub stored_at: UtcMillis,
    /// When it was copied to the topic of dead letters.
    pub published_at: Option<UtcMillis>,
    /// When it was last sent to the operations topic again.
    pub redriven_at: Option<UtcMillis>,
}

impl Letter {
    /// Reads a row of `letter.sql` or `redrive/page.sql`.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub fn of(row: &Row) -> Result<Self, sqlx::Error> {
        let time = |column| row.optional_int(column).map(|millis| millis.map(UtcMillis::from_millis));
        Ok(Self {
            place: Place::of(row)?,
            cluster_id: row.text("cluster_id")?,
            topic: row.text("topic")?,
            topic_id: row.text("topic_id")?,
            reason_code: row.text("reason_code")?,
            reason: row.text("reason")?,
            operation_id: row.optional_id("operation_id")?,
            key: row.optional_bytes("record_key")?,
            value: row.optional_bytes("record_value")?,
            headers: sendable_headers(&row.text("record_headers")?),
            timestamp: time("record_timestamp_ms")?,
            stored_at: UtcMillis::from_millis(row.int("stored_at_ms")?),
            published_at: time("published_at_ms")?,
            redriven_at: time("redriven_at_ms")?,
        })
    }

    /// The letter of this place; none when there is none.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn find(database: &Database, place: Place) -> Result<Option<Self>, sqlx::Error> {
        let row = database.fetch_optional(include_str!("letter.sql"), &place.values()).await?;
        row.as_ref().map(Self::of).transpose()
    }
}

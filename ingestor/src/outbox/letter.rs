//! A dead letter as a record of its topic.

use opstream_schemas::database::{Row, Value};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;

use crate::dead_letter::sendable_headers;
use crate::record::Headers;

/// A letter that waits to be copied.
pub(super) struct Letter {
    stream: i64,
    partition: i64,
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    original_headers: Headers,
    timestamp: Option<i64>,
    /// Kafka Connect's error headers, all of them text.
    error_headers: Vec<(&'static str, String)>,
}

impl Letter {
    /// Reads a row of `unpublished.sql`.
    pub(super) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let (partition, offset) = (row.int("partition")?, row.int("source_offset")?);
        let error_headers = vec![
            ("__connect.errors.topic", row.text("topic")?),
            ("__connect.errors.partition", partition.to_string()),
            ("__connect.errors.offset", offset.to_string()),
            ("__connect.errors.connector.name", "opstream-ingestor".to_owned()),
            ("__connect.errors.stage", "VALUE_CONVERTER".to_owned()),
            ("__connect.errors.exception.class.name", row.text("reason_code")?),
            ("__connect.errors.exception.message", row.text("reason")?),
            ("opstream.first_failure_ms", row.int("stored_at_ms")?.to_string()),
        ];
        Ok(Self {
            stream: row.int("stream_id")?,
            partition,
            offset,
            key: row.optional_bytes("record_key")?,
            value: row.optional_bytes("record_value")?,
            original_headers: sendable_headers(&row.text("record_headers")?),
            timestamp: row.optional_int("record_timestamp_ms")?,
            error_headers,
        })
    }

    /// Stream, partition and offset, by which the letter is known.
    pub(super) fn place(&self) -> [Value; 3] {
        [self.stream.into(), self.partition.into(), self.offset.into()]
    }

    /// The whole letter.
    pub(super) fn record<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let original = self.original_headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let errors = self.error_headers.iter().map(|(name, value)| (*name, Some(value.as_bytes())));
        let mut record = FutureRecord::to(topic).headers(owned(original.chain(errors)));
        record.key = self.key.as_deref();
        record.payload = self.value.as_deref();
        record.timestamp = self.timestamp;
        record
    }

    /// The letter without what came with the record, for one that the broker does not take: it says where the bytes are.
    pub(super) fn notice<'a>(&'a self, topic: &'a str) -> FutureRecord<'a, [u8], [u8]> {
        let left_out = self.value.as_ref().map_or(0, Vec::len).to_string();
        let errors = self.error_headers.iter().map(|(name, value)| (*name, Some(value.as_bytes())));
        let left_out = [("opstream.value_bytes_left_in_dead_letters", Some(left_out.as_bytes()))];
        FutureRecord::to(topic).headers(owned(errors.chain(left_out)))
    }
}

fn owned<'a>(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> OwnedHeaders {
    headers.fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value }))
}

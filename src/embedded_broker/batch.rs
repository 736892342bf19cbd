//! The header of a Kafka record batch (magic 2): what the log must know about bytes it never decompresses.
//!
//! In: the raw bytes of a batch, from a producer or from a segment file. Out: its header, or why it is refused.
//! Records stay compressed; what is inside them is the business of `records.rs`.

use std::ops::Range;

/// Length of the fixed part of a batch; the compressed records follow it.
pub(super) const HEADER_BYTES: usize = 61;
/// Where the base offset stands; the log writes it, the checksum does not cover it.
pub(super) const BASE_OFFSET: Range<usize> = 0..8;
/// Where the leader epoch stands; the log writes it, the checksum does not cover it.
pub(super) const LEADER_EPOCH: Range<usize> = 12..16;
/// The bytes before the length field's own reach: base offset and the length itself.
const LENGTH_PREFIX: usize = 12;
/// First byte that the checksum covers.
const CHECKSUMMED_FROM: usize = 21;
/// Where the length of the rest stands.
const LENGTH: Range<usize> = 8..12;
const CHECKSUM: Range<usize> = 17..21;
const RECORD_COUNT: Range<usize> = 57..61;
const MAGIC: u8 = 2;
const COMPRESSION: i16 = 0b111;
/// More than fit into the largest batch unless they are empty; whoever unpacks a batch takes memory for each.
const MOST_RECORDS: i32 = 1_000_000;
const TRANSACTIONAL_OR_CONTROL: i16 = 0b11_0000;

/// Who wrote a batch, for the detection of repeated and missing batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProducerStamp {
    pub(super) id: i64,
    pub(super) epoch: i16,
    pub(super) first_sequence: i32,
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// The fixed part of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) base_offset: i64,
    /// Whole batch, header included.
    pub(super) size_bytes: usize,
    /// Offset of the last record minus the base offset; compaction may remove records, never this span.
    pub(super) last_offset_delta: i32,
    /// Milliseconds since 1970 as the producer said; −1 when it said nothing.
    pub(super) max_timestamp: i64,
    pub(super) n_records: i32,
    /// Absent when the producer is not idempotent.
    pub(super) producer: Option<ProducerStamp>,
    attributes: i16,
    checksum: u32,
}

/// Why bytes are not a batch this broker keeps. Both refuse the produce request; neither concerns the log.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum BatchError {
    /// The bytes are damaged or not in the current format: the client may send them again.
    #[error("record batch is damaged: {0}")]
    Corrupt(&'static str),
    /// The batch asks for something this broker does not offer: sending it again changes nothing.
    #[error("record batch is refused: {0}")]
    Unsupported(&'static str),
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`; `None` when there are fewer than [`HEADER_BYTES`] bytes or when they
    /// cannot be the start of a batch.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        let length = usize::try_from(i32_at(header, 8)).ok()?;
        let size_bytes = LENGTH_PREFIX + length;
        let last_offset_delta = i32_at(header, 23);
        if header[16] != MAGIC || size_bytes < HEADER_BYTES || last_offset_delta < 0 {
            return None;
        }
        let (id, first_sequence) = (i64_at(header, 43), i32_at(header, 53));
        Some(Self {
            base_offset: i64_at(header, 0),
            size_bytes,
            last_offset_delta,
            max_timestamp: i64_at(header, 35),
            n_records: i32_at(header, 57),
            producer: (id >= 0 && first_sequence >= 0).then_some(ProducerStamp {
                id,
                epoch: i16_at(header, 51),
                first_sequence,
            }),
            attributes: i16_at(header, 21),
            checksum: u32::from_be_bytes([header[17], header[18], header[19], header[20]]),
        })
    }

    /// Offset that follows the batch.
    pub(super) fn next_offset(&self) -> i64 {
        // Damaged bytes may say anything.
        self.base_offset.saturating_add(i64::from(self.last_offset_delta) + 1)
    }

    /// How the records are compressed; `None` when it is in no way that is known.
    pub(super) fn compression(&self) -> Option<Compression> {
        match self.attributes & COMPRESSION {
            0 => Some(Compression::None),
            1 => Some(Compression::Gzip),
            2 => Some(Compression::Snappy),
            3 => Some(Compression::Lz4),
            4 => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Whether `batch`, the whole batch, is what the producer sent.
    pub(super) fn matches_checksum(&self, batch: &[u8]) -> bool {
        batch.get(CHECKSUMMED_FROM..self.size_bytes).is_some_and(|covered| crc32c::crc32c(covered) == self.checksum)
    }
}

/// Checks the records of a produce request: exactly one batch, undamaged, in a form that this broker keeps.
///
/// # Errors
/// When the bytes are damaged, or in a form that this broker does not keep (old formats, transactions).
pub(super) fn check_batch(records: &[u8]) -> Result<BatchHeader, BatchError> {
    if records.get(16).is_some_and(|magic| *magic < MAGIC) {
        return Err(BatchError::Unsupported("message format below 2"));
    }
    let header = BatchHeader::parse(records).ok_or(BatchError::Corrupt("header"))?;
    if header.size_bytes != records.len() {
        return Err(BatchError::Corrupt("length"));
    }
    if !header.matches_checksum(records) {
        return Err(BatchError::Corrupt("checksum"));
    }
    if header.attributes & TRANSACTIONAL_OR_CONTROL != 0 {
        return Err(BatchError::Unsupported("transactions"));
    }
    if i64::from(header.n_records) != i64::from(header.last_offset_delta) + 1 {
        return Err(BatchError::Corrupt("record count"));
    }
    if header.n_records > MOST_RECORDS {
        return Err(BatchError::Unsupported("more than a million records"));
    }
    Ok(header)
}

/// Writes length, number of records and checksum into the header of `batch`, whose records are others than before. `None`
/// when a batch cannot be that large.
pub(super) fn complete_batch(batch: &mut [u8], n_records: usize) -> Option<()> {
    let length = i32::try_from(batch.len().checked_sub(LENGTH_PREFIX)?).ok()?;
    batch[LENGTH].copy_from_slice(&length.to_be_bytes());
    batch[RECORD_COUNT].copy_from_slice(&i32::try_from(n_records).ok()?.to_be_bytes());
    let checksum = crc32c::crc32c(&batch[CHECKSUMMED_FROM..]);
    batch[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    (i64::from(i32_at(bytes, at)) << 32)
        | i64::from(u32::from_be_bytes([bytes[at + 4], bytes[at + 5], bytes[at + 6], bytes[at + 7]]))
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::indexmap::IndexMap;
    use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

    use super::*;

    /// A batch as a producer sends it: base offset 0, one record per (key, value).
    pub(in crate::embedded_broker) fn batch(stamp: Option<ProducerStamp>, pairs: &[(&str, Option<&str>)]) -> Bytes {
        compressed_batch(Compression::Lz4, stamp, pairs)
    }

    /// The same, compressed in some way.
    pub(in crate::embedded_broker) fn compressed_batch(
        compression: Compression,
        stamp: Option<ProducerStamp>,
        pairs: &[(&str, Option<&str>)],
    ) -> Bytes {
        let stamp = stamp.unwrap_or(ProducerStamp { id: -1, epoch: -1, first_sequence: -1 });
        let records: Vec<Record> = (0i32..)
            .zip(pairs)
            .map(|(nth, (key, value))| Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id: stamp.id,
                producer_epoch: stamp.epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(nth),
                sequence: stamp.first_sequence.wrapping_add(nth),
                timestamp: 1_700_000_000_000 + i64::from(nth),
                key: Some(Bytes::copy_from_slice(key.as_bytes())),
                value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
                headers: IndexMap::new(),
            })
            .collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
        bytes.freeze()
    }

    #[test]
    fn the_header_says_who_wrote_what() {
        let stamp = ProducerStamp { id: 7, epoch: 1, first_sequence: 40 };
        let bytes = batch(Some(stamp), &[("a", Some("1")), ("b", Some("2"))]);
        let header = check_batch(&bytes).unwrap();
        assert_eq!(header.producer, Some(stamp));
        assert_eq!((header.base_offset, header.next_offset(), header.n_records), (0, 2, 2));
        assert_eq!(header.max_timestamp, 1_700_000_000_001);
        assert_eq!(check_batch(&batch(None, &[("c", None)])).unwrap().producer, None);
    }

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is() {
        let good = batch(None, &[("key", Some("some value that is long enough"))]);
        for at in CHECKSUMMED_FROM..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            assert_eq!(check_batch(&bad), Err(BatchError::Corrupt("checksum")), "byte {at}");
        }
    }

    #[test]
    fn a_number_of_records_that_cannot_be_is_refused() {
        let claiming = |last_offset_delta: i32, n_records: i32| {
            let mut bytes = batch(None, &[("key", Some("value"))]).to_vec();
            bytes[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
            bytes[RECORD_COUNT].copy_from_slice(&n_records.to_be_bytes());
            let checksum = crc32c::crc32c(&bytes[CHECKSUMMED_FROM..]);
            bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
            check_batch(&bytes)
        };
        assert!(claiming(0, 1).is_ok());
        assert_eq!(claiming(0, 2), Err(BatchError::Corrupt("record count")));
        assert_eq!(claiming(i32::MAX, i32::MIN), Err(BatchError::Corrupt("record count")));
        let most = claiming(MOST_RECORDS, MOST_RECORDS + 1);
        assert_eq!(most, Err(BatchError::Unsupported("more than a million records")));
    }

    #[test]
    fn anything_but_one_whole_batch_is_refused() {
        let good = batch(None, &[("key", Some("value"))]);
        assert_eq!(check_batch(&good[..good.len() - 1]), Err(BatchError::Corrupt("length")));
        assert_eq!(check_batch(&[good.clone(), good.clone()].concat()), Err(BatchError::Corrupt("length")));
        assert_eq!(check_batch(&good[..20]), Err(BatchError::Corrupt("header")));
        assert_eq!(check_batch(&[]), Err(BatchError::Corrupt("header")));
        let mut old_format = good.to_vec();
        old_format[16] = 1;
        assert_eq!(check_batch(&old_format), Err(BatchError::Unsupported("message format below 2")));
    }
}

use kafka_protocol::records as kafka;

use super::super::batch::ProducerStamp;
use super::super::batch::tests::{batch, compressed_batch};
use super::*;

const PAIRS: &[(&str, Option<&str>)] = &[("a", Some("1")), ("b", None), ("c", Some("a longer value, a longer value"))];

fn compressions() -> [kafka::Compression; 5] {
    use kafka::Compression::{Gzip, Lz4, None, Snappy, Zstd};
    [None, Gzip, Snappy, Lz4, Zstd]
}

fn read(batch: &Bytes) -> Result<Vec<Record>, UnreadableRecords> {
    read_records(&BatchHeader::parse(batch).unwrap(), batch)
}

/// What a consumer sees: offset, time, key, value.
fn decode(batch: &[u8]) -> Vec<(i64, i64, Option<Bytes>, Option<Bytes>)> {
    let set = kafka::RecordBatchDecoder::decode(&mut Bytes::copy_from_slice(batch)).unwrap();
    let records = set.records.into_iter();
    records.map(|record| (record.offset, record.timestamp, record.key, record.value)).collect()
}

/// A batch of these bytes, with a header that fits.
fn packed(attributes: u8, n_records: usize, bytes: &[u8]) -> Bytes {
    let template = batch(None, &[("key", Some("value"))]);
    let mut made = template[..HEADER_BYTES].to_vec();
    made.extend_from_slice(bytes);
    made[22] = attributes;
    complete_batch(&mut made, n_records).unwrap();
    made.into()
}

#[test]
fn records_are_found_however_they_are_compressed() {
    for compression in compressions() {
        let records = read(&compressed_batch(compression, None, PAIRS)).unwrap();
        let seen: Vec<_> = records
            .iter()
            .map(|record| (record.offset, record.key.as_deref().unwrap_or_default(), record.has_value))
            .collect();
        assert_eq!(seen, [(0, &b"a"[..], true), (1, b"b", false), (2, b"c", true)], "{compression:?}");
    }
}

#[test]
fn a_rewritten_batch_differs_only_in_what_was_left_out() {
    let stamp = ProducerStamp { id: 7, epoch: 1, first_sequence: 40 };
    for compression in compressions() {
        let original = compressed_batch(compression, Some(stamp), PAIRS);
        let header = BatchHeader::parse(&original).unwrap();
        let records = read(&original).unwrap();
        let kept = [records[1].clone(), records[2].without_value()];
        let rewritten = rewrite(&header, &original, &kept).unwrap().freeze();
        let after = BatchHeader::parse(&rewritten).unwrap();
        assert!(after.matches_checksum(&rewritten) && after.size_bytes == rewritten.len());
        assert_eq!((after.next_offset(), after.producer, after.n_records), (3, Some(stamp), 2));
        let mut expected = decode(&original).split_off(1);
        expected[1].3 = None;
        assert_eq!(decode(&rewritten), expected, "{compression:?}");
        assert_eq!(read(&rewritten).unwrap(), kept);
    }
}

/// Each packs 80 MB of zeros into less than a megabyte or claims to.
#[test]
fn what_unpacks_to_more_than_the_limit_is_refused() {
    let zeros = BytesMut::zeroed(80_000_000);
    let mut bombs = vec![(2, Bytes::from_static(b"\xff\xff\xff\xff\x0f\x00\x00"))];
    for attributes in [1, 3, 4] {
        let mut bytes = BytesMut::new();
        let fill = |out: &mut BytesMut| append(out, &zeros);
        match attributes {
            1 => Gzip::compress(&mut bytes, fill),
            3 => Lz4::compress(&mut bytes, fill),
            _ => Zstd::compress(&mut bytes, fill),
        }
        .unwrap();
        assert!(bytes.len() < 1_000_000);
        bombs.push((attributes, bytes.freeze()));
    }
    for (attributes, bytes) in bombs {
        let error = read(&packed(attributes, 1, &bytes)).unwrap_err().to_string();
        assert!(error.contains("larger than"), "{attributes}: {error}");
    }
}

#[test]
fn what_is_not_records_is_refused() {
    let good = compressed_batch(kafka::Compression::None, None, PAIRS);
    let records = &good[HEADER_BYTES..];
    assert!(read(&packed(0, 3, records)).is_ok());
    for n_records in [0, 2, 4, 1_000_000] {
        assert!(read(&packed(0, n_records, records)).is_err(), "{n_records}");
    }
    assert!(read(&packed(5, 3, records)).is_err(), "unknown compression");
    // A record of 8 bytes that claims 2^31 − 1 headers.
    assert!(read(&packed(0, 1, &[22, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0])).is_err());
}

proptest::proptest! {
    /// No bytes make it panic, whatever compression they claim.
    #[test]
    fn any_bytes_are_read_or_refused(attributes in 0u8..6, n_records in 0usize..5, bytes: Vec<u8>) {
        read(&packed(attributes, n_records, &bytes)).ok();
    }

    #[test]
    fn damaged_records_are_read_or_refused(at in 0usize..60, value: u8) {
        let good = compressed_batch(kafka::Compression::None, None, PAIRS);
        let mut records = good[HEADER_BYTES..].to_vec();
        let at = at % records.len();
        records[at] = value;
        read(&packed(0, 3, &records)).ok();
    }

    #[test]
    fn numbers_are_read_as_they_are_written(number: i64) {
        let mut bytes = BytesMut::new();
        put_number(&mut bytes, number);
        proptest::prop_assert_eq!(Cursor(bytes.freeze()).number(10), Some(number));
    }
}

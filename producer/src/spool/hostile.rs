//! What must hold of any bytes in a segment of the spool. Used by the fuzz target `spool_segment` and, on the inputs that it has stored,
//! by every test run.

use super::segment::{ENTRY_OVERHEAD_BYTES, Entries, HEADER_BYTES, Segment, SegmentDamage, header, read_segment};

/// Begins an entry, with the lengths of key and value and their checksum behind it.
const MARKER: [u8; 4] = [0xF8, 0xFF, 0xFE, 0xF9];
const FIRST: (&[u8], &[u8]) = (b"first", b"an operation");
const LAST: (&[u8], &[u8]) = (b"", b"another");

/// Reads the bytes as a segment, as entries between two good ones, and the latter with checksums that fit.
///
/// # Panics
/// When anything is not as it must be.
pub(crate) fn check(bytes: &[u8]) {
    check_any(bytes);
    for between in [bytes.to_vec(), completed(bytes)] {
        let (first, last) = (entry(FIRST), entry(LAST));
        let segment = [&header()[..], &first, &between, &last].concat();
        let read = check_any(&segment).expect("the header is of this version");
        let mut entries = read.iter();
        assert_eq!(entries.next(), Some(FIRST), "the entry before is lost");
        // Behind the beginning of an entry that was never finished, its checksum alone decides what is inside it.
        assert!(entries.any(|entry| entry == LAST) || swallows(&segment, &last), "the entry behind is lost");
    }
}

/// Every byte is an entry's, damaged or torn, and what is intact is the same when it is written again. Returns the entries.
fn check_any(bytes: &[u8]) -> Option<Entries> {
    let Segment::Read(entries, damage) = read_segment(bytes.to_vec()) else { return None };
    let SegmentDamage { bytes: damaged, torn_bytes, .. } = damage;
    let intact: usize = entries.iter().map(|(key, value)| ENTRY_OVERHEAD_BYTES + key.len() + value.len()).sum();
    let accounted = u64::try_from(intact).unwrap() + damaged + torn_bytes;
    let header = if bytes.starts_with(&header()) { HEADER_BYTES } else { 0 };
    assert_eq!(accounted + u64::try_from(header).unwrap(), u64::try_from(bytes.len()).unwrap(), "bytes are missing");
    let mut again = super::segment::header().to_vec();
    entries.iter().for_each(|of_entry| again.extend(entry(of_entry)));
    match read_segment(again) {
        Segment::Read(read, damage) => {
            assert_eq!(damage, SegmentDamage::default());
            assert!(read.iter().eq(entries.iter()), "entries change when they are written again");
        }
        Segment::Newer { version } => panic!("our own header has version {version}"),
    }
    Some(entries)
}

/// Whether the last entry lies within the content of an entry that is intact: then it is that one's text.
fn swallows(segment: &[u8], last: &[u8]) -> bool {
    let Segment::Read(entries, _) = read_segment(segment.to_vec()) else { return false };
    entries.iter().any(|(key, value)| [key, value].concat().ends_with(last))
}

fn entry((key, value): (&[u8], &[u8])) -> Vec<u8> {
    let mut entries = Entries::default();
    assert!(entries.push(key, value));
    entries.bytes().to_vec()
}

/// The bytes with both checksums of each entry made to fit, where its lengths leave room.
fn completed(bytes: &[u8]) -> Vec<u8> {
    let mut completed = bytes.to_vec();
    let mut at = 0;
    while at + ENTRY_OVERHEAD_BYTES <= completed.len() {
        if !completed[at..].starts_with(&MARKER) {
            at += 1;
            continue;
        }
        let length = |from: usize| usize::from(completed[from]);
        // Lengths up to 255, so that most of them fit.
        let (key, value) = (length(at + 4), length(at + 8));
        let lengths = [[key, 0, 0, 0], [value, 0, 0, 0]].concat();
        let lengths: Vec<u8> = lengths.into_iter().map(|byte| u8::try_from(byte).unwrap()).collect();
        completed[at + 4..at + 12].copy_from_slice(&lengths);
        let checksum = crc32c::crc32c(&lengths);
        completed[at + 12..at + 16].copy_from_slice(&checksum.to_le_bytes());
        let content_at = at + ENTRY_OVERHEAD_BYTES;
        if let Some(content) = completed.get(content_at..content_at + key + value) {
            let checksum = crc32c::crc32c(content);
            completed[at + 16..at + 20].copy_from_slice(&checksum.to_le_bytes());
        }
        at = content_at;
    }
    completed
}

#[cfg(test)]
#[test]
fn the_stored_inputs_of_the_fuzzer_cost_only_what_is_damaged() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/spool_segment");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let checked = std::panic::catch_unwind(|| check(&bytes));
        assert!(checked.is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 0, "{corpus} is empty");
}

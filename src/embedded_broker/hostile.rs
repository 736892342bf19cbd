//! What must hold of any record batch and of any log segment. Used by the fuzz target `record_batch` and, on the inputs that it
//! has stored, by every test run.
//!
//! A checksum keeps accidents out, and nobody who wants in: each input is also tried with checksums that fit.

use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::Bytes;
use tempfile::TempDir;

use super::batch::{BatchHeader, HEADER_BYTES, check_batch, complete_batch};
use super::producers::Producers;
use super::records::{read_records, rewrite};
use super::segment::{Place, Segment};

/// Checks the records of a produce request. What is accepted is read, written and read again with nothing changed.
///
/// # Panics
/// When anything is not as it must be.
pub(crate) fn check_batch_of(bytes: &[u8]) {
    check_produced(&Bytes::copy_from_slice(bytes));
    if let Some(completed) = completed(bytes) {
        check_produced(&completed);
    }
}

/// The bytes as one batch whose header fits: format, length, number of records, checksum.
fn completed(bytes: &[u8]) -> Option<Bytes> {
    const COUNT: usize = 60;
    let mut batch = bytes.to_vec();
    let n_records = *batch.get(COUNT)?;
    batch[12..21].fill(2);
    batch[23..27].copy_from_slice(&(i32::from(n_records) - 1).to_be_bytes());
    complete_batch(&mut batch, n_records.into())?;
    Some(batch.into())
}

fn check_produced(batch: &Bytes) {
    let Ok(header) = check_batch(batch) else { return };
    let Ok(records) = read_records(&header, batch) else { return };
    let rewritten = rewrite(&header, batch, &records).expect("what was unpacked is packed again").freeze();
    let after = BatchHeader::parse(&rewritten).expect("a batch is written");
    assert!(after.matches_checksum(&rewritten), "a wrong checksum is written");
    assert_eq!(
        (after.base_offset, after.next_offset(), after.producer, after.max_timestamp, after.size_bytes),
        (header.base_offset, header.next_offset(), header.producer, header.max_timestamp, rewritten.len())
    );
    assert_eq!(read_records(&after, &rewritten).expect("what is written is read"), records);
}

/// Opens the bytes as the last segment of a log, and as one in its middle, and reads what is in it.
///
/// # Panics
/// When anything is not as it must be.
pub(crate) fn check_segment_of(bytes: &[u8]) {
    check_segment(bytes, None);
    check_segment(bytes, Some(1_000_000));
    let with_checksums = with_checksums(bytes);
    if with_checksums != bytes {
        check_segment(&with_checksums, None);
    }
}

/// The bytes with a checksum that fits in every batch that is whole.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut segment = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = BatchHeader::parse(&segment[at..]) {
        let Some(batch) = segment.get_mut(at..at + header.size_bytes) else { break };
        complete_batch(batch, usize::try_from(header.n_records).unwrap_or_default());
        at += header.size_bytes;
    }
    segment
}

fn check_segment(bytes: &[u8], next_base: Option<i64>) {
    // In memory where there is such a folder: opening a segment waits for the disk.
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        tempfile::tempdir_in(folder).expect("there is a folder for temporary files")
    });
    let path = FOLDER.path().join(format!("{:020}.log", 0));
    std::fs::write(&path, bytes).expect("the folder can be written");
    let place = Place { base_offset: 0, next_base };
    let mut producers = Producers::default();
    let segment = Segment::read(&path, place, &mut producers).expect("the file can be read");
    let size_bytes = usize::try_from(segment.size_bytes).expect("it was in memory");
    let plan = |offset| segment.plan_read(offset).expect("the file can be opened");
    if next_base.is_some() {
        assert_eq!(size_bytes, bytes.len(), "damage in the middle of a log stays where it is");
        // An error says where the damage is.
        plan(0).read(bytes.len()).ok();
        plan(segment.next_offset - 1).read(HEADER_BYTES).ok();
        plan(0).find_timestamp(i64::MAX).ok();
        return;
    }
    assert_eq!(plan(0).read(bytes.len()).expect("what was kept is whole"), bytes[..size_bytes]);
    assert_eq!(std::fs::read(&path).expect("the file can be read").len(), size_bytes, "the rest is cut off");
    let latest = plan(0).find_timestamp(segment.max_timestamp).expect("what was kept is whole");
    assert!(latest.is_some() || segment.max_timestamp == -1, "its highest timestamp is not found");
    let mut again = Producers::default();
    let reopened = Segment::read(&path, place, &mut again).expect("the file can be read");
    assert_eq!((reopened.size_bytes, reopened.next_offset), (segment.size_bytes, segment.next_offset));
    assert_eq!(again, producers);
}

#[cfg(test)]
#[test]
fn the_stored_inputs_of_the_fuzzer_are_read_or_refused() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/record_batch");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let checked = std::panic::catch_unwind(|| {
            check_batch_of(&bytes);
            check_segment_of(&bytes);
        });
        assert!(checked.is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 0, "{corpus} is empty");
}

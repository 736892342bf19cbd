use std::collections::BTreeMap;
use std::path::Path;

use kafka_protocol::records::RecordBatchDecoder;
use tokio_util::task::TaskTracker;

use super::super::batch::tests::batch;
use super::super::batch::{BatchHeader, ProducerStamp};
use super::*;

const SEGMENT_BYTES: u64 = 400;

fn open(folder: &Path) -> Partition {
    Partition::open(folder, SEGMENT_BYTES, &TaskTracker::new()).unwrap()
}

async fn append(partition: &Partition, pairs: &[(&str, Option<&str>)]) -> i64 {
    let bytes = batch(None, pairs);
    partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await.unwrap()
}

/// Reads everything as a consumer does: (offset, key, value).
fn consume(partition: &Partition) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let mut records = Vec::new();
    let mut offset = partition.start();
    while offset < partition.end() {
        let mut bytes = partition.read(offset, 1 << 20).unwrap();
        assert!(!bytes.is_empty(), "nothing can be read at {offset} although the log ends at {}", partition.end());
        for set in RecordBatchDecoder::decode_all(&mut bytes).unwrap() {
            for record in set.records.iter().filter(|record| record.offset >= offset) {
                records.push((record.offset, text(record.key.as_ref().unwrap()), record.value.as_ref().map(text)));
            }
            offset = set.records.last().unwrap().offset + 1;
        }
    }
    records
}

fn latest(records: &[(i64, String, Option<String>)]) -> BTreeMap<String, Option<String>> {
    records.iter().map(|(_, key, value)| (key.clone(), value.clone())).collect()
}

fn n_files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

const LONG_AGO: SystemTime = SystemTime::UNIX_EPOCH;

fn far_ahead() -> SystemTime {
    LONG_AGO + Duration::from_secs(40_000_000_000)
}

#[tokio::test]
async fn the_last_value_of_every_key_stays_at_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    for round in 0..30 {
        let (first, second) = (format!("{round}"), format!("{}", round * 2));
        append(&partition, &[("often", Some(&first)), (&format!("key-{}", round % 7), Some(&second))]).await;
    }
    let before = consume(&partition);
    let (size_before, files_before) = (partition.log().size_bytes(), n_files(folder.path()));
    let compacted_to = compact(&partition, 0, LONG_AGO).unwrap();
    assert!(compacted_to > 40, "{compacted_to}");
    let after = consume(&partition);
    assert_eq!(latest(&after), latest(&before));
    assert!(after.iter().all(|record| before.contains(record)), "offsets and values stay together");
    assert!(after.len() < before.len() / 2, "{} of {}", after.len(), before.len());
    assert!(partition.log().size_bytes() < size_before);
    assert!(n_files(folder.path()) < files_before);
    assert_eq!((partition.start(), partition.end()), (0, 60));

    drop(partition);
    let reopened = open(folder.path());
    assert_eq!(consume(&reopened), after);
    assert_eq!(append(&reopened, &[("often", Some("new"))]).await, 60);
    assert_eq!(compact(&reopened, compacted_to, LONG_AGO).unwrap(), compacted_to, "nothing new is sealed");
}

#[tokio::test]
async fn a_deletion_marker_stays_for_a_day_and_then_goes() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    append(&partition, &[("gone", Some("value")), ("kept", Some("value"))]).await;
    append(&partition, &[("gone", None), ("other", Some("value"))]).await;
    for _ in 0..10 {
        append(&partition, &[("filler", Some("value"))]).await;
    }
    compact(&partition, 0, LONG_AGO).unwrap();
    assert_eq!(latest(&consume(&partition)).get("gone"), Some(&None));
    compact(&partition, 0, far_ahead()).unwrap();
    let left = latest(&consume(&partition));
    assert_eq!(left.get("gone"), None);
    assert!(left.contains_key("kept") && left.contains_key("other"));
}

#[tokio::test]
async fn a_crash_between_replacing_and_removing_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    for round in 0..20 {
        append(&partition, &[("a", Some(&format!("{round}"))), ("b", Some(&format!("{round}")))]).await;
    }
    let originals: Vec<(PathBuf, Vec<u8>)> = partition.log().sealed()[1..]
        .iter()
        .map(|segment| (segment.path.clone(), fs::read(&segment.path).unwrap()))
        .collect();
    compact(&partition, 0, LONG_AGO).unwrap();
    let after = consume(&partition);
    drop(partition);
    for (path, content) in &originals {
        fs::write(path, content).unwrap();
    }
    let reopened = open(folder.path());
    assert_eq!(consume(&reopened), after);
    assert_eq!(reopened.end(), 40);
}

#[tokio::test]
async fn a_repeated_batch_is_still_known_after_compaction_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    let stamped = |first_sequence| batch(Some(ProducerStamp { id: 4, epoch: 0, first_sequence }), &[("k", Some("v"))]);
    for sequence in 0..12 {
        let bytes = stamped(sequence);
        partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await.unwrap();
    }
    compact(&partition, 0, LONG_AGO).unwrap();
    drop(partition);
    let reopened = open(folder.path());
    let repeated = stamped(10);
    assert_eq!(reopened.append(BatchHeader::parse(&repeated).unwrap(), repeated).await.unwrap(), 10);
    assert_eq!(reopened.end(), 12);
}

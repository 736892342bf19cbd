use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::batch::tests::batch;
use super::super::batch::{ProducerStamp, complete_batch};
use super::super::partition::Writers;
use super::*;
use kafka_protocol::records::RecordBatchDecoder;
use proptest::prelude::*;

const SEGMENT_BYTES: u64 = 400;

fn open(folder: &Path) -> Partition {
    Partition::open(folder, SEGMENT_BYTES, &Writers::default()).unwrap()
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
        let mut whole = bytes.clone();
        assert!(!bytes.is_empty(), "nothing can be read at {offset} although the log ends at {}", partition.end());
        for set in RecordBatchDecoder::decode_all(&mut bytes).unwrap() {
            for record in set.records.iter().filter(|record| record.offset >= offset) {
                records.push((record.offset, text(record.key.as_ref().unwrap()), record.value.as_ref().map(text)));
            }
        }
        while let Some(header) = BatchHeader::parse(&whole) {
            offset = header.next_offset();
            let _taken = whole.split_to(header.size_bytes);
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
    compact(&partition, LONG_AGO).unwrap();
    let after = consume(&partition);
    assert_eq!(latest(&after), latest(&before));
    let is_known = |(offset, key, value): &(i64, String, Option<String>)| {
        before.iter().any(|known| (&known.0, &known.1) == (offset, key) && (value.is_none() || known.2 == *value))
    };
    assert!(after.iter().all(is_known), "offsets, keys and values stay together");
    assert!(after.len() < before.len() / 2, "{} of {}", after.len(), before.len());
    assert!(partition.log().size_bytes() < size_before);
    assert!(n_files(folder.path()) < files_before);
    assert_eq!((partition.start(), partition.end()), (0, 60));

    drop(partition);
    let reopened = open(folder.path());
    assert_eq!(consume(&reopened), after);
    assert_eq!(append(&reopened, &[("often", Some("new"))]).await, 60);
    let inode = || fs::metadata(&reopened.log().sealed()[0].path).unwrap().ino();
    let before = inode();
    compact(&reopened, LONG_AGO).unwrap();
    assert_eq!(inode(), before, "nothing new is sealed, so nothing is rewritten, after a restart neither");
}

async fn fill(partition: &Partition) {
    for _ in 0..10 {
        append(partition, &[("filler", Some("value"))]).await;
    }
}

#[tokio::test]
async fn a_deletion_marker_stays_for_a_day_and_then_goes() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    append(&partition, &[("gone", Some("value")), ("kept", Some("value"))]).await;
    append(&partition, &[("gone", None), ("other", Some("value"))]).await;
    fill(&partition).await;
    compact(&partition, LONG_AGO).unwrap();
    assert_eq!(latest(&consume(&partition)).get("gone"), Some(&None));
    fill(&partition).await;
    compact(&partition, far_ahead()).unwrap();
    let left = latest(&consume(&partition));
    assert_eq!(left.get("gone"), None);
    assert!(left.contains_key("kept") && left.contains_key("other"));
}

/// The value is the last record of its segment, whose offset must stay; the marker goes after a day, the value must not.
#[tokio::test]
async fn a_deleted_key_does_not_come_back_when_its_marker_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    while partition.log().sealed().is_empty() {
        append(&partition, &[("filler", Some("value")), ("gone", Some("value"))]).await;
    }
    append(&partition, &[("gone", None)]).await;
    fill(&partition).await;
    for now in [LONG_AGO, far_ahead(), far_ahead()] {
        compact(&partition, now).unwrap();
        let left = latest(&consume(&partition));
        assert!(left.get("gone").is_none_or(Option::is_none), "{left:?}");
        for _ in 0..5 {
            fill(&partition).await;
        }
    }
}

/// A batch as only a defective client makes it: its checksum is right, its records are not.
fn unreadable() -> Bytes {
    let mut bytes = batch(None, &[("key", Some("value"))]).to_vec();
    let at = bytes.len() - 12;
    bytes[at] ^= 0xff;
    complete_batch(&mut bytes, 1).unwrap();
    bytes.into()
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_does_not_keep_the_others_from_being_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path());
    append(&partition, &[("often", Some("value"))]).await;
    let bytes = unreadable();
    let offset = partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await.unwrap();
    for _ in 0..30 {
        append(&partition, &[("often", Some("value"))]).await;
    }
    let size_before = partition.log().size_bytes();
    compact(&partition, LONG_AGO).unwrap();
    assert!(partition.log().size_bytes() < size_before / 2);
    let stays = partition.read(offset, 1).unwrap();
    assert_eq!(stays[21..], unreadable()[21..], "as it was");
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
    compact(&partition, LONG_AGO).unwrap();
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
    compact(&partition, LONG_AGO).unwrap();
    drop(partition);
    let reopened = open(folder.path());
    let repeated = stamped(10);
    assert_eq!(reopened.append(BatchHeader::parse(&repeated).unwrap(), repeated).await.unwrap(), 10);
    assert_eq!(reopened.end(), 12);
}

/// What may happen to a compacted log.
#[derive(Clone, Debug)]
enum Event {
    Write(u8, Option<u8>),
    Compact(SystemTime),
    Restart,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        20 => (0u8..6, proptest::option::weighted(0.7, 0u8..100)).prop_map(|(key, value)| Event::Write(key, value)),
        2 => proptest::bool::ANY.prop_map(|late| Event::Compact(if late { far_ahead() } else { LONG_AGO })),
        1 => Just(Event::Restart),
    ];
    proptest::collection::vec(event, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Readers from the start see every key's latest value, and no key that was deleted, whenever what is compacted.
    #[test]
    fn the_latest_values_are_those_that_were_written_last(events in events()) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut partition = open(folder.path());
            let mut written = BTreeMap::new();
            for event in events {
                match event {
                    Event::Write(key, value) => {
                        let (key, value) = (format!("key-{key}"), value.map(|value| value.to_string()));
                        append(&partition, &[(&key, value.as_deref())]).await;
                        written.insert(key, value);
                    }
                    Event::Compact(now) => compact(&partition, now).unwrap(),
                    Event::Restart => partition = open(folder.path()),
                }
            }
            let with_values = |mut all: BTreeMap<String, Option<String>>| {
                all.retain(|_, value| value.is_some());
                all
            };
            let end = partition.end();
            prop_assert_eq!(with_values(latest(&consume(&partition))), with_values(written));
            prop_assert_eq!(open(folder.path()).end(), end);
            Ok(())
        })?;
    }
}

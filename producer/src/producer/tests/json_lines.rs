//! The file as sink: the same interface, one JSON object per line.

use std::fs;
use std::path::Path;

use opstream_schemas::offsets::{Offset, Partition};

use super::*;
use crate::{Acknowledged, RecordError, StartError};

fn start_on(file: &Path) -> Producer {
    let producer_id = Some("test".to_owned());
    Producer::start(Sink::JsonLines { file: file.to_owned(), producer_id }).unwrap()
}

fn lines_of(file: &Path) -> Vec<Operation> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn operations_come_back_from_the_file_as_they_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let producer = start_on(&file);
    let mut first = operation("first");
    first.tags.insert("line".to_owned(), "feed\n".to_owned());
    let large = Operation { system_prompt: Some("x".repeat(2_000_000)), ..operation("large") };
    producer.record(first.clone());
    producer.record(large.clone());
    let place = producer.record_acked(operation("third")).await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let third_at = text.lines().take(2).map(|line| line.len() + 1).sum::<usize>();
    let offset = Some(Offset(i64::try_from(third_at).unwrap()));
    assert_eq!(place, Acknowledged { partition: Partition(0), offset });
    assert_eq!(producer.close(PATIENCE).await, Counters { sent: 3, ..Counters::default() });

    let complete = |operation: Operation, producer_seq| Operation {
        started_at: operation.operation_id.time().into(),
        producer_id: Some("test".to_owned()),
        producer_seq: Some(producer_seq),
        ..operation
    };
    assert_eq!(lines_of(&file)[..2], [complete(first, 0), complete(large, 1)]);
}

#[tokio::test]
async fn a_second_start_appends_behind_a_line_that_a_crash_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let torn = "{\"operation_id\":";
    fs::write(&file, torn).unwrap();
    let producer = start_on(&file);
    let place = producer.record_acked(operation("s")).await.unwrap();
    producer.close(PATIENCE).await;
    let text = fs::read_to_string(&file).unwrap();
    let whole: Vec<_> = text.lines().filter_map(|line| serde_json::from_str::<Operation>(line).ok()).collect();
    assert_eq!((text.lines().count(), whole.len()), (2, 1));
    assert_eq!(place.offset, Some(Offset(i64::try_from(torn.len()).unwrap() + 1)));
}

#[tokio::test]
async fn a_file_has_one_producer_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let producer = start_on(&file);
    let second = Producer::start(Sink::JsonLines { file: file.clone(), producer_id: None }).unwrap_err();
    assert!(matches!(second, StartError::FileInUse { .. }), "{second}");
    producer.close(PATIENCE).await;
    start_on(&file).close(PATIENCE).await;
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Producer::start(Sink::JsonLines { file: folder.path().to_owned(), producer_id: None }).unwrap_err();
    assert!(refused.to_string().contains(&folder.path().display().to_string()), "{refused}");
}

/// Linux's device that is always full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_loses_operations_by_count_and_says_so() {
    let producer = start_on(Path::new("/dev/full"));
    producer.record(operation("unwatched"));
    let failed = producer.record_acked(operation("watched")).await.unwrap_err();
    assert!(matches!(&failed, RecordError::Unavailable { reason } if reason.contains("space")), "{failed}");
    assert_eq!(producer.close(PATIENCE).await, Counters { failed: 2, ..Counters::default() });
}

#[tokio::test]
async fn what_was_recorded_before_the_last_handle_was_dropped_is_still_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let producer = start_on(&file);
    producer.record(operation("s"));
    let mut ended = producer.inner.ended.clone();
    drop(producer);
    tokio::time::timeout(PATIENCE, ended.wait_for(|ended| *ended)).await.unwrap().unwrap();
    assert_eq!(lines_of(&file).len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    start_on(&file).close(PATIENCE).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_deadline_beyond_the_end_of_the_clock_is_no_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start_on(&folder.path().join("operations.jsonl"));
    producer.record(operation("only"));
    assert_eq!(producer.close(Duration::MAX).await.sent, 1);
}

use tokio_util::task::TaskTracker;

use super::super::batch::ProducerStamp;
use super::super::batch::tests::batch;
use super::super::partition::{AppendError, Partition};
use super::*;

fn append(log: &mut PartitionLog, stamp: Option<ProducerStamp>, pairs: &[(&str, Option<&str>)]) -> i64 {
    let bytes = batch(stamp, pairs);
    let mut write = log.start_write().unwrap();
    let offset = log.stage(BatchHeader::parse(&bytes).unwrap(), &bytes, &mut write).unwrap();
    write.execute().unwrap();
    log.commit(&write);
    offset
}

/// Base offsets and end of the batches that one read returns.
fn read(log: &PartitionLog, offset: i64, max_bytes: usize) -> (Vec<i64>, i64) {
    let mut bytes = log.plan_read(offset).unwrap().unwrap().read(max_bytes).unwrap();
    let mut bases = Vec::new();
    let mut next_offset = offset;
    while let Some(header) = BatchHeader::parse(&bytes) {
        assert!(header.matches_checksum(&bytes));
        bases.push(header.base_offset);
        next_offset = header.next_offset();
        let _taken = bytes.split_to(header.size_bytes);
    }
    assert!(bytes.is_empty(), "only whole batches are returned");
    (bases, next_offset)
}

const PAIR: &[(&str, Option<&str>)] = &[("a", Some("1")), ("b", Some("2"))];

#[test]
fn a_read_from_the_middle_of_a_batch_returns_that_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 1 << 20).unwrap();
    for expected in [0, 2, 4] {
        assert_eq!(append(&mut log, None, PAIR), expected);
    }
    assert_eq!(read(&log, 3, 1 << 20), (vec![2, 4], 6));
    assert_eq!(read(&log, 0, 1), (vec![0], 2), "at least one batch, however small the limit");
    assert!(log.plan_read(6).unwrap().is_none());
    assert_eq!(log.plan_read(7).unwrap_err(), OffsetOutOfRange { offset: 7, start: 0, end: 6 });
}

#[test]
fn everything_is_found_again_across_segments_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    assert!(log.sealed().len() > 3);
    for log in [&log, &PartitionLog::open(folder.path(), 300).unwrap()] {
        let mut offset = 0;
        while offset < 40 {
            let (bases, next_offset) = read(log, offset, 1 << 20);
            assert_eq!(bases[0], offset);
            offset = next_offset;
        }
        assert_eq!((log.start(), log.end()), (0, 40));
    }
}

#[test]
fn an_unfinished_write_is_cut_off_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 1 << 20).unwrap();
    append(&mut log, None, PAIR);
    let path = log.active().path.clone();
    let whole = fs::read(&path).unwrap();
    append(&mut log, None, PAIR);
    let both = fs::read(&path).unwrap();
    for torn_at in [whole.len() + 1, whole.len() + 61, both.len() - 1] {
        fs::write(&path, &both[..torn_at]).unwrap();
        let log = PartitionLog::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(log.end(), 2);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    let mut damaged = both.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&path, &damaged).unwrap();
    assert_eq!(PartitionLog::open(folder.path(), 1 << 20).unwrap().end(), 2);
}

#[test]
fn a_repeated_batch_is_known_after_a_restart_and_in_a_later_segment() {
    let folder = tempfile::tempdir().unwrap();
    let stamp = |first_sequence| Some(ProducerStamp { id: 5, epoch: 0, first_sequence });
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for nth in 0..6 {
        append(&mut log, stamp(nth * 2), PAIR);
    }
    assert!(!log.sealed().is_empty());
    let mut reopened = PartitionLog::open(folder.path(), 300).unwrap();
    assert_eq!(append(&mut reopened, stamp(8), PAIR), 8, "the offset it had");
    assert_eq!(reopened.end(), 12);
    assert_eq!(append(&mut reopened, stamp(12), PAIR), 12);
}

#[tokio::test]
async fn a_failed_write_leaves_no_trace_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let partition = Partition::open(folder.path(), 1 << 20, &TaskTracker::new()).unwrap();
    let append = async |first_sequence| {
        let bytes = batch(Some(ProducerStamp { id: 5, epoch: 0, first_sequence }), PAIR);
        partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await
    };
    assert_eq!(append(0).await.unwrap(), 0);
    let path = partition.log().active().path.clone();
    partition.log().segments[0].file = Arc::new(File::open(&path).unwrap());
    let error = append(2).await.unwrap_err();
    assert!(matches!(error, AppendError::Disk { .. }), "the file is open for reading only: {error}");
    assert_eq!(partition.end(), 2);
    assert_eq!(append(2).await.unwrap(), 2, "written now, not mistaken for a repeat");
    assert_eq!(append(2).await.unwrap(), 2, "a repeat now");
    assert_eq!(PartitionLog::open(folder.path(), 1 << 20).unwrap().end(), 4);
}

#[test]
fn retention_by_size_waits_for_the_readers_and_retention_by_age_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(40_000_000_000);
    let by_size = Retention { age: Duration::MAX, size_bytes: 400 };
    assert_eq!(log.expire(now, by_size, None).unwrap(), 0);
    assert!(log.expire(now, by_size, Some(10)).unwrap() > 0);
    assert!((1..=10).contains(&log.start()), "{}", log.start());
    assert!(log.expire(now, by_size, Some(40)).unwrap() > 0);
    assert!(log.size_bytes() <= 400);

    let by_age = Retention { age: Duration::from_hours(1), size_bytes: u64::MAX };
    log.expire(now, by_age, None).unwrap();
    assert_eq!((log.start(), log.end()), (40, 40), "offsets go on where they were");
    let mut reopened = PartitionLog::open(folder.path(), 300).unwrap();
    assert_eq!(append(&mut reopened, None, PAIR), 40);
}

#[test]
fn a_timestamp_leads_to_the_first_batch_that_is_not_older() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    let find =
        |timestamp| log.plan_timestamp(timestamp).into_iter().find_map(|plan| plan.find_timestamp(timestamp).unwrap());
    assert_eq!(find(0), Some((0, 1_700_000_000_001)));
    assert_eq!(find(1_700_000_000_002), None);
}

use super::super::batch::ProducerStamp;
use super::super::batch::tests::batch;
use super::super::partition::{AppendError, Partition, Writers};
use super::*;
use std::os::unix::fs::MetadataExt;

fn append(log: &mut PartitionLog, stamp: Option<ProducerStamp>, pairs: &[(&str, Option<&str>)]) -> i64 {
    let bytes = batch(stamp, pairs);
    let mut write = log.start_write().unwrap();
    let offset = write.stage(BatchHeader::parse(&bytes).unwrap(), &bytes).unwrap();
    write.execute().unwrap();
    log.commit(write);
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
    let error = log.plan_read(7).unwrap_err();
    assert!(matches!(error, ReadError::OutOfRange { offset: 7, start: 0, end: 6 }), "{error}");
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

/// What a write leaves that reached the file and failed then: here of two batches, so that one could count for more.
fn fail_a_write(log: &mut PartitionLog, stamps: &[Option<ProducerStamp>]) {
    let mut write = log.start_write().unwrap();
    for stamp in stamps {
        let bytes = batch(*stamp, PAIR);
        write.stage(BatchHeader::parse(&bytes).unwrap(), &bytes).unwrap();
    }
    write.execute().unwrap();
    log.abandon();
}

#[test]
fn a_failed_write_leaves_no_trace_and_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let stamp = |first_sequence| Some(ProducerStamp { id: 5, epoch: 0, first_sequence });
    let mut log = PartitionLog::open(folder.path(), 1 << 20).unwrap();
    append(&mut log, stamp(0), PAIR);
    fail_a_write(&mut log, &[stamp(2), stamp(4)]);
    assert_eq!(log.end(), 2);
    assert_eq!(append(&mut log, stamp(2), PAIR), 2, "written now, not mistaken for a repeat");
    assert_eq!(append(&mut log, stamp(2), PAIR), 2, "a repeat now");
    assert_eq!(PartitionLog::open(folder.path(), 1 << 20).unwrap().end(), 4, "the second batch was never acknowledged");
    assert_eq!(append(&mut log, stamp(4), PAIR), 4);
}

#[test]
fn a_segment_is_not_sealed_with_what_a_failed_write_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 1 << 20).unwrap();
    append(&mut log, None, PAIR);
    fail_a_write(&mut log, &[None]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(40_000_000_000);
    let nothing_old = Retention { age: Duration::from_hours(1), size_bytes: u64::MAX };
    assert_eq!(log.expire(now, nothing_old, None).unwrap().len(), 1);
    let segment = folder.path().join(format!("{:020}.{LOG_EXTENSION}", 0));
    assert_eq!(fs::metadata(segment).unwrap().len(), u64::try_from(batch(None, PAIR).len()).unwrap());
}

#[tokio::test]
async fn a_disk_that_refuses_costs_the_batch_and_not_the_partition() {
    let folder = tempfile::tempdir().unwrap();
    let partition = Partition::open(folder.path(), 300, &Writers::default()).unwrap();
    let append = async |first_sequence| {
        let bytes = batch(Some(ProducerStamp { id: 5, epoch: 0, first_sequence }), PAIR);
        partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await
    };
    while partition.log().active().size_bytes < 300 {
        let end = i32::try_from(partition.end()).unwrap();
        append(end).await.unwrap();
    }
    let end = i32::try_from(partition.end()).unwrap();
    // A folder where the next segment's file must be.
    let next = folder.path().join(format!("{end:020}.{LOG_EXTENSION}"));
    fs::create_dir(&next).unwrap();
    let error = append(end).await.unwrap_err();
    assert!(matches!(error, AppendError::Disk { .. }), "{error}");
    fs::remove_dir(&next).unwrap();
    assert_eq!(append(end).await.unwrap(), i64::from(end));
    assert_eq!(append(end).await.unwrap(), i64::from(end), "a repeat");
}

#[test]
fn a_start_writes_nothing_and_opens_only_the_last_segment() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    drop(log);
    let inodes = || -> std::collections::BTreeMap<PathBuf, u64> {
        let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap());
        files.map(|file| (file.path(), file.metadata().unwrap().ino())).collect()
    };
    let before = inodes();
    let log = PartitionLog::open(folder.path(), 300).unwrap();
    assert_eq!(inodes(), before, "a seal that is written again is another file");
    assert!(log.sealed().len() > 3 && log.sealed().iter().all(Segment::is_sealed));
    assert!(!log.active().is_sealed());
}

#[test]
fn a_seal_that_cannot_be_written_or_does_not_fit_costs_only_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 300).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    let seal = |nth: usize| log.sealed()[nth].path.with_extension("seal");
    // The second says what is true of the third, and so does the length of its segment.
    fs::copy(seal(2), seal(1)).unwrap();
    // Where the seal of the first must be there is a folder.
    fs::remove_file(seal(0)).unwrap();
    fs::create_dir(seal(0)).unwrap();
    let reopened = PartitionLog::open(folder.path(), 300).unwrap();
    assert_eq!((reopened.start(), reopened.end()), (0, 40));
    assert_eq!(read(&reopened, 0, 1 << 20).0[0], 0);
    let second = log.sealed()[1].base_offset;
    assert_eq!(reopened.sealed()[1].next_offset, log.sealed()[1].next_offset);
    assert_eq!(read(&reopened, second, 1 << 20).0[0], second);
}

/// `/dev/null` is a file that can be read and written, but not synchronised.
#[test]
fn a_tail_that_cannot_be_synchronised_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{:020}.{LOG_EXTENSION}", 0));
    std::os::unix::fs::symlink("/dev/null", path).unwrap();
    PartitionLog::open(folder.path(), 300).unwrap_err();
}

#[test]
fn damage_in_the_middle_of_a_log_is_an_error_for_readers_and_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = PartitionLog::open(folder.path(), 600).unwrap();
    for _ in 0..20 {
        append(&mut log, None, PAIR);
    }
    let next_base = log.sealed()[1].base_offset;
    drop(log);
    let path = folder.path().join(format!("{:020}.{LOG_EXTENSION}", 0));
    let size = batch(None, PAIR).len();
    let mut bytes = fs::read(&path).unwrap();
    bytes[size + 16] = 9;
    fs::write(&path, &bytes).unwrap();
    for has_seal in [true, false] {
        if !has_seal {
            fs::remove_file(path.with_extension("seal")).unwrap();
        }
        let log = PartitionLog::open(folder.path(), 600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(read(&log, 0, 1 << 20), (vec![0], 2), "what is before it can be read");
        assert_eq!(read(&log, next_base, 1 << 20).0[0], next_base, "and what is in other segments");
        for offset in 2..next_base {
            let error = log.plan_read(offset).unwrap().unwrap().read(1 << 20).unwrap_err().to_string();
            assert!(error.contains(&format!("damaged at byte {size}")), "{error}");
        }
    }
}

#[tokio::test]
async fn a_partition_that_broke_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let writers = Writers::default();
    let partition = Arc::new(Partition::open(folder.path(), 300, &writers).unwrap());
    let panicking = Arc::clone(&partition);
    let panicked = std::thread::spawn(move || {
        let _log = panicking.log();
        panic!("as if the log were half changed");
    });
    assert!(panicked.join().is_err());
    assert!(!writers.broken.is_cancelled());
    let bytes = batch(None, PAIR);
    partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await.unwrap_err();
    writers.broken.cancelled().await;
    assert_eq!((partition.start(), partition.end()), (0, 0), "nobody who waits for records panics too");
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
    let expire = |log: &mut PartitionLog, retention, read_to| {
        let expired = log.expire(now, retention, read_to).unwrap();
        assert!(!expired.is_empty());
        for segment in expired {
            Segment::delete_files(&segment.path).unwrap();
        }
    };
    assert!(log.expire(now, by_size, None).unwrap().is_empty());
    expire(&mut log, by_size, Some(10));
    assert!((1..=10).contains(&log.start()), "{}", log.start());
    expire(&mut log, by_size, Some(40));
    assert!(log.size_bytes() <= 400);

    let by_age = Retention { age: Duration::from_hours(1), size_bytes: u64::MAX };
    expire(&mut log, by_age, None);
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
        |timestamp| log.plan_timestamp(timestamp).unwrap().and_then(|plan| plan.find_timestamp(timestamp).unwrap());
    assert_eq!(find(0), Some((0, 1_700_000_000_001)));
    assert_eq!(find(1_700_000_000_002), None);
}

//! Whatever happens to an operation on disk is in the books, and nothing leaves the disk without a reason.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::SpoolCounters;
use crate::ledger::Ledger;

const ROOM: Load = Load { operations: 1_000, bytes: 64 << 20 };
const SMALL: u64 = 1 << 20;

/// A backlog as the delivering thread has it, with a client that keeps what it gets.
struct Desk {
    backlog: Backlog,
    shared: Arc<Shared>,
    now: Instant,
    client: Vec<(u64, usize, Arc<Flight>, usize)>,
}

impl Desk {
    fn open(folder: &std::path::Path, now: Instant) -> Self {
        let shared = Arc::new(Shared::new(Ledger::new(1, 1024)));
        let settings = Spool { bytes: SMALL, ..Spool::new(folder) };
        let backlog = Backlog::open(settings, "t".to_owned(), Arc::clone(&shared), now).unwrap();
        Self { backlog, shared, now, client: Vec::new() }
    }

    /// Stores an operation whose key is its number.
    fn store(&mut self, number: u64, bytes: usize) -> bool {
        let mut entries = Entries::default();
        entries.push(&number.to_le_bytes(), &vec![7; bytes]);
        self.backlog.store(&entries, self.now)
    }

    fn resend(&mut self, room: Load) {
        self.now += Duration::from_secs(10);
        let client = &mut self.client;
        self.backlog.maintain(self.now);
        self.backlog.resend(room, self.now, |record, flight, entry| {
            let number = u64::from_le_bytes(*record.key.first_chunk().unwrap());
            client.push((number, record.bytes(), flight, entry));
        });
    }

    fn acknowledge(&mut self, at_most: usize) -> Vec<u64> {
        let acknowledged = self.client.drain(..at_most.min(self.client.len()));
        acknowledged
            .map(|(number, bytes, flight, _)| {
                flight.acknowledge(bytes);
                number
            })
            .collect()
    }

    fn give_back(&mut self, at_most: usize) {
        for (_, bytes, flight, entry) in self.client.drain(..at_most.min(self.client.len())) {
            flight.give_back(entry, bytes);
        }
    }

    /// Everything that is left, in the order of sending.
    fn drain(&mut self) -> Vec<u64> {
        self.give_back(usize::MAX);
        let mut acknowledged = Vec::new();
        while !self.backlog.is_empty() {
            self.resend(ROOM);
            acknowledged.extend(self.acknowledge(usize::MAX));
        }
        acknowledged
    }

    fn counters(&self) -> SpoolCounters {
        self.shared.ledger.spool.counters()
    }

    fn files(&self) -> Vec<StoredSegment> {
        self.backlog.folder.as_ref().unwrap().segments().unwrap()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Store { bytes: usize },
    Resend { operations: usize },
    Acknowledge(usize),
    GiveBack(usize),
    Refuse,
    Restart { in_order: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..200_000).prop_map(|bytes| Step::Store { bytes }),
        2 => (1_usize..5).prop_map(|operations| Step::Resend { operations }),
        2 => (0_usize..4).prop_map(Step::Acknowledge),
        1 => (0_usize..4).prop_map(Step::GiveBack),
        1 => Just(Step::Refuse),
        1 => any::<bool>().prop_map(|in_order| Step::Restart { in_order }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_books_add_up_and_only_what_was_discarded_is_missing_in_the_end(steps in vec(step(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = Desk::open(folder.path(), Instant::now());
        let (mut stored, mut settled, mut discarded, mut spooled) = (0, BTreeSet::new(), 0, 0);
        for step in steps {
            match step {
                Step::Store { bytes } => {
                    prop_assert!(desk.store(stored, bytes));
                    (stored, spooled) = (stored + 1, spooled + 1);
                }
                Step::Resend { operations } => desk.resend(Load { operations, ..ROOM }),
                Step::Acknowledge(operations) => settled.extend(desk.acknowledge(operations)),
                Step::GiveBack(operations) => desk.give_back(operations),
                Step::Refuse => {
                    if let Some((number, bytes, flight, _)) = desk.client.pop() {
                        flight.refuse(bytes);
                        settled.insert(number);
                    }
                }
                Step::Restart { in_order } => {
                    if in_order {
                        desk.backlog.finish(desk.now);
                    }
                    // What is with the client when a producer ends comes back to nobody.
                    desk.give_back(usize::MAX);
                    discarded += desk.counters().discarded;
                    let now = desk.now;
                    drop(desk);
                    desk = Desk::open(folder.path(), now);
                    spooled = 0;
                }
            }
            let SpoolCounters { inherited, waiting, resent, discarded, damaged, refused, bytes } = desk.counters();
            prop_assert_eq!(spooled + inherited, waiting + resent + discarded + damaged + refused);
            prop_assert_eq!(damaged, 0);
            prop_assert!(bytes <= SMALL);
            prop_assert_eq!(bytes, desk.files().iter().map(|file| file.bytes).sum::<u64>());
        }
        settled.extend(desk.drain());
        discarded += desk.counters().discarded;
        let missing = stored - u64::try_from(settled.len()).unwrap();
        prop_assert!(missing <= discarded, "{} of {} are missing, {} were discarded", missing, stored, discarded);
        prop_assert_eq!((desk.counters().waiting, desk.files()), (0, Vec::new()));
    }
}

#[test]
fn the_oldest_leave_first_and_a_file_when_all_of_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    for number in 0..10 {
        assert!(desk.store(number, 60_000));
    }
    let files = desk.files().len();
    assert!(files > 2);
    desk.resend(Load { operations: 1, ..ROOM });
    assert_eq!(desk.client.len(), 1, "no more than there is room for");
    desk.resend(ROOM);
    let sent = desk.client.len();
    assert!(sent < 10, "one segment at a time is in memory");
    assert_eq!(desk.acknowledge(sent - 1).len(), sent - 1);
    desk.resend(ROOM);
    assert_eq!(desk.files().len(), files, "one of its operations is not acknowledged");
    desk.acknowledge(1);
    desk.resend(ROOM);
    assert_eq!(desk.files().len(), files - 1);
    assert_eq!(desk.drain(), (u64::try_from(sent).unwrap()..10).collect::<Vec<_>>());
}

#[test]
fn what_came_back_rests_and_goes_first_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    (0..3).for_each(|number| assert!(desk.store(number, 10)));
    desk.resend(Load { operations: 2, ..ROOM });
    desk.give_back(2);
    let mut sent = Vec::new();
    desk.backlog.resend(ROOM, desk.now, |_, _, entry| sent.push(entry));
    assert!(sent.is_empty(), "a broker that refuses at once is not asked at once");
    desk.resend(ROOM);
    assert_eq!(desk.acknowledge(9), [0, 1, 2]);
}

#[test]
fn an_operation_larger_than_the_spool_is_left_to_the_caller_and_costs_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    assert!(desk.store(0, 10));
    assert!(!desk.store(1, 2 << 20));
    assert_eq!((desk.counters().discarded, desk.drain()), (0, vec![0]));
}

#[test]
fn the_next_start_has_the_order_even_of_segments_that_began_within_a_millisecond() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    for number in 0..50 {
        assert!(desk.store(number, 10));
        desk.backlog.finish(desk.now);
    }
    drop(desk);
    assert_eq!(Desk::open(folder.path(), Instant::now()).drain(), (0..50).collect::<Vec<_>>());
}

#[test]
fn a_damaged_segment_costs_its_damaged_operations_by_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    (0..20).for_each(|number| assert!(desk.store(number, 100)));
    desk.backlog.finish(desk.now);
    let path = desk.files()[0].path.clone();
    let mut bytes = fs::read(&path).unwrap();
    // Within the second and third entry: neighbours are one run of damage, and the name tells that it was two.
    bytes[150] ^= 1;
    bytes[300] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut desk = {
        let now = desk.now;
        drop(desk);
        Desk::open(folder.path(), now)
    };
    let delivered = desk.drain();
    assert_eq!(delivered.len(), 18);
    let SpoolCounters { inherited, damaged, resent, waiting, .. } = desk.counters();
    assert_eq!((inherited, damaged, resent, waiting), (20, 2, 18, 0));
}

#[test]
fn a_tail_that_a_crash_cut_off_is_neither_damage_nor_operation() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    (0..3).for_each(|number| assert!(desk.store(number, 100)));
    let path = desk.files()[0].path.clone();
    assert_eq!(path.extension().unwrap(), "open");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let mut desk = {
        let now = desk.now;
        drop(desk);
        Desk::open(folder.path(), now)
    };
    assert_eq!((desk.counters().inherited, desk.counters().damaged), (2, 0));
    assert_eq!(desk.drain(), [0, 1]);
}

#[test]
fn segments_of_a_later_version_or_deleted_by_somebody_hinder_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    for number in 0..3 {
        assert!(desk.store(number, 10));
        desk.backlog.finish(desk.now);
    }
    let files = desk.files();
    let mut newer = fs::read(&files[0].path).unwrap();
    newer[7] = 99;
    let checksum = crc32c::crc32c(&newer[..8]);
    newer[8..12].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&files[0].path, newer).unwrap();
    fs::remove_file(&files[1].path).unwrap();
    assert_eq!(desk.drain(), [2]);
    assert_eq!((desk.counters().damaged, desk.counters().waiting), (1, 1));
    assert_eq!(desk.files(), files[..1]);
}

#[test]
fn a_disk_that_refuses_is_noted_and_used_again_when_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path(), Instant::now());
    let own = desk.backlog.place();
    fs::remove_dir_all(&own).unwrap();
    fs::write(&own, "in the way").unwrap();
    assert!(!desk.store(0, 10) && !desk.backlog.is_well());
    assert!(desk.shared.disk_trouble.text().unwrap().contains("written"));
    assert!(!desk.backlog.is_ready(desk.now), "it is left alone for a while");
    fs::remove_file(&own).unwrap();
    desk.now += Duration::from_secs(2);
    assert!(desk.store(1, 10) && desk.backlog.is_well(), "the folder is made again");
    assert_eq!(desk.drain(), [1]);
}

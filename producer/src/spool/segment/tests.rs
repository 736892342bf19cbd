//! Whatever happens to the bytes of a segment, only the entries that it happened to are lost.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

type Pair = (Vec<u8>, Vec<u8>);

/// A segment of these entries, and where each ends.
fn segment(pairs: &[Pair]) -> (Vec<u8>, Vec<usize>) {
    let mut entries = Entries::default();
    let mut ends = Vec::new();
    for (key, value) in pairs {
        assert!(entries.push(key, value));
        ends.push(HEADER_BYTES + entries.bytes().len());
    }
    ([&header(), entries.bytes()].concat(), ends)
}

fn read(bytes: Vec<u8>) -> (Vec<Pair>, SegmentDamage) {
    let Segment::Read(entries, damage) = read_segment(bytes) else { panic!("written by a later version") };
    (entries.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect(), damage)
}

/// Keys and values as they are: a session and binary data, in which pieces of a marker may stand.
fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let byte = prop_oneof![any::<u8>(), Just(MARKER[0]), Just(MARKER[1]), Just(0)];
    vec((vec(any::<u8>(), 0..12), vec(byte, 0..60)), 0..12)
}

proptest! {
    #[test]
    fn what_was_written_is_read(pairs in pairs()) {
        let (bytes, _) = segment(&pairs);
        prop_assert_eq!(read(bytes), (pairs, SegmentDamage::default()));
    }

    #[test]
    fn a_damaged_byte_costs_only_the_entry_that_it_lies_in(pairs in pairs(), at: prop::sample::Index, flip in 1_u8..) {
        let (mut bytes, ends) = segment(&pairs);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let hit = (at >= HEADER_BYTES).then(|| ends.partition_point(|end| *end <= at));
        let mut intact = pairs;
        if let Some(hit) = hit {
            intact.remove(hit);
        }
        let (found, damage) = read(bytes);
        prop_assert_eq!(found, intact);
        prop_assert!(damage.bytes + damage.torn_bytes > 0);
    }

    #[test]
    fn a_run_of_damage_costs_only_the_entries_that_it_touches(
        pairs in pairs(), from: prop::sample::Index, to: prop::sample::Index, with: u8,
    ) {
        let (mut bytes, ends) = segment(&pairs);
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let damaged = from.min(to)..from.max(to);
        bytes[damaged.clone()].fill(with);
        let starts = std::iter::once(HEADER_BYTES).chain(ends.iter().copied());
        let untouched = starts.zip(&ends).map(|(start, end)| damaged.end <= start || *end <= damaged.start);
        let expected: Vec<_> = pairs.iter().zip(untouched).filter_map(|(pair, kept)| kept.then_some(pair)).collect();
        let (found, damage) = read(bytes);
        // An entry may have had the bytes that it was overwritten with.
        prop_assert!(expected.iter().all(|pair| found.contains(pair)), "{expected:?} {found:?}");
        prop_assert!(found.iter().all(|pair| pairs.contains(pair)));
        prop_assert!(damage.places <= 1);
    }

    #[test]
    fn a_segment_cut_anywhere_has_all_whole_entries_and_no_damage(pairs in pairs(), at: prop::sample::Index) {
        let (mut bytes, ends) = segment(&pairs);
        let at = at.index(bytes.len() + 1);
        bytes.truncate(at);
        let whole = ends.partition_point(|end| *end <= at);
        let torn = match whole {
            0 if at < HEADER_BYTES => at,
            0 => at - HEADER_BYTES,
            whole => at - ends[whole - 1],
        };
        let damage = SegmentDamage { torn_bytes: count(torn), ..SegmentDamage::default() };
        prop_assert_eq!(read(bytes), (pairs[..whole].to_vec(), damage));
    }

    #[test]
    fn behind_an_unfinished_entry_the_next_whole_one_is_found(
        before in pairs(), after in pairs(), cut: prop::sample::Index,
    ) {
        let lost = (b"key".to_vec(), vec![7; 40]);
        let (mut bytes, ends) = segment(&[before.clone(), vec![lost]].concat());
        let start = ends.len().checked_sub(2).map_or(HEADER_BYTES, |last| ends[last]);
        bytes.truncate(start + cut.index(bytes.len() - start));
        bytes.extend_from_slice(&segment(&after).0[HEADER_BYTES..]);
        prop_assert_eq!(read(bytes).0, [before, after].concat());
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic_and_accounted_for(mut bytes in vec(any::<u8>(), 0..300), headed: bool) {
        if headed {
            bytes.splice(0..0, header());
        }
        let length = count(bytes.len());
        let (found, damage) = read(bytes);
        let entries: usize = found.iter().map(|(key, value)| ENTRY_OVERHEAD_BYTES + key.len() + value.len()).sum();
        let start = if headed { count(HEADER_BYTES) } else { 0 };
        prop_assert_eq!(start + count(entries) + damage.bytes + damage.torn_bytes, length);
    }
}

#[test]
fn a_copy_of_a_segment_within_an_operations_text_is_no_entry() {
    let (inner, _) = segment(&[(b"key".to_vec(), b"value".to_vec())]);
    let text = String::from_utf8_lossy(&inner).into_owned().into_bytes();
    let (mut bytes, _) = segment(&[(b"session".to_vec(), text)]);
    bytes[HEADER_BYTES + 5] ^= 1;
    let (found, damage) = read(bytes);
    assert!(found.is_empty() && damage.places == 1, "{found:?} {damage:?}");
}

#[test]
fn a_damaged_header_costs_no_entry_and_a_later_version_is_left_to_its_reader() {
    let pair = (b"key".to_vec(), b"value".to_vec());
    let (mut bytes, _) = segment(std::slice::from_ref(&pair));
    bytes[7] = 2;
    let damage = SegmentDamage { bytes: 12, ..SegmentDamage::default() };
    assert_eq!(read(bytes.clone()), (vec![pair], damage));
    let checksum = crc32c::crc32c(&bytes[..8]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(read_segment(bytes), Segment::Newer { version: 2 });
}

/// The bytes of a released version are never written differently: spools outlive upgrades.
#[test]
fn the_bytes_are_those_that_the_module_describes() {
    let (bytes, _) = segment(&[(b"k".to_vec(), b"va".to_vec())]);
    let mut expected = b"opspool\x01".to_vec();
    expected.extend(crc32c::crc32c(b"opspool\x01").to_le_bytes());
    expected.extend([0xF8, 0xFF, 0xFE, 0xF9, 1, 0, 0, 0, 2, 0, 0, 0]);
    expected.extend(crc32c::crc32c(&[1, 0, 0, 0, 2, 0, 0, 0]).to_le_bytes());
    expected.extend(crc32c::crc32c(b"kva").to_le_bytes());
    expected.extend(b"kva");
    assert_eq!(bytes, expected);
}

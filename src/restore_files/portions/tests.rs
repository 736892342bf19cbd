//! Portions of made-up files, whose hashes are made up as well unless they matter.

use opstream_schemas::UtcMillis;
use opstream_schemas::lake::value_hash;
use proptest::prelude::*;

use super::*;

fn id(at: i64) -> OperationId {
    OperationId::mint(UtcMillis::from_millis(at), [0; 10])
}

fn portion(file: i64, (from, to): (i64, i64), rows: i64) -> Portion {
    let id_hash = value_hash(&file.to_be_bytes()).cast_signed();
    Portion { file, ids: (id(from), id(to)), sum: Sum { rows, id_hash } }
}

/// The file that holds these portions.
fn merged<'a>(file: i64, portions: impl IntoIterator<Item = &'a Portion> + Clone) -> Merged {
    let lowest = portions.clone().into_iter().map(|portion| portion.ids.0).min().unwrap();
    let highest = portions.clone().into_iter().map(|portion| portion.ids.1).max().unwrap();
    let sum = portions.into_iter().fold(Sum::default(), |sum, portion| sum.plus(portion.sum));
    Merged { file, ids: (lowest, highest), sum }
}

fn told(portions: &[Portion], files: &[Merged]) -> Vec<Option<Vec<usize>>> {
    let sorted = |mut places: Vec<usize>| {
        places.sort_unstable();
        places
    };
    tell(portions, files).into_iter().map(|told| told.ok().map(sorted)).collect()
}

#[test]
fn a_file_has_what_only_it_spans_and_leaves_the_rest_to_the_others() {
    let portions = [portion(1, (0, 10), 5), portion(2, (4, 8), 4), portion(3, (3, 30), 3), portion(4, (2, 9), 7)];
    let files = [merged(5, &portions[..2]), merged(6, &portions[2..])];
    assert_eq!(told(&portions, &files), [Some(vec![0, 1]), Some(vec![2, 3])]);
}

#[test]
fn what_was_stored_after_a_merge_is_not_in_it() {
    let portions = [portion(1, (0, 10), 5), portion(2, (3, 8), 4), portion(4, (0, 10), 5), portion(5, (4, 5), 3)];
    let files = [merged(3, &portions[..2])];
    assert_eq!(told(&portions, &files), [Some(vec![0, 1])]);
}

#[test]
fn rows_that_cannot_be_told_apart_are_not_guessed() {
    // Both hold the same number of rows, and twins have the same hash.
    let twin = |file, at| Portion { sum: Sum { rows: 2, id_hash: 9 }, ..portion(file, at, 2) };
    let ends = [portion(1, (0, 1), 1), portion(2, (99, 100), 1), portion(3, (0, 1), 1), portion(4, (99, 100), 1)];
    let twins = [twin(5, (40, 50)), twin(6, (45, 55))];
    let one = merged(10, [&ends[0], &ends[1], &twins[0]]);
    let other = Merged { ids: (id(1), id(101)), ..merged(11, [&ends[2], &ends[3], &twins[1]]) };
    let portions: Vec<Portion> = ends[..2].iter().chain(&twins).cloned().collect();
    let outcome = tell(&portions, &[one, other]);
    assert_eq!(outcome[0], Err(Untold { rows: 6, rivals: vec![11] }));
    assert_eq!(outcome[1], Err(Untold { rows: 4, rivals: vec![10] }));
}

#[test]
fn more_combinations_than_can_be_tried_are_not_tried() {
    // One file has the first and the last, the other their neighbours: these four are certain, all others are free.
    let outcome = |free: usize| {
        let count = i64::try_from(free).unwrap() + 4;
        let portions: Vec<Portion> = (1..=count).map(|file| portion(file, (file, file), 1)).collect();
        let (one, other): (Vec<&Portion>, Vec<&Portion>) =
            portions.iter().partition(|portion| [1, 3, 5, count].contains(&portion.file));
        tell(&portions, &[merged(90, one), merged(91, other)])
    };
    let told: Vec<usize> = outcome(MOST_FREE).into_iter().map(|told| told.unwrap().len()).collect();
    assert_eq!(told, [4, MOST_FREE]);
    let untold = outcome(MOST_FREE + 1);
    let rows = i64::try_from(MOST_FREE).unwrap() + 3;
    assert_eq!(untold, [91, 90].map(|rival| Err(Untold { rows, rivals: vec![rival] })));
}

#[test]
fn a_file_that_lacks_rows_has_no_answer_and_those_that_are_there_have() {
    let portions = [portion(1, (0, 10), 5), portion(2, (20, 30), 4), portion(3, (5, 30), 3)];
    let lost = portion(4, (0, 9), 1);
    let files = [merged(5, [&portions[0], &lost]), merged(6, &portions[1..])];
    let outcome = tell(&portions, &files);
    assert_eq!(outcome[0], Err(Untold { rows: 5, rivals: vec![] }));
    assert_eq!(outcome[1].as_ref().map(Vec::len), Ok(2));
}

proptest! {
    #[test]
    fn every_file_is_told_what_was_in_it(spans in prop::collection::vec((0_i64..50, 0_i64..20, 0_usize..4), 1..20)) {
        let span = |file: i64, (from, length, _): &(i64, i64, usize)| (from * 100 + file, (from + length) * 100 + file);
        let portions: Vec<Portion> =
            (1..).zip(&spans).map(|(file, one)| portion(file, span(file, one), 1 + one.1)).collect();
        let in_home = |home| (0..spans.len()).filter(|place| spans[*place].2 == home).collect::<Vec<_>>();
        let homes: Vec<Vec<usize>> = (0..4).map(in_home).filter(|places| !places.is_empty()).collect();
        let of_places = |places: &Vec<usize>| places.iter().map(|place| portions[*place].clone()).collect::<Vec<_>>();
        let files: Vec<Merged> = (100..).zip(&homes).map(|(file, places)| merged(file, &of_places(places))).collect();
        let truth: Vec<Option<Vec<usize>>> = homes.iter().cloned().map(Some).collect();
        prop_assert_eq!(told(&portions, &files), truth);
    }
}

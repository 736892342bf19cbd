//! Files that compaction made, whose inputs are forgotten, are written again from the rows, or it is said what is missing to tell which
//! those were. Nobody is told to give up a file whose rows are there.

use super::fixture::TestOperation;
use super::restored_files::{reasons, restored};
use super::*;

/// Files of `each` operations of one partition, all spread over the same minutes; files with an even and with an odd place among them
/// are merged into one each. Returns the two.
async fn two_merged(fixture: &mut Fixture, files: i64, each: i64) -> [i64; 2] {
    let operations_of = |file: i64| -> Vec<TestOperation> {
        (file * each..(file + 1) * each).map(|n| operation(0, n, (n / 2 % 4) * MINUTE_MS)).collect()
    };
    let mut numbers = Vec::new();
    for file in 0..files {
        numbers.push(fixture.commit(0, operations_of(file), &[]).await);
    }
    fixture.aggregate(&[]).await;
    let mut merged = Vec::new();
    for start in [0, 1] {
        let places: Vec<i64> = (start..files).step_by(2).collect();
        let inputs: Vec<i64> = places.iter().map(|place| numbers[usize::try_from(*place).unwrap()]).collect();
        let operations: Vec<TestOperation> = places.iter().flat_map(|place| operations_of(*place)).collect();
        merged.push(fixture.merge(&inputs, &operations).await);
    }
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    merged.try_into().unwrap()
}

async fn assert_all_written(fixture: &Fixture, files: usize) {
    let outcome = restored(fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (files, 0), "{outcome:?}");
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
}

#[tokio::test]
async fn one_of_two_files_of_the_same_time_comes_back_with_its_contents() {
    let mut fixture = Fixture::empty().await;
    for number in two_merged(&mut fixture, 4, 10).await {
        // The contents' file follows, and is told by its operations' file once that is there.
        fixture.delete_file(number).await;
        fixture.delete_file(number + 1).await;
        assert_all_written(&fixture, 2).await;
        fixture.delete_file(number + 1).await;
        assert_all_written(&fixture, 1).await;
    }
}

#[tokio::test]
async fn both_of_two_files_of_the_same_time_come_back() {
    let mut fixture = Fixture::empty().await;
    two_merged(&mut fixture, 6, 10).await;
    std::fs::remove_dir_all(fixture.lake()).unwrap();
    assert_all_written(&fixture, 4).await;
}

#[tokio::test]
async fn a_file_beside_a_damaged_one_comes_back_and_the_damaged_one_is_left_as_it_is() {
    let mut fixture = Fixture::empty().await;
    let [damaged, lost] = two_merged(&mut fixture, 4, 10).await;
    std::fs::write(fixture.file(damaged).await, b"no longer Parquet").unwrap();
    fixture.delete_file(lost).await;
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (1, 1), "{outcome:?}");
    assert!(reasons(&outcome)[0].starts_with("it has 17 bytes"), "{outcome:?}");
    assert_eq!(std::fs::read(fixture.file(damaged).await).unwrap(), b"no longer Parquet");
    assert_eq!(found(&fixture.verify().await, "files").len(), 1);
}

#[tokio::test]
async fn rows_of_a_file_that_was_given_up_are_not_taken_for_those_of_a_merged_one() {
    let mut fixture = Fixture::empty().await;
    let given_up = fixture.commit(0, (0..10).map(|n| operation(0, n, (n % 2) * MINUTE_MS)).collect(), &[]).await;
    let give_up = "update lake_files set removed_at_ms = 1 where file_number = $1 or operations_file = $1";
    fixture.run(give_up, &[given_up.into()]).await;
    fixture.run("insert into given_up_files (file_number, given_up_at_ms) values ($1, 1)", &[given_up.into()]).await;
    let operations: Vec<TestOperation> = (10..20).map(|n| operation(0, n, (n % 4 - 1) * MINUTE_MS)).collect();
    let input = fixture.commit(0, operations.clone(), &[]).await;
    let merged = fixture.merge(&[input], &operations).await;
    fixture.delete_file(merged).await;
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (1, 0), "{outcome:?}");
}

#[tokio::test]
async fn files_that_cannot_be_told_apart_name_each_other_and_one_copy_brings_back_both() {
    let mut fixture = Fixture::empty().await;
    let [one, other] = two_merged(&mut fixture, 44, 1).await;
    let paths = [fixture.file(one).await, fixture.file(other).await];
    let copy = std::fs::read(&paths[0]).unwrap();
    for path in &paths {
        std::fs::remove_file(path).unwrap();
    }
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (0, 2), "{outcome:?}");
    for (reason, rival) in reasons(&outcome).iter().zip([&paths[1], &paths[0]]) {
        let rival = rival.file_name().unwrap().to_str().unwrap();
        assert!(reason.contains(rival) && !reason.contains("give-up"), "{reason}");
    }
    std::fs::write(&paths[0], copy).unwrap();
    assert_all_written(&fixture, 1).await;
}

#[tokio::test]
async fn a_merged_file_without_its_rows_is_named_to_be_given_up_and_one_with_changed_rows_is_not() {
    let mut fixture = Fixture::empty().await;
    let [one, other] = two_merged(&mut fixture, 4, 10).await;
    fixture.delete_file(one).await;
    fixture.run("update operations set output_tokens = 7 where source_offset = 3", &[]).await;
    let outcome = restored(&fixture).await;
    let changed = reasons(&outcome)[0];
    assert!(changed.contains("output_tokens") && !changed.contains("give-up"), "{changed}");
    // Rows enough lie between its ends, although they are the other's: nothing that would lose rows is advised.
    fixture.delete_file(other).await;
    fixture.run("delete from operations where source_offset = 3", &[]).await;
    let outcome = restored(&fixture).await;
    assert_eq!((outcome.written.len(), outcome.missing.len()), (1, 1), "{outcome:?}");
    assert!(!reasons(&outcome)[0].contains("give-up"), "{outcome:?}");
    fixture.run("delete from operations where source_offset > 3", &[]).await;
    let outcome = restored(&fixture).await;
    let [gone] = reasons(&outcome)[..] else { panic!("{outcome:?}") };
    assert!(gone.contains("3 of its 20 rows") && gone.contains(&format!("--give-up-file {one}")), "{gone}");
}

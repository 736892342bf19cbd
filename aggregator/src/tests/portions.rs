//! A file of many windows is added in portions.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Engine;

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::Station;
use super::{MINUTE, NOON, at};
use crate::add_files::AddFilesError;
use crate::commit::CommitError;
use crate::windower::TurnError;

/// One operation in each of these many minutes before noon.
fn minutes(count: i64) -> Vec<TestOperation> {
    (0..count).map(|minute| TestOperation::at(NOON - minute * MINUTE)).collect()
}

async fn progress(station: &Station, number: i64) -> Option<i64> {
    let sql = "select before_ms as n from window_progress where generation = 1 and file_number = $1";
    let row = station.database.fetch_optional(sql, &[number.into()]).await.unwrap();
    row.map(|row| row.int("n").unwrap())
}

#[tokio::test]
async fn between_two_portions_windows_hold_exactly_what_lies_before() {
    Station::each(async |station| {
        // More windows than one transaction takes.
        let operations = minutes(500);
        let number = station.commit(&operations).await;
        let mut windower = station.windower();
        let mut portions = 0;
        while progress(station, number).await.is_none() || portions == 0 {
            assert!(windower.turn(at(NOON)).await.unwrap().more);
            portions += 1;
        }
        let before = progress(station, number).await.unwrap();
        assert_eq!(UtcMillis::from_millis(before).millis() % (60 * MINUTE), 0, "cut at the start of an hour");
        let so_far: Vec<_> = operations.iter().filter(|operation| operation.time_ms < before).cloned().collect();
        assert!(!so_far.is_empty());
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&so_far, 0));
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_offsets").await, 0, "a part is not complete");

        // Another takes over between two portions, and a file with a lower place in time comes in between.
        station.commit(&[TestOperation::at(NOON - 5 * MINUTE), TestOperation::at(NOON - 499 * MINUTE)]).await;
        let mut successor = station.windower();
        station.settle(&mut successor).await;
        assert!(matches!(windower.turn(at(NOON)).await, Err(TurnError::Replaced { .. })));
        let more = [TestOperation::at(NOON - 5 * MINUTE), TestOperation::at(NOON - 499 * MINUTE)];
        let all = [operations.as_slice(), &more].concat();
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&all, 0));
        assert_eq!(station.int("select count(*) as n from window_progress").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 2);
        assert_eq!(station.int("select max(next_offset) as n from windowed_offsets").await, 502);
    })
    .await;
}

#[tokio::test]
async fn a_part_that_was_added_outside_the_aggregator_is_noticed() {
    let mut station = Station::on_sqlite().await;
    assert_eq!(station.database.engine(), Engine::Sqlite);
    let number = station.commit(&minutes(300)).await;
    let mut windower = station.windower();
    windower.turn(at(NOON)).await.unwrap();
    let before = progress(&station, number).await.unwrap();
    station.execute("update window_progress set before_ms = before_ms + 60000", &[]).await;
    let stale = windower.turn(at(NOON)).await;
    assert!(matches!(
        stale,
        Err(TurnError::Add(AddFilesError::Commit(CommitError::OtherProgress { file_number }))) if file_number == number
    ));
    station.execute("update window_progress set before_ms = $1", &[before.into()]).await;
    station.settle(&mut windower).await;
    assert_eq!(stored_windows(&station.database, 1).await, windows_of(&minutes(300), 0));
}

#[tokio::test]
async fn a_rebuild_in_portions_gives_the_same_windows() {
    let mut station = Station::on_sqlite().await;
    station.commit(&minutes(300)).await;
    let mut windower = station.windower();
    station.settle(&mut windower).await;
    crate::rebuild::ask(&station.database).await.unwrap();
    station.settle(&mut windower).await;
    assert_eq!(station.int("select value as n from settings where name = 'window_generation'").await, 2);
    assert_eq!(stored_windows(&station.database, 2).await, windows_of(&minutes(300), 0));
    assert_eq!(station.int("select count(*) as n from window_progress").await, 0);
}

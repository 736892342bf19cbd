//! Files that are lost for good, and rebuilds that are called off.

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::Station;
use super::{NOON, at};
use crate::expire::delete_other_generations;
use crate::give_up::{GiveUpError, GivenUp, give_up_file};
use crate::rebuild::{abandon_rebuild, ask};
use crate::settings::WindowSettings;
use crate::windower::TurnError;

const GENERATION: &str = "select value as n from settings where name = 'window_generation'";

#[tokio::test]
async fn windows_are_complete_again_once_a_lost_file_is_given_up() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let operation = TestOperation::at(NOON);
        let lost = station.commit(std::slice::from_ref(&operation)).await;
        std::fs::remove_file(station.file(lost).await).unwrap();
        station.commit(std::slice::from_ref(&operation)).await;
        station.settle(&mut windower).await;
        assert_eq!(windower.failed_files(), 1);
        let reached = "select coalesce(max(next_offset), 0) as n from windowed_offsets";
        assert_eq!(station.int(reached).await, 0);

        let given_up = give_up_file(&station.database, lost).await.unwrap();
        assert_eq!(given_up, GivenUp { operations: 1, is_in_windows: false });
        assert!(matches!(give_up_file(&station.database, lost).await, Err(GiveUpError::Unlisted { .. })));
        // It notices when it writes again, at the latest to renew the lease.
        station.commit(std::slice::from_ref(&operation)).await;
        assert!(matches!(windower.turn(at(NOON)).await, Err(TurnError::Replaced { .. })));
        station.settle(&mut windower).await;
        assert_eq!(windower.failed_files(), 0);
        assert_eq!(station.int(reached).await, 3);
        let two = [operation.clone(), operation];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&two, 0));
        assert_eq!(station.int("select file_number as n from given_up_files").await, lost);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_taken_out_of_the_manifest_holds_nothing_up_without_a_restart() {
    let mut station = Station::on_sqlite().await;
    let mut windower = station.windower();
    let lost = station.commit(&[TestOperation::at(NOON)]).await;
    std::fs::remove_file(station.file(lost).await).unwrap();
    station.commit(&[TestOperation::at(NOON)]).await;
    station.settle(&mut windower).await;
    station.execute("update lake_files set removed_at_ms = 1 where file_number = $1", &[lost.into()]).await;
    windower.try_failed_files_now();
    station.settle(&mut windower).await;
    assert_eq!(windower.failed_files(), 0);
    assert_eq!(station.int("select max(next_offset) as n from windowed_offsets").await, 2);
}

#[tokio::test]
async fn a_rebuild_takes_over_without_a_file_that_is_given_up() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let operation = TestOperation::at(NOON);
        let lost = station.commit(std::slice::from_ref(&operation)).await;
        station.commit(std::slice::from_ref(&operation)).await;
        station.settle(&mut windower).await;
        std::fs::remove_file(station.file(lost).await).unwrap();
        ask(&station.database).await.unwrap();
        for _ in 0..5 {
            windower.turn(at(NOON)).await.unwrap();
        }
        assert_eq!(station.int(GENERATION).await, 1);
        assert!(give_up_file(&station.database, lost).await.unwrap().is_in_windows);
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        assert_eq!(station.int(GENERATION).await, 2);
        assert_eq!(stored_windows(&station.database, 2).await, windows_of(&[operation], 0));
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_that_is_called_off_leaves_nothing_and_the_next_begins_anew() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let operation = TestOperation::at(NOON);
        let [first, lost] = [
            station.commit(std::slice::from_ref(&operation)).await,
            station.commit(std::slice::from_ref(&operation)).await,
        ];
        station.settle(&mut windower).await;
        let (file, away) = (station.file(lost).await, station.file(first).await.with_extension("away"));
        std::fs::rename(&file, &away).unwrap();
        assert_eq!(ask(&station.database).await.unwrap(), 2);
        for _ in 0..5 {
            windower.turn(at(NOON)).await.unwrap();
        }
        assert_eq!(station.int("select count(*) as n from windows where generation = 2").await, 28);
        assert_eq!(abandon_rebuild(&station.database).await.unwrap(), Some(2));
        assert_eq!(abandon_rebuild(&station.database).await.unwrap(), None);
        std::fs::rename(&away, &file).unwrap();

        assert_eq!(ask(&station.database).await.unwrap(), 3);
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        assert_eq!(station.int(GENERATION).await, 3);
        assert_eq!(stored_windows(&station.database, 3).await, windows_of(&[operation.clone(), operation], 0));
        let settings = WindowSettings::read(&station.database).await.unwrap();
        let fence = windower.fence().unwrap();
        while delete_other_generations(&station.database, fence, settings).await.unwrap() {}
        assert_eq!(station.int("select count(*) as n from windows where generation < 3").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files where generation < 3").await, 0);
        assert_eq!(station.int("select count(*) as n from window_tombstones").await, 0);
    })
    .await;
}

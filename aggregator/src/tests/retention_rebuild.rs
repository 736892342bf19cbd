//! A rebuild copies what files cannot give any more, and nothing twice.

use opstream_schemas::time::DAY_MILLIS;

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::retention::{days_ago, take_everything};
use super::station::Station;
use super::{MINUTE, NOON, at};
use crate::rebuild::ask;

const GENERATION: &str = "select value as n from settings where name = 'window_generation'";

/// Operations of the dropped days, of a file on both sides of the floor, and of the days that are kept.
fn batches() -> Vec<Vec<TestOperation>> {
    let mut by_agent: Vec<TestOperation> = (0..40).map(|_| days_ago(2)).collect();
    for (number, operation) in (0..).zip(&mut by_agent) {
        operation.time_ms += number * MINUTE;
        operation.dimensions.agent_id = Some(format!("agent-{}", number % 7));
        operation.latency_us = Some(1000 * number);
    }
    let mut straddling = vec![days_ago(2), days_ago(1)];
    // The last millisecond of what is dropped, and the first of what is kept.
    straddling.push(TestOperation::at(super::retention::YESTERDAY - 1));
    straddling.push(TestOperation::at(super::retention::YESTERDAY));
    vec![vec![days_ago(9), days_ago(3)], by_agent, straddling, vec![days_ago(0), days_ago(1)]]
}

#[tokio::test]
async fn windows_whose_files_are_gone_come_out_of_a_rebuild_the_same() {
    Station::each(async |station| {
        let mut windower = station.windower();
        for operations in batches() {
            station.commit_with_rows(&operations).await;
        }
        station.settle(&mut windower).await;
        let windows = stored_windows(&station.database, 1).await;
        take_everything(station, &windower, NOON).await;
        take_everything(station, &windower, NOON + 60 * MINUTE).await;
        assert_eq!(station.int("select count(*) as n from lake_files").await, 2);

        ask(&station.database).await.unwrap();
        // Every turn is another process.
        for _ in 0..200 {
            station.windower().turn(at(NOON)).await.unwrap();
        }
        assert_eq!(station.int(GENERATION).await, 2);
        assert_eq!(stored_windows(&station.database, 2).await, windows);

        // It goes on with the copied windows.
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let mut all: Vec<TestOperation> = batches().into_iter().flatten().collect();
        all.push(days_ago(0));
        let minute_floor = NOON - 7 * DAY_MILLIS;
        assert_eq!(stored_windows(&station.database, 2).await, windows_of(&all, minute_floor));
    })
    .await;
}

#[tokio::test]
async fn the_copy_waits_for_operations_that_came_just_before_the_floor_moved() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit_with_rows(&[days_ago(3)]).await;
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let late = station.commit_with_rows(&[days_ago(3), days_ago(1)]).await;
        let file = station.file(late).await;
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        station.settle(&mut windower).await;
        take_everything(station, &windower, NOON).await;
        ask(&station.database).await.unwrap();
        for _ in 0..5 {
            station.windower().turn(at(NOON)).await.unwrap();
        }
        assert_eq!(station.int(GENERATION).await, 1);
        assert_eq!(station.int("select count(*) as n from windows where generation = 2").await, 0);

        std::fs::write(&file, bytes).unwrap();
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        assert_eq!(station.int(GENERATION).await, 2);
        let all = [days_ago(3), days_ago(0), days_ago(3), days_ago(1)];
        assert_eq!(stored_windows(&station.database, 2).await, windows_of(&all, 0));
    })
    .await;
}

//! A rebuild gives the same windows.

use opstream_schemas::window::KEPT_COMBINATIONS;

use super::oracle::{TestOperation, stored_windows};
use super::station::Station;
use super::{MINUTE, NOON};
use crate::rebuild::ask;

fn by_agent(agent: usize, minute: i64) -> TestOperation {
    let mut operation = TestOperation::at(NOON + minute * MINUTE);
    operation.dimensions.agent_id = Some(format!("agent-{agent}"));
    operation.latency_us = i64::try_from(agent).ok();
    operation
}

#[tokio::test]
async fn a_rebuild_gives_identical_windows_beyond_the_limit_too() {
    Station::each(async |station| {
        let mut windower = station.windower();
        // The file with the higher number is windowed first, so that another order would keep other combinations.
        let low = station.commit(&(1500..3000).map(|agent| by_agent(agent, 0)).collect::<Vec<_>>()).await;
        station.execute("update lake_files set removed_at_ms = 1 where file_number = $1", &[low.into()]).await;
        station.commit(&(0..1500).map(|agent| by_agent(agent, 1)).collect::<Vec<_>>()).await;
        station.settle(&mut windower).await;
        station.execute("update lake_files set removed_at_ms = null where file_number = $1", &[low.into()]).await;
        // The offsets were passed meanwhile; a new aggregator compares the whole manifest.
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        let before = stored_windows(&station.database, 1).await;
        assert!(before.len() > 2 * KEPT_COMBINATIONS);

        assert_eq!(ask(&station.database).await.unwrap(), 2);
        assert_eq!(ask(&station.database).await.unwrap(), 2, "asking twice is one rebuild");
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        assert_eq!(station.int("select value as n from settings where name = 'window_generation'").await, 2);
        assert_eq!(station.int("select value as n from settings where name = 'window_rebuild'").await, 0);
        assert_eq!(stored_windows(&station.database, 2).await, before);
        assert_eq!(station.int("select count(*) as n from windowed_files where generation = 2").await, 2);
    })
    .await;
}

#[tokio::test]
async fn files_that_arrive_during_a_rebuild_are_in_both_generations() {
    Station::each(async |station| {
        let mut windower = station.windower();
        for agent in 0..5 {
            station.commit(&[by_agent(agent, 0)]).await;
        }
        station.settle(&mut windower).await;
        ask(&station.database).await.unwrap();
        station.commit(&[by_agent(7, 3), by_agent(0, 0)]).await;
        windower.turn(super::at(NOON)).await.unwrap();
        station.commit(&[by_agent(8, 3)]).await;
        station.settle(&mut windower).await;
        assert_eq!(station.int("select value as n from settings where name = 'window_generation'").await, 2);
        assert_eq!(stored_windows(&station.database, 2).await, stored_windows(&station.database, 1).await);
        // The new generation goes on.
        station.commit(&[by_agent(8, 3)]).await;
        station.settle(&mut windower).await;
        let (new, old) = (stored_windows(&station.database, 2).await, stored_windows(&station.database, 1).await);
        assert_eq!(new.len(), old.len());
        assert_ne!(new, old);
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_waits_for_a_file_that_cannot_be_read() {
    let mut station = Station::on_sqlite().await;
    let mut windower = station.windower();
    let number = station.commit(&[by_agent(1, 0)]).await;
    station.settle(&mut windower).await;
    let file = station.file(number).await;
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    ask(&station.database).await.unwrap();
    for _ in 0..5 {
        windower.turn(super::at(NOON)).await.unwrap();
    }
    assert_eq!(station.int("select value as n from settings where name = 'window_generation'").await, 1);
    std::fs::write(&file, kept).unwrap();
    let mut windower = station.windower();
    station.settle(&mut windower).await;
    assert_eq!(stored_windows(&station.database, 2).await, stored_windows(&station.database, 1).await);
}

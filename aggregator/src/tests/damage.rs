//! Files and tables that are damaged.

use super::NOON;
use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::Station;
use crate::windower::TurnError;

#[tokio::test]
async fn a_file_that_cannot_be_read_stops_no_other_and_is_never_marked() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let operation = TestOperation::at(NOON);
        let [missing, truncated, scribbled, exchanged] = [
            station.commit(std::slice::from_ref(&operation)).await,
            station.commit(std::slice::from_ref(&operation)).await,
            station.commit(std::slice::from_ref(&operation)).await,
            station.commit(std::slice::from_ref(&operation)).await,
        ];
        station.commit(&[operation.clone(), operation.clone()]).await;
        let file = station.file(missing).await;
        let kept = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(station.file(truncated).await, &kept[..kept.len() / 2]).unwrap();
        let scribbles: Vec<u8> =
            kept.iter().enumerate().map(|(i, byte)| if i % 7 == 3 { byte ^ 0x5a } else { *byte }).collect();
        std::fs::write(station.file(scribbled).await, scribbles).unwrap();
        station.execute("update lake_files set rows = 2 where file_number = $1", &[exchanged.into()]).await;
        station.settle(&mut windower).await;
        let two = [operation.clone(), operation.clone()];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&two, 0));
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 1);
        assert_eq!(
            station.int("select count(*) as n from windowed_offsets").await,
            0,
            "completeness waits for the first file"
        );

        // Restored, they are windowed by the next aggregator; this one waits a little first.
        for number in [missing, truncated, scribbled] {
            std::fs::write(station.file(number).await, &kept).unwrap();
        }
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        let five = vec![operation; 5];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&five, 0));
    })
    .await;
}

#[tokio::test]
async fn a_manifest_path_outside_the_lake_is_not_opened() {
    let mut station = Station::on_sqlite().await;
    let mut windower = station.windower();
    let number = station.commit(&[TestOperation::at(NOON)]).await;
    station.execute("update lake_files set path = '../opstream.db' where file_number = $1", &[number.into()]).await;
    assert_eq!(station.settle(&mut windower).await, 0);
    assert!(stored_windows(&station.database, 1).await.is_empty());
}

#[tokio::test]
async fn a_window_that_somebody_else_changed_is_read_again_and_not_overwritten() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.execute("update windows set operations = operations + 100, revision = revision + 1", &[]).await;
        station.commit(&[TestOperation::at(NOON)]).await;
        assert!(matches!(windower.turn(super::at(NOON)).await, Err(TurnError::Add(_))));
        station.settle(&mut windower).await;
        let stored = stored_windows(&station.database, 1).await;
        assert!(stored.values().all(|(sums, _, _)| sums.operations == 102), "{stored:?}");
    })
    .await;
}

#[tokio::test]
async fn a_damaged_sketch_stops_windowing_with_the_way_out_and_a_rebuild_repairs_it() {
    let mut station = Station::on_sqlite().await;
    let mut windower = station.windower();
    station.commit(&[TestOperation::at(NOON)]).await;
    station.settle(&mut windower).await;
    station.execute("update windows set latency_sketch = x'0105', operations = 77", &[]).await;
    station.commit(&[TestOperation::at(NOON)]).await;
    let mut windower = station.windower();
    let error = anyhow::Error::from(windower.turn(super::at(NOON)).await.unwrap_err());
    assert!(format!("{error:#}").contains("rebuild the windows"), "{error:#}");

    crate::rebuild::ask(&station.database).await.unwrap();
    for _ in 0..20 {
        // The damaged generation goes on failing until the new one takes over.
        windower.turn(super::at(NOON)).await.ok();
    }
    assert_eq!(station.int("select value as n from settings where name = 'window_generation'").await, 2);
    let two = [TestOperation::at(NOON), TestOperation::at(NOON)];
    assert_eq!(stored_windows(&station.database, 2).await, windows_of(&two, 0));
}

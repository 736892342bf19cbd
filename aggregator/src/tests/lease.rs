//! One aggregator is active, and a replaced one writes nothing more.

use std::time::Instant;

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::{FIRST_FENCE, SECOND_FENCE, Station};
use super::{NOON, at};
use crate::config::LeaseStart;
use crate::lease::RENEW_AFTER;
use crate::tenure::Tenure;
use crate::windower::{Turn, TurnError, Windower};

fn standby(station: &Station) -> Windower {
    Windower::new(station.database.clone(), station.lake(), "standby".to_owned(), LeaseStart::AfterExpiry)
}

#[tokio::test]
async fn a_standby_waits_until_the_lease_is_given_back_or_expires() {
    Station::each(async |station| {
        let (mut active, mut standby) = (station.windower(), standby(station));
        station.commit(&[TestOperation::at(NOON)]).await;
        assert_eq!(active.turn(at(NOON)).await.unwrap().fence, Some(FIRST_FENCE));
        assert_eq!(standby.turn(at(NOON)).await.unwrap(), Turn::default());
        crate::lease::release(&station.database, FIRST_FENCE).await.unwrap();
        assert_eq!(standby.turn(at(NOON)).await.unwrap().fence, Some(SECOND_FENCE));
    })
    .await;
}

#[tokio::test]
async fn a_turn_of_many_files_keeps_the_lease() {
    let station = Station::on_sqlite().await;
    let fence = crate::lease::acquire(&station.database, "test", LeaseStart::AtOnce).await.unwrap().unwrap();
    let mut tenure = Tenure::new(fence);
    station.execute("update aggregator_lease set expires_at_ms = 1", &[]).await;
    tenure.keep_lease(&station.database).await.unwrap();
    let expiry = "select expires_at_ms as n from aggregator_lease";
    assert_eq!(station.int(expiry).await, 1, "not at every file");
    tenure.wrote(Instant::now().checked_sub(RENEW_AFTER * 2).unwrap());
    tenure.keep_lease(&station.database).await.unwrap();
    assert!(station.int(expiry).await > 1);
}

#[tokio::test]
async fn a_replaced_aggregator_writes_nothing_and_stands_by() {
    Station::each(async |station| {
        let (mut old, mut new) = (station.windower(), standby(station));
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut old).await;
        station.execute("update aggregator_lease set expires_at_ms = 0", &[]).await;
        assert_eq!(new.turn(at(NOON)).await.unwrap().fence, Some(SECOND_FENCE));

        // The old one does not know yet, and remembers the windows as they were before this file.
        station.commit(&[TestOperation::at(NOON), TestOperation::at(NOON)]).await;
        assert!(matches!(old.turn(at(NOON)).await, Err(TurnError::Replaced { fence: FIRST_FENCE })));
        assert_eq!(old.fence(), None);
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 1);
        station.settle(&mut new).await;
        assert_eq!(old.turn(at(NOON)).await.unwrap(), Turn::default(), "it now waits for the lease");
        let three = vec![TestOperation::at(NOON); 3];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&three, 0));
        assert_eq!(station.int("select min(fence) as n from windows").await, SECOND_FENCE.0);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_failed_and_was_windowed_by_another_holder_stops_nothing() {
    Station::each(async |station| {
        let (mut first, mut second) = (station.windower(), standby(station));
        let number = station.commit(&[TestOperation::at(NOON)]).await;
        let file = station.file(number).await;
        let away = file.with_extension("away");
        std::fs::rename(&file, &away).unwrap();
        station.settle(&mut first).await;
        std::fs::rename(&away, &file).unwrap();
        crate::lease::release(&station.database, FIRST_FENCE).await.unwrap();
        assert_eq!(station.settle(&mut second).await, 1);

        crate::lease::release(&station.database, SECOND_FENCE).await.unwrap();
        station.commit(&[TestOperation::at(NOON)]).await;
        assert!(matches!(first.turn(at(NOON)).await, Err(TurnError::Replaced { .. })));
        assert_eq!(station.settle(&mut first).await, 1);
        let two = vec![TestOperation::at(NOON); 2];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&two, 0));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_went_back_to_a_copy_repeats_no_fence() {
    Station::each(async |station| {
        let acquire =
            async || crate::lease::acquire(&station.database, "test", LeaseStart::AtOnce).await.unwrap().unwrap();
        station.execute("update aggregator_lease set fence = 4", &[]).await;
        let (first, second) = (acquire().await, acquire().await);
        assert!(first < second);
        // A restore takes longer than a millisecond.
        while crate::lease::database_now(&station.database).await.unwrap().millis() <= second.0 {}
        station.execute("update aggregator_lease set fence = 4", &[]).await;
        assert!(acquire().await > second);
    })
    .await;
}

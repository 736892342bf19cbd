//! Where the floor goes, and where it does not.

use opstream_schemas::time::DAY_MILLIS;

use super::counters::Counters;
use super::{FLOOR, NOON, Station, YESTERDAY, at, days_ago, take_all};
use crate::rebuild::{abandon_rebuild, ask};
use crate::retention::{KeepDays, Retention, Step, preview};

const NEVER_MOVED: i64 = 1_420_070_400_000;

#[tokio::test]
async fn the_floor_never_goes_back_and_stays_where_it_is_without_a_number_of_days() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        let fence = windower.fence().unwrap();
        let advance = async |station: &Station, days, now| {
            let mut retention = Retention::new(station.database.clone(), KeepDays::new(days));
            retention.take(Step::AdvanceFloor, fence, at(now)).await.unwrap();
            station.int(FLOOR).await
        };
        assert_eq!(advance(station, 1, NOON).await, NEVER_MOVED, "nothing was ever stored");
        station.commit(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        assert_eq!(advance(station, 0, NOON).await, NEVER_MOVED);
        assert_eq!(advance(station, 1, NOON).await, YESTERDAY);
        assert_eq!(advance(station, 30, NOON).await, YESTERDAY);
        assert_eq!(advance(station, 1, NOON - 5 * DAY_MILLIS).await, YESTERDAY);
        assert_eq!(advance(station, 1, NOON + 4 * 365 * DAY_MILLIS).await, YESTERDAY, "the clock is ahead");
    })
    .await;
}

#[tokio::test]
async fn the_floor_stands_still_while_windows_are_rebuilt() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let fence = windower.fence().unwrap();
        ask(&station.database).await.unwrap();
        take_all(station, Step::AdvanceFloor, fence, NOON).await;
        assert_eq!(station.int(FLOOR).await, NEVER_MOVED);
        abandon_rebuild(&station.database).await.unwrap();
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        take_all(station, Step::AdvanceFloor, windower.fence().unwrap(), NOON).await;
        assert_eq!(station.int(FLOOR).await, YESTERDAY);
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_would_go_and_drops_nothing() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let days = KeepDays::new(2).unwrap();
        assert_eq!(preview(&station.database, days).await.unwrap().next_floor, None);
        // The newest operation is of the tests' clock, which is behind the database's: the days are counted from there.
        station.commit_with_rows(&[days_ago(4), days_ago(3)]).await;
        station.commit_with_rows(&[days_ago(3), days_ago(1)]).await;
        station.commit_with_rows(&[days_ago(0)]).await;
        station.settle(&mut windower).await;
        let seen = preview(&station.database, days).await.unwrap();
        assert_eq!(seen.floor.millis(), NEVER_MOVED);
        assert_eq!(seen.next_floor.unwrap().millis(), YESTERDAY - DAY_MILLIS);
        assert_eq!(seen.oldest.unwrap().millis(), NOON - 4 * DAY_MILLIS);
        assert_eq!(
            (seen.files, seen.operations, seen.straddling_files),
            (1, 3, 1),
            "a row of the straddling file goes"
        );
        assert_eq!(station.int(FLOOR).await, NEVER_MOVED);

        let counters = Counters::default();
        let recording = metrics::set_default_local_recorder(&counters);
        let mut retention = Retention::new(station.database.clone(), Some(days));
        for step in Step::ALL {
            while retention.take(step, windower.fence().unwrap(), at(NOON)).await.unwrap() {}
        }
        drop(recording);
        assert_eq!(counters.value("opstream_retention_removed_operations_total"), 3);
        let seen = preview(&station.database, days).await.unwrap();
        assert_eq!((seen.operations, seen.oldest.unwrap().millis()), (0, NOON - DAY_MILLIS), "of a row that is there");
    })
    .await;
}

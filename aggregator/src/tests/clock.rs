//! What a wrong clock does, and how it is made good.

use opstream_schemas::database::Value;

use super::oracle::{TestOperation, stored_windows, windows_of};
use super::station::{FIRST_FENCE, Station};
use super::{MINUTE, NOON, at};
use crate::expire::thin_marks;

const FLOOR: &str = "select value as n from settings where name = 'window_minute_floor_ms'";
const YEAR: i64 = 365 * 1440 * MINUTE;

#[tokio::test]
async fn a_clock_that_is_ahead_refuses_no_minutes_of_the_present() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.settle_at(&mut windower, at(NOON + 4 * YEAR)).await;
        assert_eq!(station.int(FLOOR).await, NOON - 6 * 1440 * MINUTE);
        station.commit(&[TestOperation::at(NOON + MINUTE)]).await;
        station.settle(&mut windower).await;
        let both = [TestOperation::at(NOON), TestOperation::at(NOON + MINUTE)];
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&both, 0));
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_makes_the_minutes_again_that_a_wrong_clock_refused() {
    Station::each(async |station| {
        let now = crate::lease::database_now(&station.database).await.unwrap().millis();
        let (operation, ahead) = (TestOperation::at(now), TestOperation::at(now + 4 * YEAR));
        let mut windower = station.windower();
        station.commit(std::slice::from_ref(&ahead)).await;
        station.settle_at(&mut windower, at(now + 4 * YEAR)).await;
        station.settle_at(&mut windower, at(now + 4 * YEAR)).await;
        station.commit(std::slice::from_ref(&operation)).await;
        station.settle_at(&mut windower, at(now)).await;
        assert!(station.int(FLOOR).await > now + 3 * YEAR);
        let minutes =
            "select count(*) as n from windows where level = 0 and generation = (select max(generation) from windows)";
        assert_eq!(station.int(minutes).await, 7);

        crate::rebuild::ask(&station.database).await.unwrap();
        station.settle_at(&mut windower, at(now)).await;
        assert!(station.int(FLOOR).await <= now - 6 * 1440 * MINUTE);
        assert_eq!(station.int(minutes).await, 14);
        assert_eq!(stored_windows(&station.database, 2).await, windows_of(&[operation, ahead], 0));
    })
    .await;
}

#[tokio::test]
async fn marks_of_completeness_are_thinned_while_windows_stand_still() {
    Station::each(async |station| {
        let mut windower = station.windower();
        station.settle(&mut windower).await;
        let now = crate::lease::database_now(&station.database).await.unwrap().millis();
        let hour = now - now % (60 * MINUTE);
        let insert = "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, $1, $2, 9)";
        let mut expected = Vec::new();
        for partition in 0..2_i64 {
            // Two days ago one per hour stays, two hours ago one per minute, now all: always the youngest.
            for at in [hour - 2 * 1440 * MINUTE, hour - 120 * MINUTE, now - MINUTE] {
                for (second, stays) in [(1, false), (5, at != hour - 2 * 1440 * MINUTE), (70, true)] {
                    let stays = stays || at == now - MINUTE;
                    let mark: [Value; 2] = [partition.into(), (at + second * 1000).into()];
                    station.execute(insert, &mark).await;
                    if stays {
                        expected.push((partition, at + second * 1000));
                    }
                }
            }
        }
        thin_marks(&station.database, FIRST_FENCE).await.unwrap();
        let left = "select cast(partition as bigint) as partition, observed_at_ms from watermarks order by partition, observed_at_ms";
        let left = station.database.fetch_all(left, &[]).await.unwrap();
        let left: Vec<(i64, i64)> =
            left.iter().map(|row| (row.int("partition").unwrap(), row.int("observed_at_ms").unwrap())).collect();
        assert_eq!(left, expected);
    })
    .await;
}

//! What is bounded: combinations, numbers, and how long minutes are kept.

use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{DimensionSet, Dimensions, KEPT_COMBINATIONS, OTHER, WindowSums};

use super::oracle::{TestOperation, Windows, stored_windows, windows_of};
use super::station::Station;
use super::{MINUTE, NOON};

fn by_agent(agent: usize, time_ms: i64) -> TestOperation {
    let mut operation = TestOperation::at(time_ms);
    operation.dimensions.agent_id = Some(format!("agent-{agent:05}"));
    operation
}

fn total(windows: &Windows, set: DimensionSet, level: &str) -> WindowSums {
    let of_set =
        windows.iter().filter(|((key, of, _), _)| key.starts_with(&format!("[\"{}\"", set.name())) && *of == level);
    of_set.fold(WindowSums::default(), |sum, (_, (sums, _, _))| sum.checked_add(sums).unwrap())
}

#[tokio::test]
async fn the_combination_after_the_last_goes_to_other_and_totals_stay_exact() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let first: Vec<_> = (0..KEPT_COMBINATIONS).map(|agent| by_agent(agent, NOON)).collect();
        station.commit(&first).await;
        station.settle(&mut windower).await;
        // Known again, one too many in another minute of the hour, and the same one in the next hour, which has room.
        let more = [by_agent(7, NOON + MINUTE), by_agent(9999, NOON + MINUTE), by_agent(9999, NOON + 60 * MINUTE)];
        station.commit(&more).await;
        let mut windower = station.windower();
        station.settle(&mut windower).await;

        let stored = stored_windows(&station.database, 1).await;
        for set in DimensionSet::ALL {
            for level in ["minute", "quarter_hour", "hour", "day"] {
                let count = i64::try_from(KEPT_COMBINATIONS + 3).unwrap();
                let expected = WindowSums { operations: count, input_tokens: 10 * count, ..total(&stored, set, level) };
                assert_eq!(total(&stored, set, level), expected, "{} {level}", set.name());
            }
        }
        let other = Dimensions::other(DimensionSet::AgentAction, "w").key_text(DimensionSet::AgentAction);
        assert_eq!(stored[&(other.clone(), "hour", NOON)].0.operations, 1);
        assert!(!stored.contains_key(&(other, "hour", NOON + 60 * MINUTE)));
        let beyond =
            by_agent(9999, NOON).dimensions.kept_by(DimensionSet::AgentAction).key_text(DimensionSet::AgentAction);
        assert!(!stored.contains_key(&(beyond.clone(), "hour", NOON)));
        assert_eq!(stored[&(beyond.clone(), "hour", NOON + 60 * MINUTE)].0.operations, 1);
        assert_eq!(stored[&(beyond, "day", NOON - 720 * MINUTE)].0.operations, 1, "a day is the sum of its hours");
        // Agents do not take room in other sets.
        let operation_types =
            stored.keys().filter(|(key, level, _)| key.starts_with("[\"operation_type\"") && *level == "hour");
        assert_eq!(operation_types.count(), 2);
        assert!(stored.keys().any(|(key, _, _)| key.contains(OTHER)));
    })
    .await;
}

#[tokio::test]
async fn sums_beyond_64_bits_are_never_stored_wrong_and_hold_up_no_other_file() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let huge = |tokens| TestOperation { output_tokens: Some(tokens), ..TestOperation::at(NOON) };
        station.commit(&[huge(i64::MAX - 10)]).await;
        let overflowing = station.commit(&[huge(11)]).await;
        let within_one_file = station.commit(&[huge(i64::MAX), huge(i64::MAX)]).await;
        station.commit(&[huge(3)]).await;
        station.settle(&mut windower).await;
        let stored = stored_windows(&station.database, 1).await;
        assert_eq!(stored, windows_of(&[huge(i64::MAX - 10), huge(3)], 0));
        let waiting = "select file_number from lake_files where file_number not in (select file_number from windowed_files) order by 1";
        let waiting = station.database.fetch_all(waiting, &[]).await.unwrap();
        let waiting: Vec<i64> = waiting.iter().map(|row| row.int("file_number").unwrap()).collect();
        assert_eq!(waiting, [overflowing, within_one_file]);
    })
    .await;
}

#[tokio::test]
async fn negative_amounts_add_up_and_negative_durations_are_refused() {
    let mut station = Station::on_sqlite().await;
    let mut windower = station.windower();
    let refund = TestOperation { reported_cost: Some(-700), ..TestOperation::at(NOON) };
    station.commit(&[refund.clone(), TestOperation::at(NOON)]).await;
    station.commit(&[TestOperation { latency_us: Some(-1), ..TestOperation::at(NOON) }]).await;
    station.settle(&mut windower).await;
    assert_eq!(stored_windows(&station.database, 1).await, windows_of(&[refund, TestOperation::at(NOON)], 0));
}

#[tokio::test]
async fn minutes_older_than_seven_days_are_not_made_and_wider_windows_are() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let floor = NOON - 7 * 1440 * MINUTE;
        let operations = [TestOperation::at(floor - 1), TestOperation::at(floor), TestOperation::at(1_420_070_400_000)];
        station.commit(&operations).await;
        station.settle(&mut windower).await;
        assert_eq!(station.int("select value as n from settings where name = 'window_minute_floor_ms'").await, floor);
        let stored = stored_windows(&station.database, 1).await;
        assert_eq!(stored, windows_of(&operations, floor));
        assert_ne!(stored.values().next().unwrap().1, Sketch::default());
    })
    .await;
}

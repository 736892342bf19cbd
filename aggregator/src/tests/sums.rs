//! Windows are the sums of the operations, however these arrive.

use opstream_schemas::database::Engine;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::oracle::{TestOperation, operations, stored_windows, windows_of};
use super::station::Station;
use super::{MINUTE, NOON};

#[test]
fn windows_are_the_sums_of_the_operations_in_any_order_and_batching() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let batches = (operations(120), proptest::collection::vec((1_usize..40, any::<bool>()), 1..6));
    runner
        .run(&batches, |(operations, cuts)| {
            runtime.block_on(async {
                let mut station = Station::on_sqlite().await;
                let mut windower = station.windower();
                let mut rest = operations.as_slice();
                for (length, take_a_turn) in cuts {
                    let (batch, behind) = rest.split_at(length.min(rest.len()));
                    rest = behind;
                    if !batch.is_empty() {
                        station.commit(batch).await;
                    }
                    if take_a_turn {
                        station.settle(&mut windower).await;
                    }
                }
                if !rest.is_empty() {
                    station.commit(rest).await;
                }
                station.settle(&mut windower).await;
                let stored = stored_windows(&station.database, 1).await;
                prop_assert_eq!(stored, windows_of(&operations, 0));
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test]
async fn a_late_operation_adds_to_its_own_minute() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let early = TestOperation::at(NOON - 30 * MINUTE);
        let late = TestOperation { cost: None, success: false, ..early.clone() };
        station.commit(&[early.clone(), TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.commit(std::slice::from_ref(&late)).await;
        station.settle(&mut windower).await;
        let stored = stored_windows(&station.database, 1).await;
        assert_eq!(stored, windows_of(&[early, TestOperation::at(NOON), late], 0));
    })
    .await;
}

#[tokio::test]
async fn files_that_are_committed_in_reverse_order_of_their_numbers_are_both_windowed() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let (one, two) = ([TestOperation::at(NOON)], [TestOperation::at(NOON), TestOperation::at(NOON - MINUTE)]);
        station.settle(&mut windower).await;
        let (low, high) = match station.database.engine() {
            Engine::Postgres => {
                let mut slow = station.database.begin().await.unwrap();
                let low = station.insert(&mut slow, &one, (0, 0), None).await;
                let mut fast = station.database.begin().await.unwrap();
                let high = station.insert(&mut fast, &two, (1, 0), None).await;
                fast.commit().await.unwrap();
                assert_eq!(station.settle(&mut windower).await, 1);
                slow.commit().await.unwrap();
                (low, high)
            }
            // Its one writer numbers in the order of commits, so the numbers are given.
            Engine::Sqlite => {
                let mut fast = station.database.begin().await.unwrap();
                let high = station.insert(&mut fast, &two, (1, 0), Some(20)).await;
                fast.commit().await.unwrap();
                assert_eq!(station.settle(&mut windower).await, 1);
                let mut slow = station.database.begin().await.unwrap();
                let low = station.insert(&mut slow, &one, (0, 0), Some(10)).await;
                slow.commit().await.unwrap();
                (low, high)
            }
        };
        assert!(low < high);
        assert_eq!(station.settle(&mut windower).await, 1);
        let all = [one.as_slice(), two.as_slice()].concat();
        assert_eq!(stored_windows(&station.database, 1).await, windows_of(&all, 0));
    })
    .await;
}

#[tokio::test]
async fn offsets_follow_the_windows_and_pass_dead_letters() {
    Station::each(async |station| {
        let mut windower = station.windower();
        let reached = "select coalesce(max(next_offset), -1) as n from windowed_offsets";
        station.commit(&[TestOperation::at(NOON), TestOperation::at(NOON)]).await;
        assert_eq!(station.int(reached).await, -1);
        station.settle(&mut windower).await;
        assert_eq!(station.int(reached).await, 2);
        station
            .execute(
                "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, \
                 applied_at_ms) values (1, 0, 2, 7, 'batch', 0, 0, 5, 0, 0)",
                &[],
            )
            .await;
        station.execute("update stream_partitions set next_offset = 7 where partition = 0", &[]).await;
        station.settle(&mut windower).await;
        assert_eq!(station.int(reached).await, 7);
    })
    .await;
}

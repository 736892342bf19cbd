//! What is asked for, and when: one at a time, never of what cannot be priced, and not beside other work on the same files.

use std::collections::BTreeMap;

use opstream_schemas::lake::FileKind;
use opstream_schemas::prices::CostPolicy;
use tokio_util::sync::CancellationToken;

use super::super::asked::{AskError, RepricingRequest, ask, ask_undo};
use super::super::stored::list;
use super::till::{
    Call, HOUR, MINUTE, N, Till, after_noon, call, catalogue, first_prices, price_file, priced, repriced,
};
use crate::compaction::Compactor;
use crate::rebuild;
use crate::retention::{KeepDays, Retention, Step};
use crate::tests::{NOON, at};

const SPAN: (i64, i64) = (-HOUR, HOUR);

fn calls() -> Vec<Call> {
    (0..20).map(|n| call(NOON - HOUR + n * 5 * MINUTE, n)).collect()
}

#[tokio::test]
async fn one_at_a_time_and_what_is_under_way_can_be_called_back() {
    Till::each(async |till| {
        till.commit(&calls()[..10]).await;
        till.commit(&calls()[10..]).await;
        till.settle().await;
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let files = price_file("4", "5", N);
        let number = till.ask(SPAN, &files).await;
        let request = RepricingRequest {
            from: after_noon(0),
            to: after_noon(HOUR),
            price_version: "any".to_owned(),
            price_files: BTreeMap::new(),
            cost_policy: CostPolicy::Catalogue,
        };
        let refused = ask(&till.station.database, &request).await.unwrap_err();
        assert!(matches!(refused, AskError::UnderWay { number: other } if other == number), "{refused}");
        till.turn().await;
        assert_eq!(till.state(number).await, "running");
        ask_undo(&till.station.database, number).await.unwrap();
        till.settle().await;
        assert_eq!(till.state(number).await, "undone");
        till.assert_costs(&first).await;
        let unknown = ask_undo(&till.station.database, number + 1).await.unwrap_err();
        assert!(matches!(unknown, AskError::Unknown { .. }), "{unknown}");
    })
    .await;
}

#[tokio::test]
async fn prices_of_another_version_are_not_applied() {
    Till::each(async |till| {
        till.commit(&calls()).await;
        till.settle().await;
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let request = RepricingRequest {
            from: after_noon(-HOUR),
            to: after_noon(HOUR),
            price_version: "2020-01-01-00000000".to_owned(),
            price_files: first_prices(),
            cost_policy: CostPolicy::Catalogue,
        };
        let number = ask(&till.station.database, &request).await.unwrap();
        till.settle().await;
        assert_eq!(till.state(number).await, "failed");
        let listed = list(&till.station.database).await.unwrap();
        assert!(listed[0].failure.as_deref().unwrap().contains("2020-01-01-00000000"), "{listed:?}");
        till.assert_costs(&first).await;
        till.ask(SPAN, &first_prices()).await;
    })
    .await;
}

#[tokio::test]
async fn it_waits_for_windows_that_are_built_again() {
    Till::each(async |till| {
        till.commit(&calls()).await;
        till.settle().await;
        let files = price_file("4", "5", N);
        let number = till.ask(SPAN, &files).await;
        rebuild::ask(&till.station.database).await.unwrap();
        till.turn().await;
        assert_eq!(till.station.int("select changed as n from repricings").await, 0);
        till.settle().await;
        assert_eq!(till.state(number).await, "done");
        let generation = "select value as n from settings where name = 'window_generation'";
        assert_eq!(till.station.int(generation).await, 2);
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let expected = repriced(&first, &till.calls, (&catalogue(&files), number), SPAN);
        assert_eq!(till.live_rows().await, expected);
    })
    .await;
}

#[tokio::test]
async fn files_are_not_merged_meanwhile_and_merged_files_are_priced() {
    Till::each(async |till| {
        for calls in calls().chunks(2) {
            till.commit(calls).await;
        }
        let fence = till.settle().await;
        let mut compactor = Compactor::new(till.station.database.clone(), till.station.lake());
        let stop = CancellationToken::new();
        let files = price_file("4", "5", N);
        let number = till.ask(SPAN, &files).await;
        let tomorrow = at(NOON + 30 * HOUR);
        assert!(!compactor.step((fence, tomorrow), &stop).await.unwrap());
        till.settle().await;
        while compactor.step((fence, tomorrow), &stop).await.unwrap() {}
        let live = "select count(*) as n from lake_files where removed_at_ms is null";
        assert_eq!(till.station.int(live).await, 1);
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let second = repriced(&first, &till.calls, (&catalogue(&files), number), SPAN);
        till.assert_costs(&second).await;
        ask_undo(&till.station.database, number).await.unwrap();
        till.settle().await;
        till.assert_costs(&first).await;
    })
    .await;
}

#[tokio::test]
async fn files_that_were_stored_before_are_awaited_and_later_ones_are_left() {
    Till::each(async |till| {
        till.commit(&calls()[..10]).await;
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "done", "the file is windowed, and then priced");
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let earlier = repriced(&first, &till.calls, (&catalogue(&price_file("4", "5", N)), number), SPAN);
        till.assert_costs(&earlier).await;
        let changed = "select count(*) as n from operations where repricing is not null";
        let before = till.station.int(changed).await;
        till.commit(&calls()[10..]).await;
        till.settle().await;
        assert_eq!((before, till.station.int(changed).await), (7, 7));
    })
    .await;
}

#[tokio::test]
async fn what_was_before_goes_with_its_day() {
    Till::each(async |till| {
        till.commit(&calls()).await;
        let fence = till.settle().await;
        till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        let kept = "select count(*) as n from repriced_operations";
        assert!(till.station.int(kept).await > 0);
        till.commit(&[call(NOON + 72 * HOUR, 3)]).await;
        till.settle().await;
        let mut retention = Retention::new(till.station.database.clone(), KeepDays::new(1));
        for step in [Step::AdvanceFloor, Step::RemoveFiles, Step::DropRows] {
            while retention.take(step, fence, at(NOON + 72 * HOUR)).await.unwrap() {}
        }
        assert_eq!(till.station.int(kept).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_reaches_below_the_floor_is_priced_above_it() {
    Till::each(async |till| {
        let days = [-30, -28, -2, 0].map(|hours| call(NOON + hours * HOUR, 3));
        till.commit(&days).await;
        till.settle().await;
        let floor = [(NOON - 12 * HOUR).into()];
        till.station.execute("update settings set value = $1 where name = 'retention_floor_ms'", &floor).await;
        till.station.execute("delete from operations where time_ms < $1", &floor).await;
        assert_eq!(till.station.int("select count(*) as n from operations").await, 2);
        let number = till.ask((-48 * HOUR, HOUR), &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "done");
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 2);
    })
    .await;
}

#[tokio::test]
async fn contents_stay_with_their_operations() {
    Till::each(async |till| {
        let number = till.commit(&calls()).await;
        let insert = "insert into lake_files (path, kind, operations_file, named_at_ms, committed_at_ms, rows, bytes, id_hash, \
                      min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, \
                      cache_write_tokens, cost_nano_usd, reported_cost_nano_usd) \
                      select 'contents/x', $2, file_number, 0, 0, rows, 1, id_hash, min_operation_id, max_operation_id, 0, 0, 0, 0, 0, 0, 0, 0 \
                      from lake_files where file_number = $1";
        till.station.execute(insert, &[number.into(), FileKind::Contents.name().into()]).await;
        till.settle().await;
        till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        let parent = "select count(*) as n from lake_files contents join lake_files operations \
                      on operations.file_number = contents.operations_file \
                      where contents.kind = 'contents' and contents.removed_at_ms is null and operations.removed_at_ms is null";
        assert_eq!(till.station.int(parent).await, 1);
    })
    .await;
}

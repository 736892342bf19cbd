//! What stands in the way stays as it is and stops nothing else.

use super::super::asked::ask_undo;
use super::till::{HOUR, MINUTE, N, Till, call, catalogue, first_prices, price_file, priced, repriced};
use crate::give_up::give_up_file;
use crate::lease;
use crate::tests::NOON;
use crate::tests::station::{FIRST_FENCE, SECOND_FENCE};

const SPAN: (i64, i64) = (-HOUR, HOUR);

#[tokio::test]
async fn a_lost_file_is_waited_for_and_the_others_are_priced() {
    Till::each(async |till| {
        let lost = till.commit(&[call(NOON, 0), call(NOON + 1, 1)]).await;
        till.commit(&[call(NOON + MINUTE, 3)]).await;
        till.settle().await;
        let (path, away) = (till.station.file(lost).await, till.station.lake().join("away"));
        std::fs::rename(&path, &away).unwrap();
        let files = price_file("4", "5", N);
        let number = till.ask(SPAN, &files).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "running");
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 1);
        assert_eq!(till.windower.failed_repricings(), 1);

        std::fs::rename(&away, &path).unwrap();
        till.windower = till.station.windower();
        till.settle().await;
        assert_eq!(till.state(number).await, "done");
        let first = priced(&till.calls, &catalogue(&first_prices()));
        till.assert_costs(&repriced(&first, &till.calls, (&catalogue(&files), number), SPAN)).await;
    })
    .await;
}

#[tokio::test]
async fn more_lost_files_than_are_looked_for_at_a_time_keep_none_behind_them_waiting() {
    Till::each(async |till| {
        for minute in 0..5 {
            let lost = till.commit(&[call(NOON + minute * MINUTE, 0)]).await;
            till.settle().await;
            std::fs::remove_file(till.station.file(lost).await).unwrap();
        }
        till.commit(&[call(NOON + 10 * MINUTE, 3)]).await;
        till.settle().await;
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.windower.failed_repricings(), 5);
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 1);
        assert_eq!(till.state(number).await, "running");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_given_up_is_not_waited_for() {
    Till::each(async |till| {
        let lost = till.commit(&[call(NOON, 0)]).await;
        till.settle().await;
        std::fs::remove_file(till.station.file(lost).await).unwrap();
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "running");
        give_up_file(&till.station.database, lost).await.unwrap();
        till.windower = till.station.windower();
        till.settle().await;
        assert_eq!(till.state(number).await, "done");
    })
    .await;
}

#[tokio::test]
async fn rows_that_the_table_lacks_leave_the_file_as_it_is() {
    Till::each(async |till| {
        till.commit(&[call(NOON, 0), call(NOON + 1, 1)]).await;
        till.settle().await;
        let before = (till.live_rows().await, till.windows().await);
        till.station.execute("delete from operations where model = 'n'", &[]).await;
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "running");
        assert_eq!((till.live_rows().await, till.windows().await), before);
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 0);
    })
    .await;
}

#[tokio::test]
async fn windows_that_lack_the_operations_are_not_made_up() {
    Till::each(async |till| {
        till.commit(&[call(NOON, 0)]).await;
        till.settle().await;
        till.station.execute("delete from windows where level = 1", &[]).await;
        till.windower = till.station.windower();
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "running");
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 0);
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_lease_changes_nothing() {
    Till::each(async |till| {
        till.commit(&[call(NOON, 0)]).await;
        assert_eq!(till.settle().await, FIRST_FENCE);
        let before = (till.live_rows().await, till.windows().await);
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        let taken = lease::acquire(&till.station.database, "other", crate::config::LeaseStart::AtOnce).await.unwrap();
        assert_eq!(taken, Some(SECOND_FENCE));
        assert!(till.windower.turn(crate::tests::at(NOON)).await.is_err());
        assert_eq!(till.state(number).await, "running");
        assert_eq!((till.live_rows().await, till.windows().await), before);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_put_back_is_not_called_undone() {
    Till::each(async |till| {
        let lost = till.commit(&[call(NOON, 0)]).await;
        till.commit(&[call(NOON + MINUTE, 3)]).await;
        till.settle().await;
        let number = till.ask(SPAN, &price_file("4", "5", N)).await;
        till.settle().await;
        let replaced =
            till.station.int("select max(file_number) as n from lake_files where removed_at_ms is null").await;
        assert!(replaced > lost);
        give_up_file(&till.station.database, replaced).await.unwrap();
        ask_undo(&till.station.database, number).await.unwrap();
        till.windower = till.station.windower();
        till.settle().await;
        assert_eq!(till.state(number).await, "failed");
        assert_eq!(till.station.int("select count(*) as n from operations where repricing is not null").await, 1);
    })
    .await;
}

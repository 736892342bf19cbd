//! Figures are the old ones or the new ones, in rows, files and windows alike, and the old ones come back.

use opstream_schemas::prices::{Catalogue, CostPolicy};
use proptest::prelude::*;

use super::super::asked::{AskError, ask_undo};
use super::super::preview::{PreviewPrices, preview};
use super::super::stored::{Shown, show};
use super::till::{
    By, Call, HOUR, MINUTE, N, Till, after_noon, call, catalogue, first_prices, price_file, priced, repriced,
    repriced_by,
};
use crate::tests::NOON;
use crate::tests::station::Station;

/// Calls around noon, in three files that overlap in time, with one that comes late.
fn around_noon() -> [Vec<Call>; 3] {
    let calls = |first: i64, step: i64| (0..40).map(move |n| call(NOON - 2 * HOUR + n * step, first + n)).collect();
    let mut late: Vec<Call> = calls(200, 5 * MINUTE);
    late.push(call(NOON - 26 * HOUR, 999));
    [calls(0, 6 * MINUTE), calls(100, 7 * MINUTE), late]
}

#[tokio::test]
async fn a_price_change_at_noon_reaches_rows_files_and_windows_and_is_undone() {
    Till::each(async |till| {
        for calls in around_noon() {
            till.commit(&calls).await;
        }
        till.settle().await;
        let first = priced(&till.calls, &catalogue(&first_prices()));
        till.assert_costs(&first).await;

        let files = price_file("1", "2.5", N);
        let number = till.ask((-3 * HOUR, 3 * HOUR), &files).await;
        till.settle().await;
        assert_eq!(till.state(number).await, "done");
        let second = repriced(&first, &till.calls, (&catalogue(&files), number), (-3 * HOUR, 3 * HOUR));
        assert_ne!(first, second);
        till.assert_costs(&second).await;

        ask_undo(&till.station.database, number).await.unwrap();
        till.settle().await;
        assert_eq!(till.state(number).await, "undone");
        till.assert_costs(&first).await;
        assert_eq!(till.station.int("select count(*) as n from repriced_operations").await, 0);
        let undone = ask_undo(&till.station.database, number).await.unwrap_err();
        assert!(matches!(undone, AskError::Undone { .. }), "{undone}");
    })
    .await;
}

#[tokio::test]
async fn the_first_cost_stays_whatever_follows_and_the_last_is_undone_first() {
    Till::each(async |till| {
        let [calls, ..] = around_noon();
        till.commit(&calls).await;
        till.settle().await;
        let all = (-30 * HOUR, 30 * HOUR);
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let (dearer, cheaper) = (price_file("2", "3", N), price_file("0.1", "0.2", ""));
        let one = till.ask(all, &dearer).await;
        till.settle().await;
        let second = repriced(&first, &till.calls, (&catalogue(&dearer), one), all);
        let two = till.ask(all, &cheaper).await;
        till.settle().await;
        let third = repriced(&second, &till.calls, (&catalogue(&cheaper), two), all);
        till.assert_costs(&third).await;

        let refused = ask_undo(&till.station.database, one).await.unwrap_err();
        assert!(matches!(refused, AskError::Later { later, .. } if later == two), "{refused}");
        ask_undo(&till.station.database, two).await.unwrap();
        till.settle().await;
        till.assert_costs(&second).await;
        ask_undo(&till.station.database, one).await.unwrap();
        till.settle().await;
        till.assert_costs(&first).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_of_many_windows_is_priced_in_portions_and_every_one_adds_up() {
    Till::each(async |till| {
        let calls: Vec<Call> = (0..120).map(|n| call(NOON - HOUR + n * MINUTE, n)).collect();
        till.commit(&calls).await;
        till.settle().await;
        let first = priced(&till.calls, &catalogue(&first_prices()));
        let files = price_file("7", "8", N);
        let number = till.ask((-2 * HOUR, 2 * HOUR), &files).await;
        let whole = repriced(&first, &till.calls, (&catalogue(&files), number), (-2 * HOUR, 2 * HOUR));
        let mut portions = 0;
        while till.state(number).await == "running" {
            till.turn().await;
            let live = till.live_rows().await;
            till.assert_costs(&live).await;
            portions += 1;
        }
        assert!(portions > 3, "{portions}");
        till.assert_costs(&whole).await;
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_the_re_pricing_then_does() {
    Till::each(async |till| {
        for calls in around_noon() {
            till.commit(&calls).await;
        }
        till.settle().await;
        let files = price_file("1", "2.5", N);
        let prices = PreviewPrices { catalogue: catalogue(&files), cost_policy: CostPolicy::Catalogue, as_model: None };
        let span = (after_noon(-HOUR), after_noon(HOUR));
        let mut heard = Vec::new();
        let seen =
            preview(&till.station.database, &till.station.lake(), span, &prices, |done, of| heard.push((done, of)))
                .await
                .unwrap();
        assert_eq!(heard, [(0, 3), (1, 3), (2, 3), (3, 3)]);
        let number = till.ask((-HOUR, HOUR), &files).await;
        till.settle().await;
        let Shown { repricing, models, files_left, .. } = show(&till.station.database, number).await.unwrap().unwrap();
        assert_eq!((repricing.operations, repricing.files, files_left), (seen.operations, 3, 0));
        assert_eq!(models, seen.models);
        assert_eq!(repricing.changed, models.total().changed);
        let names: Vec<_> = models.iter().map(|(provider, model, _)| (provider, model)).collect();
        assert_eq!(names, [("house", "m"), ("house", "n")]);
    })
    .await;
}

#[tokio::test]
async fn traffic_is_priced_as_if_it_had_been_another_models() {
    let mut station = Station::on_sqlite().await;
    let mut till = Till::new(&mut station).await;
    let calls: Vec<Call> = (0..30).map(|n| call(NOON + n, n)).collect();
    till.commit(&calls).await;
    let as_model = Some(("openai".to_owned(), "gpt-4o-mini".to_owned()));
    let prices = PreviewPrices {
        catalogue: Catalogue::embedded().clone(),
        cost_policy: CostPolicy::ReportedOrCatalogue,
        as_model,
    };
    let span = (after_noon(0), after_noon(HOUR));
    let seen = preview(&till.station.database, &till.station.lake(), span, &prices, |_, _| {}).await.unwrap();
    // 0.15 and 0.60 USD per million.
    let expected: i64 = calls.iter().map(|call| call.input * 150 + call.output * 600).sum();
    assert_eq!(seen.models.total().cost_after, i128::from(expected));
    assert_eq!((seen.models.total().changed, seen.models.total().unpriced_after), (30, 0));
    assert_eq!(seen.models.iter().count(), 3, "by the models that they were");
    let itself = PreviewPrices {
        as_model: Some(("house".to_owned(), "m".to_owned())),
        catalogue: catalogue(&first_prices()),
        ..prices
    };
    let seen = preview(&till.station.database, &till.station.lake(), span, &itself, |_, _| {}).await.unwrap();
    assert_eq!(seen.models.total().changed, 30, "also those whose cost is the same");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_for_all_figures_agree(
        times in prop::collection::vec((-100_i64..100, 0_i64..1000), 1..60),
        spans in prop::collection::vec((-90_i64..60, 1_i64..90, 1_u32..9, any::<bool>(), prop::sample::select(CostPolicy::ALL.to_vec())), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut station = Station::on_sqlite().await;
            let mut till = Till::new(&mut station).await;
            let mut calls: Vec<Call> =
                times.iter().map(|(minutes, seed)| call(NOON + minutes * MINUTE, *seed)).collect();
            calls.sort_unstable_by_key(|call| call.id);
            calls.dedup_by_key(|call| call.id);
            for calls in calls.chunks(17) {
                till.commit(calls).await;
            }
            till.settle().await;
            let first = priced(&till.calls, &catalogue(&first_prices()));
            let mut expected = vec![first];
            let mut numbers = Vec::new();
            for (from, minutes, rate, knows_n, policy) in spans {
                let span = (from * MINUTE, (from + minutes) * MINUTE);
                let files = price_file(&rate.to_string(), &(rate + 1).to_string(), if knows_n { N } else { "" });
                let number = till.ask_with(span, &files, policy).await;
                till.settle().await;
                let by = By { catalogue: &catalogue(&files), policy, number, span };
                expected.push(repriced_by(expected.last().unwrap(), &till.calls, by));
                numbers.push(number);
                till.assert_costs(expected.last().unwrap()).await;
            }
            for number in numbers.into_iter().rev() {
                ask_undo(&till.station.database, number).await.unwrap();
                till.settle().await;
                expected.pop();
                till.assert_costs(expected.last().unwrap()).await;
            }
        });
    }
}

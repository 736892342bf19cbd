//! A crossing happens once: whoever looks, how often, and whatever becomes of the rule meanwhile.

use opstream_schemas::alerts::Because;

use super::*;
use crate::lease::LeaseError;
use crate::tests::station::SECOND_FENCE;

const DAY: &str = "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\nwebhooks = [\"ops\", \"gone\"]\n";

#[tokio::test]
async fn aggregators_that_look_again_and_again_raise_it_once() {
    Station::each(async |station| {
        station.put_rules(DAY, MADE).await;
        station.count(&[spent(NOON, None, 10_000)]).await;
        for _ in 0..3 {
            station.look(at(NOON)).await;
        }
        let alerts = station.alerts().await;
        assert_eq!(alerts.len(), 1);
        assert_eq!(station.int("select count(*) as n from webhook_deliveries").await, 1);
        assert_eq!(
            station.problem().await.as_deref(),
            Some("names the webhook \"gone\", which the aggregator does not have")
        );

        // Another one has taken over, and sees the same.
        station.execute("update aggregator_lease set fence = $1", &[SECOND_FENCE.0.into()]).await;
        station.count_again(&[spent(NOON, None, 10_000)]).await;
        assert_eq!(station.look_with(&["ops"], SECOND_FENCE, at(NOON)).await.unwrap().changed, 0);
        assert_eq!(station.alerts().await, alerts);
    })
    .await;
}

#[tokio::test]
async fn a_replaced_aggregator_raises_nothing() {
    Station::each(async |station| {
        station.put_rules(DAY, MADE).await;
        station.count(&[spent(NOON, None, 10_000)]).await;
        station.execute("update aggregator_lease set fence = $1", &[SECOND_FENCE.0.into()]).await;
        let (old, new) = tokio::join!(
            station.look_with(&["ops"], FIRST_FENCE, at(NOON)),
            station.look_with(&["ops"], SECOND_FENCE, at(NOON))
        );
        assert!(matches!(old, Err(EvaluationError::Lease(LeaseError::Replaced { fence: FIRST_FENCE }))));
        assert_eq!(new.unwrap().changed, 1);
        assert_eq!(station.alerts().await.len(), 1);
        assert_eq!(station.int("select count(*) as n from webhook_deliveries").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_changes_ends_its_alerts_and_raises_its_own() {
    Station::each(async |station| {
        station.put_rules(DAY, MADE).await;
        station.count(&[spent(NOON, None, 10_000)]).await;
        station.look(at(NOON)).await;
        station.put_rules(&DAY.replace("0.00001", "0.000005"), at(NOON)).await;
        station.look(at(NOON)).await;
        let states: Vec<_> = station.alerts().await.iter().map(|alert| (alert.rule_version, alert.state)).collect();
        let changed = AlertState::Resolved { at: at(NOON), because: Because::RuleChanged };
        assert_eq!(states.len(), 2);
        assert!(states.contains(&(1, changed)) && states.contains(&(2, AlertState::Open)), "{states:?}");

        station.delete_rule("day").await;
        station.look(at(NOON)).await;
        assert_eq!(station.alerts().await.iter().filter(|alert| is_open(alert)).count(), 0);
        assert_eq!(station.int("select count(*) as n from webhook_deliveries").await, 4);
        assert_eq!(by_rule(&station.alerts().await)["day"], 2);
    })
    .await;
}

#[tokio::test]
async fn what_changes_while_a_rule_is_looked_at_raises_nothing_of_the_old_version() {
    let mut station = Station::on_sqlite().await;
    station.put_rules(DAY, MADE).await;
    station.count(&[spent(NOON, None, 10_000)]).await;
    let stale = opstream_schemas::alerts::store::load_rules(&station.database).await.unwrap();
    station.put_rules(&DAY.replace("0.00001", "1"), at(NOON)).await;
    let (seen, _) = crate::alerts::look(&station.database, &stale[0].rule, at(NOON)).await.unwrap();
    let verdict = crate::alerts::judge::judge_periods(&seen, &crate::alerts::judge::Known::default(), at(NOON));
    assert_eq!(verdict.raised.len(), 1);
    let changes =
        crate::alerts::write::Changes { rule: &stale[0], verdict, targets: vec!["ops"], problem: None, now: at(NOON) };
    crate::alerts::write::write(&station.database, FIRST_FENCE, &changes).await.unwrap();
    assert!(station.alerts().await.is_empty());
}

#[tokio::test]
async fn a_rule_raises_only_so_many_within_an_hour_and_the_others_later() {
    Station::each(async |station| {
        station.put_rules(&DAY.replace("webhooks = [\"ops\", \"gone\"]", "per = [\"team\"]"), MADE).await;
        let teams: Vec<String> = (0..7).map(|team| format!("team-{team}")).collect();
        station.count(&teams.iter().map(|team| spent(NOON, Some(team), 10_000)).collect::<Vec<_>>()).await;
        let mut evaluator = Evaluator::new(station.database.clone(), Vec::new());
        evaluator.most_an_hour = 3;
        let waits =
            Some("has raised 3 alerts within an hour, as many as a rule may; what else reaches its limit waits");
        for (minutes, raised, problem) in [(0, 3, waits), (59, 3, waits), (60, 6, waits), (120, 7, None)] {
            evaluator.pass(FIRST_FENCE, at(NOON + minutes * MINUTE)).await.unwrap();
            assert_eq!(station.alerts().await.len(), raised, "after {minutes} min");
            assert_eq!(station.problem().await.as_deref(), problem, "after {minutes} min");
        }
    })
    .await;
}

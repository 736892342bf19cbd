//! Alerts go long after they were over, and never before somebody was told of them.

use super::*;
use crate::tests::station::FIRST_FENCE;

const ALERTS: &str = "select count(*) as n from alerts";
const DELIVERIES: &str = "select count(*) as n from webhook_deliveries";

async fn forget(station: &Station, days: i64) {
    take_all(station, Step::ForgetAlerts, FIRST_FENCE, NOON + days * DAY_MILLIS).await;
}

#[tokio::test]
async fn an_alert_goes_400_days_after_it_was_over_and_everybody_was_told() {
    Station::each(async |station| {
        let rule = "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\n";
        station.put_rules(rule, at(NOON - DAY_MILLIS)).await;
        let spent = TestOperation { cost: Some(10_000), ..TestOperation::at(NOON) };
        station.count(&[spent]).await;
        station.look(at(NOON)).await;
        forget(station, 500).await;
        assert_eq!(station.int(ALERTS).await, 1, "it is open");
        station.look(at(NOON + DAY_MILLIS)).await;
        station.execute("update alerts set published_revision = revision", &[]).await;
        forget(station, 500).await;
        assert_eq!((station.int(ALERTS).await, station.int(DELIVERIES).await), (1, 2), "a webhook is to be told");
        station.execute("update webhook_deliveries set given_up_at_ms = 0", &[]).await;
        station.execute("update alerts set published_revision = 1", &[]).await;
        forget(station, 500).await;
        assert_eq!(station.int(ALERTS).await, 1, "the topic is to be told");
        station.execute("update alerts set published_revision = revision", &[]).await;
        forget(station, 401).await;
        assert_eq!(station.int(ALERTS).await, 1, "it was over a day later");
        forget(station, 402).await;
        assert_eq!((station.int(ALERTS).await, station.int(DELIVERIES).await), (0, 0));
    })
    .await;
}

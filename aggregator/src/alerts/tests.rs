//! The promises of alerts, on SQLite, and on Postgres too where `OPSTREAM_TEST_POSTGRES` names a server: windows are made from
//! operations, and alerts are compared with what the operations themselves say.

mod budgets;
mod once;
mod rates;
mod topic;

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::store::{delete_rule, put_rule};
use opstream_schemas::alerts::{Alert, AlertState, Rule, read_rules};
use opstream_schemas::offsets::Fence;
use opstream_schemas::time::DAY_MILLIS;

use super::evaluate::{EvaluationError, Evaluator, Looked};
use crate::tests::oracle::TestOperation;
use crate::tests::station::{FIRST_FENCE, Station};
use crate::tests::{NOON, at};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// When the rules of the tests were made: before everything.
pub(super) const MADE: UtcMillis = UtcMillis::from_millis(NOON - 400 * DAY_MILLIS);

/// The rules of a file.
pub(super) fn rules(text: &str) -> Vec<Rule> {
    read_rules("test.toml", text).unwrap()
}

impl Station {
    /// Stores the rules of a file.
    pub(crate) async fn put_rules(&self, text: &str, made: UtcMillis) {
        let mut tx = self.database.begin().await.unwrap();
        for rule in rules(text) {
            put_rule(&mut tx, &rule, made).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub(super) async fn delete_rule(&self, name: &str) {
        let mut tx = self.database.begin().await.unwrap();
        assert!(delete_rule(&mut tx, name).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// Commits operations and makes their windows.
    pub(crate) async fn count(&mut self, operations: &[TestOperation]) {
        self.commit(operations).await;
        // Whoever has the lease has it again, with the fence that the tests know.
        self.execute("update aggregator_lease set fence = $1", &[(FIRST_FENCE.0 - 1).into()]).await;
        let mut windower = self.windower();
        self.settle(&mut windower).await;
    }

    /// Commits operations and makes their windows with whatever fence comes next.
    pub(super) async fn count_again(&mut self, operations: &[TestOperation]) {
        self.commit(operations).await;
        let mut windower = self.windower();
        self.settle(&mut windower).await;
        let held = windower.fence().unwrap();
        self.execute("update aggregator_lease set fence = $1 where fence = $2", &[(held.0 - 1).into(), held.0.into()])
            .await;
    }

    /// Looks at all rules, by an aggregator that has just begun.
    pub(crate) async fn look(&self, now: UtcMillis) -> Looked {
        self.look_with(&["ops"], FIRST_FENCE, now).await.unwrap()
    }

    pub(super) async fn look_with(
        &self,
        targets: &[&str],
        fence: Fence,
        now: UtcMillis,
    ) -> Result<Looked, EvaluationError> {
        let targets = targets.iter().map(|name| (*name).to_owned()).collect();
        let mut evaluator = Evaluator::new(self.database.clone(), targets);
        loop {
            let looked = evaluator.pass(fence, now).await?;
            if !looked.more {
                return Ok(looked);
            }
        }
    }

    /// All alerts, in the order in which they were raised.
    pub(super) async fn alerts(&self) -> Vec<Alert> {
        let sql = "select * from alerts order by raised_at_ms, rule_name, period_start_ms, threshold, alert_id";
        let rows = self.database.fetch_all(sql, &[]).await.unwrap();
        rows.iter().map(|row| Alert::from_row(row).unwrap()).collect()
    }

    pub(super) async fn problem(&self) -> Option<String> {
        let row = self.database.fetch_optional("select problem from alert_rules", &[]).await.unwrap().unwrap();
        row.optional_text("problem").unwrap()
    }
}

/// An operation of a team with a cost.
pub(super) fn spent(time_ms: i64, team: Option<&str>, cost: i64) -> TestOperation {
    let mut operation = TestOperation { cost: Some(cost), ..TestOperation::at(time_ms) };
    operation.dimensions.team = team.map(str::to_owned);
    operation
}

pub(super) fn is_open(alert: &Alert) -> bool {
    alert.state == AlertState::Open
}

pub(super) fn team_of(alert: &Alert) -> Option<&str> {
    alert.dimensions.get("team").and_then(|team| team.as_deref())
}

/// How many alerts there are of each rule.
pub(super) fn by_rule(alerts: &[Alert]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for alert in alerts {
        *counts.entry(alert.rule.as_str()).or_default() += 1;
    }
    counts
}

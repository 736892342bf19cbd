//! The table `operations`, each row against what its number says.

use std::collections::BTreeMap;

use opstream_schemas::database::{Database, Row};

use super::{Verdict, examples};
use crate::torture::ledger::Numbers;
use crate::torture::operations::{COMBINATIONS, Combination, Measures, is_poison, number_of};

const MINUTE_MILLIS: i64 = 60_000;
const COLUMNS: &str = "select operation_id, time_ms, workspace, project, team, environment, provider, model, operation_type, agent_id, \
                       action_id, success, input_tokens, output_tokens, cost_nano_usd, latency_us from operations";

/// Sums over operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) operations: i64,
    pub(super) measures: Measures,
}

impl Sums {
    /// Adds those of other operations.
    pub(super) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        let (sum, other) = (&mut self.measures, other.measures);
        sum.failures += other.failures;
        sum.unpriced += other.unpriced;
        sum.input_tokens += other.input_tokens;
        sum.output_tokens += other.output_tokens;
        sum.cost_nano_usd += other.cost_nano_usd;
        sum.latency_us += other.latency_us;
    }
}

/// What is stored.
#[derive(Debug, Default)]
pub(super) struct StoredRows {
    /// Numbers of the operations.
    pub(super) numbers: Numbers,
    /// What they must add up to, by start of the minute and place of the combination.
    pub(super) minutes: BTreeMap<(i64, u64), Sums>,
}

/// Reads every row.
pub(super) async fn read(database: &Database, handed_over: u64, verdict: &mut Verdict) -> StoredRows {
    let mut rows = StoredRows::default();
    let (mut doubled, mut wrong) = (Vec::new(), Vec::new());
    let mut snapshot = database.begin_snapshot().await.expect("the database answers");
    let read = snapshot.fetch_each(COLUMNS, &[], |row| {
        let id = row.id("operation_id")?.bytes();
        match number_of(id).filter(|number| *number < handed_over && !is_poison(*number)) {
            None => wrong.push(format!("{id:02x?} was never handed over")),
            Some(number) => {
                if !rows.numbers.insert(number) {
                    doubled.push(number);
                }
                if let Some(difference) = difference(&row, number)? {
                    wrong.push(format!("{number}: {difference}"));
                }
                let minute = row.int("time_ms")?.div_euclid(MINUTE_MILLIS) * MINUTE_MILLIS;
                let sums = Sums { operations: 1, measures: Measures::of(number) };
                rows.minutes.entry((minute, number % COMBINATIONS)).or_default().add(sums);
            }
        }
        Ok(())
    });
    read.await.expect("every row can be read");
    verdict.doubled += doubled.len() as u64;
    verdict.wrong += wrong.len() as u64;
    verdict.remark(doubled.len(), "operations are stored twice", &examples(&doubled));
    verdict.remark(wrong.len(), "rows are not what they must be", &examples(&wrong));
    rows
}

fn difference(row: &Row, number: u64) -> Result<Option<String>, sqlx::Error> {
    let combination = Combination::from_row(row)?;
    let cost = row.optional_int("cost_nano_usd")?;
    let measures = Measures {
        failures: i64::from(!row.bool("success")?),
        unpriced: i64::from(cost.is_none()),
        input_tokens: row.int("input_tokens")?,
        output_tokens: row.int("output_tokens")?,
        cost_nano_usd: cost.unwrap_or(0),
        latency_us: row.int("latency_us")?,
    };
    if combination != Combination::of(number) {
        return Ok(Some(format!("{combination:?}")));
    }
    Ok((measures != Measures::of(number)).then(|| format!("{measures:?}")))
}

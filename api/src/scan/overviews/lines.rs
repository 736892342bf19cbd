//! What is said of each session or trace of a list.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::UtcMicros;
use opstream_schemas::window::WindowSums;
use polars::prelude::*;

use super::leading::{FIRST, LAST, end};
use super::{Bond, Overview, Position, Root};
use crate::error::ApiError;
use crate::scan::groups::collect;
use crate::scan::sums::{SumColumns, SumError, sum_of};

const AGENT: &str = "agent";
const SUMS: [&str; 7] =
    ["operations", "failures", "unpriced", "input_tokens", "output_tokens", "cost_nano_usd", "latency_sum_us"];
/// By what the operations of a line are told apart, so that it can name them.
const NAMED: [&str; 5] = [AGENT, "model", "user_id", "operation_type", "service"];
/// Most names of a kind in a line.
const MAX_NAMES: usize = 5;

/// Workspace and name.
type Key = (String, String);

/// The lines of the sessions or traces at these positions.
pub(super) fn read_lines(table: LazyFrame, bond: Bond, positions: &[Position]) -> Result<Vec<Overview>, ApiError> {
    let mut contents = read_contents(table, bond, positions)?;
    let line = |position: &Position| {
        let key = (position.workspace.clone(), position.name.clone());
        contents.remove(&key).unwrap_or_default().line(bond, key)
    };
    Ok(positions.iter().map(line).collect())
}

/// What the operations of a line come to.
#[derive(Default)]
struct Contents {
    sums: WindowSums,
    first: i64,
    last: i64,
    agents: BTreeSet<String>,
    models: BTreeSet<String>,
    users: BTreeSet<String>,
    root: Root,
}

/// Reads each combination of what is named, those first that took part first.
fn read_contents(table: LazyFrame, bond: Bond, positions: &[Position]) -> Result<BTreeMap<Key, Contents>, SumError> {
    let on = [col("workspace"), col(bond.column())];
    let names =
        |name: &str, of: fn(&Position) -> &str| Column::new(name.into(), positions.iter().map(of).collect::<Vec<_>>());
    let columns =
        vec![names("workspace", |position| &position.workspace), names(bond.column(), |position| &position.name)];
    let of_lines = DataFrame::new(positions.len(), columns)?.lazy();
    let agent = when(col("agent_name").is_not_null()).then(col("agent_name")).otherwise(col("agent_id"));
    let mut sums: Vec<Expr> = SUMS.iter().flat_map(|column| sum_of(column)).collect();
    sums.extend([col("started_at_us").min().alias(FIRST), end().max().alias(LAST)]);
    let rows = table
        .with_column(agent.alias(AGENT))
        .join(of_lines, on.clone(), on.clone(), JoinArgs::new(JoinType::Semi))
        .group_by(on.into_iter().chain(NAMED.map(col)).collect::<Vec<_>>())
        .agg(sums)
        // The same names in every answer.
        .sort([FIRST, AGENT, "model", "user_id"], SortMultipleOptions::default());
    let rows = collect(rows)?;
    let sums = SumColumns::of(&rows, &SUMS)?;
    let text = |name: &str| rows.column(name)?.str().cloned();
    let (workspaces, names) = (text("workspace")?, text(bond.column())?);
    let [agents, models, users, types, services] = NAMED.map(text);
    let (agents, models, users, types, services) = (agents?, models?, users?, types?, services?);
    let number = |name: &str| rows.column(name)?.i64().cloned();
    let (firsts, lasts) = (number(FIRST)?, number(LAST)?);
    let mut contents: BTreeMap<Key, Contents> = BTreeMap::new();
    for row in 0..rows.height() {
        let value = |values: &StringChunked| values.get(row).map(str::to_owned);
        let (Some(workspace), Some(name)) = (value(&workspaces), value(&names)) else { continue };
        let (first, last) = (firsts.get(row).unwrap_or_default(), lasts.get(row).unwrap_or_default());
        let begun = || Contents {
            first,
            root: Root {
                operation_type: value(&types),
                agent: value(&agents),
                model: value(&models),
                service: value(&services),
            },
            ..Contents::default()
        };
        let of = contents.entry((workspace, name)).or_insert_with(begun);
        of.sums = of.sums.checked_add(&sums.row(row).kept)?;
        of.last = of.last.max(last);
        for (names, values) in [(&mut of.agents, &agents), (&mut of.models, &models), (&mut of.users, &users)] {
            if let Some(name) = value(values)
                && names.len() < MAX_NAMES
            {
                names.insert(name);
            }
        }
    }
    Ok(contents)
}

impl Contents {
    fn line(self, bond: Bond, (workspace, name): Key) -> Overview {
        let (session_id, trace_id) = match bond {
            Bond::Session => (Some(name), None),
            Bond::Trace => (None, Some(name)),
        };
        Overview {
            workspace,
            session_id,
            trace_id,
            first_at: UtcMicros::from_micros(self.first),
            last_at: UtcMicros::from_micros(self.last),
            duration_us: self.last.saturating_sub(self.first),
            busy_us: self.sums.latency_sum_us,
            operations: self.sums.operations,
            failures: self.sums.failures,
            unpriced: self.sums.unpriced,
            input_tokens: self.sums.input_tokens,
            output_tokens: self.sums.output_tokens,
            cost_usd: self.sums.cost,
            agents: self.agents.into_iter().collect(),
            models: self.models.into_iter().collect(),
            users: self.users.into_iter().collect(),
            root: self.root,
        }
    }
}

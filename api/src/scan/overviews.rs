//! One line for each session or trace: what belongs together, from its first operation to its last.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::{NanoUsd, UtcMicros};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::groups::collect;
use super::sums::{SumColumns, SumError, sum_of};
use crate::error::ApiError;

/// What operations are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Bond {
    /// `session_id`.
    Session,
    /// `trace_id`.
    Trace,
}

impl Bond {
    /// The column that they share.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Session => "session_id",
            Self::Trace => "trace_id",
        }
    }

    /// What several are called.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::Session => "sessions",
            Self::Trace => "traces",
        }
    }
}

/// By what lines are in order, the largest or latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// When the last operation ended.
    Last,
    /// When the first one started.
    First,
    /// Their cost.
    Cost,
    /// How many there are.
    Operations,
    /// How many failed.
    Failures,
    /// From the first start to the last end.
    Duration,
}

impl Order {
    /// The words of the parameter.
    pub(crate) const WORDS: [(&'static str, Self); 6] = [
        ("last", Self::Last),
        ("first", Self::First),
        ("cost_usd", Self::Cost),
        ("operations", Self::Operations),
        ("failures", Self::Failures),
        ("duration", Self::Duration),
    ];

    const fn column(self) -> &'static str {
        match self {
            Self::Last => LAST,
            Self::First => FIRST,
            Self::Cost => "cost_nano_usd",
            Self::Operations => "operations",
            Self::Failures => "failures",
            Self::Duration => DURATION,
        }
    }
}

/// A session or a trace in one line.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// The tenant.
    workspace: String,
    /// What its operations share.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// What its operations share.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// When its first operation in the range started.
    #[schema(value_type = String, format = "date-time")]
    first_at: UtcMicros,
    /// When its last operation in the range ended, as far as latencies are known.
    #[schema(value_type = String, format = "date-time")]
    last_at: UtcMicros,
    /// From the one to the other, microseconds.
    duration_us: i64,
    /// Sum of the known latencies, microseconds: more than the duration where operations ran side by side.
    busy_us: i64,
    /// Operations.
    operations: i64,
    /// Operations without success.
    failures: i64,
    /// Operations whose cost is unknown; they are not in `cost_usd`.
    unpriced: i64,
    /// Everything in the prompts.
    input_tokens: i64,
    /// Everything generated.
    output_tokens: i64,
    /// What they cost.
    #[schema(value_type = String, example = "2.60759")]
    cost_usd: NanoUsd,
    /// At most five names or ids of agents.
    agents: Vec<String>,
    /// At most five models.
    models: Vec<String>,
    /// At most five users.
    users: Vec<String>,
    /// Its first operation.
    root: Root,
}

/// The operation that everything began with.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
struct Root {
    /// OpenTelemetry operation name.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_type: Option<String>,
    /// Name or id of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Model as requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Service that made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

/// The lines, and how many more there are.
pub(super) struct Overviews {
    pub(super) lines: Vec<Overview>,
    pub(super) left_out: usize,
}

const FIRST: &str = "first_us";
const LAST: &str = "last_us";
const DURATION: &str = "duration_us";
const AGENT: &str = "agent";
const SUMS: [&str; 7] =
    ["operations", "failures", "unpriced", "input_tokens", "output_tokens", "cost_nano_usd", "latency_sum_us"];
/// Most names of a kind in a line.
const MAX_NAMES: usize = 5;

/// Lines of the operations of a table.
pub(super) fn overviews(table: LazyFrame, bond: Bond, order: Order, limit: usize) -> Result<Overviews, ApiError> {
    let key = bond.column();
    let table = table.filter(col(key).is_not_null());
    let keys = [col("workspace"), col(key)];
    let end = col("started_at_us") + col("latency_us").fill_null(lit(0_i64));
    let mut sums: Vec<Expr> = SUMS.iter().flat_map(|column| sum_of(column)).collect();
    sums.extend([col("started_at_us").min().alias(FIRST), end.max().alias(LAST)]);
    let all = table.clone().group_by(keys.clone()).agg(sums);
    let all = all.with_column((col(LAST) - col(FIRST)).alias(DURATION));
    let all = collect(all).map_err(SumError::from)?;
    // Before the cut: a sum that overflowed must not put a line elsewhere.
    SumColumns::of(&all, &SUMS)?;
    let by = [order.column(), LAST, "workspace", key];
    let sorting =
        SortMultipleOptions::default().with_order_descending_multi([true, true, false, false]).with_nulls_last(true);
    let top = all.sort(by, sorting).map_err(SumError::from)?.head(Some(limit));
    let left_out = all.height() - top.height();
    let members = Members::read(table, &top, key).map_err(SumError::from)?;
    Ok(Overviews { lines: lines(&top, bond, members)?, left_out })
}

/// Lines as a table, money in whole nano-dollars.
pub(super) fn as_table(lines: &[Overview], bond: Bond) -> Result<DataFrame, ApiError> {
    let texts = |name: &str, of: &dyn Fn(&Overview) -> String| {
        Column::new(name.into(), lines.iter().map(of).collect::<Vec<_>>())
    };
    let numbers =
        |name: &str, of: &dyn Fn(&Overview) -> i64| Column::new(name.into(), lines.iter().map(of).collect::<Vec<_>>());
    let columns = vec![
        texts("workspace", &|line| line.workspace.clone()),
        texts(bond.column(), &|line| line.session_id.clone().or_else(|| line.trace_id.clone()).unwrap_or_default()),
        texts("first_at", &|line| line.first_at.to_string()),
        texts("last_at", &|line| line.last_at.to_string()),
        numbers("duration_us", &|line| line.duration_us),
        numbers("busy_us", &|line| line.busy_us),
        numbers("operations", &|line| line.operations),
        numbers("failures", &|line| line.failures),
        numbers("unpriced", &|line| line.unpriced),
        numbers("input_tokens", &|line| line.input_tokens),
        numbers("output_tokens", &|line| line.output_tokens),
        numbers("cost_nano_usd", &|line| line.cost_usd.nanos()),
        texts("agents", &|line| line.agents.join(", ")),
        texts("models", &|line| line.models.join(", ")),
        texts("users", &|line| line.users.join(", ")),
    ];
    Ok(DataFrame::new(lines.len(), columns).map_err(SumError::from)?)
}

fn lines(top: &DataFrame, bond: Bond, mut members: Members) -> Result<Vec<Overview>, ApiError> {
    let sums = SumColumns::of(top, &SUMS)?;
    let number = |name: &str| top.column(name).and_then(|column| column.i64().cloned()).map_err(SumError::from);
    let (first, last, duration) = (number(FIRST)?, number(LAST)?, number(DURATION)?);
    let text = |name: &str| top.column(name).and_then(|column| column.str().cloned()).map_err(SumError::from);
    let (workspaces, names) = (text("workspace")?, text(bond.column())?);
    let line = |row: usize| {
        let key = (workspaces.get(row).unwrap_or_default().to_owned(), names.get(row).unwrap_or_default().to_owned());
        let sums = sums.row(row);
        let moment = |numbers: &Int64Chunked| UtcMicros::from_micros(numbers.get(row).unwrap_or_default());
        let of = members.0.remove(&key).unwrap_or_default();
        let (workspace, name) = key;
        let (session_id, trace_id) = match bond {
            Bond::Session => (Some(name), None),
            Bond::Trace => (None, Some(name)),
        };
        Overview {
            workspace,
            session_id,
            trace_id,
            first_at: moment(&first),
            last_at: moment(&last),
            duration_us: duration.get(row).unwrap_or_default(),
            busy_us: sums.kept.latency_sum_us,
            operations: sums.kept.operations,
            failures: sums.kept.failures,
            unpriced: sums.kept.unpriced,
            input_tokens: sums.kept.input_tokens,
            output_tokens: sums.kept.output_tokens,
            cost_usd: sums.kept.cost,
            agents: of.agents.into_iter().collect(),
            models: of.models.into_iter().collect(),
            users: of.users.into_iter().collect(),
            root: of.root,
        }
    };
    Ok((0..top.height()).map(line).collect())
}

/// What takes part in each of the lines.
struct Members(BTreeMap<(String, String), Member>);

#[derive(Default)]
struct Member {
    agents: BTreeSet<String>,
    models: BTreeSet<String>,
    users: BTreeSet<String>,
    root_started: Option<i64>,
    root: Root,
}

impl Members {
    /// Reads the operations of the lines once more: each combination of what is named, with its earliest start.
    fn read(table: LazyFrame, top: &DataFrame, key: &'static str) -> PolarsResult<Self> {
        const NAMED: [&str; 5] = [AGENT, "model", "user_id", "operation_type", "service"];
        let on = [col("workspace"), col(key)];
        let of_lines = top.select(["workspace", key])?.lazy();
        let agent = when(col("agent_name").is_not_null()).then(col("agent_name")).otherwise(col("agent_id"));
        let rows = table
            .with_column(agent.alias(AGENT))
            .join(of_lines, on.clone(), on.clone(), JoinArgs::new(JoinType::Semi))
            .group_by(on.into_iter().chain(NAMED.map(col)).collect::<Vec<_>>())
            .agg([col("started_at_us").min().alias(FIRST)])
            // So that those are named that took part first, in every answer the same.
            .sort([FIRST, AGENT, "model", "user_id"], SortMultipleOptions::default());
        let rows = collect(rows)?;
        let text = |name: &str| rows.column(name)?.str().cloned();
        let (workspaces, keys) = (text("workspace")?, text(key)?);
        let named = NAMED.map(text);
        let [agents, models, users, types, services] = named;
        let (agents, models, users, types, services) = (agents?, models?, users?, types?, services?);
        let starts = rows.column(FIRST)?.i64()?.clone();
        let mut members: BTreeMap<(String, String), Member> = BTreeMap::new();
        for row in 0..rows.height() {
            let value = |values: &StringChunked| values.get(row).map(str::to_owned);
            let (Some(workspace), Some(name)) = (value(&workspaces), value(&keys)) else { continue };
            let member = members.entry((workspace, name)).or_default();
            for (names, values) in
                [(&mut member.agents, &agents), (&mut member.models, &models), (&mut member.users, &users)]
            {
                if let Some(name) = value(values)
                    && names.len() < MAX_NAMES
                {
                    names.insert(name);
                }
            }
            let start = starts.get(row);
            if member.root_started.is_none_or(|known| start.is_some_and(|start| start < known)) {
                member.root_started = start;
                member.root = Root {
                    operation_type: value(&types),
                    agent: value(&agents),
                    model: value(&models),
                    service: value(&services),
                };
            }
        }
        Ok(Self(members))
    }
}

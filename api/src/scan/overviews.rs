//! One line for each session or trace: what belongs together, from its first operation to its last.

mod leading;
mod lines;
mod position;

use opstream_schemas::{NanoUsd, UtcMicros};
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::leading::Leading;
use self::lines::read_lines;
pub(crate) use self::position::Position;
use super::sums::SumError;
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

/// The lines, and what is behind them.
pub(super) struct Overviews {
    pub(super) lines: Vec<Overview>,
    /// Where the last line stands.
    pub(super) end: Option<Position>,
    pub(super) left_out: usize,
}

/// Lines of the operations of a table. Which they are is found out with as few sums as their order takes, because there may be
/// millions of sessions in a range; then the operations of these alone are read.
pub(super) fn overviews(
    table: LazyFrame,
    bond: Bond,
    order: Order,
    (after, limit): (Option<&Position>, usize),
) -> Result<Overviews, ApiError> {
    let table = table.filter(col(bond.column()).is_not_null());
    let Leading { positions, left_out } = Leading::find(table.clone(), bond, order, (after, limit))?;
    let lines = read_lines(table, bond, &positions)?;
    Ok(Overviews { lines, end: positions.into_iter().last(), left_out })
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

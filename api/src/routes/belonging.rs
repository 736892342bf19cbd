//! Operations that belong together, a session or a trace: a line for each, and all operations of one.

use std::collections::HashMap;

use axum::Json;
use axum::response::Response;
use opstream_schemas::database::{Row, Value};
use opstream_schemas::{OperationId, UtcMillis};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{AnsweredPeriod, Parameters, Period, Range, Selection, invalid};
use crate::routes::openapi::StoredOperation;
use crate::scan::{Bond, Format, Order, Overview, Position, Scanned, Task};
use crate::state::Shared;
use crate::stored_operation::Extent;

/// Lines of an answer that names no limit.
const DEFAULT_LINES: u32 = 100;
/// Most lines of an answer.
const MAX_LINES: u32 = 10_000;
/// Most lines of a file.
const MAX_LINES_OF_FILE: u32 = 100_000;
/// Operations of one session or trace that an answer without a limit has, and the most.
const DEFAULT_MEMBERS: u32 = 1000;
const MAX_MEMBERS: u32 = 5000;

/// Which lines are asked for.
pub(crate) struct AskedOverviews {
    pub(crate) period: Period,
    pub(crate) selection: Selection,
    pub(crate) order: Order,
    /// Where the page before ended.
    pub(crate) after: Option<Position>,
    pub(crate) limit: usize,
    pub(crate) format: Option<Format>,
}

impl AskedOverviews {
    pub(crate) fn read(mut parameters: Parameters, bond: Bond, now: UtcMillis) -> Result<Self, ApiError> {
        let period = Period::read(&mut parameters, now)?;
        let order = parameters.take_choice("order", &Order::WORDS)?.unwrap_or(Order::Last);
        let after: Option<Position> = parameters.take("cursor")?.map(|text| text.parse()).transpose()?;
        if after.as_ref().is_some_and(|after| (after.bond, after.order) != (bond, order)) {
            return Err(invalid("cursor", "is the next_cursor of another list, or of one in another order"));
        }
        let format = parameters.take_format()?;
        let most = if format.is_some() { MAX_LINES_OF_FILE } else { MAX_LINES };
        let limit = parameters.take_count("limit", most)?.unwrap_or(DEFAULT_LINES);
        let selection = Selection::read(&mut parameters)?;
        parameters.finish()?;
        Ok(Self { period, selection, order, after, limit: usize::try_from(limit).unwrap_or(usize::MAX), format })
    }
}

/// Sessions or traces of a range, a line for each.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OverviewsAnswer {
    #[serde(flatten)]
    pub(crate) period: AnsweredPeriod,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub(crate) complete_to: Option<UtcMillis>,
    /// Always `files`.
    pub(crate) source: &'static str,
    /// How much was read.
    pub(crate) scanned: Scanned,
    /// Lines behind these.
    pub(crate) left_out: usize,
    /// `cursor` of the next lines in this order, for the same range and filters; null behind the last one.
    pub(crate) next_cursor: Option<String>,
    /// The sessions; absent where traces are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sessions: Option<Vec<Overview>>,
    /// The traces; absent where sessions are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traces: Option<Vec<Overview>>,
}

/// All operations of one session or trace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembersAnswer {
    /// The tenant.
    workspace: String,
    /// Every operation that the broker acknowledged before this moment is here; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// How much was read to find them.
    scanned: Scanned,
    /// The operations, oldest first, as `/v1/operations` lists them.
    #[schema(value_type = Vec<StoredOperation>)]
    operations: Vec<Map<String, serde_json::Value>>,
    /// `after` of the next part; null when this is the last one.
    #[schema(value_type = Option<String>)]
    next_after: Option<OperationId>,
}

/// Answers with lines.
pub(super) async fn overviews(state: &Shared, bond: Bond, parameters: Parameters) -> Result<Response, ApiError> {
    let (given, now) = (parameters.pairs(), UtcMillis::now());
    let asked = AskedOverviews::read(parameters, bond, now)?;
    let complete_to = state.complete_to().await?;
    state
        .scan(
            Task::Overviews { bond, parameters: given, now: now.into(), complete_to: complete_to.map(Into::into) },
            asked.period.range,
        )
        .await
}

/// What a child finds of one session or trace.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FoundMembers {
    /// Workspaces that have one of this name, at most ten.
    pub(crate) workspaces: Vec<String>,
    /// Ids of the operations in the first of them, oldest first.
    pub(crate) ids: Vec<OperationId>,
    /// Whether there are more.
    pub(crate) has_more: bool,
    /// How much was read.
    pub(crate) scanned: Scanned,
}

/// Answers with all operations of one.
pub(super) async fn members(
    state: &Shared,
    bond: Bond,
    name: String,
    mut parameters: Parameters,
) -> Result<Json<MembersAnswer>, ApiError> {
    let period = Period::read(&mut parameters, UtcMillis::now())?;
    let workspace = parameters.take("workspace")?;
    let after = parameters.take("after")?.map(|text| text.parse::<OperationId>()).transpose();
    let after = after.map_err(|error| invalid("after", &format!("is no next_after of an earlier answer: {error}")))?;
    let limit = parameters.take_count("limit", MAX_MEMBERS)?.unwrap_or(DEFAULT_MEMBERS);
    parameters.finish()?;
    let complete_to = state.complete_to().await?;
    let range = Range { from: after.map(OperationId::time).max(period.range.from), to: period.range.to };
    let task = Task::Members { bond, name: name.clone(), workspace, after, limit };
    let FoundMembers { workspaces, ids, has_more, scanned } = state.scan_for(task, range).await?;
    let workspace = match <[String; 1]>::try_from(workspaces) {
        Ok([workspace]) => workspace,
        Err(none) if none.is_empty() => {
            let message = format!("no operation has the {} {name:?}", bond.column());
            return Err(ApiError::NotFound { message });
        }
        Err(several) => {
            let message = format!(
                "several workspaces have the {} {name:?}: {}; say which with workspace=…",
                bond.column(),
                several.join(", ")
            );
            return Err(ApiError::invalid("ambiguous_workspace", message));
        }
    };
    let next_after = ids.last().copied().filter(|_| has_more);
    let operations = rows_of(state, ids).await?;
    Ok(Json(MembersAnswer { workspace, complete_to, scanned, operations, next_after }))
}

/// The rows of these ids, in their order. One that retention has dropped meanwhile is left out.
pub(super) async fn rows_of(
    state: &Shared,
    ids: Vec<OperationId>,
) -> Result<Vec<Map<String, serde_json::Value>>, ApiError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut reading = state.begin_reading().await?;
    let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "select {} from operations where operation_id in ({})",
        Extent::Listed.select_list(),
        places.join(", ")
    );
    let values: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    let rows = reading.fetch_all(AssertSqlSafe(sql), &values).await?;
    let read = |row: &Row| Ok((row.id("operation_id")?, Extent::Listed.read(row)?));
    let mut rows: HashMap<OperationId, Map<String, serde_json::Value>> =
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
    Ok(ids.into_iter().filter_map(|id| rows.remove(&id)).collect())
}

//! `GET /v1/operations`: single operations in the order of time or of a number.

mod condition;
mod ranked;

use axum::Json;
use axum::extract::State;
use opstream_schemas::database::{Engine, Row, Transaction, Value};
use opstream_schemas::{OperationId, UtcMicros, UtcMillis};
use serde::Serialize;
use serde_json::Map;
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;

use self::condition::condition;
pub(crate) use self::ranked::{AskedRanked, FoundRanked, Place};
use self::ranked::{ranked, take_ranking};
use crate::error::ApiError;
use crate::query::{Parameters, Selection, invalid};
use crate::routes::openapi::{FilterParameters, ListParameters, OpenFilterParameters, StoredOperation};
use crate::scan::Scanned;
use crate::state::Shared;
use crate::stored_operation::Extent;

/// Operations of an answer that names no limit.
const DEFAULT_OPERATIONS: u32 = 100;
/// Most operations of an answer.
const MAX_OPERATIONS: u32 = 1000;
/// Most rows that one request looks at: a rare value must not read the whole table. The next page continues behind
/// them.
const MAX_EXAMINED: i64 = 50_000;

/// A page of operations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperationsAnswer {
    /// The operations in their order, without their content and without fields of unlimited length: `metadata`,
    /// `request_parameters`, `billable_units`, and `tags` of more than 1,000 characters are at `/v1/operations/{operation_id}`.
    #[schema(value_type = Vec<StoredOperation>)]
    operations: Vec<Map<String, serde_json::Value>>,
    /// `cursor` of the next page; null on the last one. A page may be short or empty and still have a next one: a
    /// request examines 50,000 operations at most.
    next_cursor: Option<String>,
    /// Every operation that the broker acknowledged before this moment was there to be listed; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// How much was read from the lake's files, in another order than that of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned: Option<Scanned>,
}

/// Which way a list goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the newest or largest on.
    Descending,
    /// From the oldest or smallest on.
    Ascending,
}

const DIRECTIONS: [(&str, Direction); 2] = [("descending", Direction::Descending), ("ascending", Direction::Ascending)];

/// What is asked for.
#[derive(Debug)]
struct Listing {
    direction: Direction,
    /// Lowest id that may be listed; none for all.
    from: Option<OperationId>,
    /// Listed ids are below.
    below: OperationId,
    /// The last id of the page before.
    after: Option<OperationId>,
    selection: Selection,
    success: Option<bool>,
    limit: i64,
}

/// Single operations, newest first, with a cursor to older ones; `direction=ascending` turns that round. With `order` those with the
/// largest (or smallest) of a number, which are looked for in the lake's files; operations without the number are not listed.
#[utoipa::path(get, path = "/v1/operations", tag = "operations",
    params(ListParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, body = OperationsAnswer)))]
pub(crate) async fn list_operations(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<OperationsAnswer>, ApiError> {
    let given = parameters.pairs();
    if let Some(ranking) = take_ranking(&mut parameters)? {
        let asked = AskedRanked::of(ranking, parameters)?;
        return Ok(Json(ranked(&state, asked, given).await?));
    }
    let listing = Listing::read(&mut parameters)?;
    parameters.finish()?;
    // Before the rows: it holds for whatever is read afterwards.
    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let page = listing.page(&mut reading).await?;
    let next_cursor = listing.next_cursor(&mut reading, &page).await?;
    let operations = page.iter().map(|row| Extent::Listed.read(row)).collect::<Result<_, _>>()?;
    let next_cursor = next_cursor.map(|id| id.to_string());
    Ok(Json(OperationsAnswer { operations, next_cursor, complete_to, scanned: None }))
}

impl Listing {
    fn read(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let from = read_bound(parameters, "from")?;
        let to = read_bound(parameters, "to")?;
        let after = parameters.take("cursor")?.map(|text| text.parse::<OperationId>()).transpose();
        let after =
            after.map_err(|error| invalid("cursor", &format!("is no next_cursor of an earlier answer: {error}")))?;
        let direction = Direction::take(parameters)?;
        let limit = i64::from(parameters.take_count("limit", MAX_OPERATIONS)?.unwrap_or(DEFAULT_OPERATIONS));
        let success = parameters.take_choice("success", &[("true", true), ("false", false)])?;
        let selection = Selection::read(parameters)?;
        Ok(Self { direction, from, below: to.unwrap_or(OperationId::MAX), after, selection, success, limit })
    }

    /// The operations of the page.
    async fn page(&self, reading: &mut Transaction) -> Result<Vec<Row>, sqlx::Error> {
        let (sql, values) = self.statement(reading.engine());
        reading.fetch_all(AssertSqlSafe(sql), &values).await
    }

    /// Where the next page begins. `reading` is that of the page: a row that came or went in between would move the last
    /// examined one, and operations would be listed twice or never.
    async fn next_cursor(&self, reading: &mut Transaction, page: &[Row]) -> Result<Option<OperationId>, sqlx::Error> {
        let is_full = i64::try_from(page.len()).unwrap_or(i64::MAX) >= self.limit;
        match page.last() {
            Some(last) if is_full => last.id("operation_id").map(Some),
            _ => self.last_examined(reading).await,
        }
    }

    fn is_filtered(&self) -> bool {
        self.success.is_some() || self.selection.iter().next().is_some()
    }

    /// Rows are examined in the order of the primary key, and only then compared with the filters: whatever the planner
    /// thinks of a filter, it cannot read more than the limit.
    fn statement(&self, engine: Engine) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let range = self.range(&mut values);
        let examined = if self.is_filtered() { MAX_EXAMINED } else { self.limit };
        let mut conditions = Vec::new();
        if let Some(success) = self.success {
            values.push(success.into());
            conditions.push(format!("success = ${}", values.len()));
        }
        for (axis, any_of) in self.selection.iter() {
            let alternatives = any_of.iter().map(|value| condition(engine, axis, value.as_deref(), &mut values));
            conditions.push(format!("({})", alternatives.collect::<Vec<_>>().join(" or ")));
        }
        let filter = if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
        let sql = format!(
            "select {columns} from (select * from operations where {range} order by operation_id {way} limit {examined}) o\
             {filter} order by operation_id {way} limit {limit}",
            way = self.direction.sql(),
            columns = Extent::Listed.select_list(),
            limit = self.limit,
        );
        (sql, values)
    }

    /// The last row that was examined, when there may be more behind it.
    async fn last_examined(&self, reading: &mut Transaction) -> Result<Option<OperationId>, sqlx::Error> {
        if !self.is_filtered() {
            return Ok(None);
        }
        let mut values = Vec::new();
        let range = self.range(&mut values);
        let skipped = MAX_EXAMINED - 1;
        let sql = format!(
            "select operation_id from operations where {range} order by operation_id {way} limit 1 offset {skipped}",
            way = self.direction.sql(),
        );
        let row = reading.fetch_optional(AssertSqlSafe(sql), &values).await?;
        row.map(|row| row.id("operation_id")).transpose()
    }

    /// One bound on each side: of two, SQLite would begin at the one that is named first and read on to the other.
    fn range(&self, values: &mut Vec<Value>) -> String {
        let (mut lowest, mut below) = (self.from.map(|from| (">=", from)), self.below);
        match (self.direction, self.after) {
            (Direction::Descending, Some(after)) => below = below.min(after),
            (Direction::Ascending, Some(after)) if self.from.is_none_or(|from| from <= after) => {
                lowest = Some((">", after));
            }
            _ => {}
        }
        values.push(below.into());
        let Some((is, lowest)) = lowest else { return "operation_id < $1".to_owned() };
        values.push(lowest.into());
        format!("operation_id < $1 and operation_id {is} $2")
    }
}

impl Direction {
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        Ok(parameters.take_choice("direction", &DIRECTIONS)?.unwrap_or(Self::Descending))
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Descending => "desc",
            Self::Ascending => "asc",
        }
    }
}

/// The lowest id at or after the moment of a parameter.
fn read_bound(parameters: &mut Parameters, name: &'static str) -> Result<Option<OperationId>, ApiError> {
    Ok(parameters.take_moment(name)?.map(lowest_from))
}

/// The lowest id whose millisecond does not begin before `moment`.
fn lowest_from(moment: UtcMicros) -> OperationId {
    let millis = moment.to_millis();
    let is_whole = UtcMicros::from(millis) == moment;
    OperationId::lowest_at(if is_whole { millis } else { UtcMillis::from_millis(millis.millis() + 1) })
}

#[cfg(test)]
mod tests;

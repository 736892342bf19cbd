//! `POST /v1/sql`: queries over the lake's files, and `GET /v1/sql/tables`, what they can be about.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use opstream_schemas::UtcMillis;
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, ColumnKind, OPERATION_COLUMNS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::front_door::read_small_body;
use crate::query::{Parameters, Range, parse_minute};
use crate::routes::openapi::FormatParameters;
use crate::scan::{MAX_SQL_BYTES, Scanned, SqlTask, Task, check_length};
use crate::state::Shared;

/// Rows of an answer that names no limit.
const DEFAULT_ROWS: u32 = 1000;
/// Most rows of an answer in JSON. Files have as many as there are.
const MAX_ROWS: u32 = 10_000;

/// A query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlQuestion {
    /// One query over `operations` and `contents`.
    #[schema(example = "select model, count(*) as operations from operations group by model order by 2 desc")]
    sql: String,
    /// Operations before this whole UTC minute are not in the tables. The narrower the range, the fewer files are read.
    #[schema(format = "date-time")]
    from: Option<String>,
    /// First whole UTC minute whose operations are not in the tables.
    #[schema(format = "date-time")]
    to: Option<String>,
    /// Most rows in JSON, 1 to 10000; 1000 by default.
    limit: Option<u32>,
}

/// The result of a query.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SqlAnswer {
    /// Its columns.
    pub(crate) columns: Vec<SqlColumn>,
    /// Its rows, each with a value for every column.
    pub(crate) rows: Vec<Vec<serde_json::Value>>,
    /// Whether there are more rows than the limit.
    pub(crate) truncated: bool,
    /// Every operation that the broker acknowledged before this moment was in the tables; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub(crate) complete_to: Option<UtcMillis>,
    /// How much there was to read.
    pub(crate) scanned: Scanned,
}

/// A column.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SqlColumn {
    /// Its name.
    pub(crate) name: String,
    /// `integer`, `float`, `text`, `boolean`, `timestamp`, `date` or another type of Polars.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// What queries can be about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SqlTables {
    /// The tables.
    tables: Vec<SqlTable>,
    /// What a query may take.
    limits: SqlLimits,
    /// Queries that run as they stand.
    examples: Vec<SqlExample>,
}

/// A table.
#[derive(Debug, Serialize, ToSchema)]
struct SqlTable {
    /// Its name.
    name: &'static str,
    /// Its columns; docs/sql.md says what they mean.
    columns: Vec<SqlColumn>,
}

/// What a query may take.
#[derive(Debug, Serialize, ToSchema)]
struct SqlLimits {
    /// Time until its answer, seconds.
    seconds: u64,
    /// Memory, bytes.
    memory_bytes: u64,
    /// Most rows in JSON.
    rows: u32,
}

/// A query to begin with.
#[derive(Debug, Serialize, ToSchema)]
struct SqlExample {
    /// What it answers.
    title: &'static str,
    /// The query.
    sql: &'static str,
}

/// Queries to begin with; a test runs each.
const EXAMPLES: [(&str, &str); 6] = [
    (
        "Cost by model",
        "select model, count(*) as operations, sum(cost_nano_usd) / 1000000000.0 as cost_usd\nfrom operations group by model order by cost_usd desc",
    ),
    (
        "The dearest operations",
        "select time, operation_id, model, input_tokens, output_tokens, cost_nano_usd / 1000000000.0 as cost_usd\nfrom operations where cost_nano_usd is not null order by cost_nano_usd desc limit 20",
    ),
    (
        "Failures by type of error",
        "select error_type, http_status, count(*) as failures from operations\nwhere not success group by error_type, http_status order by failures desc",
    ),
    (
        "Users who cost most",
        "select user_id, count(*) as operations, sum(cost_nano_usd) / 1000000000.0 as cost_usd from operations\nwhere user_id is not null group by user_id order by cost_usd desc limit 20",
    ),
    (
        "Calls that were tried again",
        "select call_id, max(attempt) as attempts, min(time) as first_at from operations\nwhere call_id is not null group by call_id having max(attempt) > 1 order by attempts desc limit 20",
    ),
    (
        "Longest prompts",
        "select o.time, o.model, length(c.input_messages) as characters from operations o\njoin contents c on o.operation_id = c.operation_id order by characters desc limit 20",
    ),
];

/// Runs a query over the lake's files: in a process of its own with limits of memory and time, and nothing but reading.
#[utoipa::path(post, path = "/v1/sql", tag = "answers", params(FormatParameters), request_body = SqlQuestion,
    responses((status = 200, body = SqlAnswer)))]
pub(crate) async fn run_sql(
    State(state): State<Shared>,
    mut parameters: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let format = parameters.take_format()?;
    parameters.finish()?;
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json {
        return Err(ApiError::UnsupportedMediaType { message: "send application/json".to_owned() });
    }
    let body = read_small_body(body, 2 * MAX_SQL_BYTES).await?;
    let question: SqlQuestion = serde_json::from_slice(&body).map_err(|error| {
        let reason: String = error.to_string().chars().take(200).collect();
        ApiError::invalid("invalid_body", format!("expected {{\"sql\": \"select …\"}}: {reason}"))
    })?;
    let limit = question.limit.unwrap_or(DEFAULT_ROWS);
    if !(1..=MAX_ROWS).contains(&limit) {
        return Err(ApiError::invalid("invalid_body", format!("limit is {limit}; allowed is 1 to {MAX_ROWS}")));
    }
    let moment = |name, text: Option<String>| text.map(|text| parse_minute(name, &text)).transpose();
    let range = Range { from: moment("from", question.from)?, to: moment("to", question.to)? };
    check_length(&question.sql)?;
    let complete_to = state.complete_to().await?;
    let task = Task::Sql(SqlTask {
        sql: question.sql,
        from: range.from.map(Into::into),
        to: range.to.map(Into::into),
        limit,
        format,
        complete_to: complete_to.map(Into::into),
    });
    match format {
        Some(_) => state.scan_file(task, range).await,
        None => state.scan(task, range).await,
    }
}

/// The tables and columns of queries, what a query may take, and examples.
#[utoipa::path(get, path = "/v1/sql/tables", tag = "answers", responses((status = 200, body = SqlTables)))]
pub(crate) async fn sql_tables(State(state): State<Shared>) -> Json<SqlTables> {
    let time = SqlColumn { name: "time".to_owned(), kind: "timestamp".to_owned() };
    let operations = OPERATION_COLUMNS.iter().map(SqlColumn::of).chain([time]).collect();
    let contents = CONTENT_COLUMNS.iter().map(SqlColumn::of).collect();
    let limits = state.scans.limits();
    Json(SqlTables {
        tables: vec![
            SqlTable { name: "operations", columns: operations },
            SqlTable { name: "contents", columns: contents },
        ],
        limits: SqlLimits { seconds: limits.time.as_secs(), memory_bytes: limits.memory_bytes, rows: MAX_ROWS },
        examples: EXAMPLES.into_iter().map(|(title, sql)| SqlExample { title, sql }).collect(),
    })
}

impl SqlColumn {
    fn of(column: &Column) -> Self {
        let kind = match column.kind {
            ColumnKind::Int | ColumnKind::SmallInt => "integer",
            ColumnKind::Float => "float",
            ColumnKind::Bool => "boolean",
            ColumnKind::Id | ColumnKind::Text | ColumnKind::Json => "text",
        };
        Self { name: column.name.to_owned(), kind: kind.to_owned() }
    }
}

//! What each question is answered with, from the table of all operations.

use std::path::PathBuf;
use std::time::Instant;

use opstream_schemas::lake::{CONTENT_COLUMNS, OPERATION_COLUMNS};
use opstream_schemas::{OperationId, UtcMillis};
use polars::prelude::*;
use serde::Serialize;

use super::conditions::selected;
use super::files::{table, within};
use super::groups::Operations;
use super::members::{Members, members};
use super::overviews::{Bond, Overviews, as_table, overviews};
use super::ranked::ranked;
use super::sql::{SqlRows, failed, id_as_text, plan, read_rows, readable};
use super::sums::SumError;
use super::table::Format;
use super::task::{File, MAX_BODY, Moment, Refusal, Scanned, SqlTask, Task, Work};
use crate::error::ApiError;
use crate::query::{Parameters, Selection};
use crate::routes::belonging::{AskedOverviews, FoundMembers, OverviewsAnswer};
use crate::routes::distribution::AskedDistribution;
use crate::routes::export::AskedExport;
use crate::routes::list_operations::{AskedRanked, FoundRanked};
use crate::routes::query::Asked;
use crate::routes::sql::SqlAnswer;

/// What a question is answered with.
pub(super) enum Answer {
    Json(Vec<u8>),
    /// A table that is written as it is read.
    File {
        plan: Box<LazyFrame>,
        format: Format,
        name: &'static str,
        /// What it means when the plan cannot be read.
        blame: fn(PolarsError) -> ApiError,
    },
}

/// Answers the question of some work.
///
/// # Errors
/// What it is refused for.
pub(super) fn respond(work: Work, began: Instant) -> Result<Answer, ApiError> {
    let scanned = Scanned::of(&work.files);
    let all = table(&work.lake, &work.files, OPERATION_COLUMNS)?.filter(within(Some(work.floor.into()), None));
    let floor = work.floor.into();
    let lake = Lake { all, scanned, began, floor, root: work.lake, contents: work.contents };
    match work.task {
        Task::Query { parameters, now, complete_to } => lake.query((parameters, now), complete_to),
        Task::Distribution { parameters, now, complete_to } => lake.distribution((parameters, now), complete_to),
        Task::Overviews { bond, parameters, now, complete_to } => lake.overviews(bond, (parameters, now), complete_to),
        Task::Members { bond, name, workspace, after, limit } => {
            let chosen = Selection::only(bond.column(), &name).within(workspace.as_deref());
            let Members { workspaces, ids, has_more } = members(lake.all.filter(selected(&chosen)), after, limit)?;
            json(&FoundMembers { workspaces, ids, has_more, scanned: scanned.after(began) })
        }
        Task::Ranked { parameters } => lake.ranked(parameters),
        Task::Export { parameters, now } => lake.export((parameters, now)),
        Task::Sql(task) => lake.sql(task),
    }
}

/// Parameters and when they were given.
type Given = (Vec<(String, String)>, Moment);

/// What is read.
struct Lake {
    /// Every operation that counts.
    all: LazyFrame,
    scanned: Scanned,
    began: Instant,
    /// First moment that is kept.
    floor: UtcMillis,
    root: PathBuf,
    contents: Vec<File>,
}

impl Lake {
    fn query(self, (parameters, now): Given, complete_to: Option<Moment>) -> Result<Answer, ApiError> {
        let asked = Asked::read(Parameters::of(parameters), now.into())?;
        let mut source = Operations::new(self.all.filter(selected(asked.selection())), asked.axes(), asked.needed());
        let scanned = || Some(self.scanned.after(self.began));
        let answer = ready(asked.answer(&mut source, complete_to.map(Into::into), scanned))?;
        let Some(format) = asked.format() else { return json(&answer) };
        let table = answer.as_table(format).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(Answer::File { plan: Box::new(table.lazy()), format, name: "answer", blame: internal })
    }

    fn distribution(self, (parameters, now): Given, complete_to: Option<Moment>) -> Result<Answer, ApiError> {
        let asked = AskedDistribution::read(Parameters::of(parameters), now.into())?;
        let selected = self.all.filter(selected(asked.selection()));
        let mut source = Operations::of_duration(selected, asked.axes(), asked.duration());
        let scanned = || Some(self.scanned.after(self.began));
        let answer = ready(asked.answer(&mut source, complete_to.map(Into::into), scanned))?;
        json(&answer)
    }

    fn overviews(self, bond: Bond, (parameters, now): Given, complete_to: Option<Moment>) -> Result<Answer, ApiError> {
        let asked = AskedOverviews::read(Parameters::of(parameters), bond, now.into())?;
        let range = asked.period.range;
        let rows = self.all.filter(within(range.from, range.to).and(selected(&asked.selection)));
        let page = (asked.after.as_ref(), asked.limit);
        let Overviews { lines, end, left_out } = overviews(rows, bond, asked.order, page)?;
        if let Some(format) = asked.format {
            return Ok(Answer::File {
                plan: Box::new(as_table(&lines, bond)?.lazy()),
                format,
                name: bond.plural(),
                blame: internal,
            });
        }
        let (sessions, traces) = match bond {
            Bond::Session => (Some(lines), None),
            Bond::Trace => (None, Some(lines)),
        };
        json(&OverviewsAnswer {
            period: asked.period.answered(None),
            complete_to: complete_to.map(Into::into),
            source: "files",
            scanned: self.scanned.after(self.began),
            left_out,
            next_cursor: end.filter(|_| left_out > 0).map(|end| end.to_string()),
            sessions,
            traces,
        })
    }

    fn ranked(self, parameters: Vec<(String, String)>) -> Result<Answer, ApiError> {
        let asked = AskedRanked::read(Parameters::of(parameters))?;
        let asked = asked.ok_or_else(|| ApiError::Internal("an order of time was passed on".into()))?;
        let rows = self.all.filter(within(asked.range.from, asked.range.to).and(selected(&asked.selection)));
        let (places, has_more) = ranked(rows, &asked).map_err(SumError::from)?;
        json(&FoundRanked { places, has_more, scanned: self.scanned.after(self.began) })
    }

    fn export(self, (parameters, now): Given) -> Result<Answer, ApiError> {
        let asked = AskedExport::read(Parameters::of(parameters), now.into())?;
        let range = asked.period.range;
        let rows = self.all.filter(within(range.from, range.to).and(selected(&asked.selection)));
        let columns: Vec<Expr> = asked.columns.iter().map(|name| col(*name)).collect();
        let plan = Box::new(readable(rows).select(columns));
        Ok(Answer::File { plan, format: asked.format, name: "operations", blame: internal })
    }

    fn sql(self, task: SqlTask) -> Result<Answer, ApiError> {
        let SqlTask { sql, from, to, limit, format, complete_to } = task;
        let operations = readable(self.all.filter(within(from.map(Into::into), to.map(Into::into))));
        let contents = table(&self.root, &self.contents, CONTENT_COLUMNS)?;
        // Their time is in the id alone.
        let first = self.floor.max(from.map_or(self.floor, Into::into));
        let lowest = |moment: UtcMillis| lit(OperationId::lowest_at(moment).bytes().to_vec());
        let contents = contents.filter(col("operation_id").gt_eq(lowest(first)));
        let contents = match to {
            Some(to) => contents.filter(col("operation_id").lt(lowest(to.into()))),
            None => contents,
        };
        let contents = contents.with_column(id_as_text("operation_id"));
        let plan = plan(&sql, vec![("operations", operations), ("contents", contents)])?;
        if let Some(format) = format {
            return Ok(Answer::File { plan: Box::new(plan), format, name: "query", blame: failed });
        }
        let SqlRows { columns, rows, truncated } = read_rows(plan, limit)?;
        let complete_to = complete_to.map(Into::into);
        json(&SqlAnswer { columns, rows, truncated, complete_to, scanned: self.scanned.after(self.began) })
    }
}

/// Whoever asked has no part in it.
fn internal(error: PolarsError) -> ApiError {
    ApiError::Internal(error.into())
}

fn json(answer: &impl Serialize) -> Result<Answer, ApiError> {
    let body = serde_json::to_vec(answer).map_err(|error| ApiError::Internal(error.into()))?;
    if body.len() > MAX_BODY {
        let message = format!(
            "the answer has {} MiB, more than {}; ask for fewer rows or columns, or for a file with format=",
            body.len() >> 20,
            MAX_BODY >> 20
        );
        return Err(ApiError::Refused(Refusal { status: 422, code: "too_large".to_owned(), message, cause: None }));
    }
    Ok(Answer::Json(body))
}

/// The result of work that never waits for anything.
fn ready<T>(work: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(work).expect("files are read without waiting for other tasks")
}

impl Scanned {
    fn of(files: &[File]) -> Self {
        Self {
            files: files.len(),
            operations: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            milliseconds: 0,
        }
    }

    /// The same, after it was done.
    pub(super) fn after(self, began: Instant) -> Self {
        Self { milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), ..self }
    }
}

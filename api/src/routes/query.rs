//! `GET /v1/query`: measures of a range, over time and by dimensions, in one answer.

mod answer;
mod as_table;
mod fetch;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use opstream_schemas::UtcMillis;
use opstream_schemas::window::Dimension;

pub(crate) use self::answer::QueryAnswer;
use self::fetch::fetch;
pub(crate) use self::source::{Largest, MergedSketches, Part, Source, Windows};
use crate::error::ApiError;
use crate::query::{Axis, Filters, Measure, Parameters, Period, Range, Selection, Stepping, invalid, read_axes};
use crate::routes::openapi::{
    FilterParameters, GroupParameters, OpenFilterParameters, QueryParameters, RangeParameters,
};
use crate::scan::{Format, Scanned, Task, respond};
use crate::state::Shared;

/// Groups of an answer that names no limit.
const DEFAULT_GROUPS: u32 = 20;
/// Most groups of an answer.
const MAX_GROUPS: u32 = 1000;
/// Files can tell every minute apart.
const ALWAYS: UtcMillis = UtcMillis::from_millis(i64::MIN);

/// What is asked.
pub(crate) struct Asked {
    now: UtcMillis,
    period: Period,
    stepping: Stepping,
    measures: Vec<Measure>,
    axes: Vec<Axis>,
    selection: Selection,
    order: Measure,
    limit: usize,
    compares: bool,
    read_from: ReadFrom,
    format: Option<Format>,
}

/// Where the client wants to have its answer read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadFrom {
    /// Windows where they keep what is asked, else files.
    Either,
    Windows,
    Files,
}

impl Asked {
    pub(crate) fn read(mut parameters: Parameters, now: UtcMillis) -> Result<Self, ApiError> {
        let period = Period::read(&mut parameters, now)?;
        let stepping = parameters.take_stepping()?;
        let measures = parameters.take_measures()?;
        let axes = read_axes(&mut parameters)?;
        let order = parameters.take_order(&measures)?;
        let limit = parameters.take_count("limit", MAX_GROUPS)?.unwrap_or(DEFAULT_GROUPS);
        let compares = parameters.take_choice("compare", &[("previous", true)])?.unwrap_or(false);
        let sources = [("windows", ReadFrom::Windows), ("files", ReadFrom::Files)];
        let read_from = parameters.take_choice("source", &sources)?.unwrap_or(ReadFrom::Either);
        let format = parameters.take_format()?;
        let selection = Selection::read(&mut parameters)?;
        parameters.finish()?;
        if measures.is_empty() {
            let message = "parameter measures is missing; name one or more, such as measures=operations,cost_usd";
            return Err(ApiError::invalid("missing_parameter", message));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self { now, period, stepping, measures, axes, selection, order, limit, compares, read_from, format })
    }

    /// The format of a file; none for JSON.
    pub(crate) const fn format(&self) -> Option<Format> {
        self.format
    }

    fn needs_sketches(&self) -> bool {
        self.measures.iter().any(Measure::is_percentile)
    }

    /// The measures that are needed, to answer and to put groups in order.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &Measure> {
        self.measures.iter().chain([&self.order])
    }

    /// The sums that these are made of, operations always among them.
    fn columns(&self) -> Vec<&'static str> {
        let needed = self.needed().flat_map(Measure::columns).chain(Measure::OPERATIONS.columns());
        needed.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// By what groups are told apart.
    pub(crate) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Which operations are meant.
    pub(crate) const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The range with the period before it.
    fn whole_range(&self) -> Range {
        let previous = self.period.previous(self.now, ALWAYS).filter(|_| self.compares);
        Range { from: previous.map_or(self.period.range.from, |previous| previous.from), ..self.period.range }
    }

    /// The question as windows understand it, if they keep all that it names.
    fn of_windows(&self) -> Option<(Filters, Vec<Dimension>)> {
        let dimensions = self.axes.iter().map(Axis::kept).collect::<Option<_>>()?;
        let filters = self.selection.kept()?;
        self.needed().all(Measure::is_kept).then_some((filters, dimensions))
    }

    /// Answers from a source. How much was read is asked once all is.
    ///
    /// # Errors
    /// What the source says.
    pub(crate) async fn answer(
        &self,
        source: &mut impl Source,
        complete_to: Option<UtcMillis>,
        scanned: impl FnOnce() -> Option<Scanned> + Send,
    ) -> Result<QueryAnswer, ApiError> {
        let fetched = fetch(source, self).await?;
        Ok(QueryAnswer::of(self, fetched, complete_to, scanned()))
    }
}

/// Measures of a range: as totals, by dimensions with `by`, in steps of time with `resolution`, beside the period before with
/// `compare`.
///
/// Sums are exact to the operation and the nano-dollar; percentiles differ from the exact order statistic by at most
/// `percentile_error`, a part of it. What windows do not keep, such as sessions, users and tags, is read from the lake's files, which
/// takes longer and has limits: the message of an error says how to stay below them.
#[utoipa::path(get, path = "/v1/query", tag = "answers",
    params(QueryParameters, RangeParameters, GroupParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, body = QueryAnswer)))]
pub(crate) async fn query(State(state): State<Shared>, parameters: Parameters) -> Result<Response, ApiError> {
    let (given, now) = (parameters.pairs(), UtcMillis::now());
    let asked = Asked::read(parameters, now)?;
    // Read first: what is read afterwards may be ahead of this moment, never behind it.
    let complete_to = state.complete_to().await?;
    match asked.of_windows().filter(|_| asked.read_from != ReadFrom::Files) {
        Some((filters, dimensions)) => {
            let mut reading = state.begin_reading().await?;
            let mut windows = Windows { reading: &mut reading, filters, dimensions, columns: asked.columns() };
            let answer = asked.answer(&mut windows, complete_to, || None).await?;
            match asked.format {
                None => Ok(Json(answer).into_response()),
                Some(format) => {
                    Ok(respond(format.content_type(), Some(&format.file_name("answer")), answer.as_file(format)?))
                }
            }
        }
        None if asked.read_from == ReadFrom::Windows => {
            Err(invalid("source", "is windows, but they do not keep all that is asked; leave it out"))
        }
        None => {
            state
                .scan(
                    Task::Query { parameters: given, now: now.into(), complete_to: complete_to.map(Into::into) },
                    asked.whole_range(),
                )
                .await
        }
    }
}

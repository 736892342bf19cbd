//! `GET /v1/series`: totals step by step, for charts.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::{Dimension, WindowSums};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{
    AnsweredPeriod, DurationFigures, FIGURE_COLUMNS, Figures, Filters, GroupBy, Parameters, Period, Present, Question,
    StepTimes, Steps, WindowRow, dimension_values, fetch_sums, minutes_kept_from, read_group_by, unattributed,
};
use crate::routes::openapi::{FilterParameters, GroupParameters, RangeParameters, SeriesParameters};
use crate::state::Shared;

/// Most points of an answer: a week of minutes, or a month of hours for a dozen models.
const MAX_POINTS: usize = 12_000;

/// Totals of a range, step by step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    /// Width of the steps: `minute`, `quarter_hour`, `hour`, `day`, `week` or `month`.
    resolution: &'static str,
    /// One series per group, the largest cost first; a single one when nothing is grouped.
    series: Vec<Series>,
    /// Operations that may or may not pass the filters and are not counted; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
}

/// One group over time.
#[derive(Debug, Serialize, ToSchema)]
struct Series {
    /// Values of the dimensions in `by`.
    dimensions: BTreeMap<&'static str, Option<String>>,
    /// Steps that have operations, in order of time; those without are left out.
    points: Vec<Point>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    #[serde(flatten)]
    times: StepTimes,
    #[serde(flatten)]
    figures: Figures,
    #[serde(flatten)]
    durations: DurationFigures,
}

/// Totals of a range in steps of a minute, quarter-hour, hour, day, week or month of a time zone, optionally by dimensions.
#[utoipa::path(get, path = "/v1/series", tag = "answers",
    params(RangeParameters, SeriesParameters, GroupParameters, FilterParameters),
    responses((status = 200, body = SeriesAnswer)))]
pub(crate) async fn series(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<SeriesAnswer>, ApiError> {
    let now = UtcMillis::now();
    let period = Period::read(&mut parameters, now)?;
    let resolution = parameters.take_resolution()?;
    let dimensions = read_group_by(&mut parameters)?;
    let filters = Filters::read(&mut parameters)?;
    parameters.finish()?;

    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let present = Present { now, minutes_kept_from: minutes_kept_from(&mut reading).await? };
    let steps = Steps::of(period, resolution, present)?;
    let group_by = GroupBy { step: Some(steps.step_by.clone()), dimensions };
    let question = Question { spans: &steps.spans, filters: &filters, group_by: &group_by, only: None };
    let mut rows = fetch_sums(&mut reading, question, &FIGURE_COLUMNS, MAX_POINTS + 1).await?;
    if rows.len() > MAX_POINTS {
        let message = format!(
            "the answer would have more than {MAX_POINTS} points; ask for a shorter range, a wider resolution or fewer dimensions"
        );
        return Err(ApiError::invalid("too_many_points", message));
    }
    rows.sort_by_key(|row| row.step);
    let unattributed = unattributed(&mut reading, question).await?;
    let period = period.answered(Some(steps.end_with(rows.last().and_then(|row| row.step))));
    let series = collect_series(&group_by.dimensions, rows, &steps);
    let resolution = steps.resolution.name();
    Ok(Json(SeriesAnswer { period, resolution, series, unattributed, complete_to }))
}

fn collect_series(dimensions: &[Dimension], rows: Vec<WindowRow<WindowSums>>, steps: &Steps) -> Vec<Series> {
    let mut groups: BTreeMap<Vec<Option<String>>, (i64, Vec<Point>)> = BTreeMap::new();
    if dimensions.is_empty() {
        // The one series is there even when it has no point.
        groups.insert(Vec::new(), (0, Vec::new()));
    }
    for row in rows {
        let Some(start) = row.step else { continue };
        let (cost, points) = groups.entry(row.dimensions).or_default();
        *cost = cost.saturating_add(row.value.cost.nanos());
        let (figures, durations) = (Figures::from(&row.value), DurationFigures::from(&row.value));
        points.push(Point { times: steps.times(start), figures, durations });
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (cost, _))| std::cmp::Reverse(*cost));
    groups
        .into_iter()
        .map(|(values, (_, points))| Series { dimensions: dimension_values(dimensions, values), points })
        .collect()
}

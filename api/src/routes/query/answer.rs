//! The answer as it stands in JSON.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::RELATIVE_ERROR;
use serde::Serialize;
use utoipa::ToSchema;

use super::Asked;
use super::fetch::{Fetched, FetchedGroup, Figures};
use crate::query::{AnsweredPeriod, Axis, Group, Measure, Number, Range, StepTimes, Steps, Unit};
use crate::scan::Scanned;

/// Numbers by the names of their measures: whole numbers, exact decimal text of dollars, fractions, or null.
type Numbers = BTreeMap<&'static str, Number>;

/// Measures of a range.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueryAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known. What producers still
    /// hold is not covered.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// What was read: `windows`, or `files` where windows do not keep what is asked.
    source: &'static str,
    /// How much was read, where it was files.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned: Option<Scanned>,
    /// Width of the steps, when they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    /// Every percentile differs from the exact order statistic by at most this part of it; when one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    percentile_error: Option<f64>,
    /// The dimensions in `by`.
    pub(super) dimensions: Vec<String>,
    /// The measures, in their order.
    pub(super) measures: Vec<AnsweredMeasure>,
    /// Every step of the range in order of time, those without operations too; when steps are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) steps: Option<Vec<StepTimes>>,
    /// The period that `previous` of a group is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<PreviousPeriod>,
    /// The groups, largest first; a single one when nothing is grouped. Values beyond the 2000 combinations that are kept per workspace
    /// and hour are together in `(other)`.
    pub(super) groups: Vec<AnsweredGroup>,
    /// All groups that are left out together, without percentiles; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) others: Option<AnsweredGroup>,
    /// Groups beyond the limit.
    left_out: usize,
    /// Operations that may or may not pass the filters and are not counted: combinations beyond the 2000 that are kept. Absent when
    /// there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
}

/// A measure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnsweredMeasure {
    /// Its name.
    pub(super) name: &'static str,
    /// What its numbers are.
    pub(super) unit: Unit,
}

/// The period before.
#[derive(Debug, Serialize, ToSchema)]
struct PreviousPeriod {
    /// Its first moment.
    #[schema(value_type = String, format = "date-time")]
    from: Option<UtcMillis>,
    /// The first moment after it.
    #[schema(value_type = String, format = "date-time")]
    to: Option<UtcMillis>,
}

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnsweredGroup {
    /// Values of the dimensions in `by`; null for operations without one.
    pub(super) dimensions: BTreeMap<String, Option<String>>,
    /// Numbers of the whole range, by measure: a whole number, decimal text of dollars, a fraction, or null.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub(super) totals: Numbers,
    /// Numbers of the period before, with `compare`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, serde_json::Value>>)]
    previous: Option<Numbers>,
    /// Numbers of every step, by measure, with `resolution`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Vec<serde_json::Value>>>)]
    pub(super) series: Option<BTreeMap<&'static str, Vec<Number>>>,
}

impl QueryAnswer {
    pub(super) fn of(
        asked: &Asked,
        fetched: Fetched,
        complete_to: Option<UtcMillis>,
        scanned: Option<Scanned>,
    ) -> Self {
        let Fetched { steps, last_step, groups, others, left_out, previous, unattributed } = fetched;
        let starts = steps.as_ref().map(|steps| steps.starts(last_step));
        let shape = Shape { asked, starts: starts.as_deref(), compares: previous.is_some() };
        let end = steps.as_ref().map(|steps| steps.end_with(last_step));
        let times = |steps: &Steps| starts.iter().flatten().map(|start| steps.times(*start)).collect();
        Self {
            period: asked.period.answered(end),
            complete_to,
            source: if scanned.is_some() { "files" } else { "windows" },
            scanned,
            resolution: steps.as_ref().map(|steps| steps.resolution.name()),
            percentile_error: asked.needs_sketches().then_some(RELATIVE_ERROR),
            dimensions: asked.axes.iter().map(Axis::to_string).collect(),
            measures: asked.measures.iter().map(|measure| AnsweredMeasure::of(*measure)).collect(),
            steps: steps.as_ref().map(times),
            previous: previous.map(|Range { from, to }| PreviousPeriod { from, to }),
            groups: groups.into_iter().map(|group| shape.group(group)).collect(),
            others: others.map(|others| shape.others(others)),
            left_out,
            unattributed,
        }
    }
}

impl AnsweredMeasure {
    const fn of(measure: Measure) -> Self {
        Self { name: measure.name, unit: measure.unit }
    }
}

/// What every group of an answer has.
struct Shape<'a> {
    asked: &'a Asked,
    starts: Option<&'a [UtcMillis]>,
    compares: bool,
}

impl Shape<'_> {
    fn group(&self, group: FetchedGroup) -> AnsweredGroup {
        let empty = Figures::default();
        let series = self.starts.map(|starts| {
            let of = |measure: &Measure| {
                let at = |start| number(*measure, group.steps.get(start).map_or(&empty, Box::as_ref));
                (measure.name, starts.iter().map(at).collect())
            };
            self.asked.measures.iter().map(of).collect()
        });
        AnsweredGroup {
            totals: self.numbers(&group.whole),
            previous: self.compares.then(|| self.numbers(&group.previous)),
            series,
            dimensions: axis_values(&self.asked.axes, group.dimensions),
        }
    }

    fn others(&self, others: FetchedGroup) -> AnsweredGroup {
        AnsweredGroup { dimensions: BTreeMap::new(), ..self.group(others) }
    }

    fn numbers(&self, figures: &Figures) -> Numbers {
        self.asked.measures.iter().map(|measure| (measure.name, number(*measure, figures))).collect()
    }
}

fn axis_values(axes: &[Axis], values: Group) -> BTreeMap<String, Option<String>> {
    axes.iter().map(Axis::to_string).zip(values).collect()
}

fn number(measure: Measure, figures: &Figures) -> Number {
    measure.number(&figures.sums, &figures.sketches)
}

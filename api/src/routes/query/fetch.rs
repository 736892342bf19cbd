//! What windows say to a question: the groups, their steps, what is beside them, and the period before.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Transaction;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::WindowSums;

use super::Asked;
use crate::error::ApiError;
use crate::query::{
    BySteps, Group, GroupBy, Largest, Merged, Present, Question, Range, Stepping, Steps, WindowRow, all_steps,
    fetch_largest, fetch_merged, fetch_sums, minutes_kept_from, unattributed,
};

/// Most groups of which those with the largest percentile are looked for.
const MAX_COMPARED: usize = 10_000;
/// Most numbers of all steps of an answer: about a megabyte.
const MAX_POINTS: usize = 100_000;

/// Sums and sketches.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) sums: WindowSums,
    pub(super) sketches: [Sketch; 2],
}

/// A group, over the whole range and in steps.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchedGroup {
    pub(super) dimensions: Group,
    pub(super) whole: Figures,
    pub(super) previous: Figures,
    pub(super) steps: BTreeMap<UtcMillis, Figures>,
}

/// Everything of an answer.
pub(super) struct Fetched {
    pub(super) steps: Option<Steps>,
    /// Start of the last step that has operations.
    pub(super) last_step: Option<UtcMillis>,
    pub(super) groups: Vec<FetchedGroup>,
    /// The operations of all groups that are left out, without percentiles.
    pub(super) others: Option<FetchedGroup>,
    pub(super) left_out: usize,
    pub(super) previous: Option<Range>,
    pub(super) unattributed: Option<i64>,
}

/// Asks the windows.
pub(super) async fn fetch(reading: &mut Transaction, asked: &Asked) -> Result<Fetched, ApiError> {
    let minutes_kept_from = minutes_kept_from(reading).await?;
    let present = Present { now: asked.now, minutes_kept_from };
    let steps = match asked.stepping {
        Stepping::Whole => None,
        Stepping::Steps(resolution) => Some(Steps::of(asked.period, resolution, present)?),
    };
    let spans = asked.period.range.spans(minutes_kept_from)?;
    let group_by = GroupBy { step: None, dimensions: asked.dimensions.clone() };
    let question = Question { spans: &spans, filters: &asked.filters, group_by: &group_by, only: None };
    let Largest { rows, groups } = largest(reading, question, asked).await?;
    let left_out = groups.saturating_sub(rows.len());
    let names: Vec<Group> = rows.iter().map(|row| row.dimensions.clone()).collect();
    let only = (!asked.dimensions.is_empty()).then_some(names.as_slice());
    let mut found = Found::of(rows);
    match &steps {
        Some(steps) => found.fetch_steps(reading, (asked, only), steps).await?,
        None if asked.needs_sketches() => {
            found.add_whole(fetch_merged(reading, Question { only, ..question }).await?, Period::Asked);
        }
        None => {}
    }
    if left_out > 0 {
        found.others = Some(all_together(reading, (asked, question), steps.as_ref()).await?);
    }
    let previous = asked.period.previous(asked.now, minutes_kept_from).filter(|_| asked.compares);
    if let Some(range) = previous {
        let spans = range.spans(minutes_kept_from)?;
        found.fetch_previous(reading, asked, Question { spans: &spans, only, ..question }).await?;
    }
    let Found { groups, mut others, .. } = found;
    if let Some(others) = &mut others {
        groups.iter().try_for_each(|group| others.take_off(group))?;
    }
    let last_step = groups.iter().chain(&others).flat_map(|group| group.steps.keys()).max().copied();
    if let Some(steps) = &steps {
        let count = steps.starts(last_step).len();
        check_points(count * (groups.len() + 1) * asked.measures.len())?;
    }
    let unattributed = unattributed(reading, question).await?;
    Ok(Fetched { steps, last_step, groups, others, left_out, previous, unattributed })
}

/// The groups with the largest numbers, over the whole range; without dimensions the one group of all.
async fn largest(reading: &mut Transaction, question: Question<'_>, asked: &Asked) -> Result<Largest, ApiError> {
    if asked.dimensions.is_empty() {
        let rows = fetch_sums(reading, question, 1).await?;
        let all = || WindowRow { step: None, dimensions: Vec::new(), value: WindowSums::default() };
        return Ok(Largest { rows: vec![rows.into_iter().next().unwrap_or_else(all)], groups: 1 });
    }
    if let Some(measure) = asked.order.sql() {
        return Ok(fetch_largest(reading, question, &measure, asked.limit).await?);
    }
    let Largest { rows, groups } = fetch_largest(reading, question, "sum(w.operations)", MAX_COMPARED + 1).await?;
    if groups > MAX_COMPARED {
        let message = format!(
            "{groups} groups are too many to order by {}, at most {MAX_COMPARED} are; order by operations, or name fewer dimensions",
            asked.order.name
        );
        return Err(ApiError::invalid("too_many_groups", message));
    }
    let mut merged = fetch_merged(reading, question).await?;
    let keyed = |row: WindowRow<WindowSums>| {
        let steps: BySteps = merged.remove(&row.dimensions).unwrap_or_default();
        let sketches = steps.into_values().next().unwrap_or_default();
        (asked.order.number(&row.value, &sketches).sort_key(), row)
    };
    let mut keyed: Vec<(f64, WindowRow<WindowSums>)> = rows.into_iter().map(keyed).collect();
    // Equals stay in the order of their operations.
    keyed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let rows = keyed.into_iter().take(asked.limit).map(|(_, row)| row).collect();
    Ok(Largest { rows, groups })
}

/// Sums of all groups together.
async fn all_together(
    reading: &mut Transaction,
    (asked, question): (&Asked, Question<'_>),
    steps: Option<&Steps>,
) -> Result<FetchedGroup, ApiError> {
    let all = GroupBy::default();
    let rows = fetch_sums(reading, Question { group_by: &all, ..question }, 1).await?;
    let mut together = FetchedGroup::default();
    together.whole.sums = rows.first().map_or_else(WindowSums::default, |row| row.value);
    if let Some(steps) = steps {
        let by_step = GroupBy { step: Some(steps.step_by.clone()), dimensions: Vec::new() };
        let question = Question { spans: &steps.spans, filters: &asked.filters, group_by: &by_step, only: None };
        for row in fetch_sums(reading, question, MAX_POINTS).await? {
            let Some(start) = row.step else { continue };
            together.steps.entry(start).or_default().sums = row.value;
        }
    }
    Ok(together)
}

fn check_points(points: usize) -> Result<(), ApiError> {
    if points <= MAX_POINTS {
        return Ok(());
    }
    let message = format!(
        "the answer would have more than {MAX_POINTS} points; ask for a shorter range, a wider resolution, fewer measures or a smaller limit"
    );
    Err(ApiError::invalid("too_many_points", message))
}

/// Which period sketches are of.
#[derive(Clone, Copy, Debug)]
enum Period {
    Asked,
    Previous,
}

/// The groups of an answer, which are found by their values.
struct Found {
    groups: Vec<FetchedGroup>,
    places: BTreeMap<Group, usize>,
    /// All operations, as long as the groups are not taken off.
    others: Option<FetchedGroup>,
}

impl Found {
    fn of(rows: Vec<WindowRow<WindowSums>>) -> Self {
        let places = rows.iter().enumerate().map(|(place, row)| (row.dimensions.clone(), place)).collect();
        let group = |row: WindowRow<WindowSums>| FetchedGroup {
            dimensions: row.dimensions,
            whole: Figures { sums: row.value, ..Figures::default() },
            ..FetchedGroup::default()
        };
        Self { groups: rows.into_iter().map(group).collect(), places, others: None }
    }

    fn group(&mut self, dimensions: &Group) -> Option<&mut FetchedGroup> {
        self.places.get(dimensions).map(|place| &mut self.groups[*place])
    }

    async fn fetch_steps(
        &mut self,
        reading: &mut Transaction,
        (asked, only): (&Asked, Option<&[Group]>),
        steps: &Steps,
    ) -> Result<(), ApiError> {
        let by_step = GroupBy { step: Some(steps.step_by.clone()), dimensions: asked.dimensions.clone() };
        let question = Question { spans: &steps.spans, filters: &asked.filters, group_by: &by_step, only };
        let rows = fetch_sums(reading, question, MAX_POINTS + 1).await?;
        check_points(rows.len())?;
        let sketches = if asked.needs_sketches() { fetch_merged(reading, question).await? } else { Merged::new() };
        self.add_steps(rows, sketches)
    }

    async fn fetch_previous(
        &mut self,
        reading: &mut Transaction,
        asked: &Asked,
        question: Question<'_>,
    ) -> Result<(), ApiError> {
        for row in fetch_sums(reading, question, self.groups.len().max(1)).await? {
            if let Some(group) = self.group(&row.dimensions) {
                group.previous.sums = row.value;
            }
        }
        if asked.needs_sketches() {
            self.add_whole(fetch_merged(reading, question).await?, Period::Previous);
        }
        if let Some(others) = &mut self.others {
            let question = Question { group_by: &GroupBy::default(), only: None, ..question };
            let rows = fetch_sums(reading, question, 1).await?;
            others.previous.sums = rows.first().map_or_else(WindowSums::default, |row| row.value);
        }
        Ok(())
    }

    fn add_steps(&mut self, rows: Vec<WindowRow<WindowSums>>, sketches: Merged) -> Result<(), ApiError> {
        for row in rows {
            let (Some(start), Some(group)) = (row.step, self.group(&row.dimensions)) else { continue };
            group.steps.entry(start).or_default().sums = row.value;
        }
        for (dimensions, by_step) in sketches {
            let Some(group) = self.group(&dimensions) else { continue };
            group.whole.sketches = all_steps(&by_step)?;
            for (start, sketches) in by_step {
                let Some(start) = start else { continue };
                group.steps.entry(start).or_default().sketches = sketches;
            }
        }
        Ok(())
    }

    fn add_whole(&mut self, merged: Merged, period: Period) {
        for (dimensions, by_step) in merged {
            let Some(group) = self.group(&dimensions) else { continue };
            let figures = match period {
                Period::Asked => &mut group.whole,
                Period::Previous => &mut group.previous,
            };
            figures.sketches = by_step.into_values().next().unwrap_or_default();
        }
    }
}

impl FetchedGroup {
    /// Takes the sums of another group off.
    fn take_off(&mut self, other: &Self) -> Result<(), ApiError> {
        self.whole.take_off(&other.whole)?;
        self.previous.take_off(&other.previous)?;
        for (start, figures) in &other.steps {
            self.steps.entry(*start).or_default().take_off(figures)?;
        }
        Ok(())
    }
}

impl Figures {
    fn take_off(&mut self, other: &Self) -> Result<(), ApiError> {
        let negative = WindowSums::from_array(other.sums.to_array().map(|sum| -sum));
        self.sums = self.sums.checked_add(&negative).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(())
    }
}

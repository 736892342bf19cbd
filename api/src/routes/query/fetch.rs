//! What a source says to a question: the groups, their steps, what is beside them, and the period before.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;

use super::Asked;
use super::source::{Largest, MergedSketches, Part, Source};
use crate::error::ApiError;
use crate::query::{Group, Measure, Present, Range, Sketches, Stepping, Steps, Sums, WindowRow, all_steps};

/// Most groups of which those with the largest percentile are looked for.
const MAX_COMPARED: usize = 10_000;
/// Most numbers of all steps of an answer: about a megabyte.
const MAX_POINTS: usize = 100_000;

/// Sums and sketches.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) sums: Sums,
    pub(super) sketches: Sketches,
}

/// A group, over the whole range and in steps.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchedGroup {
    pub(super) dimensions: Group,
    pub(super) whole: Figures,
    pub(super) previous: Figures,
    /// Boxed, because figures are large and steps come in no order.
    pub(super) steps: BTreeMap<UtcMillis, Box<Figures>>,
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

/// Asks the source.
pub(super) async fn fetch(source: &mut impl Source, asked: &Asked) -> Result<Fetched, ApiError> {
    let minutes_kept_from = source.minutes_from().await?;
    let present = Present { now: asked.now, minutes_kept_from };
    let steps = match asked.stepping {
        Stepping::Whole => None,
        Stepping::Steps(resolution) => Some(Steps::of(asked.period, resolution, present)?),
    };
    let spans = asked.period.range.spans(minutes_kept_from)?;
    let whole = Part { spans: &spans, step: None, is_grouped: true, only: None };
    let Largest { rows, groups } = largest(source, whole, asked).await?;
    let left_out = groups.saturating_sub(rows.len());
    let names: Vec<Group> = rows.iter().map(|row| row.dimensions.clone()).collect();
    let named = (!asked.axes.is_empty()).then_some(names.as_slice());
    // Where the range has no others, a database is faster if it need not look at names; another period may have others.
    let only = named.filter(|_| left_out > 0);
    let mut found = Found::of(rows);
    match &steps {
        Some(steps) => found.fetch_steps(source, (asked, only), steps).await?,
        None if asked.needs_sketches() => {
            found.add_whole(source.sketches(Part { only, ..whole }).await?, Period::Asked);
        }
        None => {}
    }
    if left_out > 0 {
        found.others = Some(all_together(source, whole, steps.as_ref()).await?);
    }
    let previous = asked.period.previous(asked.now, minutes_kept_from).filter(|_| asked.compares);
    if let Some(range) = previous {
        let spans = range.spans(minutes_kept_from)?;
        found.fetch_previous(source, asked, Part { spans: &spans, only: named, ..whole }).await?;
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
    let unattributed = source.unattributed(whole).await?;
    Ok(Fetched { steps, last_step, groups, others, left_out, previous, unattributed })
}

/// The groups with the largest numbers, over the whole range; without dimensions the one group of all.
async fn largest(source: &mut impl Source, whole: Part<'_>, asked: &Asked) -> Result<Largest, ApiError> {
    if asked.axes.is_empty() {
        let rows = source.sums(whole, 1).await?;
        let all = || WindowRow { step: None, dimensions: Vec::new(), value: Sums::default() };
        return Ok(Largest { rows: vec![rows.into_iter().next().unwrap_or_else(all)], groups: 1 });
    }
    if !asked.order.is_percentile() {
        return source.largest(whole, asked.order, asked.limit).await;
    }
    let Largest { rows, groups } = source.largest(whole, Measure::OPERATIONS, MAX_COMPARED + 1).await?;
    if groups > MAX_COMPARED {
        let message = format!(
            "{groups} groups are too many to order by {}, at most {MAX_COMPARED} are; order by operations, or name fewer dimensions",
            asked.order.name
        );
        return Err(ApiError::invalid("too_many_groups", message));
    }
    let mut merged = source.sketches(whole).await?;
    let keyed = |row: WindowRow<Sums>| {
        let steps = merged.remove(&row.dimensions).unwrap_or_default();
        let sketches = steps.into_values().next().unwrap_or_default();
        (asked.order.number(&row.value, &sketches).sort_key(), row)
    };
    let mut keyed: Vec<(f64, WindowRow<Sums>)> = rows.into_iter().map(keyed).collect();
    // Equals stay in the order of their operations.
    keyed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let rows = keyed.into_iter().take(asked.limit).map(|(_, row)| row).collect();
    Ok(Largest { rows, groups })
}

/// Sums of all groups together.
async fn all_together(
    source: &mut impl Source,
    whole: Part<'_>,
    steps: Option<&Steps>,
) -> Result<FetchedGroup, ApiError> {
    let rows = source.sums(Part { is_grouped: false, ..whole }, 1).await?;
    let mut together = FetchedGroup::default();
    together.whole.sums = rows.first().map_or_else(Sums::default, |row| row.value);
    if let Some(steps) = steps {
        let part = Part { spans: &steps.spans, step: Some(&steps.step_by), is_grouped: false, only: None };
        for row in source.sums(part, MAX_POINTS).await? {
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
    fn of(rows: Vec<WindowRow<Sums>>) -> Self {
        let places = rows.iter().enumerate().map(|(place, row)| (row.dimensions.clone(), place)).collect();
        let group = |row: WindowRow<Sums>| FetchedGroup {
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
        source: &mut impl Source,
        (asked, only): (&Asked, Option<&[Group]>),
        steps: &Steps,
    ) -> Result<(), ApiError> {
        let part = Part { spans: &steps.spans, step: Some(&steps.step_by), is_grouped: true, only };
        let rows = source.sums(part, MAX_POINTS + 1).await?;
        check_points(rows.len())?;
        let sketches = if asked.needs_sketches() { source.sketches(part).await? } else { MergedSketches::new() };
        self.add_steps(rows, sketches)
    }

    async fn fetch_previous(
        &mut self,
        source: &mut impl Source,
        asked: &Asked,
        part: Part<'_>,
    ) -> Result<(), ApiError> {
        for row in source.sums(part, self.groups.len().max(1)).await? {
            if let Some(group) = self.group(&row.dimensions) {
                group.previous.sums = row.value;
            }
        }
        if asked.needs_sketches() {
            self.add_whole(source.sketches(part).await?, Period::Previous);
        }
        if let Some(others) = &mut self.others {
            let rows = source.sums(Part { is_grouped: false, only: None, ..part }, 1).await?;
            others.previous.sums = rows.first().map_or_else(Sums::default, |row| row.value);
        }
        Ok(())
    }

    fn add_steps(&mut self, rows: Vec<WindowRow<Sums>>, sketches: MergedSketches) -> Result<(), ApiError> {
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

    fn add_whole(&mut self, merged: MergedSketches, period: Period) {
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
        self.sums = self.sums.without(&other.sums).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(())
    }
}

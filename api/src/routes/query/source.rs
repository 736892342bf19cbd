//! Where the numbers of a question come from: windows where they keep all that it names, else the lake's files.
//!
//! Both are asked in the same parts, so that one piece of code makes the answer and it cannot differ by where it was read.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Transaction;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{Dimension, WindowSpan};

use crate::error::ApiError;
use crate::query::{
    Filters, Group, GroupBy, Measure, Merged, Question, Sketches, StepBy, Sums, WindowRow, fetch_largest, fetch_merged,
    fetch_sums, minutes_kept_from, unattributed,
};

/// A part of a question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// The range.
    pub(crate) spans: &'a [WindowSpan],
    /// Its steps; none for the whole range at once.
    pub(crate) step: Option<&'a StepBy>,
    /// Whether it is by the groups of the question.
    pub(crate) is_grouped: bool,
    /// The groups that are asked for; all where none is named.
    pub(crate) only: Option<&'a [Group]>,
}

/// The largest groups.
#[derive(Clone, Debug)]
pub(crate) struct Largest {
    /// The groups, largest first.
    pub(crate) rows: Vec<WindowRow<Sums>>,
    /// How many groups there are in all.
    pub(crate) groups: usize,
}

/// Sketches of each group and step.
pub(crate) type MergedSketches = Merged<Sketches>;

/// Answers parts of one question.
pub(crate) trait Source {
    /// From when on minutes can be told apart.
    async fn minutes_from(&mut self) -> Result<UtcMillis, ApiError>;

    /// Sums per group and step, at most `limit`.
    async fn sums(&mut self, part: Part<'_>, limit: usize) -> Result<Vec<WindowRow<Sums>>, ApiError>;

    /// Sums of the `limit` groups of which a measure, which is no percentile, is largest.
    async fn largest(&mut self, part: Part<'_>, by: Measure, limit: usize) -> Result<Largest, ApiError>;

    /// Sketches per group and step.
    async fn sketches(&mut self, part: Part<'_>) -> Result<MergedSketches, ApiError>;

    /// Operations that may or may not pass the filters, and are not counted.
    async fn unattributed(&mut self, part: Part<'_>) -> Result<Option<i64>, ApiError>;
}

/// The windows.
pub(crate) struct Windows<'a> {
    /// One state of the database.
    pub(crate) reading: &'a mut Transaction,
    /// Which operations are meant.
    pub(crate) filters: Filters,
    /// By what groups are told apart.
    pub(crate) dimensions: Vec<Dimension>,
    /// The sums that the answer is made of and put in order by; the others are not read. None where only sketches are asked for.
    pub(crate) columns: Vec<&'static str>,
}

impl Windows<'_> {
    fn group_by(&self, part: Part<'_>) -> GroupBy {
        let dimensions = if part.is_grouped { self.dimensions.clone() } else { Vec::new() };
        GroupBy { step: part.step.cloned(), dimensions }
    }
}

impl Source for Windows<'_> {
    async fn minutes_from(&mut self) -> Result<UtcMillis, ApiError> {
        Ok(minutes_kept_from(self.reading).await?)
    }

    async fn sums(&mut self, part: Part<'_>, limit: usize) -> Result<Vec<WindowRow<Sums>>, ApiError> {
        let group_by = self.group_by(part);
        let question = Question { spans: part.spans, filters: &self.filters, group_by: &group_by, only: part.only };
        let rows = fetch_sums(self.reading, question, &self.columns, limit).await?;
        Ok(rows.into_iter().map(|row| row.map(Sums::from)).collect())
    }

    async fn largest(&mut self, part: Part<'_>, by: Measure, limit: usize) -> Result<Largest, ApiError> {
        let group_by = self.group_by(part);
        let question = Question { spans: part.spans, filters: &self.filters, group_by: &group_by, only: part.only };
        let measure = by.sql().unwrap_or_else(|| "sum(w.operations)".to_owned());
        let largest = fetch_largest(self.reading, question, &self.columns, &measure, limit).await?;
        let rows = largest.rows.into_iter().map(|row| row.map(Sums::from)).collect();
        Ok(Largest { rows, groups: largest.groups })
    }

    async fn sketches(&mut self, part: Part<'_>) -> Result<MergedSketches, ApiError> {
        let group_by = self.group_by(part);
        let question = Question { spans: part.spans, filters: &self.filters, group_by: &group_by, only: part.only };
        let merged = fetch_merged(self.reading, question).await?;
        let all = |[latency, ttft]: [Sketch; 2]| [latency, ttft, Sketch::default(), Sketch::default()];
        let steps = |steps: crate::query::BySteps| steps.into_iter().map(|(step, two)| (step, all(two))).collect();
        Ok(merged.into_iter().map(|(group, by_step)| (group, steps(by_step))).collect())
    }

    async fn unattributed(&mut self, part: Part<'_>) -> Result<Option<i64>, ApiError> {
        let group_by = self.group_by(part);
        let question = Question { spans: part.spans, filters: &self.filters, group_by: &group_by, only: part.only };
        Ok(unattributed(self.reading, question).await?)
    }
}

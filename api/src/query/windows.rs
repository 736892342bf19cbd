//! The one statement over windows. Names in it come from constants; everything that a client said is bound.

mod any_of;
mod of_steps;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Engine, Row, Transaction, Value};
use opstream_schemas::window::{CURRENT_GENERATION, Dimension, DimensionSet, Level, OTHER, WindowSpan, WindowSums};
use sqlx::AssertSqlSafe;

use self::any_of::any_of;
use self::of_steps::{spans_json, windows_of_steps};
use super::Filters;

/// By what the answer is grouped.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupBy {
    /// Steps of time; none for the whole range at once.
    pub(crate) step: Option<StepBy>,
    /// Dimensions, in the order of the answer.
    pub(crate) dimensions: Vec<Dimension>,
}

/// How windows are told apart by the step of time that they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepBy {
    /// A step is a stored window of this level, and no window is wider.
    Level(Level),
    /// Each step has its own windows; together they are the range.
    Spans(Vec<SpanOfStep>),
}

/// Some of the windows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanOfStep {
    /// Start of the step, also where the range cuts it.
    pub(crate) step: UtcMillis,
    /// The windows.
    pub(crate) span: WindowSpan,
}

/// Values of the dimensions of a group, in their order.
pub(crate) type Group = Vec<Option<String>>;

/// One group of windows.
#[derive(Clone, Debug)]
pub(crate) struct WindowRow<T> {
    /// Start of the step; none when there are no steps.
    pub(crate) step: Option<UtcMillis>,
    /// Values of the dimensions, in their order.
    pub(crate) dimensions: Group,
    /// What the windows hold.
    pub(crate) value: T,
}

impl<T> WindowRow<T> {
    /// The same group with another value.
    pub(crate) fn map<U>(self, of: impl FnOnce(T) -> U) -> WindowRow<U> {
        WindowRow { step: self.step, dimensions: self.dimensions, value: of(self.value) }
    }
}

/// Which windows a question is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The windows that are exactly the range; where steps have their own, what is asked of the range as a whole takes these.
    pub(crate) spans: &'a [WindowSpan],
    /// Values that dimensions must have.
    pub(crate) filters: &'a Filters,
    /// How the answer is grouped.
    pub(crate) group_by: &'a GroupBy,
    /// The groups that are asked for; all where none is named.
    pub(crate) only: Option<&'a [Group]>,
}

/// The largest groups of a question.
#[derive(Clone, Debug)]
pub(crate) struct Largest {
    /// The groups, largest first.
    pub(crate) rows: Vec<WindowRow<WindowSums>>,
    /// How many groups there are in all.
    pub(crate) groups: usize,
}

/// Sums of the windows of a question, one row per group, at most `limit`. Sums other than `columns` are not read and come as 0: adding
/// them up and passing them on would take most of the time. In no order: a database that is asked for one sorts all windows by the names
/// of their groups.
///
/// # Errors
/// What the database answers.
pub(crate) async fn fetch_sums(
    reading: &mut Transaction,
    question: Question<'_>,
    columns: &[&'static str],
    limit: usize,
) -> Result<Vec<WindowRow<WindowSums>>, sqlx::Error> {
    let mut statement = Statement::for_sums(Source::of(reading, question), question, columns, None);
    statement.limit(limit);
    let rows = statement.fetch(reading, question.spans).await?;
    rows.iter().map(|row| question.group_by.read(row, WindowSums::from_columns(row, columns)?)).collect()
}

/// Sums of the windows of a question for the `limit` groups of which `measure`, an SQL expression over sums of `w` made of constants, is
/// largest. `columns` have all sums that the measure is made of, and `operations`.
///
/// # Errors
/// What the database answers.
pub(crate) async fn fetch_largest(
    reading: &mut Transaction,
    question: Question<'_>,
    columns: &[&'static str],
    measure: &str,
    limit: usize,
) -> Result<Largest, sqlx::Error> {
    // Counted before the limit takes effect.
    let groups = "cast(count(*) over () as bigint) as group_count";
    let mut statement = Statement::for_sums(Source::of(reading, question), question, columns, Some(groups));
    // Equal groups stay in one order from answer to answer.
    statement.sql += " order by ";
    statement.sql += measure;
    statement.sql += " desc nulls last, sum(w.operations) desc";
    for dimension in &question.group_by.dimensions {
        statement.sql += ", d.";
        statement.sql += dimension.column();
        statement.sql += " nulls first";
    }
    statement.limit(limit);
    let rows = statement.fetch(reading, question.spans).await?;
    let groups = rows.first().map_or(Ok(0), |row| row.int("group_count"))?;
    let rows = rows.iter().map(|row| question.group_by.read(row, WindowSums::from_columns(row, columns)?));
    Ok(Largest { rows: rows.collect::<Result<_, _>>()?, groups: usize::try_from(groups).unwrap_or(usize::MAX) })
}

/// Bytes of the sketches of latency and time to first token of a window, with its group.
pub(crate) type SketchRow = WindowRow<[Vec<u8>; 2]>;

/// The sketches of the windows of a question, each as it arrives, at most `limit`. Returns how many there were.
///
/// # Errors
/// What the database answers.
pub(crate) async fn fetch_sketches(
    reading: &mut Transaction,
    question: Question<'_>,
    limit: usize,
    mut on_row: impl FnMut(SketchRow) + Send,
) -> Result<usize, sqlx::Error> {
    const SKETCHES: [&str; 2] = ["latency_sketch", "ttft_sketch"];
    if question.spans.is_empty() {
        return Ok(0);
    }
    let selected = SKETCHES.map(|column| format!("w.{column}"));
    let mut statement = Statement::select(Source::of(reading, question), question, &SKETCHES, &selected);
    statement.limit(limit);
    let Statement { sql, values } = statement;
    let read = |row: Row| {
        let sketches = [row.bytes("latency_sketch")?, row.bytes("ttft_sketch")?];
        on_row(question.group_by.read(&row, sketches)?);
        Ok(())
    };
    reading.fetch_each(AssertSqlSafe(sql), &values, read).await
}

/// Operations that may or may not pass the filters of a question, and that its answer therefore leaves out: those beyond the
/// limit of kept combinations, in the same workspaces and in the set that the answer is read from. None when there are none.
///
/// # Errors
/// What the database answers.
pub(crate) async fn unattributed(
    reading: &mut Transaction,
    question: Question<'_>,
) -> Result<Option<i64>, sqlx::Error> {
    // The overflow of a set has `(other)` in place of every value but the workspace.
    let others = question.filters.iter().map(|(dimension, values)| match dimension {
        Dimension::Workspace => (dimension, values.to_vec()),
        _ => (dimension, vec![Some(OTHER.to_owned())]),
    });
    let others = Filters::new(others.collect());
    if others == *question.filters {
        return Ok(None);
    }
    let group_by = GroupBy::default();
    let beyond = Question { filters: &others, group_by: &group_by, only: None, ..question };
    let statement = Statement::for_sums(Source::of(reading, question), beyond, &["operations"], None);
    let rows = statement.fetch(reading, question.spans).await?;
    let operations = rows.first().map(|row| row.int("operations")).transpose()?;
    Ok(operations.filter(|operations| *operations > 0))
}

/// Where an answer is read from.
#[derive(Clone, Copy, Debug)]
struct Source {
    engine: Engine,
    /// The smallest set that has all dimensions of filters and groups.
    set: DimensionSet,
}

impl Source {
    fn of(reading: &Transaction, question: Question<'_>) -> Self {
        let set = question.filters.narrowest_set(&question.group_by.dimensions);
        Self { engine: reading.engine(), set }
    }
}

impl GroupBy {
    fn read<T>(&self, row: &Row, value: T) -> Result<WindowRow<T>, sqlx::Error> {
        let step = self.step.as_ref().map(|_| row.int("step_ms").map(UtcMillis::from_millis)).transpose()?;
        let dimensions = self.dimensions.iter().map(|dimension| row.optional_text(dimension.column()));
        Ok(WindowRow { step, dimensions: dimensions.collect::<Result<_, _>>()?, value })
    }
}

/// SQL with what is bound to it.
#[derive(Default)]
struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    /// Sums of these columns per group; `more` is selected beside them.
    fn for_sums(source: Source, question: Question<'_>, columns: &[&str], more: Option<&str>) -> Self {
        let sums = columns.iter().map(|column| format!("cast(coalesce(sum(w.{column}), 0) as bigint) as {column}"));
        let selected: Vec<String> = sums.chain(more.map(str::to_owned)).collect();
        let is_of_everything = question.filters.is_empty() && question.group_by.dimensions.is_empty();
        match &question.group_by.step {
            Some(StepBy::Level(level)) if is_of_everything && more.is_none() => {
                Self::for_sums_of_everything(source, question, columns, &selected, *level)
            }
            _ => Self::grouped(source, question, columns, &selected),
        }
    }

    /// Windows that are a step each are added up as they are stored, one moment after the other; to group them as any other rows would
    /// sort them all once more. Those of a step that the range cuts are narrower, and few.
    fn for_sums_of_everything(
        source: Source,
        question: Question<'_>,
        columns: &[&str],
        sums: &[String],
        level: Level,
    ) -> Self {
        let (steps, cut): (Vec<_>, Vec<_>) = question.spans.iter().copied().partition(|span| span.level == level);
        let of_cut = || Self::grouped(source, Question { spans: &cut, ..question }, columns, sums);
        let mut statement = if cut.is_empty() { Self::default() } else { of_cut() };
        let (set, sums) = (statement.bind(source.set.code()), sums.join(", "));
        let mut parts = Vec::from_iter((!cut.is_empty()).then(|| std::mem::take(&mut statement.sql)));
        parts.extend(steps.iter().map(|span| {
            let within = statement.within(&set, span);
            format!(
                "select w.window_start_ms as step_ms, {sums} from windows w where {within} group by w.window_start_ms"
            )
        }));
        statement.sql = parts.join(" union all ");
        statement
    }

    fn grouped(source: Source, question: Question<'_>, columns: &[&str], selected: &[String]) -> Self {
        let mut statement = Self::select(source, question, columns, selected);
        let step = question.group_by.step.as_ref().map(step_expression);
        let dimensions = question.group_by.dimensions.iter().map(|dimension| format!("d.{}", dimension.column()));
        let groups: Vec<String> = step.into_iter().chain(dimensions).collect();
        if !groups.is_empty() {
            statement.sql += " group by ";
            statement.sql += &groups.join(", ");
        }
        statement
    }

    /// `selected` is made of `columns` of the windows.
    fn select(source: Source, question: Question<'_>, columns: &[&str], selected: &[String]) -> Self {
        let Question { spans, filters, group_by, only } = question;
        let mut statement = Self::default();
        let step = group_by.step.as_ref().map(|step| format!("{} as step_ms", step_expression(step)));
        let dimensions = group_by.dimensions.iter().map(|dimension| format!("d.{0} as {0}", dimension.column()));
        let selected: Vec<String> = step.into_iter().chain(dimensions).chain(selected.iter().cloned()).collect();
        let columns = format!("window_start_ms, dimension_id, {}", columns.join(", "));
        let windows = match &group_by.step {
            Some(StepBy::Spans(spans)) => statement.windows_of_steps(source, spans, &columns),
            Some(StepBy::Level(_)) | None => statement.windows(source.set, spans, &columns),
        };
        let mut conditions = statement.conditions(filters);
        conditions.extend(only.map(|groups| statement.groups(&group_by.dimensions, groups)));
        statement.sql = format!("select {} from ({windows}) w", selected.join(", "));
        if !conditions.is_empty() || !group_by.dimensions.is_empty() {
            statement.sql += " join window_dimensions d on d.dimension_id = w.dimension_id";
        }
        if !conditions.is_empty() {
            statement.sql += " where ";
            statement.sql += &conditions.join(" and ");
        }
        statement
    }

    fn limit(&mut self, rows: usize) {
        self.sql += " limit ";
        self.sql += &rows.to_string();
    }

    /// The windows of each span by their own range of the primary key: one `or` over all would leave the choice of a
    /// scan to the planner.
    fn windows(&mut self, set: DimensionSet, spans: &[WindowSpan], columns: &str) -> String {
        let set = self.bind(set.code());
        let part = |span| format!("select {columns} from windows where {}", self.within(&set, span));
        spans.iter().map(part).collect::<Vec<_>>().join(" union all ")
    }

    /// That windows are those of a span, in a set that is bound already.
    fn within(&mut self, set: &str, span: &WindowSpan) -> String {
        let (level, from, to) = (self.bind(span.level.code()), self.bind(span.from), self.bind(span.to));
        format!(
            "generation = {CURRENT_GENERATION} and dimension_set = {set} and level = {level} and window_start_ms >= {from} and window_start_ms < {to}"
        )
    }

    /// The windows of each step, with the step.
    fn windows_of_steps(&mut self, source: Source, spans: &[SpanOfStep], columns: &str) -> String {
        let (set, spans) = (self.bind(source.set.code()), self.bind(spans_json(spans)));
        let conditions = format!("generation = {CURRENT_GENERATION} and dimension_set = {set}");
        windows_of_steps(source.engine, &spans, columns, &conditions)
    }

    fn conditions(&mut self, filters: &Filters) -> Vec<String> {
        let any_of = |(dimension, values): (Dimension, &[Option<String>])| {
            let values: Vec<String> = values.iter().map(|value| self.condition(dimension, value.as_deref())).collect();
            any_of(&values)
        };
        filters.iter().map(any_of).collect()
    }

    /// That a row is in one of these groups.
    fn groups(&mut self, dimensions: &[Dimension], groups: &[Group]) -> String {
        let mut conditions = Vec::with_capacity(groups.len());
        for group in groups {
            let values = dimensions.iter().zip(group);
            let values: Vec<String> =
                values.map(|(dimension, value)| self.condition(*dimension, value.as_deref())).collect();
            conditions.push(format!("({})", values.join(" and ")));
        }
        any_of(&conditions)
    }

    fn condition(&mut self, dimension: Dimension, value: Option<&str>) -> String {
        match value {
            Some(value) => format!("d.{} = {}", dimension.column(), self.bind(value)),
            None => format!("d.{} is null", dimension.column()),
        }
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// An empty range has no windows, and no statement could say so.
    async fn fetch(self, reading: &mut Transaction, spans: &[WindowSpan]) -> Result<Vec<Row>, sqlx::Error> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        reading.fetch_all(AssertSqlSafe(self.sql), &self.values).await
    }
}

/// Start of the step that contains a window; none is before 1970.
fn step_expression(step: &StepBy) -> String {
    match step {
        StepBy::Level(level) => format!("w.window_start_ms - w.window_start_ms % {}", level.width_millis()),
        StepBy::Spans(_) => "w.step_ms".to_owned(),
    }
}

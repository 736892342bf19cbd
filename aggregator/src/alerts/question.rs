//! The one question to windows that rules have: sums of periods for each combination of values. Names in it come from constants; all
//! else is bound.

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::{MAX_COMBINATIONS, Rule};
use opstream_schemas::database::{Row, Transaction, Value};
use opstream_schemas::window::{CURRENT_GENERATION, CoverError, Dimension, DimensionSet, WindowSpan, cover};
use sqlx::AssertSqlSafe;

use super::periods::Period;

/// What periods of which operations add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    set: DimensionSet,
    filter: Vec<(Dimension, Option<String>)>,
    per: Vec<Dimension>,
    /// The windows of each period, with its start.
    spans: Vec<(UtcMillis, WindowSpan)>,
    /// Of more combinations than are looked at, those are in which this sum is largest.
    largest_by: &'static str,
}

/// One combination of values in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Start of the period.
    pub(crate) period_start: UtcMillis,
    /// Values of `per`.
    pub(crate) per: Vec<Option<String>>,
    /// What it adds up to.
    pub(crate) sums: Sums,
}

/// The sums that conditions are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) operations: i64,
    pub(crate) failures: i64,
    pub(crate) unpriced: i64,
    pub(crate) cost_nano_usd: i64,
    pub(crate) latency_count: i64,
    pub(crate) latency_sum_us: i64,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Combinations that have operations.
    pub(crate) groups: Vec<Group>,
    /// Whether some period has more combinations than are looked at.
    pub(crate) is_cut: bool,
}

const COLUMNS: [&str; 6] = ["operations", "failures", "unpriced", "cost_nano_usd", "latency_count", "latency_sum_us"];

impl Question {
    /// What these periods of a rule add up to.
    ///
    /// # Errors
    /// When a period is not made of windows that are kept.
    pub(crate) fn new(
        rule: &Rule,
        periods: &[Period],
        minutes_kept_from: UtcMillis,
        largest_by: &'static str,
    ) -> Result<Self, CoverError> {
        let mut spans = Vec::new();
        for period in periods {
            let covered = cover(period.start, period.end, minutes_kept_from)?;
            spans.extend(covered.into_iter().map(|span| (period.start, span)));
        }
        let filter = rule.conditions().map(|(dimension, value)| (dimension, value.map(str::to_owned))).collect();
        Ok(Self { set: rule.dimension_set(), filter, per: rule.per.clone(), spans, largest_by })
    }

    /// Asks the database.
    ///
    /// # Errors
    /// What it answers.
    pub(crate) async fn ask(&self, reading: &mut Transaction) -> Result<Answer, sqlx::Error> {
        if self.spans.is_empty() {
            return Ok(Answer::default());
        }
        let mut values = Vec::new();
        let windows = self.windows(&COLUMNS, &mut values);
        let groups: Vec<String> = self.groups().collect();
        let sums = COLUMNS.map(|column| format!("cast(coalesce(sum(w.{column}), 0) as bigint) as {column}"));
        let place = format!(
            "row_number() over (partition by w.period_ms order by sum(w.{}) desc, sum(w.operations) desc) as place",
            self.largest_by
        );
        let sql = format!(
            "select * from (select {}, {}, {place} from {windows} group by {}) ranked where place <= {}",
            self.selected().collect::<Vec<_>>().join(", "),
            sums.join(", "),
            groups.join(", "),
            MAX_COMBINATIONS + 1
        );
        let rows = reading.fetch_all(AssertSqlSafe(sql), &values).await?;
        let mut answer = Answer::default();
        for row in &rows {
            if usize::try_from(row.int("place")?).is_ok_and(|place| place > MAX_COMBINATIONS) {
                answer.is_cut = true;
            } else {
                answer.groups.push(self.read(row)?);
            }
        }
        Ok(answer)
    }

    /// Hands on the sketch in `column` of every window, with its combination.
    ///
    /// # Errors
    /// What the database answers, and the first error of `on_sketch`.
    pub(crate) async fn ask_sketches(
        &self,
        reading: &mut Transaction,
        column: &'static str,
        mut on_sketch: impl FnMut(Vec<Option<String>>, &[u8]) -> Result<(), sqlx::Error> + Send,
    ) -> Result<(), sqlx::Error> {
        if self.spans.is_empty() {
            return Ok(());
        }
        let mut values = Vec::new();
        let windows = self.windows(&[column], &mut values);
        let selected = self.selected().collect::<Vec<_>>().join(", ");
        let sql = format!("select {selected}, w.{column} as sketch from {windows}");
        let read = |row: Row| on_sketch(self.values_of(&row)?, &row.bytes("sketch")?);
        reading.fetch_each(AssertSqlSafe(sql), &values, read).await.map(drop)
    }

    fn groups(&self) -> impl Iterator<Item = String> {
        let per = self.per.iter().map(|dimension| format!("d.{}", dimension.column()));
        std::iter::once("w.period_ms".to_owned()).chain(per)
    }

    fn selected(&self) -> impl Iterator<Item = String> {
        let per = self.per.iter().map(|dimension| format!("d.{0} as {0}", dimension.column()));
        std::iter::once("w.period_ms as period_ms".to_owned()).chain(per)
    }

    /// The windows of each span by their own range of the primary key, and the combinations that pass the filter.
    fn windows(&self, columns: &[&str], values: &mut Vec<Value>) -> String {
        let mut bind = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let set = bind(self.set.code().into());
        let columns = columns.join(", ");
        let part = |(period, span): &(UtcMillis, WindowSpan)| {
            let [period, level, from, to] =
                [(*period).into(), span.level.code().into(), span.from.into(), span.to.into()].map(&mut bind);
            format!(
                "select cast({period} as bigint) as period_ms, dimension_id, {columns} from windows \
                 where generation = {CURRENT_GENERATION} and dimension_set = {set} and level = {level} \
                 and window_start_ms >= {from} and window_start_ms < {to}"
            )
        };
        let parts: Vec<String> = self.spans.iter().map(part).collect();
        let mut text =
            format!("({}) w join window_dimensions d on d.dimension_id = w.dimension_id", parts.join(" union all "));
        for (place, (dimension, value)) in self.filter.iter().enumerate() {
            let condition = match value {
                Some(value) => format!("d.{} = {}", dimension.column(), bind(value.as_str().into())),
                None => format!("d.{} is null", dimension.column()),
            };
            text += if place == 0 { " where " } else { " and " };
            text += &condition;
        }
        text
    }

    fn values_of(&self, row: &Row) -> Result<Vec<Option<String>>, sqlx::Error> {
        self.per.iter().map(|dimension| row.optional_text(dimension.column())).collect()
    }

    fn read(&self, row: &Row) -> Result<Group, sqlx::Error> {
        Ok(Group {
            period_start: UtcMillis::from_millis(row.int("period_ms")?),
            per: self.values_of(row)?,
            sums: Sums {
                operations: row.int("operations")?,
                failures: row.int("failures")?,
                unpriced: row.int("unpriced")?,
                cost_nano_usd: row.int("cost_nano_usd")?,
                latency_count: row.int("latency_count")?,
                latency_sum_us: row.int("latency_sum_us")?,
            },
        })
    }
}

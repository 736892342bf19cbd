//! The groups of an answer as a table: a row for each group, or for each of its steps.

use polars::prelude::*;

use super::answer::QueryAnswer;
use crate::error::ApiError;
use crate::query::{Number, Unit};
use crate::scan::{Format, TableWriter};

/// The cells of a measure, from top to bottom.
type Cells = Vec<Number>;

impl QueryAnswer {
    /// The answer as a file of a format.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn as_file(&self, format: Format) -> Result<Vec<u8>, ApiError> {
        let internal = |error: Box<dyn std::error::Error + Send + Sync>| ApiError::Internal(error);
        let table = self.as_table(format).map_err(|error| internal(error.into()))?;
        let mut bytes = Vec::new();
        let mut writer =
            TableWriter::begin(format, table.schema(), &mut bytes).map_err(|error| internal(error.into()))?;
        writer.write(&table).and_then(|()| writer.finish()).map_err(|error| internal(error.into()))?;
        Ok(bytes)
    }

    /// Groups from the largest on, `others` last; with steps the rows of a group are in order of time. Where a table is text, money
    /// is decimal text of dollars; where it has types, whole nano-dollars.
    pub(crate) fn as_table(&self, format: Format) -> PolarsResult<DataFrame> {
        let groups: Vec<_> = self.groups.iter().chain(&self.others).collect();
        let steps = self.steps.as_deref();
        let height = steps.map_or(1, <[_]>::len);
        let mut columns = Vec::new();
        for axis in &self.dimensions {
            // `others` have no values: their name stands where the first one would.
            let value = |group: &&super::answer::AnsweredGroup| {
                let others = (group.dimensions.is_empty() && Some(axis) == self.dimensions.first())
                    .then(|| "(others)".to_owned());
                let value = group.dimensions.get(axis).cloned().flatten().or(others);
                std::iter::repeat_n(value, height)
            };
            columns.push(Column::new(axis.into(), groups.iter().flat_map(value).collect::<Vec<_>>()));
        }
        if let Some(steps) = steps {
            let starts = groups.iter().flat_map(|_| steps.iter().map(|step| step.start.millis()));
            let starts = Int64Chunked::from_vec("start".into(), starts.collect());
            columns.push(starts.cast(&DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)))?.into_column());
        }
        for measure in &self.measures {
            let mut cells = Cells::with_capacity(groups.len() * height);
            for group in &groups {
                match &group.series {
                    Some(series) => cells.extend(series.get(measure.name).into_iter().flatten()),
                    None => cells.extend(group.totals.get(measure.name)),
                }
            }
            columns.push(column_of(measure.name, measure.unit, &cells, format));
        }
        DataFrame::new(groups.len() * height, columns)
    }
}

fn column_of(name: &str, unit: Unit, cells: &Cells, format: Format) -> Column {
    let is_text = matches!(format, Format::Csv | Format::JsonLines);
    match unit {
        Unit::Usd if is_text => {
            let text = |cell: &Number| match cell {
                Number::Money(money) => Some(money.to_string()),
                _ => None,
            };
            Column::new(name.into(), cells.iter().map(text).collect::<Vec<_>>())
        }
        Unit::Usd => {
            let nanos = |cell: &Number| match cell {
                Number::Money(money) => Some(money.nanos()),
                _ => None,
            };
            let name = name.strip_suffix("_usd").map_or_else(|| name.to_owned(), |stem| format!("{stem}_nano_usd"));
            Column::new(name.into(), cells.iter().map(nanos).collect::<Vec<_>>())
        }
        _ if cells.iter().any(|cell| matches!(cell, Number::Fraction(_))) => {
            let fraction = |cell: &Number| match cell {
                Number::Nothing => None,
                number => Some(number.sort_key()),
            };
            Column::new(name.into(), cells.iter().map(fraction).collect::<Vec<_>>())
        }
        _ => {
            let whole = |cell: &Number| match cell {
                Number::Whole(number) => Some(*number),
                _ => None,
            };
            Column::new(name.into(), cells.iter().map(whole).collect::<Vec<_>>())
        }
    }
}

//! A row of `operations` as JSON: the names that `POST /v1/operations` takes, moments as text, money as decimals.

use opstream_schemas::database::Row;
use opstream_schemas::lake::{Column, ColumnKind, OPERATION_COLUMNS};
use opstream_schemas::{NanoUsd, UtcMicros, UtcMillis};
use serde_json::{Map, Value};

/// Columns whose text has no limit, so that a list of a thousand rows leaves them out.
const UNLIMITED: [&str; 3] = ["request_parameters", "billable_units", "metadata"];
/// Columns of which a list shows the first 500 characters.
const SHORTENED: [&str; 2] = ["endpoint", "error_message"];

/// How much of an operation is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What fits a list.
    Listed,
    /// Every column.
    Whole,
}

impl Extent {
    fn shows(self, column: &Column) -> bool {
        self == Self::Whole || !UNLIMITED.contains(&column.name)
    }

    /// The columns as a select list.
    pub(crate) fn select_list(self) -> String {
        let shown = OPERATION_COLUMNS.iter().filter(|column| self.shows(column));
        let expressions: Vec<String> = shown.map(|column| self.expression(column)).collect();
        expressions.join(", ")
    }

    fn expression(self, column: &Column) -> String {
        let name = column.name;
        match column.kind {
            // Both databases read 64 bits only.
            ColumnKind::SmallInt => format!("cast({name} as bigint) as {name}"),
            ColumnKind::Text if self == Self::Listed && SHORTENED.contains(&name) => {
                format!("substr({name}, 1, 500) as {name}")
            }
            ColumnKind::Json if self == Self::Listed => {
                format!("case when length({name}) <= 1000 then {name} end as {name}")
            }
            _ => name.to_owned(),
        }
    }

    /// A row with the columns of [`Extent::select_list`] as a JSON object; nulls are left out, unknown costs are not.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub(crate) fn read(self, row: &Row) -> Result<Map<String, Value>, sqlx::Error> {
        let mut object = Map::new();
        for column in OPERATION_COLUMNS.iter().filter(|column| self.shows(column)) {
            let (name, value) = (json_name(column), read_column(row, column)?);
            if !value.is_null() || name == "cost_usd" {
                object.insert(name.to_owned(), value);
            }
        }
        Ok(object)
    }
}

/// Name of a column in JSON: units that are part of the value's form leave the name.
pub(crate) fn json_name(column: &Column) -> &'static str {
    match column.name {
        "time_ms" => "time",
        "started_at_us" => "started_at",
        "cost_nano_usd" => "cost_usd",
        "reported_cost_nano_usd" => "reported_cost_usd",
        "input_cost_nano_usd" => "input_cost_usd",
        "cache_read_cost_nano_usd" => "cache_read_cost_usd",
        "cache_write_cost_nano_usd" => "cache_write_cost_usd",
        "output_cost_nano_usd" => "output_cost_usd",
        "unit_cost_nano_usd" => "unit_cost_usd",
        "cache_savings_nano_usd" => "cache_savings_usd",
        "catalogue_cost_nano_usd" => "catalogue_cost_usd",
        "billed_cost_nano_usd" => "billed_cost_usd",
        name => name,
    }
}

fn read_column(row: &Row, column: &Column) -> Result<Value, sqlx::Error> {
    let name = column.name;
    Ok(match column.kind {
        ColumnKind::Id => text(row.optional_id(name)?),
        ColumnKind::Int | ColumnKind::SmallInt => {
            let number = row.optional_int(name)?;
            match name {
                "time_ms" => text(number.map(UtcMillis::from_millis)),
                "started_at_us" => text(number.map(UtcMicros::from_micros)),
                name if name.ends_with("_nano_usd") => text(number.map(NanoUsd::from_nanos)),
                _ => number.into(),
            }
        }
        ColumnKind::Float => row.optional_float(name)?.into(),
        ColumnKind::Bool => row.optional_bool(name)?.into(),
        ColumnKind::Text => row.optional_text(name)?.into(),
        ColumnKind::Json => row.optional_text(name)?.map_or(Value::Null, json_or_text),
    })
}

fn text(value: Option<impl ToString>) -> Value {
    value.map(|value| value.to_string()).into()
}

/// JSON that a producer wrote; what is none after all is shown as it is.
fn json_or_text(stored: String) -> Value {
    serde_json::from_str(&stored).unwrap_or(Value::String(stored))
}

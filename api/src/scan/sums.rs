//! The sums of a group as expressions over the columns of the files: the same numbers as the windows', made by the same rules.
//!
//! Polars adds 64-bit numbers without a word when they overflow. So each sum of numbers is made a second time in floating point,
//! which cannot overflow and tells whether the exact one did.

use opstream_schemas::prices::CostStatus;
use opstream_schemas::window::SumOverflow;
use polars::prelude::*;

use crate::query::Sums;

/// Beyond this an exact sum may have left its 64 bits; the floating one is exact to some millionths.
const SAFE: f64 = 9.2e18;
/// Ends the name of the second sum.
const SHADOW: &str = "~";

/// The expressions of a column of sums.
pub(super) fn sum_of(column: &'static str) -> Vec<Expr> {
    let present = |name: &str| col(name).is_not_null();
    let both =
        |value: &str| when(present("latency_us").and(present("output_tokens"))).then(col(value)).otherwise(lit(0_i64));
    match column {
        "operations" => vec![len().cast(DataType::Int64).alias(column)],
        "failures" => vec![count(col("success").not(), column)],
        "unpriced" => vec![count(col("cost_nano_usd").is_null(), column)],
        "reported" => vec![count(present("reported_cost_nano_usd"), column)],
        "compared" => vec![count(present("catalogue_cost_nano_usd"), column)],
        "retries" => vec![count(col("attempt").gt(lit(1)), column)],
        "latency_count" => vec![count(present("latency_us"), column)],
        "ttft_count" => vec![count(present("ttft_us"), column)],
        "queue_count" => vec![count(present("queue_us"), column)],
        "generation_count" => vec![count(present("generation_us"), column)],
        "latency_sum_us" => exact(&col("latency_us"), column),
        "ttft_sum_us" => exact(&col("ttft_us"), column),
        "queue_sum_us" => exact(&col("queue_us"), column),
        "generation_sum_us" => exact(&col("generation_us"), column),
        "timed_output_tokens" => exact(&both("output_tokens"), column),
        "timed_latency_us" => exact(&both("latency_us"), column),
        "reported_difference_nano_usd" => {
            exact(&(col("reported_cost_nano_usd") - col("catalogue_cost_nano_usd")), column)
        }
        "reported_as_cost_nano_usd" => {
            let is_reported = col("cost_status").eq(lit(CostStatus::Reported.name()));
            exact(&when(is_reported).then(col("cost_nano_usd")).otherwise(lit(0_i64)), column)
        }
        name => exact(&col(name), column),
    }
}

fn count(condition: Expr, column: &'static str) -> Expr {
    condition.sum().cast(DataType::Int64).alias(column)
}

fn exact(value: &Expr, column: &'static str) -> Vec<Expr> {
    let shadow = value.clone().cast(DataType::Float64).sum().alias(format!("{column}{SHADOW}"));
    vec![value.clone().cast(DataType::Int64).sum().alias(column), shadow]
}

/// Sums that were made, column by column.
pub(super) struct SumColumns<'a> {
    columns: Vec<(&'static str, &'a Int64Chunked)>,
}

impl<'a> SumColumns<'a> {
    /// The sums of these columns in a frame.
    ///
    /// # Errors
    /// When one of them left 64 bits, or is not there.
    pub(super) fn of(frame: &'a DataFrame, columns: &[&'static str]) -> Result<Self, SumError> {
        let mut found = Vec::with_capacity(columns.len());
        for column in columns {
            if let Ok(shadow) = frame.column(&format!("{column}{SHADOW}"))
                && shadow.f64()?.iter().flatten().any(|sum| sum.abs() > SAFE)
            {
                return Err(SumOverflow { column }.into());
            }
            found.push((*column, frame.column(column)?.i64()?));
        }
        Ok(Self { columns: found })
    }

    /// The sums of a row; those that were not asked for are 0.
    pub(super) fn row(&self, row: usize) -> Sums {
        let value = |name: &str| self.columns.iter().find(|(column, _)| *column == name);
        Sums::of(|name| value(name).and_then(|(_, values)| values.get(row)).unwrap_or_default())
    }
}

/// Sums that cannot be given.
#[derive(Debug, thiserror::Error)]
pub(super) enum SumError {
    /// More than a sum can hold.
    #[error(transparent)]
    Overflow(#[from] SumOverflow),
    /// Polars says no.
    #[error(transparent)]
    Polars(#[from] PolarsError),
}

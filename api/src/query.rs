//! How questions about operations are read and answered from windows.
//!
//! [`parameters`] reads the query string strictly; [`range`] turns `from` and `to` into the fewest windows that are
//! exactly that range, and [`steps`] cuts them; [`filters`] says which dimensions are asked for; [`windows`] is the
//! one SQL statement over windows that totals, series and breakdowns share, and [`figures`] their common numbers.

mod figures;
mod filters;
mod parameters;
mod range;
mod steps;
mod windows;

pub(crate) use figures::{DurationFigures, Figures, dimension_values};
pub(crate) use filters::{Filters, read_group_by};
pub(crate) use parameters::{Parameters, invalid};
pub(crate) use range::{Range, retained_spans};
pub(crate) use steps::read_steps;
pub(crate) use windows::{GroupBy, Question, WindowRow, fetch_sketches, fetch_sums, unattributed};

#[cfg(test)]
mod tests;

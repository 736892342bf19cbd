//! How questions about operations are read and answered from windows.
//!
//! [`parameters`] reads the query string strictly; [`period`] says which moments are meant by `from`, `to` and `range` in
//! the zone that [`calendar`] reads;
//! [`range`] turns them into the fewest windows that are exactly that range, as far as they are kept ([`windows_kept`]), and
//! [`steps`] cuts it by a resolution; [`filters`] says which dimensions are asked for; [`windows`] is the one SQL statement
//! over windows that totals, series and breakdowns share, and [`figures`] their common numbers; [`sketches`] merges what
//! percentiles are read from; [`measures`] are the numbers that can be asked for by name, made of [`sums`]; [`axis`] has what
//! operations can be told apart by where the lake's files are read, too.

mod axis;
mod calendar;
mod figures;
mod filters;
mod measures;
mod parameters;
mod period;
mod range;
mod sketches;
mod steps;
mod sums;
mod windows;
mod windows_kept;

pub(crate) use axis::{Axis, Selection, read_axes};
pub(crate) use calendar::Stepping;
pub(crate) use figures::{DurationFigures, FIGURE_COLUMNS, Figures, dimension_values};
pub(crate) use filters::{Filters, read_group_by};
pub(crate) use measures::{Measure, Number, Unit};
pub(crate) use parameters::{Parameters, invalid, parse_minute};
pub(crate) use period::{AnsweredPeriod, Period};
pub(crate) use range::Range;
pub(crate) use sketches::{BySteps, Merged, all_steps, fetch_merged};
pub(crate) use steps::{Present, StepTimes, Steps};
pub(crate) use sums::{DURATION_NAMES, DURATIONS, KEPT_DURATIONS, Sketches, Sums};
pub(crate) use windows::{
    Group, GroupBy, Largest, Question, StepBy, WindowRow, fetch_largest, fetch_sums, unattributed,
};
pub(crate) use windows_kept::minutes_kept_from;

#[cfg(test)]
pub(crate) use parameters::tests::parameters as parameters_of;
#[cfg(test)]
mod tests;

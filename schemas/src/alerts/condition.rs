//! The conditions that rules may have.

use crate::NanoUsd;
use crate::calendar::{Resolution, Zone};

/// When there is an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The cost of a period reaches a part of an amount.
    Budget {
        /// The whole amount, above zero.
        amount: NanoUsd,
        /// Which periods.
        period: BudgetPeriod,
        /// Percent of the amount, ascending, each once.
        thresholds: Vec<u32>,
    },
    /// Too many operations fail.
    FailureRate {
        /// Failures of a million operations: an alert is at this or above.
        ppm: i64,
        /// Of which operations.
        window: RateWindow,
    },
    /// Operations take too long.
    Latency {
        /// Which of their durations.
        measure: DurationMeasure,
        /// Percentile, 50 to 99.
        percentile: u8,
        /// Microseconds: an alert is at this or above.
        above_us: i64,
        /// Of which operations.
        window: RateWindow,
    },
    /// Too many operations have no price.
    Unpriced {
        /// What is too many: an alert is at this or above.
        limit: UnpricedLimit,
        /// Of which operations.
        window: RateWindow,
    },
    /// An hour is far above the median of the same local hour in the weeks before.
    Anomaly {
        /// What of the hour is compared.
        measure: AnomalyMeasure,
        /// Thousandths by which the median is multiplied, above 1,000: an alert is at the product or above.
        factor_thousandths: i64,
        /// The least that is an alert, in the unit of the measure.
        minimum: i64,
        /// Weeks before that are compared, 1 to 12.
        weeks: u8,
        /// Whose hours.
        zone: Zone,
    },
}

/// Periods of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetPeriod {
    /// Hours, days, weeks or months of a time zone.
    Calendar {
        /// Which of the four.
        resolution: Resolution,
        /// Where they begin.
        zone: Zone,
    },
    /// The hours before now: from the quarter-hour in which they began to the end of the present one.
    Rolling {
        /// How many, 1 to 8,784.
        hours: u32,
    },
}

/// The operations of which a rate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateWindow {
    /// The last minutes, of which the present one is the last; 1 to 1,440.
    pub minutes: u32,
    /// Fewer operations make no rate.
    pub min_operations: i64,
}

/// A duration of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationMeasure {
    /// The whole of it.
    Latency,
    /// To its first token.
    Ttft,
}

/// What is too much unpriced traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpricedLimit {
    /// So many operations.
    Count(i64),
    /// So many of a million operations.
    Ppm(i64),
}

/// What of an hour is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnomalyMeasure {
    /// Cost by the catalogue, nano-USD.
    Cost,
    /// Operations.
    Operations,
    /// Operations without success.
    Failures,
    /// Mean latency, microseconds.
    Latency,
}

impl Condition {
    /// Its kind as files, the api and the topic name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Budget { .. } => "budget",
            Self::FailureRate { .. } => "failure_rate",
            Self::Latency { .. } => "latency",
            Self::Unpriced { .. } => "unpriced",
            Self::Anomaly { .. } => "anomaly",
        }
    }

    /// Whether it is about periods of the calendar, each by itself: then an alert ends with its period.
    pub const fn has_calendar_periods(&self) -> bool {
        matches!(self, Self::Budget { period: BudgetPeriod::Calendar { .. }, .. })
    }
}

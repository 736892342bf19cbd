//! What can be asked for of a group of operations: sums, quotients of sums, and percentiles. Pure.

use opstream_schemas::NanoUsd;
use serde::Serialize;
use utoipa::ToSchema;

use super::Parameters;
use super::parameters::{excerpt, invalid};
use super::sums::{FURTHER_COLUMNS, KEPT_DURATIONS, Sketches, Sums};
use crate::error::ApiError;

/// A measure by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measure {
    /// Name in questions and answers.
    pub(crate) name: &'static str,
    /// What its numbers are.
    pub(crate) unit: Unit,
    formula: Formula,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// How many.
    Operations,
    /// How many.
    Tokens,
    /// How many.
    Searches,
    /// Exact decimal text.
    Usd,
    /// Microseconds.
    Us,
    /// Tokens in a second.
    TokensPerSecond,
    /// From 0 to 1.
    Ratio,
}

/// A number of an answer; null where there is nothing to divide by, or no operation has the duration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Whole(i64),
    Fraction(f64),
    Money(NanoUsd),
    Nothing,
}

/// Sums that are added, or with -1 taken off.
type Terms = &'static [(&'static str, i64)];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Formula {
    Sum(Terms),
    /// So many times the first by the second.
    Quotient(i64, Terms, Terms),
    /// Of the duration at this place among all.
    Percentile(usize, f64),
}

const TOKENS: Terms = &[("input_tokens", 1), ("output_tokens", 1)];
const OPERATIONS: Terms = &[("operations", 1)];
const COST: Terms = &[("cost_nano_usd", 1)];

const fn sum(name: &'static str, unit: Unit, terms: Terms) -> Measure {
    Measure { name, unit, formula: Formula::Sum(terms) }
}

const fn percentile(name: &'static str, sketch: usize, quantile: f64) -> Measure {
    Measure { name, unit: Unit::Us, formula: Formula::Percentile(sketch, quantile) }
}

const fn mean(name: &'static str, sum: Terms, count: Terms) -> Measure {
    Measure { name, unit: Unit::Us, formula: Formula::Quotient(1, sum, count) }
}

/// Every measure there is.
const ALL: [Measure; 48] = [
    sum("operations", Unit::Operations, OPERATIONS),
    sum("failures", Unit::Operations, &[("failures", 1)]),
    Measure { name: "failure_rate", unit: Unit::Ratio, formula: Formula::Quotient(1, &[("failures", 1)], OPERATIONS) },
    sum("unpriced", Unit::Operations, &[("unpriced", 1)]),
    sum("compared", Unit::Operations, &[("compared", 1)]),
    sum("input_tokens", Unit::Tokens, &[("input_tokens", 1)]),
    sum("cache_read_tokens", Unit::Tokens, &[("cache_read_tokens", 1)]),
    sum("cache_write_tokens", Unit::Tokens, &[("cache_write_tokens", 1)]),
    sum("output_tokens", Unit::Tokens, &[("output_tokens", 1)]),
    sum("reasoning_tokens", Unit::Tokens, &[("reasoning_tokens", 1)]),
    sum("total_tokens", Unit::Tokens, TOKENS),
    Measure { name: "tokens_per_operation", unit: Unit::Tokens, formula: Formula::Quotient(1, TOKENS, OPERATIONS) },
    Measure {
        name: "cache_read_share",
        unit: Unit::Ratio,
        formula: Formula::Quotient(1, &[("cache_read_tokens", 1)], &[("input_tokens", 1)]),
    },
    sum("web_searches", Unit::Searches, &[("web_searches", 1)]),
    sum("cost_usd", Unit::Usd, COST),
    sum("reported_cost_usd", Unit::Usd, &[("reported_cost_nano_usd", 1)]),
    sum("input_cost_usd", Unit::Usd, &[("input_cost_nano_usd", 1)]),
    sum("cache_read_cost_usd", Unit::Usd, &[("cache_read_cost_nano_usd", 1)]),
    sum("cache_write_cost_usd", Unit::Usd, &[("cache_write_cost_nano_usd", 1)]),
    sum("output_cost_usd", Unit::Usd, &[("output_cost_nano_usd", 1)]),
    sum("unit_cost_usd", Unit::Usd, &[("unit_cost_nano_usd", 1)]),
    sum("cache_savings_usd", Unit::Usd, &[("cache_savings_nano_usd", 1)]),
    sum("reported_difference_usd", Unit::Usd, &[("reported_difference_nano_usd", 1)]),
    sum("reported_as_cost_usd", Unit::Usd, &[("reported_as_cost_nano_usd", 1)]),
    Measure {
        name: "cost_per_operation_usd",
        unit: Unit::Usd,
        // An operation without a price does not make the others cheaper.
        formula: Formula::Quotient(1, COST, &[("operations", 1), ("unpriced", -1)]),
    },
    Measure { name: "cost_per_1k_tokens_usd", unit: Unit::Usd, formula: Formula::Quotient(1000, COST, TOKENS) },
    sum("latency_count", Unit::Operations, &[("latency_count", 1)]),
    mean("latency_mean_us", &[("latency_sum_us", 1)], &[("latency_count", 1)]),
    percentile("latency_p50_us", 0, 0.5),
    percentile("latency_p90_us", 0, 0.9),
    percentile("latency_p95_us", 0, 0.95),
    percentile("latency_p99_us", 0, 0.99),
    percentile("latency_max_us", 0, 1.0),
    mean("ttft_mean_us", &[("ttft_sum_us", 1)], &[("ttft_count", 1)]),
    percentile("ttft_p50_us", 1, 0.5),
    percentile("ttft_p90_us", 1, 0.9),
    percentile("ttft_p95_us", 1, 0.95),
    percentile("ttft_p99_us", 1, 0.99),
    percentile("ttft_max_us", 1, 1.0),
    // What follows is answered from the lake's files.
    sum("retries", Unit::Operations, &[("retries", 1)]),
    Measure { name: "retry_rate", unit: Unit::Ratio, formula: Formula::Quotient(1, &[("retries", 1)], OPERATIONS) },
    mean("queue_mean_us", &[("queue_sum_us", 1)], &[("queue_count", 1)]),
    percentile("queue_p50_us", 2, 0.5),
    percentile("queue_p95_us", 2, 0.95),
    mean("generation_mean_us", &[("generation_sum_us", 1)], &[("generation_count", 1)]),
    percentile("generation_p50_us", 3, 0.5),
    percentile("generation_p95_us", 3, 0.95),
    Measure {
        name: "output_tokens_per_second",
        unit: Unit::TokensPerSecond,
        // Of operations that have both, over the whole latency.
        formula: Formula::Quotient(1_000_000, &[("timed_output_tokens", 1)], &[("timed_latency_us", 1)]),
    },
];

impl Measure {
    /// How many operations there are.
    pub(crate) const OPERATIONS: Self = ALL[0];

    /// The measure of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|measure| measure.name == name)
    }

    /// Whether it is read from sketches.
    pub(crate) const fn is_percentile(&self) -> bool {
        self.duration().is_some()
    }

    /// The sums that it is made of.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> + use<> {
        let (of, by): (Terms, Terms) = match self.formula {
            Formula::Sum(of) => (of, &[]),
            Formula::Quotient(_, of, by) => (of, by),
            Formula::Percentile(..) => (&[], &[]),
        };
        of.iter().chain(by).map(|(column, _)| *column)
    }

    /// The place of the duration whose sketch it is read from.
    pub(crate) const fn duration(&self) -> Option<usize> {
        match self.formula {
            Formula::Percentile(place, _) => Some(place),
            Formula::Sum(_) | Formula::Quotient(..) => None,
        }
    }

    /// Whether windows hold what it is made of.
    pub(crate) fn is_kept(&self) -> bool {
        self.columns().all(|column| !FURTHER_COLUMNS.contains(&column)) && self.duration() < Some(KEPT_DURATIONS)
    }

    /// The SQL over sums of `w` by which groups are compared; none for a percentile.
    pub(crate) fn sql(&self) -> Option<String> {
        let sum = |terms: Terms| {
            let terms = terms.iter().map(|(column, sign)| format!("sum(w.{column}) * {sign}"));
            format!("({})", terms.collect::<Vec<_>>().join(" + "))
        };
        match self.formula {
            Formula::Sum(terms) => Some(sum(terms)),
            Formula::Quotient(_, of, by) => Some(format!("{} * 1.0 / nullif({}, 0)", sum(of), sum(by))),
            Formula::Percentile(..) => None,
        }
    }

    /// Its number of a group.
    pub(crate) fn number(&self, sums: &Sums, sketches: &Sketches) -> Number {
        match self.formula {
            Formula::Sum(terms) => self.whole(total(sums, terms)),
            Formula::Quotient(times, of, by) => {
                let (of, by) = (total(sums, of) * i128::from(times), total(sums, by));
                match self.unit {
                    _ if by == 0 => Number::Nothing,
                    Unit::Ratio | Unit::TokensPerSecond => Number::Fraction(of as f64 / by as f64),
                    // Half of the divisor first: the nearest nano-dollar.
                    Unit::Usd => self.whole((2 * of + by).div_euclid(2 * by)),
                    _ => self.whole(of.div_euclid(by)),
                }
            }
            Formula::Percentile(sketch, quantile) => {
                sketches[sketch].quantile(quantile).map_or(Number::Nothing, |quantile| Number::Fraction(quantile.value))
            }
        }
    }

    fn whole(&self, number: i128) -> Number {
        match (i64::try_from(number), self.unit) {
            (Err(_), _) => Number::Nothing,
            (Ok(nanos), Unit::Usd) => Number::Money(NanoUsd::from_nanos(nanos)),
            (Ok(number), _) => Number::Whole(number),
        }
    }
}

fn total(sums: &Sums, terms: Terms) -> i128 {
    terms.iter().map(|(column, sign)| i128::from(sums.get(column)) * i128::from(*sign)).sum()
}

impl Number {
    /// Compares numbers of one measure; nothing is least.
    pub(crate) fn sort_key(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Fraction(number) => *number,
            Self::Money(money) => money.nanos() as f64,
            Self::Nothing => f64::NEG_INFINITY,
        }
    }
}

impl Parameters {
    /// The measures that are asked for, in their order; none where the parameter is missing.
    ///
    /// # Errors
    /// Names what is no measure, and those that are.
    pub(crate) fn take_measures(&mut self) -> Result<Vec<Measure>, ApiError> {
        let Some(text) = self.take("measures")? else { return Ok(Vec::new()) };
        let mut measures: Vec<Measure> = Vec::new();
        for name in text.split(',').map(str::trim) {
            let measure = known("measures", name)?;
            if measures.contains(&measure) {
                return Err(invalid("measures", &format!("names {name} twice")));
            }
            measures.push(measure);
        }
        Ok(measures)
    }

    /// The measure by which groups are compared, the first one that is asked for unless said.
    ///
    /// # Errors
    /// Names what is no measure, and those that are.
    pub(crate) fn take_order(&mut self, measures: &[Measure]) -> Result<Measure, ApiError> {
        match self.take("order")? {
            Some(name) => known("order", &name),
            None => Ok(measures.first().copied().unwrap_or(ALL[0])),
        }
    }
}

fn known(parameter: &str, name: &str) -> Result<Measure, ApiError> {
    Measure::from_name(name).ok_or_else(|| {
        let names = ALL.map(|measure| measure.name).join(", ");
        invalid(parameter, &format!("names {:?}; measures are {names}", excerpt(name)))
    })
}

#[cfg(test)]
mod tests {
    use opstream_schemas::sketch::Sketch;
    use opstream_schemas::window::{SUM_COLUMNS, WindowSums};

    use super::super::parameters::tests::parameters;
    use super::super::sums::DURATIONS;
    use super::*;

    fn number(name: &str, sums: &WindowSums) -> Number {
        let sketches = [Sketch::from_values([100, 200]), Sketch::default(), Sketch::default(), Sketch::default()];
        Measure::from_name(name).unwrap().number(&Sums::from(*sums), &sketches)
    }

    #[test]
    fn sums_quotients_and_percentiles_have_their_units() {
        let sums = WindowSums {
            operations: 3,
            failures: 1,
            unpriced: 1,
            input_tokens: 10,
            output_tokens: 5,
            cost: NanoUsd::from_nanos(5),
            latency_count: 2,
            latency_sum_us: 301,
            ..WindowSums::default()
        };
        assert_eq!(number("total_tokens", &sums), Number::Whole(15));
        assert_eq!(number("failure_rate", &sums), Number::Fraction(1.0 / 3.0));
        // Of the two operations that have a price: 2.5 nano-dollars.
        assert_eq!(number("cost_per_operation_usd", &sums), Number::Money(NanoUsd::from_nanos(3)));
        assert_eq!(number("cost_per_1k_tokens_usd", &sums), Number::Money(NanoUsd::from_nanos(333)));
        assert_eq!(number("latency_mean_us", &sums), Number::Whole(150));
        assert!(
            matches!(number("latency_max_us", &sums), Number::Fraction(value) if (value / 200.0 - 1.0).abs() < 0.011)
        );
        assert_eq!(number("ttft_p99_us", &sums), Number::Nothing);
        assert_eq!(number("failure_rate", &WindowSums::default()), Number::Nothing);
    }

    #[test]
    fn every_measure_names_sums_that_there_are_and_has_a_name_of_its_own() {
        for (place, measure) in ALL.iter().enumerate() {
            let is_sum = |column: &str| SUM_COLUMNS.contains(&column) || FURTHER_COLUMNS.contains(&column);
            assert!(measure.columns().all(is_sum), "{}", measure.name);
            assert!(measure.duration().is_none_or(|place| place < DURATIONS.len()), "{}", measure.name);
            assert!(ALL[..place].iter().all(|other| other.name != measure.name), "{}", measure.name);
        }
    }

    #[test]
    fn what_is_no_measure_is_refused_with_those_that_are() {
        let refusal = |query: &str| parameters(query).take_measures().unwrap_err().to_string();
        assert!(refusal("measures=cost").contains("measures are operations, failures, failure_rate"));
        assert!(refusal("measures=operations,operations").contains("twice"));
        assert_eq!(parameters("").take_measures().unwrap(), []);
        let measures = parameters("measures=cost_usd,operations").take_measures().unwrap();
        assert_eq!(parameters("").take_order(&measures).unwrap().name, "cost_usd");
        assert!(parameters("order=x").take_order(&measures).is_err());
    }
}

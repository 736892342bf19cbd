//! Which letters are meant, as flags, and as the conditions of a query.

use opstream_api::dead_letters::Conditions;
use opstream_schemas::database::Value;
use opstream_schemas::time::{UtcMicros, UtcMillis};

/// Letters to choose from the table; together the flags must all hold.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct FilterArgs {
    /// Only letters with this reason code, such as `negative_count`; may be repeated. `list --summary` shows those that there are
    #[arg(long, value_name = "CODE")]
    pub(super) reason: Vec<String>,
    /// Only letters of this stream, a row number of the table `streams`
    #[arg(long, value_name = "N")]
    pub(super) stream: Option<i64>,
    /// Only letters of this partition; may be repeated
    #[arg(long, value_name = "N")]
    pub(super) partition: Vec<i32>,
    /// Only letters with offsets in [A, B); either end may be left out: `4700..4800`, `4700..`
    #[arg(long, value_name = "A..B", value_parser = parse_offsets)]
    pub(super) offsets: Option<Offsets>,
    /// Only letters stored at or after this time: `2026-11-23T08:00:00Z`, or a day, which begins at midnight UTC
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) stored_from: Option<UtcMillis>,
    /// Only letters stored before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) stored_to: Option<UtcMillis>,
}

/// Half-open range of offsets; either end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offsets {
    from: Option<i64>,
    to: Option<i64>,
}

impl FilterArgs {
    /// Whether every letter is meant.
    pub(super) const fn is_empty(&self) -> bool {
        let Self { reason, stream, partition, offsets, stored_from, stored_to } = self;
        reason.is_empty()
            && partition.is_empty()
            && stream.is_none()
            && offsets.is_none()
            && stored_from.is_none()
            && stored_to.is_none()
    }

    /// The same as conditions.
    pub(super) fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.add_any("reason_code", self.reason.iter().map(|code| code.as_str().into()));
        conditions.add_any("stream_id", self.stream.into_iter().map(Value::from));
        conditions.add_any("partition", self.partition.iter().map(|partition| (*partition).into()));
        let Offsets { from, to } = self.offsets.unwrap_or_default();
        let bounds = [
            ("source_offset >=", from),
            ("source_offset <", to),
            ("stored_at_ms >=", self.stored_from.map(UtcMillis::millis)),
            ("stored_at_ms <", self.stored_to.map(UtcMillis::millis)),
        ];
        for (comparison, bound) in bounds {
            if let Some(bound) = bound {
                conditions.compare(comparison, bound.into());
            }
        }
        conditions
    }
}

fn parse_time(text: &str) -> Result<UtcMillis, String> {
    let day = format!("{text}T00:00:00Z");
    let parsed = UtcMicros::parse_rfc3339(text).or_else(|error| UtcMicros::parse_rfc3339(&day).map_err(|_| error));
    parsed.map(UtcMicros::to_millis).map_err(|error| error.to_string())
}

fn parse_offsets(text: &str) -> Result<Offsets, String> {
    let end = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
    let (from, to) = text.split_once("..").ok_or("expected A..B, A.. or ..B")?;
    match (end(from), end(to)) {
        (Ok(Some(from)), Ok(Some(to))) if from >= to => Err(format!("no offset is at or after {from} and before {to}")),
        (Ok(from), Ok(to)) => Ok(Offsets { from, to }),
        _ => Err("an offset is a whole number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_becomes_a_condition_with_its_values_in_order() {
        let filter = FilterArgs {
            reason: vec!["undecodable".to_owned(), "no_value".to_owned()],
            stream: Some(1),
            partition: vec![0, 2],
            offsets: Some(parse_offsets("5..").unwrap()),
            stored_from: Some(parse_time("2026-11-23").unwrap()),
            stored_to: Some(parse_time("2026-11-23T00:00:01+00:00").unwrap()),
        };
        let conditions = filter.conditions().not_redriven();
        assert_eq!(
            conditions.sql(),
            "reason_code in ($1, $2) and stream_id in ($3) and partition in ($4, $5) and source_offset >= $6 and \
             stored_at_ms >= $7 and stored_at_ms < $8 and redriven_at_ms is null"
        );
        assert_eq!(conditions.values()[6..], [Value::from(1_795_392_000_000_i64), Value::from(1_795_392_001_000_i64)]);
        assert!(!filter.is_empty() && FilterArgs::default().is_empty());
        assert_eq!(FilterArgs::default().conditions().sql(), "true");
    }

    #[test]
    fn wrong_times_and_ranges_say_what_is_expected() {
        assert!(parse_time("yesterday").unwrap_err().contains("yesterday"));
        assert!(parse_offsets("7").unwrap_err().contains("A..B"));
        assert_eq!(parse_offsets("..9"), Ok(Offsets { from: None, to: Some(9) }));
        for empty in ["9..5", "5..5"] {
            assert!(parse_offsets(empty).unwrap_err().contains("no offset"), "{empty}");
        }
    }
}

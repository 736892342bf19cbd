//! How the text of a cell becomes the value of a field.

use std::time::Duration;

use opstream_schemas::NanoUsd;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::moment::{MomentError, TimeFormat, UtcOffset};

/// How the text of a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Text,
    /// A whole number.
    Count,
    /// A number.
    Real,
    /// A duration whose unit is so many microseconds, stored in microseconds.
    Duration {
        /// Microseconds of one unit.
        micros: u32,
    },
    /// `true` or `false`, `1` or `0`, `yes` or `no`.
    Flag,
    /// Dollars.
    Money,
    /// A moment.
    Moment,
    /// JSON text.
    Json,
    /// Text of a JSON object.
    JsonObject,
    /// Texts between semicolons.
    List,
}

/// A cell that its field cannot take.
#[derive(Debug, thiserror::Error)]
pub(super) enum CellError {
    /// Not a whole number.
    #[error("{text:?} is not a whole number")]
    Count {
        /// The cell.
        text: String,
    },
    /// Not a number.
    #[error("{text:?} is not a number")]
    Real {
        /// The cell.
        text: String,
    },
    /// Not a duration.
    #[error("{text:?} is not a duration of 0 or more")]
    Duration {
        /// The cell.
        text: String,
    },
    /// Neither yes nor no.
    #[error("{text:?} is neither true nor false")]
    Flag {
        /// The cell.
        text: String,
    },
    /// Not JSON.
    #[error("{text:?} is not JSON")]
    Json {
        /// The cell.
        text: String,
    },
    /// JSON of another kind, or none.
    #[error("{text:?} is not a JSON object")]
    JsonObject {
        /// The cell.
        text: String,
    },
    /// Not an amount.
    #[error(transparent)]
    Money(#[from] opstream_schemas::money::MoneyError),
    /// Not a moment.
    #[error(transparent)]
    Moment(#[from] MomentError),
}

/// Fields, by the name under which a column may fill them, the field that is filled, and how.
const FIELDS: &[(&str, &str, Kind)] = &[
    ("operation_id", "operation_id", Kind::Text),
    ("started_at", "started_at", Kind::Moment),
    ("workspace", "workspace", Kind::Text),
    ("project", "project", Kind::Text),
    ("team", "team", Kind::Text),
    ("environment", "environment", Kind::Text),
    ("service", "service", Kind::Text),
    ("session_id", "session_id", Kind::Text),
    ("user_id", "user_id", Kind::Text),
    ("agent_id", "agent_id", Kind::Text),
    ("agent_name", "agent_name", Kind::Text),
    ("action_id", "action_id", Kind::Text),
    ("call_id", "call_id", Kind::Text),
    ("attempt", "attempt", Kind::Count),
    ("trace_id", "trace_id", Kind::Text),
    ("span_id", "span_id", Kind::Text),
    ("parent_span_id", "parent_span_id", Kind::Text),
    ("response_id", "response_id", Kind::Text),
    ("operation_type", "operation_type", Kind::Text),
    ("source_type", "source_type", Kind::Text),
    ("provider", "provider", Kind::Text),
    ("model", "model", Kind::Text),
    ("response_model", "response_model", Kind::Text),
    ("endpoint", "endpoint", Kind::Text),
    ("service_tier", "service_tier", Kind::Text),
    ("processing", "processing", Kind::Text),
    ("stream", "stream", Kind::Flag),
    ("temperature", "temperature", Kind::Real),
    ("max_tokens", "max_tokens", Kind::Count),
    ("request_parameters", "request_parameters", Kind::JsonObject),
    ("latency_us", "latency_us", Kind::Duration { micros: 1 }),
    ("latency_ms", "latency_us", Kind::Duration { micros: 1000 }),
    ("latency_s", "latency_us", Kind::Duration { micros: 1_000_000 }),
    ("queue_us", "queue_us", Kind::Duration { micros: 1 }),
    ("queue_ms", "queue_us", Kind::Duration { micros: 1000 }),
    ("queue_s", "queue_us", Kind::Duration { micros: 1_000_000 }),
    ("ttft_us", "ttft_us", Kind::Duration { micros: 1 }),
    ("ttft_ms", "ttft_us", Kind::Duration { micros: 1000 }),
    ("ttft_s", "ttft_us", Kind::Duration { micros: 1_000_000 }),
    ("generation_us", "generation_us", Kind::Duration { micros: 1 }),
    ("generation_ms", "generation_us", Kind::Duration { micros: 1000 }),
    ("generation_s", "generation_us", Kind::Duration { micros: 1_000_000 }),
    ("success", "success", Kind::Flag),
    ("error_type", "error_type", Kind::Text),
    ("error_message", "error_message", Kind::Text),
    ("http_status", "http_status", Kind::Count),
    ("finish_reasons", "finish_reasons", Kind::List),
    ("input_tokens", "input_tokens", Kind::Count),
    ("cache_read_tokens", "cache_read_tokens", Kind::Count),
    ("cache_write_tokens", "cache_write_tokens", Kind::Count),
    ("cache_write_1h_tokens", "cache_write_1h_tokens", Kind::Count),
    ("output_tokens", "output_tokens", Kind::Count),
    ("reasoning_tokens", "reasoning_tokens", Kind::Count),
    ("input_audio_tokens", "input_audio_tokens", Kind::Count),
    ("output_audio_tokens", "output_audio_tokens", Kind::Count),
    ("input_image_tokens", "input_image_tokens", Kind::Count),
    ("output_image_tokens", "output_image_tokens", Kind::Count),
    ("web_searches", "web_searches", Kind::Count),
    ("billable_units", "billable_units", Kind::JsonObject),
    ("reported_cost_usd", "reported_cost_usd", Kind::Money),
    ("system_prompt", "system_prompt", Kind::Text),
    ("input_messages", "input_messages", Kind::Json),
    ("output_messages", "output_messages", Kind::Json),
    ("tool_definitions", "tool_definitions", Kind::Json),
    ("metadata", "metadata", Kind::JsonObject),
];

impl Kind {
    /// The field that a column of this name or a mapping to this name fills, and how its text is read.
    pub(super) fn of_field(name: &str) -> Option<(&'static str, Self)> {
        FIELDS.iter().find(|(known, ..)| *known == name).map(|(_, field, kind)| (*field, *kind))
    }

    /// Every name, for messages.
    pub(super) fn field_names() -> String {
        FIELDS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The value of a cell that is not empty, as the operation's JSON has it.
    ///
    /// # Errors
    /// When the text is not of this kind.
    pub(super) fn read(self, cell: &str, time_format: &TimeFormat, offset: UtcOffset) -> Result<Value, CellError> {
        let text = || cell.to_owned();
        Ok(match self {
            Self::Text => json!(cell),
            Self::Count => json!(read_count(cell).ok_or_else(|| CellError::Count { text: text() })?),
            Self::Real => {
                let number = cell.parse::<f64>().ok().filter(|number| number.is_finite());
                json!(number.ok_or_else(|| CellError::Real { text: text() })?)
            }
            Self::Duration { micros } => {
                json!(read_duration(cell, micros).ok_or_else(|| CellError::Duration { text: text() })?)
            }
            Self::Flag => match cell.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "t" => json!(true),
                "false" | "0" | "no" | "f" => json!(false),
                _ => return Err(CellError::Flag { text: text() }),
            },
            Self::Money => json!(NanoUsd::parse(cell.strip_prefix('$').unwrap_or(cell))?),
            Self::Moment => json!(time_format.read(cell, offset)?.micros()),
            Self::Json => {
                serde_json::from_str::<IgnoredAny>(cell).map_err(|_| CellError::Json { text: text() })?;
                json!(cell)
            }
            Self::JsonObject => {
                let is_object = cell.starts_with('{') && serde_json::from_str::<IgnoredAny>(cell).is_ok();
                if !is_object {
                    return Err(CellError::JsonObject { text: text() });
                }
                json!(cell)
            }
            Self::List => json!(cell.split(';').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>()),
        })
    }
}

/// A whole number; a fraction of zeros, as data frames write whole numbers with gaps, is one too.
fn read_count(cell: &str) -> Option<i64> {
    let whole = match cell.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => cell,
    };
    whole.parse().ok()
}

/// Microseconds, rounded down.
fn read_duration(cell: &str, micros: u32) -> Option<i64> {
    let units = cell.parse::<f64>().ok()?;
    let duration = Duration::try_from_secs_f64(units * (f64::from(micros) / 1_000_000.0)).ok()?;
    i64::try_from(duration.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use opstream_schemas::Operation;

    use super::*;

    fn read(name: &str, cell: &str) -> Result<Value, String> {
        let (_, kind) = Kind::of_field(name).unwrap();
        kind.read(cell, &TimeFormat::Auto, UtcOffset::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_of_the_table_is_a_field_of_the_operation() {
        for (name, field, kind) in FIELDS {
            let cell = match kind {
                Kind::Json | Kind::JsonObject => "{}",
                Kind::Moment => "2026-01-01T00:00:00Z",
                _ if *field == "operation_id" => "01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f",
                _ => "1",
            };
            let operation = json!({ *field: read(name, cell).unwrap() });
            serde_json::from_value::<Operation>(operation).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn durations_become_microseconds_from_any_unit() {
        assert_eq!(read("latency_ms", "635.2067").unwrap(), json!(635_206));
        assert_eq!(read("latency_s", "0.3").unwrap(), json!(300_000));
        assert_eq!(read("ttft_us", "17").unwrap(), json!(17));
        assert!(read("latency_ms", "-1").unwrap_err().contains("duration of 0 or more"));
    }

    #[test]
    fn numbers_and_flags_are_read_as_tools_write_them() {
        assert_eq!(read("input_tokens", "4808.0").unwrap(), json!(4808));
        assert!(read("input_tokens", "4808.5").is_err());
        assert_eq!(read("stream", "True").unwrap(), json!(true));
        assert!(read("stream", "perhaps").is_err());
        assert_eq!(read("reported_cost_usd", "$0.0675").unwrap(), json!("0.0675"));
        assert_eq!(read("finish_reasons", "stop; length").unwrap(), json!(["stop", "length"]));
        assert!(read("metadata", "{").is_err());
        assert!(read("metadata", "[1]").unwrap_err().contains("not a JSON object"));
        assert_eq!(read("input_messages", "[1]").unwrap(), json!("[1]"));
    }
}

//! What an operation must satisfy before it is written, as one list of reasons with stable codes.
//!
//! The front door checks whole operations with [`check_operation`] and refuses them by name; the ingestor checks
//! columns against the same limits and makes a dead letter with the same code, because records also come straight
//! from the topic. Only counts that contradict each other, such as more cached tokens than there were, are left to the
//! door: from the topic such an operation is stored as it is, and unpriced.

use crate::time::DAY_MILLIS;
use crate::{NanoUsd, Operation, OperationId, UtcMicros, UtcMillis};

/// Earliest id time that is accepted unless retention has moved it: 2015-01-01T00:00:00Z.
pub const DEFAULT_RETENTION_FLOOR: UtcMillis = UtcMillis::from_millis(1_420_070_400_000);
/// How far ahead of the clock an id's time may be, milliseconds.
pub const MAX_AHEAD_MILLIS: i64 = DAY_MILLIS;
/// Largest number of bytes of each of [`IDENTIFIERS`].
pub const MAX_IDENTIFIER_BYTES: usize = 1024;
/// Texts that become dimensions or are looked up; the others may be of any length.
pub const IDENTIFIERS: [&str; 24] = [
    "workspace",
    "operation_type",
    "call_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "response_id",
    "producer_id",
    "project",
    "team",
    "environment",
    "service",
    "session_id",
    "user_id",
    "agent_id",
    "agent_name",
    "action_id",
    "source_type",
    "provider",
    "model",
    "response_model",
    "service_tier",
    "processing",
    "error_type",
];

/// Most operations of one transaction, and so of the file that it lists.
pub const MAX_BATCH_OPERATIONS: i64 = 200_000;
/// Largest count of tokens or other units in one operation.
pub const MAX_COUNT: i64 = 1_000_000_000;
/// Longest duration, 10^12 µs (11 days).
pub const MAX_MICROS: i64 = 1_000_000_000_000;
/// Largest cost of one operation, reported or computed: 10,000 USD. What would cost more is unpriced.
pub const MAX_COST_NANO_USD: i64 = 10_000_000_000_000;

// A hostile record must not be able to stop the records behind it: no sum over a batch exceeds 64 bits. A window holds
// 922,337 operations of the largest cost before its sum would.
const _: () = assert!(MAX_COUNT <= i64::MAX / MAX_BATCH_OPERATIONS);
const _: () = assert!(MAX_MICROS <= i64::MAX / MAX_BATCH_OPERATIONS);
const _: () = assert!(MAX_COST_NANO_USD <= i64::MAX / MAX_BATCH_OPERATIONS);

/// Checks one count, duration or amount against 0 and its limit.
///
/// # Errors
/// When it is negative or beyond the limit of its field.
pub fn check_amount(field: &'static str, value: i64) -> Result<(), Violation> {
    let (limit, allowed) = if field.ends_with("_us") {
        (MAX_MICROS, "0 to 1000000000000 (11 days)")
    } else if field.starts_with("reported_cost") {
        (MAX_COST_NANO_USD, "0 to 10000 USD")
    } else if field == "producer_seq" {
        (i64::MAX, "0 or more")
    } else {
        (MAX_COUNT, "0 to 1000000000")
    };
    match value {
        ..0 => Err(Violation::Negative { field, value }),
        _ if value > limit => Err(Violation::OutOfRange { field, value, allowed }),
        _ => Ok(()),
    }
}

/// Half-open range of id times that are accepted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedTimes {
    /// First accepted millisecond.
    pub floor: UtcMillis,
    /// First millisecond that is too far ahead.
    pub ceiling: UtcMillis,
}

impl AcceptedTimes {
    /// From the retention floor to a day after `now`.
    pub const fn at(now: UtcMillis, floor: UtcMillis) -> Self {
        Self { floor, ceiling: now.plus_millis(MAX_AHEAD_MILLIS) }
    }
}

/// Why an operation is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The id has no time that could be trusted.
    #[error("operation_id {id} is not a UUIDv7")]
    NotVersion7 {
        /// The id.
        id: OperationId,
    },
    /// The time lies before what is retained.
    #[error("the time of {field} is {time}, before the retention floor {floor}")]
    BeforeFloor {
        /// The field that brings the time.
        field: &'static str,
        /// The time.
        time: UtcMillis,
        /// First accepted time.
        floor: UtcMillis,
    },
    /// The time lies in the future.
    #[error("the time of {field} is {time}, more than a day ahead of the clock")]
    TooFarAhead {
        /// The field that brings the time.
        field: &'static str,
        /// The time.
        time: UtcMillis,
    },
    /// A count, duration or amount below zero.
    #[error("{field} is {}; it must be 0 or more", shown(field, *value))]
    Negative {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// Parts that exceed their whole.
    #[error("{part} is {value}, more than {whole}, which it is a part of")]
    PartExceedsWhole {
        /// Name of the part, or parts joined by `+`.
        part: &'static str,
        /// Their sum.
        value: i64,
        /// Name of the whole.
        whole: &'static str,
    },
    /// A required text is empty.
    #[error("{field} is empty")]
    Empty {
        /// Name of the field.
        field: &'static str,
    },
    /// An identifying text is too long.
    #[error("{field} has {bytes} bytes; at most {MAX_IDENTIFIER_BYTES} are allowed")]
    TooLong {
        /// Name of the field.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// A number outside its range.
    #[error("{field} is {}; allowed is {allowed}", shown(field, *value))]
    OutOfRange {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: i64,
        /// The range in words.
        allowed: &'static str,
    },
}

impl Violation {
    /// Stable code of the reason, as stored with dead letters and used as a metric label.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotVersion7 { .. } => "id_not_uuid7",
            Self::BeforeFloor { .. } => "before_retention_floor",
            Self::TooFarAhead { .. } => "too_far_ahead",
            Self::Negative { .. } => "negative_count",
            Self::PartExceedsWhole { .. } => "part_exceeds_whole",
            Self::Empty { .. } => "empty_field",
            Self::TooLong { .. } => "too_long",
            Self::OutOfRange { .. } => "out_of_range",
        }
    }

    /// The field that is at fault.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::NotVersion7 { .. } => "operation_id",
            Self::BeforeFloor { field, .. }
            | Self::TooFarAhead { field, .. }
            | Self::Negative { field, .. }
            | Self::Empty { field }
            | Self::TooLong { field, .. }
            | Self::OutOfRange { field, .. } => field,
            Self::PartExceedsWhole { part, .. } => part,
        }
    }
}

/// A value as its sender wrote it: costs are held in nano-dollars and sent in dollars.
fn shown(field: &str, value: i64) -> String {
    if field.starts_with("reported_cost") {
        return format!("{} USD", NanoUsd::from_nanos(value));
    }
    value.to_string()
}

/// Checks the id alone: layout and time.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_id(id: OperationId, accepted: AcceptedTimes) -> Result<(), Violation> {
    if !id.is_version_7() {
        return Err(Violation::NotVersion7 { id });
    }
    check_time("operation_id", id.time(), accepted)
}

/// Checks the time of which an id is made where the sender named none.
///
/// # Errors
/// When it lies outside the accepted times.
pub fn check_started_at(started_at: UtcMicros, accepted: AcceptedTimes) -> Result<(), Violation> {
    check_time("started_at", started_at.to_millis(), accepted)
}

/// Whether a moment is neither before what is kept nor in the future.
///
/// # Errors
/// Which of both it is, with the field that said it.
pub fn check_time(field: &'static str, time: UtcMillis, accepted: AcceptedTimes) -> Result<(), Violation> {
    if time < accepted.floor {
        return Err(Violation::BeforeFloor { field, time, floor: accepted.floor });
    }
    if time >= accepted.ceiling {
        return Err(Violation::TooFarAhead { field, time });
    }
    Ok(())
}

/// Checks a whole operation.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_operation(operation: &Operation, accepted: AcceptedTimes) -> Result<(), Violation> {
    check_id(operation.operation_id, accepted)?;
    check_texts(operation)?;
    check_counts(operation)?;
    check_parts(operation)
}

fn check_texts(operation: &Operation) -> Result<(), Violation> {
    for (field, text) in [("workspace", &operation.workspace), ("operation_type", &operation.operation_type)] {
        if text.is_empty() {
            return Err(Violation::Empty { field });
        }
    }
    let texts = identifying_texts(operation);
    let lengths = IDENTIFIERS.iter().zip(texts).map(|(field, text)| (*field, text.map_or(0, str::len)));
    match lengths.into_iter().find(|(_, bytes)| *bytes > MAX_IDENTIFIER_BYTES) {
        Some((field, bytes)) => Err(Violation::TooLong { field, bytes }),
        None => Ok(()),
    }
}

/// In the order of [`IDENTIFIERS`].
fn identifying_texts(operation: &Operation) -> [Option<&str>; IDENTIFIERS.len()] {
    [
        Some(&operation.workspace),
        Some(&operation.operation_type),
        operation.call_id.as_ref(),
        operation.trace_id.as_ref(),
        operation.span_id.as_ref(),
        operation.parent_span_id.as_ref(),
        operation.response_id.as_ref(),
        operation.producer_id.as_ref(),
        operation.project.as_ref(),
        operation.team.as_ref(),
        operation.environment.as_ref(),
        operation.service.as_ref(),
        operation.session_id.as_ref(),
        operation.user_id.as_ref(),
        operation.agent_id.as_ref(),
        operation.agent_name.as_ref(),
        operation.action_id.as_ref(),
        operation.source_type.as_ref(),
        operation.provider.as_ref(),
        operation.model.as_ref(),
        operation.response_model.as_ref(),
        operation.service_tier.as_ref(),
        operation.processing.as_ref(),
        operation.error_type.as_ref(),
    ]
    .map(|text| text.map(String::as_str))
}

fn check_counts(operation: &Operation) -> Result<(), Violation> {
    if operation.attempt < 1 {
        return Err(Violation::OutOfRange {
            field: "attempt",
            value: i64::from(operation.attempt),
            allowed: "1 or more",
        });
    }
    if let Some(status) = operation.http_status.filter(|status| !(100..600).contains(status)) {
        return Err(Violation::OutOfRange { field: "http_status", value: i64::from(status), allowed: "100 to 599" });
    }
    let counts = [
        ("input_tokens", operation.input_tokens),
        ("output_tokens", operation.output_tokens),
        ("cache_read_tokens", Some(operation.cache_read_tokens)),
        ("cache_write_tokens", Some(operation.cache_write_tokens)),
        ("cache_write_1h_tokens", Some(operation.cache_write_1h_tokens)),
        ("reasoning_tokens", Some(operation.reasoning_tokens)),
        ("input_audio_tokens", Some(operation.input_audio_tokens)),
        ("output_audio_tokens", Some(operation.output_audio_tokens)),
        ("input_image_tokens", Some(operation.input_image_tokens)),
        ("output_image_tokens", Some(operation.output_image_tokens)),
        ("web_searches", Some(operation.web_searches)),
        ("latency_us", operation.latency_us),
        ("queue_us", operation.queue_us),
        ("ttft_us", operation.ttft_us),
        ("generation_us", operation.generation_us),
        ("max_tokens", operation.max_tokens),
        ("producer_seq", operation.producer_seq),
        ("reported_cost_usd", operation.reported_cost_usd.map(NanoUsd::nanos)),
    ];
    counts.into_iter().try_for_each(|(field, value)| value.map_or(Ok(()), |value| check_amount(field, value)))
}

fn check_parts(operation: &Operation) -> Result<(), Violation> {
    let cached = operation
        .cache_read_tokens
        .saturating_add(operation.cache_write_tokens)
        .saturating_add(operation.cache_write_1h_tokens);
    let parts = [
        ("cache_read_tokens+cache_write_tokens+cache_write_1h_tokens", cached, "input_tokens", operation.input_tokens),
        ("input_audio_tokens", operation.input_audio_tokens, "input_tokens", operation.input_tokens),
        ("input_image_tokens", operation.input_image_tokens, "input_tokens", operation.input_tokens),
        ("reasoning_tokens", operation.reasoning_tokens, "output_tokens", operation.output_tokens),
        ("output_audio_tokens", operation.output_audio_tokens, "output_tokens", operation.output_tokens),
        ("output_image_tokens", operation.output_image_tokens, "output_tokens", operation.output_tokens),
    ];
    match parts.into_iter().find(|(_, value, _, total)| *value > total.unwrap_or(0)) {
        Some((part, value, whole, _)) => Err(Violation::PartExceedsWhole { part, value, whole }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

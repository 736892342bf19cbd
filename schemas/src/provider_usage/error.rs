//! Why counts cannot be derived from a usage object.

use super::shape::UsageShape;
use crate::validate::MAX_COUNT;

/// Why a usage object gives no counts. Each names the field and the way out; nothing is guessed and nothing is retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The text is not JSON.
    #[error("usage is not JSON: {reason}")]
    NotJson {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// JSON of another kind.
    #[error(
        "{field} is {found}; expected the JSON object that the provider calls usage, the whole answer that holds it, or \
         the list of a stream's events"
    )]
    NotAnObject {
        /// `usage`, or its place in a list.
        field: String,
        /// Kind of the value, with its article.
        found: &'static str,
    },
    /// An answer or a stream without a usage object.
    #[error(
        "the answer holds no usage; streams of chat completions have it with stream_options.include_usage; else leave it \
         out and send the counts themselves"
    )]
    Missing,
    /// No key that tells who counted.
    #[error("usage has none of the known counts, its keys are: {keys}; known are {}", known_shapes())]
    UnknownShape {
        /// The first of its keys.
        keys: String,
    },
    /// Not a number where a count is expected.
    #[error("{field} is {value}; expected a whole number, 0 or more")]
    NotACount {
        /// Path within the usage object.
        field: String,
        /// The value, cut to 40 characters.
        value: String,
    },
    /// A count below zero.
    #[error("{field} is {value}; it must be 0 or more")]
    Negative {
        /// Path within the usage object.
        field: String,
        /// The value, cut to 40 characters.
        value: String,
    },
    /// A count beyond what one operation can have.
    #[error("{field} is {value}; counts of one operation end at {MAX_COUNT}")]
    TooLarge {
        /// Path within the usage object, or the name of the sum.
        field: String,
        /// The value, cut to 40 characters.
        value: String,
    },
    /// Not an amount of money where a cost is expected.
    #[error("{field} is {value}; expected an amount of 0 to 10000 USD")]
    NotAnAmount {
        /// Path within the usage object.
        field: String,
        /// The value, cut to 40 characters.
        value: String,
    },
    /// Parts that exceed their whole.
    #[error(
        "{part} is {value}, more than {whole}, which it is a part of; name the provider if it counts differently, or send \
         the counts themselves"
    )]
    PartExceedsWhole {
        /// Name of the part, or parts joined by `+`.
        part: &'static str,
        /// Their sum.
        value: i64,
        /// Name of the whole.
        whole: &'static str,
    },
}

impl UsageError {
    /// Stable code of the reason.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "usage_not_json",
            Self::NotAnObject { .. } => "usage_not_an_object",
            Self::Missing => "usage_missing",
            Self::UnknownShape { .. } => "unknown_usage",
            Self::NotACount { .. } => "not_a_count",
            Self::Negative { .. } => "negative_count",
            Self::TooLarge { .. } => "out_of_range",
            Self::NotAnAmount { .. } => "not_an_amount",
            Self::PartExceedsWhole { .. } => "part_exceeds_whole",
        }
    }

    /// Path of the field within the usage object; none when the object as a whole is at fault.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::NotACount { field, .. }
            | Self::Negative { field, .. }
            | Self::TooLarge { field, .. }
            | Self::NotAnAmount { field, .. } => Some(field),
            Self::NotJson { .. }
            | Self::NotAnObject { .. }
            | Self::Missing
            | Self::UnknownShape { .. }
            | Self::PartExceedsWhole { .. } => None,
        }
    }

    /// The error of a field within this object or list.
    pub(super) fn within(mut self, object: &str) -> Self {
        if let Self::NotACount { field, .. }
        | Self::Negative { field, .. }
        | Self::TooLarge { field, .. }
        | Self::NotAnAmount { field, .. } = &mut self
        {
            field.insert(0, '.');
            field.insert_str(0, object);
        }
        self
    }
}

/// Every shape with the first of the keys that it is known by.
fn known_shapes() -> String {
    let shapes = UsageShape::ALL.map(|shape| {
        let keys: Vec<&str> = shape.telling_keys().iter().copied().take(2).collect();
        format!("{} ({})", shape.name(), keys.join(", "))
    });
    shapes.join(", ")
}

/// The first characters of a text, with a sign that there are more.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

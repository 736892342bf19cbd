//! Where a line of a list stands, so that the next page begins behind it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Bond, Order};
use crate::error::ApiError;
use crate::query::invalid;

/// A line's place in an order: its number, and what orders those of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Position {
    pub(crate) bond: Bond,
    pub(crate) order: Order,
    pub(super) value: Option<i64>,
    /// When its last operation ended, microseconds.
    pub(super) last: Option<i64>,
    pub(super) workspace: String,
    pub(super) name: String,
}

/// A position as clients are given it: names may hold any sign, so that it is JSON.
#[derive(Serialize, Deserialize)]
struct Written(Bond, Order, Option<i64>, Option<i64>, String, String);

impl From<Written> for Position {
    fn from(Written(bond, order, value, last, workspace, name): Written) -> Self {
        Self { bond, order, value, last, workspace, name }
    }
}

impl From<Position> for Written {
    fn from(Position { bond, order, value, last, workspace, name }: Position) -> Self {
        Self(bond, order, value, last, workspace, name)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Position {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        serde_json::from_str(text).map_err(|_| invalid("cursor", "is no next_cursor of an earlier answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_any_sign_come_back() {
        for name in ["", "a", "\"],[1", "a&b=c#d", "\u{202e}\n\u{0}ü"] {
            let position = Position {
                bond: Bond::Trace,
                order: Order::Cost,
                value: Some(i64::MIN),
                last: None,
                workspace: name.to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
        }
        for text in ["", "7", "[]", "{}", "[\"Cost\",1,2,\"w\",\"a\"]", "[\"Session\",\"cost\",1,2,\"w\",\"a\"]"] {
            assert!(text.parse::<Position>().unwrap_err().to_string().contains("next_cursor"), "{text}");
        }
    }
}

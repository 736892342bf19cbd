//! Where a dead letter lay, which is also its name: stream, partition and offset.

use std::fmt;
use std::str::FromStr;

use opstream_schemas::database::{Row, Value};
use serde::{Serialize, Serializer};

/// Name of a dead letter, `STREAM/PARTITION/OFFSET`; the stream is the row of `streams`, which names cluster and topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Row number of the topic's incarnation.
    pub stream: i64,
    /// Number of the partition.
    pub partition: i32,
    /// Offset within the partition.
    pub offset: i64,
}

/// Text that is no place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not the place of a dead letter; expected STREAM/PARTITION/OFFSET, such as 1/0/4711")]
pub struct PlaceError {
    /// The first characters of the text.
    text: String,
}

impl Place {
    /// Reads `stream_id`, `partition` (as bigint) and `source_offset`.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub fn of(row: &Row) -> Result<Self, sqlx::Error> {
        let partition = row.int("partition")?;
        let partition = i32::try_from(partition)
            .map_err(|error| sqlx::Error::ColumnDecode { index: "partition".to_owned(), source: error.into() })?;
        Ok(Self { stream: row.int("stream_id")?, partition, offset: row.int("source_offset")? })
    }

    /// The three values, to be bound.
    pub fn values(self) -> [Value; 3] {
        [self.stream.into(), self.partition.into(), self.offset.into()]
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError { text: text.chars().take(64).collect() };
        let mut parts = text.trim().split('/');
        let (Some(stream), Some(partition), Some(offset), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let place = (stream.parse(), partition.parse(), offset.parse());
        let (Ok(stream), Ok(partition), Ok(offset)) = place else { return Err(wrong()) };
        Ok(Self { stream, partition, offset })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As one text, so that a width applies to it.
        f.pad(&format!("{}/{}/{}", self.stream, self.partition, self.offset))
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is_one() {
        let place = Place { stream: 1, partition: 3, offset: 4711 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "1/2", "1/2/3/4", "1/x/3", "llm.operations/0/1", "1//3"] {
            let error = wrong.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("STREAM/PARTITION/OFFSET"), "{error}");
        }
    }
}

//! Reads the records of one file: the elements of an array, or a single object.
//!
//! A file that breaks off yields the records before the break, and the error beside them.

use std::fmt;
use std::io::Read;

use serde::Deserialize as _;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde_json::Value;

/// The records that could be read, and what ended the reading early.
pub(super) fn read_records(source: impl Read) -> (Vec<Value>, Option<serde_json::Error>) {
    let mut records = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_reader(source);
    let result = deserializer.deserialize_any(Records(&mut records)).and_then(|()| deserializer.end());
    (records, result.err())
}

struct Records<'a>(&'a mut Vec<Value>);

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records or one record")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(record) = elements.next_element()? {
            self.0.push(record);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<(), A::Error> {
        self.0.push(Value::deserialize(MapAccessDeserializer::new(entries))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_that_breaks_off_yields_what_stands_before_the_break() {
        let (records, failure) = read_records(br#"[{"a": 1}, {"a": 2}, {"a": "#.as_slice());
        assert_eq!(records, [json!({"a": 1}), json!({"a": 2})]);
        assert!(failure.unwrap().is_eof());
    }

    #[test]
    fn an_array_and_a_single_record_are_both_read() {
        assert!(matches!(read_records(br#"[{"a": 1}, 7]"#.as_slice()), (records, None) if records.len() == 2));
        assert!(matches!(read_records(br#"{"a": 1}"#.as_slice()), (records, None) if records == [json!({"a": 1})]));
        assert!(matches!(read_records(b"3".as_slice()), (records, Some(_)) if records.is_empty()));
    }
}

//! Reads the records of one file as a stream: the elements of an array, or a single object.
//!
//! Of a file that breaks off, the records before the break are yielded and the error is returned.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use serde::Deserialize as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Takes one record; an error ends the reading.
pub(super) type TakeRecord<'a, E> = dyn FnMut(Value) -> Result<(), E> + 'a;

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum Ended<E> {
    /// The file is damaged.
    Damaged(serde_json::Error),
    /// Whoever takes the records wants no more.
    Stopped(E),
}

/// Yields every record.
///
/// # Errors
/// `Damaged` when the file is not JSON to its end, `Stopped` with the error of `take`.
pub(super) fn read_records<E>(source: impl Read, take: &mut TakeRecord<E>) -> Result<(), Ended<E>> {
    let mut stopped = None;
    let mut deserializer = serde_json::Deserializer::from_reader(source);
    let read = deserializer.deserialize_any(Records { take, stopped: &mut stopped }).and_then(|()| deserializer.end());
    match (stopped, read) {
        (Some(error), _) => Err(Ended::Stopped(error)),
        (None, Err(error)) => Err(Ended::Damaged(error)),
        (None, Ok(())) => Ok(()),
    }
}

/// Counts the bytes that are read through it.
pub(super) struct Metered<'a, R> {
    /// Where the bytes come from.
    pub(super) inner: R,
    /// How many there were.
    pub(super) n_read: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(buffer)?;
        self.n_read.set(self.n_read.get() + u64::try_from(n_read).unwrap_or(0));
        Ok(n_read)
    }
}

struct Records<'a, 'b, E> {
    take: &'a mut TakeRecord<'b, E>,
    stopped: &'a mut Option<E>,
}

impl<E> Records<'_, '_, E> {
    fn yield_record<D: serde::de::Error>(&mut self, record: Value) -> Result<(), D> {
        (self.take)(record).map_err(|error| {
            *self.stopped = Some(error);
            D::custom("stopped")
        })
    }
}

impl<'de, E> Visitor<'de> for Records<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records or one record")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(record) = elements.next_element()? {
            self.yield_record::<A::Error>(record)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, entries: A) -> Result<(), A::Error> {
        let record = Value::deserialize(MapAccessDeserializer::new(entries)).map_err(A::Error::custom)?;
        self.yield_record(record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &[u8]) -> (Vec<Value>, Option<Ended<()>>) {
        let mut records = Vec::new();
        let result = read_records(text, &mut |record| {
            records.push(record);
            if records.len() < 3 { Ok(()) } else { Err(()) }
        });
        (records, result.err())
    }

    #[test]
    fn a_file_that_breaks_off_yields_what_stands_before_the_break() {
        let (records, ended) = read(br#"[{"a": 1}, {"a": 2}, {"a": "#);
        assert_eq!(records, [json!({"a": 1}), json!({"a": 2})]);
        assert!(matches!(ended, Some(Ended::Damaged(error)) if error.is_eof()));
    }

    #[test]
    fn an_array_and_a_single_record_are_both_read() {
        assert!(matches!(read(br#"[{"a": 1}, 7]"#), (records, None) if records.len() == 2));
        assert!(matches!(read(br#"{"a": 1}"#), (records, None) if records == [json!({"a": 1})]));
        assert!(matches!(read(b"3"), (records, Some(Ended::Damaged(_))) if records.is_empty()));
    }

    #[test]
    fn reading_ends_when_nobody_takes_records_any_more() {
        assert!(matches!(read(b"[1, 2, 3, 4, 5"), (records, Some(Ended::Stopped(()))) if records.len() == 3));
    }
}

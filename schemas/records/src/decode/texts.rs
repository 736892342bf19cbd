//! Texts one after the other, as Arrow keeps them.

use std::borrow::Cow;

use arrow_array::StringArray;
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};

use super::datum::{Datum, Fault};
use super::json;

/// A growing column of texts.
pub(super) struct Texts {
    /// Where each begins, and where the last one ends.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

/// What a value became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// JSON.
    Json,
    /// Nothing, since there is none, or an empty one.
    Nothing,
    /// Nothing, since a text in it is not UTF-8.
    NotUtf8,
}

impl Texts {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::new() }
    }

    pub(super) fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    #[inline]
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end();
    }

    /// What was appended is the next row.
    #[inline]
    fn end(&mut self) {
        self.offsets.push(i32::try_from(self.bytes.len()).expect("a batch has far less text than 2 GiB"));
    }

    /// Empties the rows from `first` on that are not UTF-8 and returns them.
    pub(super) fn remove_not_utf8(&mut self, first: usize) -> Vec<usize> {
        let start = place(self.offsets[first]);
        let block = &self.bytes[start..];
        let ends = &self.offsets[first..];
        let is_utf8 = block.is_ascii()
            || std::str::from_utf8(block)
                .is_ok_and(|text| ends.iter().all(|end| text.is_char_boundary(place(*end) - start)));
        if is_utf8 {
            return Vec::new();
        }
        let taken = self.bytes.split_off(start);
        let ends = self.offsets.split_off(first + 1);
        let mut not_utf8 = Vec::new();
        let mut begin = 0;
        for end in ends {
            let end = place(end) - start;
            let text = &taken[begin..end];
            begin = end;
            if std::str::from_utf8(text).is_ok() {
                self.push(text);
            } else {
                not_utf8.push(self.rows());
                self.push(b"");
            }
        }
        not_utf8
    }

    /// Appends what stands in the place of a null.
    pub(super) fn push_nothing(&mut self) -> Pushed {
        self.end();
        Pushed::Nothing
    }

    /// Appends text as valid JSON.
    pub(super) fn push_json(&mut self, text: &[u8]) -> Pushed {
        if let Ok(text) = std::str::from_utf8(text) {
            self.push(json::castable(text).as_bytes());
            Pushed::Json
        } else {
            self.end();
            Pushed::NotUtf8
        }
    }

    /// Appends a list as a JSON array.
    pub(super) fn push_list(&mut self, list: &mut Datum<'_>) -> Pushed {
        let start = self.bytes.len();
        let read: Result<(), NotUtf8> = list.each_item(|datum| {
            let item = utf8(datum.text())?;
            self.bytes.push(if self.bytes.len() == start { b'[' } else { b',' });
            json::push_text(&mut self.bytes, item);
            Ok(())
        });
        self.end_json(start, b']', read.is_ok())
    }

    /// Appends a map as a JSON object in the order of its keys; of several values of a key the last one.
    pub(super) fn push_map(&mut self, map: &mut Datum<'_>) -> Pushed {
        let start = self.bytes.len();
        let mut entries: Vec<(Cow<'_, str>, &str)> = Vec::new();
        let read: Result<(), NotUtf8> = map.each_item(|datum| {
            entries.push((json::without_nul(utf8(datum.text())?), utf8(datum.text())?));
            Ok(())
        });
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (number, (key, value)) in entries.iter().enumerate() {
            if entries.get(number + 1).is_some_and(|(next, _)| next == key) {
                continue;
            }
            self.bytes.push(if self.bytes.len() == start { b'{' } else { b',' });
            json::push_text(&mut self.bytes, key);
            self.bytes.push(b':');
            json::push_text(&mut self.bytes, value);
        }
        self.end_json(start, b'}', read.is_ok())
    }

    fn end_json(&mut self, start: usize, bracket: u8, is_utf8: bool) -> Pushed {
        let pushed = if !is_utf8 {
            self.bytes.truncate(start);
            Pushed::NotUtf8
        } else if self.bytes.len() > start {
            self.bytes.push(bracket);
            Pushed::Json
        } else {
            Pushed::Nothing
        };
        self.end();
        pushed
    }

    pub(super) fn finish(self, nulls: Option<NullBuffer>) -> StringArray {
        StringArray::new(OffsetBuffer::new(self.offsets.into()), Buffer::from_vec(self.bytes), nulls)
    }
}

struct NotUtf8;

impl From<Fault> for NotUtf8 {
    fn from(fault: Fault) -> Self {
        unreachable!("the record was scanned: {fault}")
    }
}

fn utf8(text: Result<&[u8], Fault>) -> Result<&str, NotUtf8> {
    std::str::from_utf8(text.expect("the record was scanned")).map_err(|_| NotUtf8)
}

fn place(offset: i32) -> usize {
    usize::try_from(offset).expect("no text begins before the first one")
}

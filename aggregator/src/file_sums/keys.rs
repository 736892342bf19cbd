//! All dimensions and the minute of an operation as one integer, so that Polars groups by integers and not by ten texts.
//!
//! Each column becomes small codes, and the codes of a row become one number, as digits do. Equal numbers are equal values
//! within the slice that was read; they mean nothing beyond it.

use opstream_schemas::window::{Dimension, Level};
use polars::prelude::*;

/// Views of texts that are remembered; a column of more is unusual, and forgetting them costs only time.
const REMEMBERED_VIEWS: usize = 1 << 16;

/// One number per row: two rows have the same exactly if they agree in all dimensions and in the minute.
pub(super) fn row_keys(frame: &DataFrame) -> PolarsResult<UInt64Chunked> {
    let mut keys = RowKeys::new(frame.height());
    keys.append(&minute_codes(frame.column("time_ms")?.i64()?));
    for dimension in Dimension::ALL {
        keys.append(&text_codes(frame.column(dimension.column())?.str()?));
    }
    Ok(UInt64Chunked::from_vec("key".into(), keys.keys))
}

/// A column as numbers below `values`.
struct Codes {
    codes: Vec<u64>,
    values: u64,
}

/// The numbers of the rows so far, all below `values`.
struct RowKeys {
    keys: Vec<u64>,
    values: u64,
}

impl RowKeys {
    fn new(rows: usize) -> Self {
        Self { keys: vec![0; rows], values: 1 }
    }

    /// Tells rows apart by another column.
    fn append(&mut self, column: &Codes) {
        if column.values <= 1 {
            return;
        }
        if self.values.checked_mul(column.values).is_none() {
            self.renumber();
        }
        for (key, code) in self.keys.iter_mut().zip(&column.codes) {
            *key = *key * column.values + code;
        }
        self.values *= column.values;
    }

    /// Numbers the keys that occur from 0 on. There are no more of them than rows, fewer than 2^20, which leaves room for any
    /// column: minutes are fewer than 2^48, and texts no more than rows.
    fn renumber(&mut self) {
        let mut numbers: PlHashMap<u64, u64> = PlHashMap::default();
        for key in &mut self.keys {
            let next = numbers.len() as u64;
            *key = *numbers.entry(*key).or_insert(next);
        }
        self.values = numbers.len() as u64;
    }
}

/// Minutes from the first one on.
fn minute_codes(times: &Int64Chunked) -> Codes {
    let width = Level::Minute.width_millis();
    let minute = |millis: Option<i64>| millis.unwrap_or_default().div_euclid(width);
    let first = times.iter().map(minute).min().unwrap_or_default();
    let codes: Vec<u64> = times.iter().map(|millis| minute(millis).abs_diff(first)).collect();
    let values = codes.iter().max().map_or(0, |last| last + 1);
    Codes { codes, values }
}

/// 0 for null, the others in order of appearance.
fn text_codes(texts: &StringChunked) -> Codes {
    let mut numbers: PlHashMap<&str, u64> = PlHashMap::default();
    let mut codes = Vec::with_capacity(texts.len());
    let mut known: PlHashMap<u128, u64> = PlHashMap::default();
    for chunk in texts.downcast_iter() {
        // Within a chunk, equal views are equal texts; equal long texts can have several views.
        known.clear();
        for (text, view) in chunk.iter().zip(chunk.views().iter()) {
            let Some(text) = text else {
                codes.push(0);
                continue;
            };
            if let Some(code) = known.get(&view.as_u128()) {
                codes.push(*code);
                continue;
            }
            let next = numbers.len() as u64 + 1;
            let code = *numbers.entry(text).or_insert(next);
            if known.len() >= REMEMBERED_VIEWS {
                known.clear();
            }
            known.insert(view.as_u128(), code);
            codes.push(code);
        }
    }
    Codes { codes, values: numbers.len() as u64 + 1 }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn equal_texts_have_equal_codes_across_chunks_and_lengths() {
        let long = "a text that is longer than the twelve bytes of a view";
        let mut texts =
            StringChunked::from_iter_options("t".into(), [Some("a"), None, Some(long), Some("")].into_iter());
        let more = StringChunked::from_iter_options("t".into(), [Some(long), Some("a"), None, Some("b")].into_iter());
        texts.append(&more).unwrap();
        assert_eq!(texts.downcast_iter().count(), 2);
        let codes = text_codes(&texts);
        assert_eq!((codes.codes, codes.values), (vec![1, 0, 2, 3, 2, 1, 0, 4], 5));
    }

    #[test]
    fn times_before_1970_and_far_apart_have_codes() {
        let times = Int64Chunked::from_slice("t".into(), &[-1, 0, 59_999, 60_000, (1 << 48) - 1]);
        let codes = minute_codes(&times);
        assert_eq!(codes.codes[..4], [0, 1, 1, 2]);
        assert_eq!(codes.values, codes.codes[4] + 1);
    }

    #[test]
    fn keys_stay_different_when_columns_together_exceed_64_bits() {
        let rows = 1000_u64;
        let column =
            |step: u64| Codes { codes: (0..rows).map(|row| row / step * 1_000_003).collect(), values: 1 << 40 };
        let columns = [column(1), column(7), column(10), column(500)];
        let mut keys = RowKeys::new(1000);
        for column in &columns {
            keys.append(column);
        }
        let mut seen = HashMap::new();
        for (row, key) in keys.keys.iter().enumerate() {
            let values: Vec<u64> = columns.iter().map(|column| column.codes[row]).collect();
            assert_eq!(*seen.entry(*key).or_insert_with(|| values.clone()), values);
        }
        assert_eq!(seen.len(), 1000);
    }
}

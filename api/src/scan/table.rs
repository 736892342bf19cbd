//! A table as a file: CSV, JSON lines, Parquet or Arrow, batch by batch, so that no more than a batch is in memory.

use std::io::{self, Write};

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use opstream_schemas::{UtcMicros, UtcMillis};
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::ApiError;
use crate::query::Parameters;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Format {
    /// Comma-separated values with a line of names.
    Csv,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// A stream of Apache Arrow.
    Arrow,
}

impl Format {
    const WORDS: [(&'static str, Self); 4] =
        [("csv", Self::Csv), ("json", Self::JsonLines), ("parquet", Self::Parquet), ("arrow", Self::Arrow)];

    /// Its media type.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The name of a file of this format.
    pub(crate) fn file_name(self, what: &str) -> String {
        let ending = match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::Arrow => "arrows",
        };
        format!("opstream-{what}.{ending}")
    }
}

impl Parameters {
    /// The format in which a table is asked for; none for the JSON answer that programs read.
    ///
    /// # Errors
    /// When it is another word, or given twice.
    pub(crate) fn take_format(&mut self) -> Result<Option<Format>, ApiError> {
        self.take_choice("format", &Format::WORDS)
    }
}

/// A table that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Nobody takes it, say.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// CSV says no.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// Polars says no.
    #[error(transparent)]
    Polars(#[from] PolarsError),
    /// Arrow says no.
    #[error(transparent)]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// Writes batches of one table.
pub(crate) enum TableWriter<W: Write> {
    /// Names are written already.
    Csv(Box<csv::Writer<W>>),
    /// Nothing is written yet.
    JsonLines(W),
    /// The footer is written at the end.
    Parquet(Box<BatchedWriter<W>>),
    /// The head is written with the first batch.
    Arrow(Box<ArrowStream<W>>),
}

/// A stream of Arrow that begins with its first batch.
pub(crate) struct ArrowStream<W: Write> {
    out: Option<W>,
    begun: Option<StreamWriter<W>>,
    empty: DataFrame,
}

impl<W: Write + Send> TableWriter<W> {
    /// A table with these columns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(format: Format, schema: &Schema, out: W) -> Result<Self, WriteError> {
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(schema.iter_names().map(|name| harmless(name)))?;
                Self::Csv(Box::new(writer))
            }
            Format::JsonLines => Self::JsonLines(out),
            Format::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out).batched(schema)?)),
            Format::Arrow => {
                let empty = DataFrame::empty_with_schema(schema);
                Self::Arrow(Box::new(ArrowStream { out: Some(out), begun: None, empty }))
            }
        })
    }

    /// The next rows.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn write(&mut self, batch: &DataFrame) -> Result<(), WriteError> {
        // Columns may come in pieces of different lengths, over which the writer of Parquet panics.
        let mut whole = batch.clone();
        whole.rechunk_mut();
        let batch = &whole;
        match self {
            Self::Csv(writer) => each_row(batch, |cells| Ok(writer.write_record(cells.iter().map(csv_cell))?)),
            Self::JsonLines(out) => {
                let names: Vec<String> = batch.get_column_names_owned().iter().map(ToString::to_string).collect();
                each_row(batch, |cells| {
                    let object: Map<String, Json> = names.iter().cloned().zip(cells.iter().map(json_cell)).collect();
                    serde_json::to_writer(&mut *out, &object).map_err(io::Error::from)?;
                    Ok(out.write_all(b"\n")?)
                })
            }
            Self::Parquet(writer) => Ok(writer.write_batch(batch)?),
            Self::Arrow(stream) => stream.write(batch),
        }
    }

    /// The end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(self) -> Result<(), WriteError> {
        match self {
            Self::Csv(mut writer) => Ok(writer.flush()?),
            Self::JsonLines(mut out) => Ok(out.flush()?),
            Self::Parquet(writer) => {
                writer.finish()?;
                Ok(())
            }
            Self::Arrow(mut stream) => {
                if stream.begun.is_none() {
                    let empty = stream.empty.clone();
                    stream.write(&empty)?;
                }
                match &mut stream.begun {
                    Some(writer) => Ok(writer.finish()?),
                    None => Ok(()),
                }
            }
        }
    }
}

impl<W: Write> ArrowStream<W> {
    /// Polars and Arrow have arrays of their own; what both understand is the format itself.
    fn write(&mut self, batch: &DataFrame) -> Result<(), WriteError> {
        let mut batch = without_hidden_text(batch)?;
        let mut bytes = Vec::new();
        // Views are new in the format, and not every reader knows them.
        IpcStreamWriter::new(&mut bytes).with_compat_level(CompatLevel::oldest()).finish(&mut batch)?;
        let reader = StreamReader::try_new(bytes.as_slice(), None)?;
        if let Some(out) = self.out.take() {
            self.begun = Some(StreamWriter::try_new(out, &reader.schema())?);
        }
        if let Some(writer) = &mut self.begun {
            for part in reader {
                writer.write(&part?)?;
            }
        }
        Ok(())
    }
}

/// The same values, without the text that stands behind nulls: a file's rows without a value may point to the longest one there is, and
/// writers of plain Arrow copy it for each of them.
fn without_hidden_text(batch: &DataFrame) -> PolarsResult<DataFrame> {
    let rebuilt = |column: &Column| match column.dtype() {
        DataType::String if column.null_count() > 0 => {
            let texts: StringChunked = column.str()?.iter().collect();
            Ok(texts.with_name(column.name().clone()).into_column())
        }
        _ => Ok(column.clone()),
    };
    DataFrame::new(batch.height(), batch.columns().iter().map(rebuilt).collect::<PolarsResult<_>>()?)
}

/// The cells of each row, from left to right.
pub(super) fn each_row(
    batch: &DataFrame,
    mut act: impl FnMut(&[AnyValue<'_>]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let mut batch = batch.clone();
    batch.rechunk_mut();
    let series: Vec<&Series> = batch.columns().iter().map(Column::as_materialized_series).collect();
    let mut columns: Vec<_> = series.iter().map(|series| series.iter()).collect();
    let mut cells = Vec::with_capacity(columns.len());
    for _ in 0..batch.height() {
        cells.clear();
        cells.extend(columns.iter_mut().map(|column| column.next().unwrap_or(AnyValue::Null)));
        act(&cells)?;
    }
    Ok(())
}

fn csv_cell(cell: &AnyValue<'_>) -> String {
    match json_cell(cell) {
        Json::Null => String::new(),
        Json::String(text) => harmless(&text),
        other => other.to_string(),
    }
}

/// Text that a spreadsheet shows and does not run: what begins like a formula gets an apostrophe.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// A cell as JSON; what JSON has no number for is null.
pub(super) fn json_cell(cell: &AnyValue<'_>) -> Json {
    match cell {
        AnyValue::Null => Json::Null,
        AnyValue::Boolean(value) => Json::Bool(*value),
        AnyValue::String(text) => Json::String((*text).to_owned()),
        AnyValue::StringOwned(text) => Json::String(text.to_string()),
        AnyValue::Float32(number) => Json::from(f64::from(*number)),
        AnyValue::Float64(number) => Json::from(*number),
        AnyValue::Binary(bytes) => Json::String(hex::encode(bytes)),
        AnyValue::BinaryOwned(bytes) => Json::String(hex::encode(bytes)),
        AnyValue::Datetime(number, unit, _) | AnyValue::DatetimeOwned(number, unit, _) => moment(*number, *unit),
        AnyValue::List(values) => Json::Array(values.iter().map(|value| json_cell(&value)).collect()),
        other if other.dtype().is_integer() => match other.try_extract::<i64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::String(other.to_string()),
        },
        other => Json::String(other.to_string()),
    }
}

/// As everywhere in the api: RFC 3339 in UTC.
fn moment(number: i64, unit: TimeUnit) -> Json {
    let text = match unit {
        TimeUnit::Milliseconds => UtcMillis::from_millis(number).to_string(),
        TimeUnit::Microseconds => UtcMicros::from_micros(number).to_string(),
        TimeUnit::Nanoseconds => UtcMicros::from_micros(number.div_euclid(1000)).to_string(),
    };
    Json::String(text)
}

/// The name of a type for people.
pub(super) fn type_name(dtype: &DataType) -> String {
    match dtype {
        dtype if dtype.is_integer() => "integer".to_owned(),
        dtype if dtype.is_float() => "float".to_owned(),
        DataType::String => "text".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date => "date".to_owned(),
        DataType::Datetime(..) => "timestamp".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> DataFrame {
        df!(
            "=name" => [Some("=1+2"), Some("a,\"b\"\nc"), None, Some("-5"), Some("\u{202e}right")],
            "number" => [Some(-5_i64), None, Some(3), Some(0), Some(i64::MAX)],
            "share" => [Some(0.5), Some(f64::NAN), None, Some(1.0), Some(-1.0)],
        )
        .unwrap()
    }

    fn written(format: Format) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = TableWriter::begin(format, frame().schema(), &mut bytes).unwrap();
        writer.write(&frame()).unwrap();
        writer.write(&frame()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn csv_runs_no_formula_and_keeps_numbers() {
        let text = String::from_utf8(written(Format::Csv)).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), vec!["'=name", "number", "share"]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 10);
        assert_eq!(rows[0], vec!["'=1+2", "-5", "0.5"]);
        assert_eq!(rows[1], vec!["a,\"b\"\nc", "", ""]);
        assert_eq!((&rows[3][0], &rows[4][1]), ("'-5", "9223372036854775807"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = String::from_utf8(written(Format::JsonLines)).unwrap();
        let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[1], serde_json::json!({ "=name": "a,\"b\"\nc", "number": null, "share": null }));
    }

    #[test]
    fn parquet_and_arrow_hold_the_same_rows() {
        let parquet = ParquetReader::new(io::Cursor::new(written(Format::Parquet))).finish().unwrap();
        assert!(parquet.equals_missing(&frame().vstack(&frame()).unwrap()));
        let arrow = IpcStreamReader::new(io::Cursor::new(written(Format::Arrow))).finish().unwrap();
        assert!(arrow.equals_missing(&parquet));
    }

    #[test]
    fn columns_in_pieces_of_different_lengths_are_written() {
        let mut column = Int64Chunked::from_slice("a".into(), &[1, 2]);
        column.append(&Int64Chunked::from_slice("a".into(), &[3])).unwrap();
        let other = Int64Chunked::from_slice("b".into(), &[4, 5, 6]);
        let batch = DataFrame::new(3, vec![column.into_column(), other.into_column()]).unwrap();
        for format in [Format::Csv, Format::JsonLines, Format::Parquet, Format::Arrow] {
            let mut bytes = Vec::new();
            let mut writer = TableWriter::begin(format, batch.schema(), &mut bytes).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
            if format == Format::Parquet {
                assert!(ParquetReader::new(io::Cursor::new(bytes)).finish().unwrap().equals(&batch));
            }
        }
    }

    #[test]
    fn what_stands_behind_nulls_is_not_written() {
        let long = "x".repeat(1_000_000);
        // Only the first row has a value; the views of all still point to the text, as those of a file's nulls may.
        let mut hidden = std::iter::repeat_n(Some(long.as_str()), 1_000).collect::<StringChunked>();
        let is_there: BooleanChunked = (0..1_000).map(|row| Some(row == 0)).collect();
        hidden.set_validity(is_there.downcast_iter().next().map(|chunk| chunk.values().clone()));
        let batch = DataFrame::new(1_000, vec![hidden.into_column()]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = TableWriter::begin(Format::Arrow, batch.schema(), &mut bytes).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        assert!(bytes.len() < 2_000_000, "{} bytes", bytes.len());
    }

    #[test]
    fn a_table_without_rows_still_says_its_columns() {
        for format in [Format::Csv, Format::Parquet, Format::Arrow] {
            let mut bytes = Vec::new();
            TableWriter::begin(format, frame().schema(), &mut bytes).unwrap().finish().unwrap();
            assert!(!bytes.is_empty(), "{format:?}");
        }
    }
}

//! Turns the rows of an opened CSV file into operations.

use std::io::Read;
use std::sync::Arc;

use opstream_schemas::Operation;
use opstream_schemas::providers::canonical_provider;
use serde_json::{Map, Value, json};

use super::cells::Kind;
use super::columns::{ColumnMapping, Columns, Target};
use super::lines::LineStarts;
use super::moment::{TimeFormat, UtcOffset};
use crate::import::feed::{At, Item, Place, Record, Refusal};
use crate::import::identity::SeenIds;

/// Fields whose text is kept to the last space.
const CONTENT: [&str; 2] = ["system_prompt", "error_message"];

/// What holds for every row.
#[derive(Clone, Debug)]
pub(super) struct Constants {
    /// Workspace of rows that name none.
    pub(super) workspace: String,
    /// Provider of rows that name none.
    pub(super) provider: Option<String>,
    /// Model of rows that name none.
    pub(super) model: Option<String>,
    /// Kind of operation of rows that name none.
    pub(super) operation_type: String,
    /// How times are written.
    pub(super) time_format: TimeFormat,
    /// Zone of times that name none.
    pub(super) utc_offset: UtcOffset,
}

/// An opened file whose header has been read.
pub(super) struct Rows<R> {
    reader: csv::Reader<LineStarts<R>>,
    file: Arc<str>,
    header: Vec<String>,
    columns: Columns,
    constants: Constants,
    seen: SeenIds,
    n_bytes: u64,
}

impl<R: Read> Rows<R> {
    /// Reads the header and maps its columns.
    ///
    /// # Errors
    /// When the header cannot be read or the mapping does not fit it.
    pub(super) fn open(
        mut reader: csv::Reader<LineStarts<R>>,
        file: &str,
        mappings: &[ColumnMapping],
        constants: Constants,
    ) -> anyhow::Result<Self> {
        let first = reader.headers()?;
        let header: Vec<String> =
            first.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        let columns = Columns::of(&names, mappings)?;
        Ok(Self { reader, file: Arc::from(file), header, columns, constants, seen: SeenIds::default(), n_bytes: 0 })
    }

    /// What is worth saying before the first row.
    pub(super) fn remarks(&self) -> Vec<String> {
        match self.columns.unused.as_slice() {
            [] => Vec::new(),
            unused => vec![format!("columns not imported: {}", unused.join(", "))],
        }
    }

    /// The next row as an operation or a refusal; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, csv::Error> {
        let mut row = csv::ByteRecord::new();
        if !self.reader.read_byte_record(&mut row)? {
            return Ok(None);
        }
        let line = self.reader.get_mut().line_from(row.position().map_or(0, csv::Position::byte));
        let place = Place { file: Arc::clone(&self.file), at: At::Line(line) };
        let weight = self.reader.position().byte().saturating_sub(self.n_bytes);
        self.n_bytes = self.reader.position().byte();
        Ok(Some(match self.operation(&row) {
            Err(reason) => Record::Refused { refusal: Refusal { place, reason }, weight },
            Ok(None) => Record::Repeated { weight },
            Ok(Some(operation)) => Record::Item(Item::new(&operation, place, weight)),
        }))
    }

    /// The operation of a row; none when it brings an id that an earlier row had.
    fn operation(&mut self, row: &csv::ByteRecord) -> Result<Option<Operation>, String> {
        if row.len() != self.header.len() {
            return Err(format!("the row has {} columns, the header {}", row.len(), self.header.len()));
        }
        let fields = self.fields(row)?;
        let (has_own_id, has_own_time) = (fields.contains_key("operation_id"), fields.contains_key("started_at"));
        let mut operation: Operation =
            serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        if let Some(provider) = &mut operation.provider {
            *provider = canonical_provider(provider).into_owned();
        }
        if has_own_id {
            if !has_own_time {
                operation.started_at = operation.time().into();
            }
            return Ok(self.seen.is_first(operation.operation_id).then_some(operation));
        }
        let mut parts: Vec<&[u8]> = vec![operation.workspace.as_bytes(), b"csv"];
        parts.extend(row.iter());
        operation.operation_id = self.seen.derive(operation.started_at.to_millis(), &parts);
        Ok(Some(operation))
    }

    /// The row's cells as fields of an operation; empty cells are null.
    fn fields(&self, row: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
        let Constants { time_format, utc_offset, .. } = &self.constants;
        let mut fields = self.constant_fields();
        let mut tags = Map::new();
        for ((cell, column), target) in row.iter().zip(&self.header).zip(&self.columns.targets) {
            let Some(target) = target else { continue };
            let whole = std::str::from_utf8(cell).map_err(|_| format!("{column}: the cell is not UTF-8 text"))?;
            let cell = whole.trim();
            if cell.is_empty() {
                continue;
            }
            if cell.contains('\0') {
                return Err(format!("{column}: the cell contains the character U+0000, which SQL text cannot hold"));
            }
            match target {
                Target::Tag(tag) => drop(tags.insert(tag.clone(), json!(cell))),
                // Spaces around a prompt belong to it.
                Target::Field { name, kind: Kind::Text } if CONTENT.contains(name) => {
                    fields.insert((*name).to_owned(), json!(whole));
                }
                Target::Field { name, kind } => {
                    let value =
                        kind.read(cell, time_format, *utc_offset).map_err(|error| format!("{column}: {error}"))?;
                    fields.insert((*name).to_owned(), value);
                }
            }
        }
        if !fields.contains_key("started_at") && !fields.contains_key("operation_id") {
            return Err("the row has no time".to_owned());
        }
        let has_error = fields.contains_key("error_type") || fields.contains_key("error_message");
        fields.entry("success").or_insert(json!(!has_error));
        if !tags.is_empty() {
            fields.insert("tags".to_owned(), Value::Object(tags));
        }
        Ok(fields)
    }

    fn constant_fields(&self) -> Map<String, Value> {
        let Constants { workspace, provider, model, operation_type, .. } = &self.constants;
        let mut fields = Map::from_iter([
            ("workspace".to_owned(), json!(workspace)),
            ("operation_type".to_owned(), json!(operation_type)),
        ]);
        for (name, value) in [("provider", provider), ("model", model)] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        fields
    }
}

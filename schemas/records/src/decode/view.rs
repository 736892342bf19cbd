//! One operation's record looked at in place, for readers that show or count operations and store none: nothing is copied but what is
//! asked for, so that prompts cost nothing.
//!
//! It reads with the decoder's own primitives. Texts that nobody asks for are not known to be UTF-8, and no rule of operations is
//! checked: whether the record becomes an operation, the ingestor decides.

use opstream_schemas::OperationId;
use serde_json::Value;

use super::cell::{Cell, span};
use super::datum::{Datum, Fault, ID_LENGTH};
use super::decoder::DatumError;
use super::inspect::json;
use super::layout::{Kind, Layout};
use super::writer_schemas::WriterSchemas;
use super::{Framed, framed};
use crate::dead_letter::Poison;

/// The record of one operation.
pub struct RecordView<'a> {
    layout: &'a Layout,
    /// Of each field of the layout.
    cells: Vec<Cell>,
    datum: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Looks at a record's value, with what is known of other writers' schemas.
    ///
    /// # Errors
    /// Why it cannot be an operation.
    pub fn of(value: Option<&'a [u8]>, schemas: &'a WriterSchemas) -> Result<Self, Poison> {
        let Framed { layout, datum: bytes } = framed(value, schemas)?;
        let undecodable = |error: DatumError| Poison::Undecodable { reason: error.to_string() };
        let mut datum = Datum::new(bytes);
        let mut cells = Vec::with_capacity(layout.fields.len());
        for (place, field) in layout.fields.iter().enumerate() {
            let wrong = |fault| undecodable(DatumError::Value { field: field.name.clone(), fault });
            cells.push(layout.read(place, &mut datum, bytes.len()).map_err(wrong)?);
        }
        match datum.left() {
            0 => Ok(Self { layout, cells, datum: bytes }),
            bytes => Err(undecodable(DatumError::LeftOver { bytes })),
        }
    }

    /// The operation's id.
    pub fn id(&self) -> OperationId {
        OperationId::from_bytes(self.layout.id(self.datum).to_be_bytes())
    }

    /// A field of text; none where it is null, absent, or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let bits = self.cell(name, &[Kind::Text])?;
        std::str::from_utf8(&self.datum[span(bits)]).ok()
    }

    /// A field of whole numbers; none where it is null or absent.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.cell(name, &[Kind::Int, Kind::Long]).map(u64::cast_signed)
    }

    /// A field of truth values; none where it is null or absent.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.cell(name, &[Kind::Boolean]).map(|bits| bits != 0)
    }

    /// What a map of texts holds under a key; of several the last.
    pub fn entry(&self, name: &str, key: &str) -> Option<&'a str> {
        let bits = self.cell(name, &[Kind::TextMap])?;
        let mut found = None;
        let read = Datum::new(&self.datum[span(bits)]).each_item(|datum| {
            let (name, value) = (datum.text()?, datum.text()?);
            if name == key.as_bytes() {
                found = std::str::from_utf8(value).ok();
            }
            Ok::<_, Fault>(())
        });
        read.ok().and(found)
    }

    /// Names and values, as JSON has them, of the fields that are not null and wanted. Texts that are not UTF-8 have replacement
    /// characters.
    pub fn fields(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, Value)> {
        let fields = self.layout.fields.iter().zip(&self.cells);
        let wanted = fields.filter(|(field, _)| is_wanted(&field.name));
        wanted.filter_map(|(field, cell)| json(field, *cell, self.datum, &mut true)).collect()
    }

    fn cell(&self, name: &str, kinds: &[Kind]) -> Cell {
        let place = self.layout.fields.iter().position(|field| field.name == name && kinds.contains(&field.kind))?;
        self.cells[place]
    }
}

/// Bytes of an id, of which [`RecordView::id`] makes one.
const _: () = assert!(ID_LENGTH == size_of::<u128>());

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opstream_schemas::avro::{OPERATION_V1, SchemaId, WriterSchema, encode_operation, encode_operation_as};
    use opstream_schemas::{Operation, UtcMicros};
    use serde_json::json;

    use super::*;

    fn operation() -> Operation {
        Operation {
            model: Some("gpt-4o".to_owned()),
            input_tokens: Some(1200),
            http_status: Some(429),
            success: false,
            system_prompt: Some("the secret prompt".to_owned()),
            tags: BTreeMap::from([("tier".to_owned(), "gold".to_owned()), ("a".to_owned(), "1".to_owned())]),
            ..Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_001))
        }
    }

    #[test]
    fn fields_are_read_in_place_and_only_what_is_wanted_is_shown() {
        let (operation, schemas) = (operation(), WriterSchemas::default());
        let mut bytes = Vec::new();
        encode_operation(&operation, &mut bytes);
        let view = RecordView::of(Some(&bytes), &schemas).unwrap();
        assert_eq!(view.id(), operation.operation_id);
        assert_eq!((view.text("model"), view.text("provider"), view.text("colour")), (Some("gpt-4o"), None, None));
        assert_eq!((view.int("input_tokens"), view.int("http_status")), (Some(1200), Some(429)));
        assert_eq!((view.flag("success"), view.flag("model")), (Some(false), None));
        assert_eq!((view.entry("tags", "tier"), view.entry("tags", "b")), (Some("gold"), None));
        let shown = view.fields(|name| name == "model" || name == "started_at");
        assert_eq!(
            shown,
            [("model".to_owned(), json!("gpt-4o")), ("started_at".to_owned(), json!("2026-09-21T14:13:20.000001Z"))]
        );
        assert!(!format!("{:?}", view.fields(|name| !name.starts_with("system"))).contains("secret"));
    }

    #[test]
    fn what_is_no_record_of_an_operation_has_the_decoders_reason() {
        let schemas = WriterSchemas::default();
        let code = |value: Option<&[u8]>| RecordView::of(value, &schemas).err().map(|poison| poison.code());
        let mut bytes = Vec::new();
        encode_operation(&operation(), &mut bytes);
        assert_eq!(code(Some(&bytes)), None);
        assert_eq!(code(Some(&bytes[..bytes.len() - 1])), Some("undecodable"));
        assert_eq!(code(Some(&[&bytes[..], b"x"].concat())), Some("undecodable"));
        assert_eq!((code(None), code(Some(b"{}"))), (Some("no_value"), Some("not_framed")));
        bytes[1..5].copy_from_slice(&7_u32.to_be_bytes());
        assert_eq!(code(Some(&bytes)), Some("unknown_schema"));
    }

    #[test]
    fn a_record_with_the_id_of_a_registry_is_read_once_that_is_learnt() {
        let mut schemas = WriterSchemas::default();
        let schema =
            WriterSchema { schema_type: "AVRO".to_owned(), text: OPERATION_V1.to_owned(), has_references: false };
        schemas.learn(SchemaId(7), &schema);
        let mut bytes = Vec::new();
        let operation = operation();
        encode_operation_as(&operation, SchemaId(7), &mut bytes);
        let view = RecordView::of(Some(&bytes), &schemas).unwrap();
        assert_eq!((view.id(), view.text("model")), (operation.operation_id, Some("gpt-4o")));
    }
}

//! A record's value for people: its fields as JSON, as far as they can be read. For tools that show dead letters; nothing that
//! stores comes here.
//!
//! It reads with the decoder's own primitives, so that what it calls a fault is one for the decoder too. A text that is not
//! UTF-8 is shown with replacement characters, and reading goes on behind it.

use opstream_schemas::avro::{FramingError, OPERATION_V1_ID, SchemaId, split_frame};
use opstream_schemas::{NanoUsd, OperationId, UtcMicros};
use serde_json::Value;

use super::cell::{Cell, span};
use super::datum::{Datum, ID_LENGTH};
use super::decoder::{DatumError, layout_of};
use super::layout::{Field, Kind, Layout};
use super::writer_schemas::WriterSchemas;

/// What a value holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Schema id of its frame.
    pub schema_id: SchemaId,
    /// Whether that schema is not known here, and the fields were read by the newest schema of operations, which fits to the last
    /// byte.
    pub is_guess: bool,
    /// Names, as JSON has them, and values of the fields that are not null, in their order.
    pub fields: Vec<(String, Value)>,
    /// The first thing that is wrong; none when the value is a whole record.
    pub fault: Option<String>,
}

/// Reads a value as far as it goes.
///
/// # Errors
/// When it has no frame.
pub fn inspect(value: &[u8], schemas: &WriterSchemas) -> Result<Inspection, FramingError> {
    let framed = split_frame(value)?;
    let schema_id = framed.schema_id;
    let known = layout_of(schema_id).or_else(|| schemas.layout(schema_id)?.ok());
    if let Some(layout) = known {
        let (fields, fault) = read(layout, framed.datum);
        return Ok(Inspection { schema_id, is_guess: false, fields, fault: fault.map(|fault| fault.to_string()) });
    }
    let guessed = layout_of(OPERATION_V1_ID).map(|layout| read(layout, framed.datum));
    let (fields, is_guess) = match guessed {
        Some((fields, None)) => (fields, true),
        _ => (Vec::new(), false),
    };
    let fault = match schemas.layout(schema_id) {
        Some(Err(reason)) => format!("schema id {schema_id} cannot be read as one of operations: {reason}"),
        _ => format!("schema id {schema_id} is not known here"),
    };
    Ok(Inspection { schema_id, is_guess, fields, fault: Some(fault) })
}

/// The fields of a record and its first fault.
fn read(layout: &Layout, bytes: &[u8]) -> (Vec<(String, Value)>, Option<DatumError>) {
    let mut datum = Datum::new(bytes);
    let (mut fields, mut first_fault) = (Vec::new(), None);
    for (place, field) in layout.fields.iter().enumerate() {
        match layout.read(place, &mut datum, bytes.len()) {
            Err(fault) => {
                let fault = DatumError::Value { field: field.name.clone(), fault };
                return (fields, first_fault.or(Some(fault)));
            }
            Ok(cell) => {
                let mut is_text = true;
                if let Some((name, value)) = json(field, cell, bytes, &mut is_text) {
                    fields.push((name, value));
                }
                if !is_text {
                    first_fault = first_fault.or_else(|| Some(DatumError::NotUtf8 { field: field.name.clone() }));
                }
            }
        }
    }
    match datum.left() {
        0 => (fields, first_fault),
        bytes => (fields, first_fault.or(Some(DatumError::LeftOver { bytes }))),
    }
}

/// The value as JSON has it; none for null. Says when some text was not UTF-8.
pub(super) fn json(field: &Field, cell: Cell, bytes: &[u8], is_text: &mut bool) -> Option<(String, Value)> {
    let bits = cell?;
    let named = |value| Some((field.name.clone(), value));
    match (field.kind, field.name.as_str()) {
        (Kind::Long, "started_at") => named(to_json(&UtcMicros::from_micros(bits.cast_signed()))),
        (Kind::Long, "reported_cost_nano_usd") => {
            let cost = to_json(&NanoUsd::from_nanos(bits.cast_signed()));
            Some(("reported_cost_usd".to_owned(), cost))
        }
        (Kind::Int | Kind::Long, _) => named(bits.cast_signed().into()),
        (Kind::Double, _) => named(f64::from_bits(bits).into()),
        (Kind::Boolean, _) => named((bits != 0).into()),
        (Kind::Id, _) => {
            let id: [u8; ID_LENGTH] = bytes[span(bits)].try_into().expect("an id was read with this length");
            named(OperationId::from_bytes(id).to_string().into())
        }
        (Kind::Text, _) => named(text(&bytes[span(bits)], is_text).into()),
        (Kind::TextList, _) => {
            let items = items(&bytes[span(bits)], |datum| datum.text().map(|item| text(item, is_text).into()));
            named(Value::Array(items))
        }
        (Kind::TextMap, _) => {
            let pairs = items(&bytes[span(bits)], |datum| {
                let name = text(datum.text()?, is_text);
                Ok((name, Value::from(text(datum.text()?, is_text))))
            });
            named(Value::Object(pairs.into_iter().collect()))
        }
    }
}

fn items<T>(bytes: &[u8], mut read: impl FnMut(&mut Datum<'_>) -> Result<T, super::datum::Fault>) -> Vec<T> {
    let mut items = Vec::new();
    let all = Datum::new(bytes).each_item(|datum| read(datum).map(|item| items.push(item)));
    all.expect("the same bytes were read before");
    items
}

fn text(bytes: &[u8], is_text: &mut bool) -> String {
    *is_text &= std::str::from_utf8(bytes).is_ok();
    String::from_utf8_lossy(bytes).into_owned()
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a time and an amount always serialise")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opstream_schemas::Operation;
    use opstream_schemas::avro::encode_operation;

    use super::*;

    fn operation() -> Operation {
        Operation {
            input_tokens: Some(-1),
            temperature: Some(0.5),
            finish_reasons: vec!["stop".to_owned(), "ä".to_owned()],
            reported_cost_usd: Some(NanoUsd::from_nanos(-3_000_000_001)),
            tags: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
            model: Some("marker".to_owned()),
            system_prompt: Some("be brief".to_owned()),
            ..Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_001))
        }
    }

    fn encoded(operation: &Operation) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_operation(operation, &mut bytes);
        bytes
    }

    fn as_operation(inspection: Inspection) -> Operation {
        let object: serde_json::Map<String, Value> = inspection.fields.into_iter().collect();
        serde_json::from_value(Value::Object(object)).unwrap()
    }

    #[test]
    fn a_whole_record_is_read_as_its_operation_even_if_no_rule_would_take_it() {
        let inspection = inspect(&encoded(&operation()), &WriterSchemas::default()).unwrap();
        assert_eq!((inspection.is_guess, &inspection.fault), (false, &None));
        let read = as_operation(inspection);
        assert_eq!(read, Operation { operation_id: read.operation_id, ..operation() });
    }

    #[test]
    fn a_record_that_is_cut_short_is_read_up_to_there() {
        let bytes = encoded(&operation());
        let place = bytes.windows(6).position(|window| window == b"marker").unwrap();
        let inspection = inspect(&bytes[..place + 3], &WriterSchemas::default()).unwrap();
        assert_eq!(inspection.fault.as_deref(), Some("model: the record is cut short"));
        let names: Vec<&str> = inspection.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"operation_type") && !names.contains(&"model"), "{names:?}");
        for length in 5..bytes.len() {
            assert!(inspect(&bytes[..length], &WriterSchemas::default()).unwrap().fault.is_some(), "{length}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_does_not_hide_what_follows() {
        let mut bytes = encoded(&operation());
        let place = bytes.windows(6).position(|window| window == b"marker").unwrap();
        bytes[place] = 0xff;
        let inspection = inspect(&bytes, &WriterSchemas::default()).unwrap();
        assert_eq!(inspection.fault.as_deref(), Some("model: the text is not UTF-8"));
        let read = as_operation(inspection);
        assert_eq!((read.model.as_deref(), read.input_tokens), (Some("\u{fffd}arker"), Some(-1)));
    }

    #[test]
    fn under_an_unknown_schema_id_a_record_that_fits_is_shown_as_a_guess() {
        let mut bytes = encoded(&operation());
        bytes[1..5].copy_from_slice(&42_u32.to_be_bytes());
        let guess = inspect(&bytes, &WriterSchemas::default()).unwrap();
        assert_eq!((guess.schema_id, guess.is_guess), (SchemaId(42), true));
        assert!(guess.fault.is_some() && !guess.fields.is_empty());
        bytes.push(0);
        let unknown = inspect(&bytes, &WriterSchemas::default()).unwrap();
        assert!(!unknown.is_guess && unknown.fields.is_empty());
        assert!(inspect(b"{}", &WriterSchemas::default()).is_err());
    }
}

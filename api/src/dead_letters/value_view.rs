//! A record's value, read as far as it can be: Avro behind its frame, else JSON, else text or bytes. Pure.

use opstream_records::decode::{Inspection, WriterSchemas, inspect};
use serde_json::Value;

use super::withheld::{CONTENT, Withheld, withhold};

/// What a value holds and what of it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueView {
    /// What the bytes are.
    pub format: Format,
    /// The fields that are shown, in their order.
    pub fields: Vec<(String, Value)>,
    /// The fields that are not.
    pub withheld: Vec<Withheld>,
    /// The first thing that is wrong with it as a record.
    pub fault: Option<String>,
}

/// What the bytes of a value are.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// There is no value.
    Tombstone,
    /// Framed Avro.
    Avro {
        /// Schema id of the frame.
        schema_id: u32,
        /// Whether the schema is not known, and the fields are read by that of operations.
        is_guess: bool,
    },
    /// A JSON object without a frame.
    Json,
    /// Other text.
    Text(String),
    /// Anything else.
    Bytes,
}

impl ValueView {
    /// Reads a value, with what is known of other writers' schemas; `content` is whether prompts may be shown.
    pub fn of(value: Option<&[u8]>, schemas: &WriterSchemas, content: ContentChoice) -> Self {
        let mut view = Self::whole(value, schemas);
        if content == ContentChoice::Withhold {
            view.withheld = withhold(&mut view.fields);
            if let Format::Text(text) = &mut view.format {
                let withheld = Withheld { field: "text".to_owned(), bytes: text.len(), is_known: false };
                text.clear();
                view.withheld.push(withheld);
            }
        }
        view
    }

    fn whole(value: Option<&[u8]>, schemas: &WriterSchemas) -> Self {
        let plain = |format, fault: Option<String>| Self { format, fields: Vec::new(), withheld: Vec::new(), fault };
        let Some(value) = value else { return plain(Format::Tombstone, Some("the record has no value".to_owned())) };
        let fault = match inspect(value, schemas) {
            Ok(Inspection { schema_id, is_guess, fields, fault }) => {
                return Self { fields, ..plain(Format::Avro { schema_id: schema_id.0, is_guess }, fault) };
            }
            Err(error) => Some(error.to_string()),
        };
        let Ok(text) = std::str::from_utf8(value) else { return plain(Format::Bytes, fault) };
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Self { fields: object.into_iter().collect(), ..plain(Format::Json, fault) },
            _ => plain(Format::Text(text.to_owned()), fault),
        }
    }

    /// The content of the record, by field, as the text that an operation holds.
    pub fn content(value: Option<&[u8]>, schemas: &WriterSchemas) -> Vec<(String, String)> {
        let fields = Self::whole(value, schemas).fields.into_iter();
        let content = fields.filter(|(name, value)| CONTENT.contains(&name.as_str()) && !value.is_null());
        content
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect()
    }
}

/// Whether prompts may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentChoice {
    /// They may.
    Show,
    /// Only their sizes.
    Withhold,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::test_rows::letter;

    fn shown(value: Option<&[u8]>) -> String {
        format!("{:?}", ValueView::of(value, &WriterSchemas::default(), ContentChoice::Withhold))
    }

    #[test]
    fn no_way_to_write_a_prompt_is_shown_unasked() {
        let avro = letter(0).value.unwrap();
        let mut unknown = avro.clone();
        unknown[4] = 99;
        let json = br#"{"model": "m", "messages": [{"content": "the secret prompt"}]}"#;
        for value in
            [&avro, &unknown, &avro[..avro.len() - 3], &json[..], b"the secret prompt", b"\"the secret prompt\""]
        {
            assert!(!shown(Some(value)).contains("secret"), "{}", shown(Some(value)));
        }
        let asked = ValueView::of(Some(&avro), &WriterSchemas::default(), ContentChoice::Show);
        assert!(format!("{asked:?}").contains("the secret prompt"));
    }

    #[test]
    fn each_kind_of_value_is_told_from_the_others() {
        let format = |value| ValueView::of(value, &WriterSchemas::default(), ContentChoice::Withhold).format;
        assert_eq!(format(None), Format::Tombstone);
        assert_eq!(format(Some(b"{\"a\":1}")), Format::Json);
        assert_eq!(format(Some(b"[1]")), Format::Text(String::new()));
        assert_eq!(format(Some(b"\xff\xfe")), Format::Bytes);
        let avro = ValueView::of(letter(0).value.as_deref(), &WriterSchemas::default(), ContentChoice::Withhold);
        assert_eq!(avro.format, Format::Avro { schema_id: 0x7F00_0001, is_guess: false });
        assert!(avro.fields.contains(&("input_tokens".to_owned(), (-1).into())) && avro.fault.is_none());
    }

    #[test]
    fn the_content_of_json_becomes_text() {
        let json =
            br#"{"input_messages": [{"role": "user"}], "system_prompt": "p", "model": "m", "output_messages": null}"#;
        let mut content = ValueView::content(Some(json), &WriterSchemas::default());
        content.sort();
        let expected = [("input_messages", r#"[{"role":"user"}]"#), ("system_prompt", "p")];
        assert_eq!(content, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }
}

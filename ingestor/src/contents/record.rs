//! A record of the topic of contents, which anybody may have written.

use apache_avro::{Schema, from_avro_datum, from_value};
use opstream_schemas::UtcMicros;
use opstream_schemas::avro::{RESERVED_IDS, SPAN_CONTENT_V1, SPAN_CONTENT_V1_ID, builtin_schema, split_frame};
use opstream_schemas::span_content::SpanContent;
use serde::Deserialize;

/// Why a record is no content. The text never repeats it: it may be a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// Of a version that only later ingestors know.
    #[error("the record is of a newer version")]
    Newer,
    /// No frame, another schema, or damaged.
    #[error("the record is no opstream.SpanContent")]
    Unreadable,
    /// SQL text cannot hold it.
    #[error("the record contains the character U+0000")]
    Nul,
}

/// Reads records.
pub(super) struct Reader(Schema);

#[derive(Deserialize)]
struct Written {
    trace_id: String,
    span_id: String,
    recorded_at: i64,
    workspace: String,
    sequence: i32,
    event_name: String,
    system_prompt: Option<String>,
    input_messages: Option<String>,
    output_messages: Option<String>,
    tool_definitions: Option<String>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self(Schema::parse_str(SPAN_CONTENT_V1).expect("our own schema is one"))
    }

    pub(super) fn read(&self, value: Option<&[u8]>) -> Result<SpanContent, Flaw> {
        let framed = split_frame(value.unwrap_or_default()).map_err(|_| Flaw::Unreadable)?;
        if framed.schema_id != SPAN_CONTENT_V1_ID {
            let is_newer = RESERVED_IDS.contains(&framed.schema_id.0) && builtin_schema(framed.schema_id).is_none();
            return Err(if is_newer { Flaw::Newer } else { Flaw::Unreadable });
        }
        let mut datum = framed.datum;
        let value = from_avro_datum(&self.0, &mut datum, None).map_err(|_| Flaw::Unreadable)?;
        let written: Written = from_value(&value).map_err(|_| Flaw::Unreadable)?;
        if !datum.is_empty() {
            return Err(Flaw::Unreadable);
        }
        let content = SpanContent {
            trace_id: written.trace_id,
            span_id: written.span_id,
            recorded_at: UtcMicros::from_micros(written.recorded_at),
            workspace: written.workspace,
            sequence: written.sequence,
            event_name: written.event_name,
            system_prompt: written.system_prompt,
            input_messages: written.input_messages,
            output_messages: written.output_messages,
            tool_definitions: written.tool_definitions,
        };
        if has_nul(&content) { Err(Flaw::Nul) } else { Ok(content) }
    }
}

fn has_nul(content: &SpanContent) -> bool {
    let SpanContent { trace_id, span_id, workspace, event_name, .. } = content;
    let texts = [&content.system_prompt, &content.input_messages, &content.output_messages, &content.tool_definitions];
    let mut all = [trace_id, span_id, workspace, event_name].into_iter().chain(texts.into_iter().flatten());
    all.any(|text| text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use opstream_schemas::avro::{OPERATION_V1_ID, encode_span_content};

    use super::*;

    fn content() -> SpanContent {
        SpanContent {
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: "b7ad6b7169203331".to_owned(),
            recorded_at: UtcMicros::from_micros(1_790_000_000_123_456),
            workspace: "wörk".to_owned(),
            sequence: 3,
            event_name: "gen_ai.choice".to_owned(),
            output_messages: Some("[]".to_owned()),
            ..SpanContent::default()
        }
    }

    fn bytes(content: &SpanContent) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_span_content(content, &mut bytes);
        bytes
    }

    #[test]
    fn what_the_front_door_writes_is_read() {
        assert_eq!(Reader::new().read(Some(&bytes(&content()))), Ok(content()));
    }

    #[test]
    fn what_is_no_content_is_told_from_what_is_newer() {
        let reader = Reader::new();
        let whole = bytes(&content());
        for length in 0..whole.len() {
            assert_eq!(reader.read(Some(&whole[..length])), Err(Flaw::Unreadable), "{length}");
        }
        assert_eq!(reader.read(Some(&[&whole[..], b"x"].concat())), Err(Flaw::Unreadable));
        assert_eq!(reader.read(None), Err(Flaw::Unreadable));
        let under = |id: u32| [&[0][..], &id.to_be_bytes(), &whole[5..]].concat();
        assert_eq!(reader.read(Some(&under(7))), Err(Flaw::Unreadable));
        assert_eq!(reader.read(Some(&under(OPERATION_V1_ID.0))), Err(Flaw::Unreadable));
        assert_eq!(reader.read(Some(&under(SPAN_CONTENT_V1_ID.0 + 1))), Err(Flaw::Newer));
        let nul = SpanContent { system_prompt: Some("\0".to_owned()), ..content() };
        assert_eq!(reader.read(Some(&bytes(&nul))), Err(Flaw::Nul));
    }
}

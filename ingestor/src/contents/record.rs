//! A record of the topic of contents, which anybody may have written.

use opstream_schemas::UtcMicros;
use opstream_schemas::avro::{RESERVED_IDS, SPAN_CONTENT_V1_ID, builtin_schema, split_frame};
use opstream_schemas::span_content::SpanContent;

use crate::decode::datum::{Datum, Fault};

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

/// Reads a record's value.
pub(super) fn read(value: Option<&[u8]>) -> Result<SpanContent, Flaw> {
    let framed = split_frame(value.unwrap_or_default()).map_err(|_| Flaw::Unreadable)?;
    if framed.schema_id != SPAN_CONTENT_V1_ID {
        let is_newer = RESERVED_IDS.contains(&framed.schema_id.0) && builtin_schema(framed.schema_id).is_none();
        return Err(if is_newer { Flaw::Newer } else { Flaw::Unreadable });
    }
    let mut datum = Datum::new(framed.datum);
    let content = read_fields(&mut datum).map_err(|_| Flaw::Unreadable)?;
    if datum.left() > 0 {
        return Err(Flaw::Unreadable);
    }
    if has_nul(&content) { Err(Flaw::Nul) } else { Ok(content) }
}

/// The fields in the order of `avro/span_content.v1.avsc`.
fn read_fields(datum: &mut Datum<'_>) -> Result<SpanContent, Fault> {
    Ok(SpanContent {
        trace_id: text(datum)?,
        span_id: text(datum)?,
        recorded_at: UtcMicros::from_micros(datum.long()?),
        workspace: text(datum)?,
        sequence: datum.int()?,
        event_name: text(datum)?,
        system_prompt: optional_text(datum)?,
        input_messages: optional_text(datum)?,
        output_messages: optional_text(datum)?,
        tool_definitions: optional_text(datum)?,
    })
}

fn text(datum: &mut Datum<'_>) -> Result<String, Fault> {
    std::str::from_utf8(datum.text()?).map(str::to_owned).map_err(|_| Fault::Unsuitable)
}

fn optional_text(datum: &mut Datum<'_>) -> Result<Option<String>, Fault> {
    if datum.is_present()? { text(datum).map(Some) } else { Ok(None) }
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
        assert_eq!(read(Some(&bytes(&content()))), Ok(content()));
    }

    #[test]
    fn what_is_no_content_is_told_from_what_is_newer() {
        let whole = bytes(&content());
        for length in 0..whole.len() {
            assert_eq!(read(Some(&whole[..length])), Err(Flaw::Unreadable), "{length}");
        }
        assert_eq!(read(Some(&[&whole[..], b"x"].concat())), Err(Flaw::Unreadable));
        assert_eq!(read(None), Err(Flaw::Unreadable));
        let under = |id: u32| [&[0][..], &id.to_be_bytes(), &whole[5..]].concat();
        assert_eq!(read(Some(&under(7))), Err(Flaw::Unreadable));
        assert_eq!(read(Some(&under(OPERATION_V1_ID.0))), Err(Flaw::Unreadable));
        assert_eq!(read(Some(&under(SPAN_CONTENT_V1_ID.0 + 1))), Err(Flaw::Newer));
        let nul = SpanContent { system_prompt: Some("\0".to_owned()), ..content() };
        assert_eq!(read(Some(&bytes(&nul))), Err(Flaw::Nul));
    }
}

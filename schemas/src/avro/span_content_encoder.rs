//! Writes content that came apart from its operation as framed Avro, field by field in the order of `avro/span_content.v1.avsc`.

use super::SPAN_CONTENT_V1_ID;
use super::binary::{put_long, put_optional_string, put_string};
use super::framing::put_frame;
use crate::span_content::SpanContent;

/// Appends the record, framed with the built-in id, to `out`. No registry names another: opstream alone writes and reads it.
pub fn encode_span_content(content: &SpanContent, out: &mut Vec<u8>) {
    put_frame(out, SPAN_CONTENT_V1_ID);
    put_string(out, &content.trace_id);
    put_string(out, &content.span_id);
    put_long(out, content.recorded_at.micros());
    put_string(out, &content.workspace);
    put_long(out, content.sequence.into());
    put_string(out, &content.event_name);
    put_optional_string(out, content.system_prompt.as_deref());
    put_optional_string(out, content.input_messages.as_deref());
    put_optional_string(out, content.output_messages.as_deref());
    put_optional_string(out, content.tool_definitions.as_deref());
}

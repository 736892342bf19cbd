//! Content that came apart from its operation: a log record names its trace and span, but neither the operation's id nor when it started.

use crate::{OperationId, UtcMicros};

/// Separates ids of content from ids that are derived of anything else.
const DERIVATION: &[u8] = b"span-content";

/// What one event of a span says of its prompts and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanContent {
    /// Trace of the span, 32 hexadecimal digits in lower case.
    pub trace_id: String,
    /// The span, 16 hexadecimal digits in lower case.
    pub span_id: String,
    /// When the event happened.
    pub recorded_at: UtcMicros,
    /// The tenant.
    pub workspace: String,
    /// Place among the records of its request: tells events of the same moment apart.
    pub sequence: i32,
    /// Such as `gen_ai.user.message`.
    pub event_name: String,
    /// System prompt.
    pub system_prompt: Option<String>,
    /// Request messages, JSON in the shape of `gen_ai.input.messages`.
    pub input_messages: Option<String>,
    /// Answer messages, JSON in the shape of `gen_ai.output.messages`.
    pub output_messages: Option<String>,
    /// Tool definitions, JSON.
    pub tool_definitions: Option<String>,
}

impl SpanContent {
    /// Its identity: of all that it says but its place, so that a request that is sent again in other pieces adds nothing. In the layout
    /// of an operation's id, whose first 48 bits are the time.
    pub fn content_id(&self) -> OperationId {
        let texts = [&self.system_prompt, &self.input_messages, &self.output_messages, &self.tool_definitions];
        let mut parts = vec![self.workspace.as_bytes(), DERIVATION];
        parts.extend([&self.trace_id, &self.span_id, &self.event_name].map(String::as_bytes));
        let micros = self.recorded_at.micros().to_be_bytes();
        parts.push(&micros);
        for text in texts {
            // None and an empty text differ.
            parts.push(if text.is_some() { b"1" } else { b"0" });
            parts.push(text.as_deref().unwrap_or_default().as_bytes());
        }
        OperationId::derive(self.recorded_at.to_millis(), &parts)
    }

    /// Whether it says anything.
    pub const fn has_texts(&self) -> bool {
        self.system_prompt.is_some()
            || self.input_messages.is_some()
            || self.output_messages.is_some()
            || self.tool_definitions.is_some()
    }

    /// Bytes of its texts.
    pub fn bytes(&self) -> usize {
        let texts = [&self.system_prompt, &self.input_messages, &self.output_messages, &self.tool_definitions];
        texts.into_iter().flatten().map(String::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_id_depends_on_all_that_it_says_and_not_on_its_place() {
        let content = SpanContent {
            trace_id: "aa".to_owned(),
            recorded_at: UtcMicros::from_micros(1_790_000_000_123_456),
            input_messages: Some("[]".to_owned()),
            ..SpanContent::default()
        };
        assert_eq!(content.content_id().time().millis(), 1_790_000_000_123);
        assert_eq!(SpanContent { sequence: 7, ..content.clone() }.content_id(), content.content_id());
        let changed = [
            SpanContent { workspace: "lab".to_owned(), ..content.clone() },
            SpanContent { span_id: "bb".to_owned(), ..content.clone() },
            SpanContent { recorded_at: UtcMicros::from_micros(1_790_000_000_123_457), ..content.clone() },
            SpanContent { system_prompt: Some(String::new()), ..content.clone() },
            SpanContent { input_messages: None, output_messages: Some("[]".to_owned()), ..content.clone() },
        ];
        for other in changed {
            assert_ne!(other.content_id(), content.content_id(), "{other:?}");
        }
    }
}

//! Capture: how much of prompts and answers leaves the process.

mod shortening;

use opstream_schemas::Operation;

/// How much of the content of operations is kept: system prompt, request, answer and tool definitions.
///
/// Counts, times, costs, errors, tags and metadata are no content and are kept in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// None.
    Off,
    /// All, as it is handed over.
    #[default]
    On,
    /// Each of the four texts up to so many bytes of UTF-8; the operation is marked with `content_truncated` when one was longer.
    ///
    /// A text is cut between two characters and ends in `…`. JSON stays JSON: its longest texts are cut to one length, and its
    /// structure stays; where that would leave them less than 32 bytes, the beginning of the whole becomes one JSON string.
    Truncated(usize),
}

impl Capture {
    /// Cuts or removes the content of an operation.
    pub(crate) fn apply(self, operation: &mut Operation) {
        match self {
            Self::On => {}
            Self::Off => {
                for content in texts_of(operation) {
                    *content = None;
                }
            }
            Self::Truncated(limit) => {
                let mut was_cut = false;
                for content in texts_of(operation) {
                    if let Some(text) = content.take_if(|text| text.len() > limit) {
                        *content = shortening::shorten(&text, limit);
                        was_cut = true;
                    }
                }
                operation.content_truncated |= was_cut;
            }
        }
    }
}

fn texts_of(operation: &mut Operation) -> [&mut Option<String>; 4] {
    [
        &mut operation.system_prompt,
        &mut operation.input_messages,
        &mut operation.output_messages,
        &mut operation.tool_definitions,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        Operation {
            system_prompt: Some("be brief".to_owned()),
            input_messages: Some(r#"["é and more"]"#.to_owned()),
            output_messages: Some("[]".to_owned()),
            tool_definitions: Some("[1]".to_owned()),
            error_message: Some("an error".to_owned()),
            ..Operation::default()
        }
    }

    fn captured(capture: Capture) -> Operation {
        let mut operation = operation();
        capture.apply(&mut operation);
        operation
    }

    #[test]
    fn off_keeps_everything_but_content() {
        let captured = captured(Capture::Off);
        assert!(!captured.has_content());
        assert_eq!(captured, Operation { error_message: Some("an error".to_owned()), ..Operation::default() });
    }

    #[test]
    fn on_keeps_everything() {
        assert_eq!(captured(Capture::On), operation());
        assert_eq!(captured(Capture::default()), operation());
    }

    #[test]
    fn truncated_cuts_what_is_longer_and_marks_it() {
        let all = captured(Capture::Truncated(15));
        assert_eq!(all, operation(), "the longest has 15 bytes");
        let some = captured(Capture::Truncated(14));
        assert!(some.content_truncated);
        assert_eq!(some.input_messages.as_deref(), Some(r#""[\"é and…""#));
        assert_eq!(some.system_prompt, operation().system_prompt);
    }
}

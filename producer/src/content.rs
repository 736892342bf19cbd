//! The content policy of a producer: what of prompts, answers and other texts leaves the process.

use opstream_schemas::Operation;

use crate::capture::Capture;
use crate::redaction::{Redaction, redact_operation};

/// What of the texts of operations leaves the process. It is applied to everything that the producer takes, before memory, disk
/// and network: first redaction, then capture, so that no half of a key is left at a cut.
///
/// ```
/// use opstream_producer::{Capture, ContentPolicy, Redaction};
///
/// let policy = ContentPolicy {
///     capture: Capture::Truncated(16 * 1024),
///     redaction: Some(Redaction::builtin().pattern("customer number", r"\bCN-\d{6}\b")?),
/// };
/// # drop(policy);
/// # Ok::<(), opstream_producer::PatternError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ContentPolicy {
    /// How much of prompts and answers is kept.
    pub capture: Capture,
    /// What is replaced in the texts that are kept, errors, metadata and tags included; by default nothing.
    pub redaction: Option<Redaction>,
}

impl ContentPolicy {
    /// Everything as it is handed over, which is the default: for those who carry the operations of others.
    pub fn as_given() -> Self {
        Self::default()
    }

    /// Content with secrets and payloads replaced: [`Redaction::builtin`].
    pub fn redacted() -> Self {
        Self { capture: Capture::On, redaction: Some(Redaction::builtin()) }
    }

    /// No content, and no secrets in errors, metadata and tags either.
    pub fn without_content() -> Self {
        Self { capture: Capture::Off, ..Self::redacted() }
    }

    /// Applies the policy to an operation; whether content was dropped because a hook panicked. Without capture and redaction it
    /// does nothing at all.
    pub(crate) fn apply(&self, operation: &mut Operation) -> bool {
        if self.capture == Capture::Off {
            self.capture.apply(operation);
        }
        let was_dropped = match &self.redaction {
            Some(redaction) => redact_operation(redaction, operation),
            None => false,
        };
        self.capture.apply(operation);
        was_dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation() -> Operation {
        Operation {
            system_prompt: Some(format!("the password is hunter2 {}", "and so on ".repeat(10))),
            error_message: Some("hunter2 is wrong".to_owned()),
            ..Operation::default()
        }
    }

    fn applied(capture: Capture) -> Operation {
        let redaction = Redaction::empty().pattern("password", "hunter2").unwrap();
        let mut operation = operation();
        assert!(!ContentPolicy { capture, redaction: Some(redaction) }.apply(&mut operation));
        operation
    }

    #[test]
    fn no_half_of_a_secret_is_left_at_a_cut() {
        let applied = applied(Capture::Truncated(24));
        assert_eq!(applied.system_prompt.as_deref(), Some("the password is [reda…"));
        assert!(applied.content_truncated && applied.content_redacted);
    }

    #[test]
    fn without_content_errors_are_still_redacted() {
        let applied = applied(Capture::Off);
        assert_eq!(applied.system_prompt, None);
        assert_eq!(applied.error_message.as_deref(), Some("[redacted password] is wrong"));
    }

    #[test]
    fn a_hook_is_not_asked_about_what_is_not_captured() {
        let hook = |field: &str, _: &str| {
            assert_ne!(field, "system_prompt");
            None
        };
        let policy = ContentPolicy { capture: Capture::Off, redaction: Some(Redaction::empty().hook(hook)) };
        assert!(!policy.apply(&mut operation()));
    }

    #[test]
    fn as_given_everything_stays() {
        let mut given = operation();
        assert!(!ContentPolicy::as_given().apply(&mut given));
        assert_eq!(given, operation());
    }
}

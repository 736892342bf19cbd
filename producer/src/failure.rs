//! A failure as it is stored with an operation: type, text and HTTP status.

use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Write};

use opstream_schemas::Operation;
use opstream_schemas::validate::MAX_IDENTIFIER_BYTES;

/// Why an operation failed.
///
/// Any [`std::error::Error`] becomes one by reference: its type is the Rust type's name, its text that of the error and of
/// all its sources.
///
/// ```
/// use opstream_producer::Failure;
///
/// let refused = Failure::new("rate_limit_exceeded").message("try again in 20 s").http_status(429);
/// let error = std::io::Error::other("connection reset");
/// let lost = Failure::from(&error);
/// assert!(lost.error_type().ends_with("::Error")); // with its whole path
/// # assert_eq!(refused.error_type(), "rate_limit_exceeded");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    error_type: String,
    message: Option<String>,
    http_status: Option<i32>,
}

impl Failure {
    /// A failure of this type: the provider's error code or the name of an exception. It is a dimension: a name, no sentence.
    /// What is longer than 1,024 bytes is cut.
    pub fn new(error_type: impl Into<String>) -> Self {
        let mut error_type = error_type.into();
        error_type.truncate(error_type.floor_char_boundary(MAX_IDENTIFIER_BYTES));
        Self { error_type, message: None, http_status: None }
    }

    /// Adds the text of the error. Redaction sees it.
    #[must_use]
    pub fn message(self, message: impl fmt::Display) -> Self {
        Self { message: Some(message.to_string()), ..self }
    }

    /// Adds the HTTP status of the provider's answer, 100 to 599; any other number is left out.
    #[must_use]
    pub fn http_status(self, status: u16) -> Self {
        Self { http_status: (100..600).contains(&status).then_some(i32::from(status)), ..self }
    }

    /// The type of the error.
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Marks the operation as failed. Text and status that it has already stay where the failure has none.
    pub(crate) fn write(self, operation: &mut Operation) {
        operation.success = false;
        operation.error_type = Some(self.error_type);
        operation.error_message = self.message.or(operation.error_message.take());
        operation.http_status = self.http_status.or(operation.http_status);
    }
}

impl<E: Error> From<&E> for Failure {
    fn from(error: &E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            write!(message, ": {error}").expect("writing into memory does not fail");
            source = error.source();
        }
        Self::new(type_name::<E>()).message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the model did not answer")]
    struct NoAnswer(#[source] std::io::Error);

    fn written(failure: Failure) -> Operation {
        let mut operation = Operation::default();
        failure.write(&mut operation);
        operation
    }

    #[test]
    fn an_error_is_stored_by_its_type_with_all_its_causes() {
        let operation = written(Failure::from(&NoAnswer(std::io::Error::other("connection reset"))));
        assert!(!operation.success);
        assert_eq!(operation.error_type.as_deref(), Some("opstream_producer::failure::tests::NoAnswer"));
        assert_eq!(operation.error_message.as_deref(), Some("the model did not answer: connection reset"));
    }

    #[test]
    fn a_failure_is_always_one_that_the_pipeline_accepts() {
        let operation = written(Failure::new("é".repeat(600)).http_status(42));
        assert_eq!(operation.error_type.map(|text| text.len()), Some(MAX_IDENTIFIER_BYTES));
        assert_eq!(operation.http_status, None);
        assert_eq!(written(Failure::new("x").http_status(503)).http_status, Some(503));
        assert_eq!(written(Failure::new("x").http_status(600)).http_status, None);
    }

    #[test]
    fn a_failure_that_says_less_leaves_what_is_known() {
        let mut operation =
            Operation { http_status: Some(429), error_message: Some("slow".to_owned()), ..Operation::default() };
        Failure::new("rate_limit").write(&mut operation);
        assert_eq!((operation.http_status, operation.error_message.as_deref()), (Some(429), Some("slow")));
    }
}

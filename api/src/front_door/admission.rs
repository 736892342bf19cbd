//! What every operation passes before it may become a record. Pure: the clock and the floor come in as values.

use opstream_schemas::providers::canonical_provider;
use opstream_schemas::validate::{AcceptedTimes, Violation, check_operation, check_started_at, check_time};
use opstream_schemas::{Operation, UtcMicros};
use serde::de::IgnoredAny;

use super::identity::{IdSource, IdempotencyKey, Source, identify};
use super::item::Flaw;
use super::shape::check_shape;
use crate::ContentCapture;

/// The rules of one request.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// Times that ids may have.
    pub(crate) accepted_times: AcceptedTimes,
    /// Start of operations that name none.
    pub(crate) now: UtcMicros,
    /// Derives the ids of operations that have none.
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    /// Whether content passes.
    pub(crate) content: ContentCapture,
    /// What operations were made of, where their sender knows them by another name than by their place in the request.
    pub(crate) subject: Option<Subject>,
}

/// What an operation was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// What a refusal calls it; asked only then.
    pub(crate) label: fn(&Operation) -> String,
    /// What its sender calls the time of its start.
    pub(crate) time: &'static str,
}

impl Admission {
    /// Completes an operation and checks it.
    ///
    /// # Errors
    /// The first rule that it breaks, with the field.
    pub(crate) fn admit(&self, mut operation: Operation, item: Source<'_>) -> Result<(Operation, IdSource), Flaw> {
        match self.complete(&mut operation, item) {
            Ok(source) => Ok((operation, source)),
            Err(flaw) => Err(self.labelled(flaw, &operation)),
        }
    }

    fn complete(&self, operation: &mut Operation, item: Source<'_>) -> Result<IdSource, Flaw> {
        if self.content == ContentCapture::Off {
            drop_content(operation);
        }
        check_characters(operation)?;
        check_shape(operation)?;
        check_json_objects(operation)?;
        operation.provider =
            operation.provider.as_deref().map(canonical_provider).filter(|name| !name.is_empty()).map(String::from);
        let source = identify(operation, item, self.idempotency_key.as_ref(), self.now)?;
        self.check(operation, source)
            .map_err(|violation| Flaw::of_field(violation.field(), violation.code(), violation.to_string()))?;
        Ok(source)
    }

    fn labelled(&self, flaw: Flaw, operation: &Operation) -> Flaw {
        let Some(Subject { label, .. }) = self.subject else { return flaw };
        Flaw { reason: format!("{}: {}", label(operation), flaw.reason), ..flaw }
    }

    /// A time is refused by the field that brought it: of an id that was made here the caller knows nothing.
    fn check(&self, operation: &Operation, source: IdSource) -> Result<(), Violation> {
        if let Some(Subject { time, .. }) = self.subject {
            check_time(time, operation.started_at.to_millis(), self.accepted_times)?;
        }
        if source != IdSource::Caller {
            check_started_at(operation.started_at, self.accepted_times)?;
        }
        check_operation(operation, self.accepted_times)
    }
}

fn drop_content(operation: &mut Operation) {
    operation.system_prompt = None;
    operation.input_messages = None;
    operation.output_messages = None;
    operation.tool_definitions = None;
}

/// Refuses U+0000: valid JSON and valid UTF-8, but no Postgres text.
fn check_characters(operation: &Operation) -> Result<(), Flaw> {
    match texts(operation).find(|(_, text)| text.contains('\0')) {
        Some((field, _)) => Err(Flaw::of_field(
            field,
            "nul_character",
            format!("{field} contains the character U+0000, which SQL text cannot hold"),
        )),
        None => Ok(()),
    }
}

/// Refuses text that SQL's JSON functions would stumble over later.
fn check_json_objects(operation: &Operation) -> Result<(), Flaw> {
    let objects = [
        ("request_parameters", &operation.request_parameters),
        ("billable_units", &operation.billable_units),
        ("metadata", &operation.metadata),
    ];
    for (field, text) in objects.iter().filter_map(|(field, text)| text.as_deref().map(|text| (*field, text))) {
        let is_object = text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
        if !is_object {
            return Err(Flaw::of_field(
                field,
                "not_json_object",
                format!("{field} must be a JSON object, or text that contains one"),
            ));
        }
    }
    Ok(())
}

/// Every text of an operation with the name of its field.
fn texts(operation: &Operation) -> impl Iterator<Item = (&'static str, &str)> {
    let required = [("workspace", &operation.workspace), ("operation_type", &operation.operation_type)];
    let optional = [
        ("call_id", &operation.call_id),
        ("trace_id", &operation.trace_id),
        ("span_id", &operation.span_id),
        ("parent_span_id", &operation.parent_span_id),
        ("response_id", &operation.response_id),
        ("producer_id", &operation.producer_id),
        ("project", &operation.project),
        ("team", &operation.team),
        ("environment", &operation.environment),
        ("service", &operation.service),
        ("session_id", &operation.session_id),
        ("user_id", &operation.user_id),
        ("agent_id", &operation.agent_id),
        ("agent_name", &operation.agent_name),
        ("action_id", &operation.action_id),
        ("source_type", &operation.source_type),
        ("provider", &operation.provider),
        ("model", &operation.model),
        ("response_model", &operation.response_model),
        ("endpoint", &operation.endpoint),
        ("service_tier", &operation.service_tier),
        ("processing", &operation.processing),
        ("request_parameters", &operation.request_parameters),
        ("error_type", &operation.error_type),
        ("error_message", &operation.error_message),
        ("billable_units", &operation.billable_units),
        ("system_prompt", &operation.system_prompt),
        ("input_messages", &operation.input_messages),
        ("output_messages", &operation.output_messages),
        ("tool_definitions", &operation.tool_definitions),
        ("metadata", &operation.metadata),
    ];
    let lists = operation.finish_reasons.iter().map(|reason| ("finish_reasons", reason.as_str()));
    let maps = operation.tags.iter().flat_map(|(name, value)| [("tags", name.as_str()), ("tags", value.as_str())]);
    required
        .into_iter()
        .map(|(field, text)| (field, text.as_str()))
        .chain(optional.into_iter().filter_map(|(field, text)| text.as_deref().map(|text| (field, text))))
        .chain(lists)
        .chain(maps)
}

#[cfg(test)]
mod tests {
    use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
    use opstream_schemas::{OperationId, UtcMillis};

    use super::*;

    fn admit(content: ContentCapture, operation: Operation) -> Result<Operation, Flaw> {
        admit_text(content, operation, b"{}")
    }

    fn admit_text(content: ContentCapture, operation: Operation, text: &[u8]) -> Result<Operation, Flaw> {
        let now = UtcMillis::from_millis(1_790_000_000_000);
        let admission = Admission {
            accepted_times: AcceptedTimes::at(now, DEFAULT_RETENTION_FLOOR),
            now: now.into(),
            idempotency_key: None,
            content,
            subject: None,
        };
        admission.admit(operation, Source { index: 0, text }).map(|(operation, _)| operation)
    }

    fn refused_field(operation: Operation) -> Option<String> {
        admit(ContentCapture::On, operation).unwrap_err().field
    }

    #[test]
    fn providers_get_their_stored_name() {
        let admitted = |name: &str| {
            admit(ContentCapture::On, Operation { provider: Some(name.to_owned()), ..Operation::default() })
                .unwrap()
                .provider
        };
        assert_eq!(admitted("Gemini").as_deref(), Some("gcp.gemini"));
        assert_eq!(admitted(" "), None);
    }

    #[test]
    fn content_is_dropped_when_it_is_not_wanted() {
        let secret = || Some("secret".to_owned());
        let operation = Operation {
            system_prompt: secret(),
            input_messages: secret(),
            output_messages: secret(),
            tool_definitions: secret(),
            ..Operation::default()
        };
        assert!(admit(ContentCapture::On, operation.clone()).unwrap().has_content());
        assert!(!admit(ContentCapture::Off, operation).unwrap().has_content());
    }

    #[test]
    fn what_the_database_could_not_hold_is_refused_by_field() {
        let tags = [("a\0".to_owned(), "b".to_owned())].into();
        assert_eq!(refused_field(Operation { tags, ..Operation::default() }).as_deref(), Some("tags"));
        let messages = Some("x\0".to_owned());
        assert_eq!(
            refused_field(Operation { output_messages: messages, ..Operation::default() }).as_deref(),
            Some("output_messages")
        );
        for metadata in ["[1]", "{", "x", ""] {
            let operation = Operation { metadata: Some(metadata.to_owned()), ..Operation::default() };
            assert_eq!(refused_field(operation).as_deref(), Some("metadata"), "{metadata}");
        }
    }

    #[test]
    fn a_session_id_may_look_like_a_path() {
        let operation = Operation { session_id: Some("../..".to_owned()), ..Operation::default() };
        assert_eq!(admit(ContentCapture::On, operation).unwrap().session_id.as_deref(), Some("../.."));
    }

    #[test]
    fn negative_counts_and_wrong_times_are_refused_by_field() {
        assert_eq!(
            refused_field(Operation { output_tokens: Some(-1), ..Operation::default() }).as_deref(),
            Some("output_tokens")
        );
        let operation_id = OperationId::generate(UtcMillis::from_millis(1000));
        assert_eq!(refused_field(Operation { operation_id, ..Operation::default() }).as_deref(), Some("operation_id"));
    }

    #[test]
    fn a_wrong_time_is_refused_by_the_field_that_brought_it() {
        let too_early = "before_retention_floor";
        for (year, code) in [("1969", too_early), ("1970", too_early), ("2999", "too_far_ahead")] {
            let text = format!(r#"{{"started_at":"{year}-01-01T00:00:00Z"}}"#);
            let operation = serde_json::from_str(&text).unwrap();
            let flaw = admit_text(ContentCapture::On, operation, text.as_bytes()).unwrap_err();
            assert_eq!((flaw.field.as_deref(), flaw.code), (Some("started_at"), code), "{year}");
            assert!(flaw.reason.contains(&format!("{year}-01-01")), "{}", flaw.reason);
        }
    }
}

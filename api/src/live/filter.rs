//! Which operations a reader is about: values of dimensions, as far as a record has them. What only its price says, such as
//! `cost_status`, is not known yet.

use opstream_records::decode::RecordView;
use opstream_schemas::providers::canonical_provider;
use opstream_schemas::window::Dimension;

use crate::error::ApiError;
use crate::query::{Axis, Parameters, Selection, invalid};

/// What is known of an operation only once it has a price.
const OF_THE_PRICE: [&str; 2] = ["cost_status", "price_model"];

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub(crate) struct LiveFilter(Selection);

impl LiveFilter {
    /// Reads the parameters.
    ///
    /// # Errors
    /// When a value is none, or is about what records do not say.
    pub(crate) fn read(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let selection = Selection::read(parameters)?;
        for (axis, _) in selection.iter() {
            if let Axis::Text(name) = axis
                && OF_THE_PRICE.contains(name)
            {
                return Err(invalid(name, "is known only once an operation is stored; leave it out here"));
            }
        }
        Ok(Self(selection))
    }

    /// Whether an operation is meant.
    pub(crate) fn is_met_by(&self, record: &RecordView<'_>) -> bool {
        self.0.iter().all(|(axis, values)| values.iter().any(|value| has(record, axis, value.as_deref())))
    }
}

fn has(record: &RecordView<'_>, axis: &Axis, value: Option<&str>) -> bool {
    let text = |name: &str| record.text(name).filter(|value| !value.is_empty());
    match axis {
        // Everything that a record may leave out is null, but the tenant.
        Axis::Kept(Dimension::Workspace) => value == text("workspace").or(Some("default")),
        Axis::Kept(Dimension::Provider) => value == text("provider").map(canonical_provider).as_deref(),
        Axis::Kept(dimension) => value == text(dimension.column()),
        Axis::Text(column) => value == text(column),
        Axis::HttpStatus => value.and_then(|status| status.parse().ok()) == record.int("http_status"),
        Axis::Outcome => (value == Some("success")) == record.flag("success").unwrap_or(true),
        Axis::Tag(name) => value == record.entry("tags", name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opstream_records::decode::WriterSchemas;
    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::{Operation, UtcMicros};

    use super::*;
    use crate::query::parameters_of;

    fn is_met(query: &str) -> bool {
        let operation = Operation {
            provider: Some("gcp.gemini".to_owned()),
            team: Some("search".to_owned()),
            success: false,
            error_type: Some("429".to_owned()),
            http_status: Some(429),
            tags: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
            ..Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_000))
        };
        let mut bytes = Vec::new();
        encode_operation(&operation, &mut bytes);
        let mut parameters = parameters_of(query);
        let filter = LiveFilter::read(&mut parameters).unwrap();
        parameters.finish().unwrap();
        filter.is_met_by(&RecordView::of(Some(&bytes), &WriterSchemas::default()).unwrap())
    }

    #[test]
    fn every_condition_must_hold_and_of_its_values_any() {
        for query in [
            "",
            "provider=gemini",
            "workspace=default&team=search&team=other",
            "project=",
            "outcome=failure",
            "http_status=500&http_status=429",
            "error_type=429&operation_type=chat",
            "tag=tier:silver&tag=tier:gold&tag=colour:",
        ] {
            assert!(is_met(query), "{query}");
        }
        for query in [
            "provider=openai",
            "team=",
            "team=search&outcome=success",
            "workspace=other",
            "http_status=",
            "http_status=200",
            "session_id=s",
            "tag=tier:silver",
            "tag=tier:gold&tag=colour:red",
        ] {
            assert!(!is_met(query), "{query}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let refusal = |query: &str| LiveFilter::read(&mut parameters_of(query)).unwrap_err().to_string();
        assert!(refusal("http_status=ok").contains("no status such as 429"));
        assert!(refusal("cost_status=priced").contains("once an operation is stored"));
    }
}

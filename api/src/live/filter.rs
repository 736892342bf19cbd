//! Which operations a reader is about: values of dimensions, as far as a record has them. What only its price says, such as
//! `cost_status`, is not known yet.

use opstream_records::decode::RecordView;
use opstream_schemas::providers::canonical_provider;
use opstream_schemas::window::Dimension;

use crate::error::ApiError;
use crate::query::{Parameters, invalid};

/// Fields of text beside the dimensions of windows.
const TEXTS: [&str; 11] = [
    "session_id",
    "user_id",
    "service",
    "agent_name",
    "response_model",
    "source_type",
    "service_tier",
    "error_type",
    "processing",
    "call_id",
    "trace_id",
];

/// Conditions that must all hold.
#[derive(Debug, Default)]
pub(crate) struct LiveFilter {
    /// Fields and values, any of which is meant; `None` are operations without one.
    texts: Vec<(&'static str, Vec<Option<String>>)>,
    statuses: Vec<Option<i64>>,
    success: Option<bool>,
    /// Keys and values, any of which is meant.
    tags: Vec<(String, Vec<String>)>,
}

impl LiveFilter {
    /// Reads the parameters.
    ///
    /// # Errors
    /// When a value is none.
    pub(crate) fn read(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let mut filter = Self::default();
        for name in Dimension::ALL.map(|dimension| dimension.column()).into_iter().chain(TEXTS) {
            let given = parameters.take_all(name)?.into_iter();
            let meant =
                |value: String| if name == "provider" { canonical_provider(&value).into_owned() } else { value };
            let values: Vec<_> = given.map(|value| Some(meant(value)).filter(|value| !value.is_empty())).collect();
            if !values.is_empty() {
                filter.texts.push((name, values));
            }
        }
        for status in parameters.take_all("http_status")? {
            let status = if status.is_empty() { None } else { Some(status.parse()) };
            let status = status.transpose().map_err(|_| invalid("http_status", "is no whole number"))?;
            filter.statuses.push(status);
        }
        filter.success = parameters.take_choice("outcome", &[("success", true), ("failure", false)])?;
        for tag in parameters.take_all("tag")? {
            let pair = tag.split_once(':').filter(|(key, _)| !key.is_empty());
            let (key, value) = pair.ok_or_else(|| invalid("tag", "is not KEY:VALUE"))?;
            match filter.tags.iter_mut().find(|(known, _)| known == key) {
                Some((_, values)) => values.push(value.to_owned()),
                None => filter.tags.push((key.to_owned(), vec![value.to_owned()])),
            }
        }
        Ok(filter)
    }

    /// Whether an operation is meant.
    pub(crate) fn is_met_by(&self, record: &RecordView<'_>) -> bool {
        let has_text = |(name, values): &(&'static str, Vec<Option<String>>)| {
            let found = record.text(name).filter(|value| !value.is_empty());
            // Everything that a record may leave out is null, but the tenant.
            let found = if *name == "workspace" { found.or(Some("default")) } else { found };
            if *name == "provider" {
                let found = found.map(canonical_provider);
                return values.iter().any(|value| value.as_deref() == found.as_deref());
            }
            values.iter().any(|value| value.as_deref() == found)
        };
        let has_tag = |(key, values): &(String, Vec<String>)| {
            record.entry("tags", key).is_some_and(|found| values.iter().any(|value| value == found))
        };
        self.success.is_none_or(|success| record.flag("success").unwrap_or(true) == success)
            && (self.statuses.is_empty() || self.statuses.contains(&record.int("http_status")))
            && self.texts.iter().all(has_text)
            && self.tags.iter().all(has_tag)
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
            "tag=tier:silver&tag=tier:gold",
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
        assert!(refusal("http_status=ok").contains("http_status is no whole number"));
        assert!(refusal("tag=gold").contains("KEY:VALUE") && refusal("tag=:gold").contains("KEY:VALUE"));
        assert!(refusal("outcome=maybe").contains("success, failure"));
    }
}

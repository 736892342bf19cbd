//! What a span says without a field for it: tags and metadata.

use opstream_schemas::Operation;
use serde_json::Value as Json;

use super::counts::{unbilled, unusable};
use super::credentials::{MARKER, is_credential};
use super::dialects::Meaning;
use super::family::{Member, associations};
use super::kept::{Kept, LONGEST_NAME, cut};
use super::label::SPAN_NAME;
use super::model::Value;
use super::operation::texts;
use super::said::Said;
use super::screen::Screen;
use crate::front_door::shape;

/// How many attributes and parameters were left out because they could hold words of a prompt.
const WITHHELD: &str = "opstream.withheld_attributes";

pub(super) fn set_open_ends(
    operation: &mut Operation,
    member: &Member<'_, '_>,
    of_resource: &Said<'_, '_>,
    mut screen: Screen,
) {
    let Member { span, scope, said, kind, .. } = member;
    let mut dropped = said.dropped + set_tags(operation, said);
    let mut kept = Kept::default();
    let mut keep = |kept: &mut Kept, name: &str, value: Json| {
        if let Some(value) = screen.attribute(name, value) {
            kept.insert(name, value);
        }
    };
    if let Some(Json::Object(metadata)) = said.value(Meaning::Metadata).map(Value::to_embedded_json) {
        metadata.into_iter().for_each(|(name, value)| keep(&mut kept, &name, value));
    }
    let usage_of_agent = if kind.is_billed() { Vec::new() } else { unbilled(said) };
    for attribute in said.rest.iter().copied().chain(usage_of_agent).chain(unusable(said, *kind)) {
        keep(&mut kept, &attribute.key, attribute.value.to_json());
    }
    let mut kept_of_resource = Kept::default();
    for attribute in of_resource.rest.iter().filter(|attribute| !attribute.key.starts_with("telemetry.sdk.")) {
        keep(&mut kept_of_resource, &attribute.key, attribute.value.to_json());
    }
    dropped += kept.dropped() + kept_of_resource.dropped();
    let mut metadata = kept.into_object();
    for (name, number) in [("otel.dropped_attributes", dropped), (WITHHELD, screen.withheld())] {
        if number > 0 {
            metadata.insert(name.to_owned(), number.into());
        }
    }
    metadata.insert(SPAN_NAME.to_owned(), cut(&span.name, LONGEST_NAME).into());
    if !scope.name.is_empty() {
        metadata.insert("otel.scope.name".to_owned(), cut(&scope.name, LONGEST_NAME).into());
    }
    let of_resource = kept_of_resource.into_object();
    if !of_resource.is_empty() {
        metadata.insert("resource".to_owned(), Json::Object(of_resource));
    }
    operation.metadata = Some(Json::Object(metadata).to_string());
}

/// Names and values that are too long are cut. Returns how many tags were left out.
fn set_tags(operation: &mut Operation, said: &Said<'_, '_>) -> usize {
    let names = said.value(Meaning::Tags).map(texts).unwrap_or_default();
    let named = names.iter().map(|name| (name.as_str(), "true".to_owned()));
    let mut dropped = 0;
    for (name, value) in associations(said).chain(named) {
        if operation.tags.len() >= shape::MOST_TAGS {
            dropped += 1;
        } else {
            let value = if is_credential(name) { MARKER.to_owned() } else { cut(&value, LONGEST_NAME) };
            operation.tags.insert(cut(name, LONGEST_NAME), value);
        }
    }
    dropped
}

//! A body of spans to operations. Pure.

use opstream_schemas::Operation;

use super::answer::Encoding;
use super::budget::{Budget, DecodeError, check_structure};
use super::family::Family;
use super::kind::Kind;
use super::model::Traces;
use super::operation::{Terms, operation_of};
use super::protobuf;

/// What a request's spans are.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// Operations in the order of their spans, and for what is none although it should be, the reason.
    pub(crate) items: Vec<Result<Operation, String>>,
    /// Spans that are no operations, or tell one that another span tells.
    pub(crate) surroundings: u64,
}

/// Reads a body and makes its operations.
///
/// # Errors
/// When it cannot be read, or holds too much.
pub(crate) fn convert(body: &[u8], encoding: Encoding, terms: &Terms) -> Result<Converted, DecodeError> {
    let mut budget = Budget::default();
    let traces = match encoding {
        Encoding::Protobuf => protobuf::read_traces(body, &mut budget)?,
        Encoding::Json => read_json(body, &mut budget)?,
    };
    let family = Family::of(&traces);
    let mut converted = Converted::default();
    for (place, member) in family.members.iter().enumerate() {
        if member.kind == Kind::Surroundings || member.is_told_within {
            converted.surroundings += 1;
            continue;
        }
        let item = operation_of(&family, place, terms);
        let named = item.map_err(|reason| format!("span {:?}: {reason}", cut(&member.span.name)));
        converted.items.push(named);
    }
    Ok(converted)
}

fn read_json<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Traces<'a>, DecodeError> {
    check_structure(body)?;
    let traces: Traces<'a> = serde_json::from_slice(body).map_err(|error| DecodeError::Damaged(error.to_string()))?;
    for scope in traces.resource_spans.iter().flat_map(|resource| &resource.scope_spans) {
        for _ in &scope.spans {
            budget.take_span()?;
        }
    }
    Ok(traces)
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(100)]
}

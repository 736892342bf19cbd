//! A body of spans to operations. Pure.

use opstream_schemas::Operation;

use super::answer::Encoding;
use super::budget::{Budget, DecodeError};
use super::family::Family;
use super::json_text::{check_depth, read_body};
use super::kind::Kind;
use super::label::label;
use super::model::Traces;
use super::operation::{Terms, operation_of};
use super::protobuf;

/// Operations of a slice: a request of the largest size becomes several times as many bytes of operations, which need not all be there
/// at once.
const SLICE: usize = 2_000;

/// An operation, or why a span that should be one is none.
pub(crate) type Item = Result<Operation, String>;

/// Reads a body and makes its operations, slice by slice in the order of their spans, until `pass_on` says that nobody wants more. Returns how
/// many spans are no operations, or tell one that another span tells.
///
/// # Errors
/// When it cannot be read, or holds too much; before the first slice.
pub(crate) fn convert(
    body: &[u8],
    encoding: Encoding,
    terms: &Terms,
    mut pass_on: impl FnMut(Vec<Item>) -> bool,
) -> Result<u64, DecodeError> {
    let mut budget = Budget::default();
    let mut mended = Vec::new();
    let traces = match encoding {
        Encoding::Protobuf => protobuf::read_traces(body, &mut budget)?,
        Encoding::Json => read_json(body, &mut mended, &mut budget)?,
    };
    let family = Family::of(&traces);
    let (mut surroundings, mut slice) = (0, Vec::new());
    for (place, member) in family.members.iter().enumerate() {
        if member.kind == Kind::Surroundings || member.is_told_within {
            surroundings += 1;
            continue;
        }
        let item = operation_of(&family, place, terms);
        slice.push(item.map_err(|reason| format!("{}: {reason}", label(&member.span.name, &member.span.span_id))));
        if slice.len() == SLICE && !pass_on(std::mem::take(&mut slice)) {
            return Ok(surroundings);
        }
    }
    if !slice.is_empty() {
        pass_on(slice);
    }
    Ok(surroundings)
}

fn read_json<'a>(body: &'a [u8], mended: &'a mut Vec<u8>, budget: &mut Budget) -> Result<Traces<'a>, DecodeError> {
    let traces: Traces<'a> = read_body(body, mended)?;
    for resource in &traces.resource_spans {
        check_depth(&resource.resource.attributes)?;
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            budget.take_span()?;
            check_depth(&span.attributes)?;
            span.events.iter().try_for_each(|event| check_depth(&event.attributes))?;
        }
    }
    Ok(traces)
}

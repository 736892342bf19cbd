//! Reads `ExportTraceServiceRequest` and, in [`logs`], `ExportLogsServiceRequest` from protobuf, without copying texts and within a [`Budget`].
//!
//! The generated types of a library would first hold the whole request as owned trees, which a hostile body of two-byte spans makes
//! a hundred times as large as itself. The wire format itself is read by prost.

mod logs;

use std::borrow::Cow;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::budget::{Budget, DEPTH, DecodeError};
use super::model::{Attribute, Event, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Traces, Value};

pub(crate) use logs::read_logs;

/// Reads a body of spans.
///
/// # Errors
/// When it is no request, or holds too much.
pub(crate) fn read_traces<'a>(body: &'a [u8], budget: &mut Budget) -> Result<Traces<'a>, DecodeError> {
    let mut traces = Traces::default();
    for field in Fields(body) {
        if let (1, Content::Bytes(bytes)) = field? {
            budget.take_part()?;
            traces.resource_spans.push(read_resource_spans(bytes, budget)?);
        }
    }
    Ok(traces)
}

fn read_resource_spans<'a>(message: &'a [u8], budget: &mut Budget) -> Result<ResourceSpans<'a>, DecodeError> {
    let mut read = ResourceSpans::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => read.resource = read_resource(bytes, budget)?,
            (2, Content::Bytes(bytes)) => {
                budget.take_part()?;
                read.scope_spans.push(read_scope_spans(bytes, budget)?);
            }
            _ => {}
        }
    }
    Ok(read)
}

fn read_resource<'a>(message: &'a [u8], budget: &mut Budget) -> Result<Resource<'a>, DecodeError> {
    let mut read = Resource::default();
    for field in Fields(message) {
        if let (1, Content::Bytes(bytes)) = field? {
            read.attributes.push(read_attribute(bytes, budget, 0)?);
        }
    }
    Ok(read)
}

fn read_scope_spans<'a>(message: &'a [u8], budget: &mut Budget) -> Result<ScopeSpans<'a>, DecodeError> {
    let mut read = ScopeSpans::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => read.scope = read_scope(bytes)?,
            (2, Content::Bytes(bytes)) => {
                budget.take_span()?;
                read.spans.push(read_span(bytes, budget)?);
            }
            _ => {}
        }
    }
    Ok(read)
}

fn read_scope(message: &[u8]) -> Result<Scope<'_>, DecodeError> {
    let mut scope = Scope::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => scope.name = text(bytes),
            (2, Content::Bytes(bytes)) => scope.version = text(bytes),
            _ => {}
        }
    }
    Ok(scope)
}

fn read_span<'a>(message: &'a [u8], budget: &mut Budget) -> Result<Span<'a>, DecodeError> {
    let mut span = Span::default();
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => span.trace_id = Cow::Borrowed(bytes),
            (2, Content::Bytes(bytes)) => span.span_id = Cow::Borrowed(bytes),
            (4, Content::Bytes(bytes)) => span.parent_span_id = Cow::Borrowed(bytes),
            (5, Content::Bytes(bytes)) => span.name = text(bytes),
            (7, Content::Number(nanos)) => span.start_time_unix_nano = nanos,
            (8, Content::Number(nanos)) => span.end_time_unix_nano = nanos,
            (9, Content::Bytes(bytes)) => span.attributes.push(read_attribute(bytes, budget, 0)?),
            (11, Content::Bytes(bytes)) => span.events.push(read_event(bytes, budget)?),
            (15, Content::Bytes(bytes)) => span.status = read_status(bytes)?,
            _ => {}
        }
    }
    Ok(span)
}

fn read_event<'a>(message: &'a [u8], budget: &mut Budget) -> Result<Event<'a>, DecodeError> {
    budget.take_part()?;
    let mut event = Event::default();
    for field in Fields(message) {
        match field? {
            (2, Content::Bytes(bytes)) => event.name = text(bytes),
            (3, Content::Bytes(bytes)) => event.attributes.push(read_attribute(bytes, budget, 0)?),
            _ => {}
        }
    }
    Ok(event)
}

fn read_status(message: &[u8]) -> Result<Status<'_>, DecodeError> {
    let mut status = Status::default();
    for field in Fields(message) {
        match field? {
            (2, Content::Bytes(bytes)) => status.message = text(bytes),
            (3, Content::Number(code)) => status.code = code,
            _ => {}
        }
    }
    Ok(status)
}

fn read_attribute<'a>(message: &'a [u8], budget: &mut Budget, depth: usize) -> Result<Attribute<'a>, DecodeError> {
    budget.take_part()?;
    let (mut key, mut value) = (Cow::Borrowed(""), Value::Null);
    for field in Fields(message) {
        match field? {
            (1, Content::Bytes(bytes)) => key = text(bytes),
            (2, Content::Bytes(bytes)) => value = read_value(bytes, budget, depth)?,
            _ => {}
        }
    }
    Ok(Attribute { key, value })
}

fn read_value<'a>(message: &'a [u8], budget: &mut Budget, depth: usize) -> Result<Value<'a>, DecodeError> {
    if depth > DEPTH {
        return Err(DecodeError::TooDeep);
    }
    let mut value = Value::Null;
    for field in Fields(message) {
        value = match field? {
            (1, Content::Bytes(bytes)) => Value::Text(text(bytes)),
            (2, Content::Number(number)) => Value::Bool(number != 0),
            (3, Content::Number(number)) => Value::Int(number.cast_signed()),
            (4, Content::Number(bits)) => Value::Double(f64::from_bits(bits)),
            (5, Content::Bytes(bytes)) => {
                let mut list = Vec::new();
                for field in Fields(bytes) {
                    if let (1, Content::Bytes(element)) = field? {
                        budget.take_part()?;
                        list.push(read_value(element, budget, depth + 1)?);
                    }
                }
                Value::List(list)
            }
            (6, Content::Bytes(bytes)) => {
                let mut map = Vec::new();
                for field in Fields(bytes) {
                    if let (1, Content::Bytes(entry)) = field? {
                        map.push(read_attribute(entry, budget, depth + 1)?);
                    }
                }
                Value::Map(map)
            }
            (7, Content::Bytes(bytes)) => Value::Bytes(Cow::Borrowed(bytes)),
            _ => value,
        };
    }
    Ok(value)
}

/// The fields of a message, in their order; an error ends them.
struct Fields<'a>(&'a [u8]);

/// What a field holds.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a wire type that no field has.
    Skipped,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Content<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<(u32, Content<'a>), DecodeError> {
        let (number, wire_type) = decode_key(&mut self.0).map_err(damaged)?;
        let content = match wire_type {
            WireType::Varint => Content::Number(decode_varint(&mut self.0).map_err(damaged)?),
            WireType::SixtyFourBit => Content::Number(u64::from_le_bytes(self.read_array()?)),
            WireType::ThirtyTwoBit => Content::Number(u32::from_le_bytes(self.read_array()?).into()),
            WireType::LengthDelimited => {
                let length = decode_varint(&mut self.0).map_err(damaged)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(cut_off)?;
                self.0 = rest;
                Content::Bytes(bytes)
            }
            WireType::StartGroup | WireType::EndGroup => {
                skip_field(wire_type, number, &mut self.0, DecodeContext::default()).map_err(damaged)?;
                Content::Skipped
            }
        };
        Ok((number, content))
    }

    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

fn damaged(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Damaged(error.to_string())
}

fn cut_off() -> DecodeError {
    DecodeError::Damaged("a field is longer than what is left".to_owned())
}

/// Text that is not UTF-8 is mended: nobody could send it again better.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

//! Spans of OpenTelemetry as operations: body → spans → family → operations.
//!
//! Both encodings are read into one shape ([`model`], [`protobuf`], [`lenient`]) within a [`budget`]. What an attribute means stands in a
//! table for each dialect ([`dialects`]); [`said`] sorts a span's attributes by it, [`kind`] says whether the span is an operation, and
//! [`family`] what it inherits from the spans around it. [`operation`] and [`content`] make the operation, whose id follows from the
//! workspace and the span's ids: spans that are sent again are the same operations.

mod answer;
mod budget;
mod content;
mod convert;
mod dialects;
mod family;
mod kind;
mod lenient;
mod model;
mod operation;
mod protobuf;
mod said;

pub(crate) use answer::{Encoding, Failure, Partial};
pub(crate) use budget::DecodeError;
pub(crate) use convert::{Converted, convert};
pub(crate) use operation::Terms;

#[cfg(test)]
mod tests;

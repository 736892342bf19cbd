//! Spans of OpenTelemetry as operations: body → spans → family → operations. And log records of such spans as their content: [`logged`],
//! [`log_intake`].
//!
//! Both encodings are read into one shape ([`model`], [`protobuf`], [`lenient`]) within a [`budget`]. What an attribute means stands in a
//! table for each dialect ([`dialects`]); [`said`] sorts a span's attributes by it, [`kind`] says whether the span is an operation, and
//! [`family`] what it inherits from the spans around it. [`operation`] and [`content`] make the operation, whose id follows from the
//! workspace and the span's ids: spans that are sent again are the same operations. [`intake`] records them, and [`answer`] or [`grpc`] says so, or, before
//! anything is read, [`protocol`] and [`mod@throttled`] why not.

mod answer;
mod budget;
mod content;
mod convert;
mod counts;
mod credentials;
mod dialects;
mod family;
pub(crate) mod grpc;
mod intake;
mod json_text;
mod kept;
mod kind;
mod label;
mod lenient;
mod log_intake;
mod logged;
mod model;
mod open_ends;
mod operation;
mod parameters;
mod protobuf;
mod protocol;
mod said;
mod same_call;
mod screen;
mod throttled;
mod tree;

pub(crate) use answer::{Encoding, Failure, Partial, Signal};
pub(crate) use intake::record_spans;
pub(crate) use log_intake::record_logs;
pub(crate) use protocol::{refused, unknown_call};
pub(crate) use throttled::throttled;

#[cfg(test)]
pub(crate) use self::{convert::convert, operation::Terms};

#[cfg(test)]
mod tests;

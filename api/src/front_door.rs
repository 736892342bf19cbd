//! How posted operations become records: body → items → operations → acknowledged records.
//!
//! Bodies arrive piece by piece within their bounds and are unpacked ([`arrival`], [`body`], [`unpack`], [`memory`]).
//! A document or a stream of lines is taken apart without holding more than its text ([`document`], [`lines`]); each
//! item is read and named ([`item`], [`words`], [`usage`], [`identity`], [`canonical`]), checked ([`admission`], [`shape`]) and handed to the producer in chunks
//! ([`submission`]), whose answer counts what the broker has acknowledged ([`answer`]). Nothing is written anywhere
//! else: the topic is the only way into the system.

mod admission;
mod answer;
mod arrival;
mod body;
#[cfg(test)]
mod bombs;
mod canonical;
mod document;
#[cfg(test)]
mod hostile;
mod identity;
mod item;
mod lines;
mod memory;
pub(crate) mod shape;
mod submission;
mod unpack;
mod usage;
mod words;

pub(crate) use admission::{Admission, Subject};
pub(crate) use answer::{Halt, IntakeAnswer, respond};
pub(crate) use body::{BodyBounds, BodyError, Pieces, check_announced_length, read_body, read_small_body};
pub(crate) use document::{Document, DocumentError};
#[cfg(test)]
pub(crate) use identity::Source;
pub(crate) use identity::{IdempotencyKey, IdempotencyKeyError};
pub(crate) use item::{Flaw, JSON_FIELDS, excerpt, read_line, read_operation};
pub(crate) use lines::{Line, LineSplitter};
pub(crate) use memory::{BodyBudget, BodyMemory};
pub(crate) use submission::{Grant, Submission};
pub(crate) use unpack::{Packing, UnknownPacking, Unpacker};
pub(crate) use usage::{USAGE_DESCRIPTION, USAGE_FIELD};

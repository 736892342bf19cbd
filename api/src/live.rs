//! Operations as they come onto the topic, for whoever watches.
//!
//! [`hub`] has the readers and, while there are any, one thread with one consumer for all of them ([`consumer`], [`topics`]): it reads every
//! partition from its end, is in no group and commits nothing. [`filter`] says which operations a reader is about, [`event`] what is told
//! of them; prompts, messages and tool definitions never are. [`outbox`] is what waits for one reader: it is bounded, and whoever is
//! slow misses operations, which are counted, and holds up nobody.

mod consumer;
mod event;
mod filter;
mod hub;
mod outbox;
mod topics;

pub(crate) use filter::LiveFilter;
pub(crate) use hub::{Hub, HubError};

//! Webhooks: alerts to HTTP servers that the deployment names, signed, and tried again for a day.
//!
//! In reading order: the settings ([`target`]); which addresses are called at all ([`address`]); the body and its signature ([`message`],
//! [`sign`]); one call ([`call`]); when the next one is ([`backoff`], pure); and the outbox `webhook_deliveries` ([`deliver`]). Nothing that a
//! user of the api says chooses an address: rules name webhooks, and only the aggregator's settings say where these are. No error and no log
//! has an address, which may be a secret, or what was signed with.

mod address;
mod backoff;
mod call;
mod deliver;
mod message;
mod sign;
mod target;

pub use address::PrivateAddresses;
pub(super) use deliver::Deliverer;
pub use sign::signature;
pub use target::{Format, SigningSecret, Target, TargetError, Webhooks};

#[cfg(test)]
mod tests;

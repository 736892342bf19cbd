//! How much one caller may send: requests, operations and bytes a second.
//!
//! A caller is whoever presents the token, else an address ([`caller`], [`network`]). What each has taken is remembered for a bounded
//! number of them ([`callers`]), as the moment at which it is paid for ([`bucket`]); an [`Allowance`] is what one request holds of that. A
//! request that has begun is read to its end, so that a body larger than what is left still passes once, and is paid for
//! afterwards; only a stream of lines, of which a part is as good as the whole, is broken off. [`refusal`] says so in the
//! protocol of the request.
//!
//! No rate is limited unless it is configured: what a caller may take is a decision about callers, and no number is right for a laptop
//! and for a fleet behind one gateway. What a request may hold of memory and time is limited always.

mod allowance;
mod bucket;
mod caller;
mod callers;
mod network;
mod refusal;

use std::num::NonZeroU64;
use std::time::Duration;

pub(crate) use allowance::{Allowance, Meter, RateExceeded};
pub(crate) use caller::Peer;
pub use network::{Network, NetworkError};
pub(crate) use refusal::{refuse, throttle_intake};

/// Most of each that one caller may send, and who is told apart by the word of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests a second, but for health; any number without it.
    pub requests_per_s: Option<NonZeroU64>,
    /// Operations a second, refused ones too; any number without it.
    pub operations_per_s: Option<NonZeroU64>,
    /// Bytes of bodies a second, as they come or once they are unpacked, whichever is more; any number without it.
    pub bytes_per_s: Option<NonZeroU64>,
    /// What a caller who was quiet may send at once, as the time that it has for it: 10 s by default, since exporters and importers send
    /// in batches.
    pub burst: Duration,
    /// Proxies whose `X-Forwarded-For` is believed; none by default, since anybody can write that header.
    pub trusted_proxies: Vec<Network>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            requests_per_s: None,
            operations_per_s: None,
            bytes_per_s: None,
            burst: Duration::from_secs(10),
            trusted_proxies: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;

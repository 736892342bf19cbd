//! What one request may take of its caller's rates. The only place where the clock comes in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use tokio::time::Instant;

use super::RateLimits;
use super::bucket::{Bucket, Moment, Rate};
use super::caller::{Caller, Peer};
use super::callers::{Callers, Taken};
use super::network::Network;

/// Counts what every caller takes.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: Option<Rate>,
    operations: Option<Rate>,
    bytes: Option<Rate>,
    trusted_proxies: Vec<Network>,
    /// None in tests, where time stands still.
    started: Option<Instant>,
    // Held for a look into a map, never across an await.
    callers: Mutex<Callers>,
}

/// At whose expense a request is; an extension of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance {
    /// None where nothing is limited.
    account: Option<(Arc<Meter>, Caller)>,
}

/// A caller that has taken what it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} a second is the most for {}; try again in {} s, {} (the server's {} sets the limit)",
    self.amount(), self.whose(), self.retry_after_s(), self.limit.way_out(), self.limit.option()
)]
pub(crate) struct RateExceeded {
    /// What there was too much of.
    pub(crate) limit: Limit,
    per_s: u64,
    caller: Caller,
    wait: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Requests of any kind.
    Requests,
    /// Operations that were sent.
    Operations,
    /// Bytes of bodies.
    Bytes,
}

impl Meter {
    /// Counts against these limits.
    pub(crate) fn new(limits: &RateLimits) -> Self {
        let rate = |per_s: Option<std::num::NonZeroU64>| per_s.map(|per_s| Rate::new(per_s, limits.burst));
        Self {
            requests: rate(limits.requests_per_s),
            operations: rate(limits.operations_per_s),
            bytes: rate(limits.bytes_per_s),
            trusted_proxies: limits.trusted_proxies.clone(),
            started: Some(Instant::now()),
            callers: Mutex::default(),
        }
    }

    /// The same, while nothing comes back.
    #[cfg(test)]
    pub(crate) fn standing_still(limits: &RateLimits) -> Self {
        Self { started: None, ..Self::new(limits) }
    }

    /// What a request may take, of the token's holder or of where it came from.
    pub(crate) fn allowance(self: &Arc<Self>, request: &Request, has_token: bool) -> Allowance {
        if self.requests.is_none() && self.operations.is_none() && self.bytes.is_none() {
            return Allowance::default();
        }
        let caller = if has_token {
            Caller::Token
        } else {
            // Without a connection, as in tests, all are one.
            let peer = request.extensions().get::<Peer>().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0);
            Caller::behind(peer, request.headers(), &self.trusted_proxies)
        };
        Allowance { account: Some((self.clone(), caller)) }
    }

    fn rate(&self, limit: Limit) -> Option<&Rate> {
        match limit {
            Limit::Requests => self.requests.as_ref(),
            Limit::Operations => self.operations.as_ref(),
            Limit::Bytes => self.bytes.as_ref(),
        }
    }

    fn check(&self, limit: Limit, caller: Caller, now: Moment) -> Result<(), RateExceeded> {
        let Some(rate) = self.rate(limit) else { return Ok(()) };
        let wait = self.callers().of(caller).bucket(limit).wait(rate, now);
        wait.map_or(Ok(()), |wait| Err(RateExceeded { limit, per_s: rate.per_s(), caller, wait }))
    }

    fn take(&self, limit: Limit, caller: Caller, units: u64, now: Moment) {
        if let Some(rate) = self.rate(limit) {
            self.callers().of(caller).bucket(limit).take(rate, units, now);
        }
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        let nanos = self.started.map_or(0, |started| started.elapsed().as_nanos());
        Moment(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Taken {
    const fn bucket(&mut self, limit: Limit) -> &mut Bucket {
        match limit {
            Limit::Requests => &mut self.requests,
            Limit::Operations => &mut self.operations,
            Limit::Bytes => &mut self.bytes,
        }
    }
}

impl Allowance {
    /// Takes one request. A refused one takes nothing.
    ///
    /// # Errors
    /// When the caller has taken what it may.
    pub(crate) fn take_request(&self) -> Result<(), RateExceeded> {
        self.check(Limit::Requests)?;
        self.take(Limit::Requests, 1);
        Ok(())
    }

    /// Whether more operations may be read.
    ///
    /// # Errors
    /// When the caller has taken the bytes or operations that it may.
    pub(crate) fn check_intake(&self) -> Result<(), RateExceeded> {
        self.check(Limit::Bytes)?;
        self.check(Limit::Operations)
    }

    /// Takes bytes that were read.
    pub(crate) fn take_bytes(&self, bytes: usize) {
        self.take(Limit::Bytes, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Takes an operation that was read.
    pub(crate) fn take_operation(&self) {
        self.take(Limit::Operations, 1);
    }

    fn check(&self, limit: Limit) -> Result<(), RateExceeded> {
        self.account.as_ref().map_or(Ok(()), |(meter, caller)| meter.check(limit, *caller, meter.now()))
    }

    fn take(&self, limit: Limit, units: u64) {
        if let Some((meter, caller)) = &self.account {
            meter.take(limit, *caller, units, meter.now());
        }
    }
}

impl RateExceeded {
    /// Whole seconds after which the caller may take something again.
    pub(crate) fn retry_after_s(&self) -> u64 {
        self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0)
    }

    fn amount(&self) -> String {
        format!("{} {}", self.per_s, self.limit.as_str())
    }

    const fn whose(&self) -> &'static str {
        match self.caller {
            Caller::Token => "those who send this token",
            Caller::Address(_) => "an address",
        }
    }
}

impl Limit {
    /// Its name in metrics and texts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Operations => "operations",
            Self::Bytes => "bytes",
        }
    }

    const fn way_out(self) -> &'static str {
        match self {
            Self::Requests => "with more operations in one request",
            Self::Operations | Self::Bytes => "and send more slowly",
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Requests => "--max-requests-per-s",
            Self::Operations => "--max-operations-per-s",
            Self::Bytes => "--max-mib-per-s",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn caller(address: &str) -> Caller {
        Caller::at(address.parse().unwrap())
    }

    #[test]
    fn each_caller_has_its_own_and_gets_it_back_in_time() {
        let burst = Duration::from_secs(5);
        let meter = Meter::new(&RateLimits { requests_per_s: NonZeroU64::new(2), burst, ..RateLimits::default() });
        let request = |caller, now| {
            meter.check(Limit::Requests, caller, now)?;
            meter.take(Limit::Requests, caller, 1, now);
            Ok(())
        };
        let one = caller("10.0.0.1");
        for _ in 0..10 {
            request(one, Moment(0)).unwrap();
        }
        let exceeded: RateExceeded = request(one, Moment(0)).unwrap_err();
        assert_eq!(
            exceeded.to_string(),
            "2 requests a second is the most for an address; try again in 1 s, with more operations in one request \
             (the server's --max-requests-per-s sets the limit)"
        );
        request(caller("10.0.0.2"), Moment(0)).unwrap();
        request(Caller::Token, Moment(0)).unwrap();
        meter.check(Limit::Bytes, one, Moment(0)).unwrap();
        request(one, Moment(SECOND)).unwrap();
        request(one, Moment(SECOND)).unwrap();
        request(one, Moment(SECOND)).unwrap_err();
    }

    #[test]
    fn a_large_body_passes_once_and_is_paid_for_afterwards() {
        let meter = Meter::new(&RateLimits { bytes_per_s: NonZeroU64::new(1000), ..RateLimits::default() });
        let check = |now| meter.check(Limit::Bytes, Caller::Token, now);
        check(Moment(0)).unwrap();
        meter.take(Limit::Bytes, Caller::Token, 60_000, Moment(0));
        let exceeded = check(Moment(0)).unwrap_err();
        assert_eq!((exceeded.limit, exceeded.retry_after_s()), (Limit::Bytes, 51));
        check(Moment(51 * SECOND)).unwrap();
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let meter = Arc::new(Meter::new(&RateLimits::default()));
        let allowance = meter.allowance(&Request::default(), false);
        assert!(allowance.account.is_none());
        allowance.take_bytes(usize::MAX);
        allowance.check_intake().unwrap();
    }
}

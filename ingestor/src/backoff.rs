//! Waits between attempts, longer each time, with jitter, so that many processes do not return at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opstream_schemas::condition::Reporter;
use rand::Rng as _;
use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// Failures after which the undertaking is reported: one or two are everyday life, such as a deadlock that was broken.
const REPORTED_AFTER: u32 = 3;

/// Something that is tried until it works, perhaps by several tasks at once. While one of them fails again and again, the
/// role's condition says so.
#[derive(Clone, Debug)]
pub struct Undertaking(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    reporter: Reporter,
    /// How many fail again and again. Held while reporting, so that a success cannot hide a failure that came after it.
    failing: Mutex<usize>,
}

impl Undertaking {
    /// Named as the condition will say it, such as `storing a batch`.
    pub fn new(name: &'static str, reporter: &Reporter) -> Self {
        Self(Arc::new(Inner { name, reporter: reporter.clone(), failing: Mutex::default() }))
    }

    /// Begins to try.
    pub fn begin(&self) -> Backoff {
        Backoff { undertaking: self.clone(), attempts: 0 }
    }
}

/// Pauses of one who tries; dropped when it worked or is not tried any more.
#[derive(Debug)]
pub struct Backoff {
    undertaking: Undertaking,
    attempts: u32,
}

impl Backoff {
    /// Waits; false when the token was cancelled meanwhile.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let pause = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts += 1;
        self.report();
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(pause.mul_f64(jitter)) => true,
        }
    }

    fn report(&self) {
        let Inner { name, reporter, failing } = &*self.undertaking.0;
        if self.attempts < REPORTED_AFTER {
            return reporter.turned();
        }
        let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.attempts == REPORTED_AFTER {
            *failing += 1;
        }
        let reason = format!("has failed {} times in a row and is tried again; the log says why", self.attempts);
        reporter.hindered(name, reason);
    }
}

impl Drop for Backoff {
    fn drop(&mut self) {
        if self.attempts < REPORTED_AFTER {
            return;
        }
        let Inner { name, reporter, failing } = &*self.undertaking.0;
        let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
        *failing -= 1;
        if *failing == 0 {
            reporter.cleared(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_again_and_again_is_reported_until_it_ends() {
        let (reporter, stop) = (Reporter::default(), CancellationToken::new());
        let watch = reporter.watch();
        let mut backoff = Undertaking::new("storing a batch", &reporter).begin();
        for _ in 0..2 {
            assert!(backoff.wait(&stop).await);
            assert!(watch.borrow().hindrances.is_empty());
        }
        assert!(backoff.wait(&stop).await);
        assert!(watch.borrow().hindrances["storing a batch"].contains("3 times"));
        stop.cancel();
        assert!(!backoff.wait(&stop).await);
        drop(backoff);
        assert!(watch.borrow().hindrances.is_empty());
    }

    #[tokio::test]
    async fn one_that_works_does_not_hide_another_that_fails() {
        let (reporter, stop) = (Reporter::default(), CancellationToken::new());
        let claiming = Undertaking::new("claiming partitions", &reporter);
        let (mut first, mut second) = (claiming.begin(), claiming.begin());
        for _ in 0..REPORTED_AFTER {
            assert!(first.wait(&stop).await && second.wait(&stop).await);
        }
        drop(first);
        assert!(reporter.watch().borrow().hindrances.contains_key("claiming partitions"));
        drop(second);
        assert!(reporter.watch().borrow().hindrances.is_empty());
    }
}

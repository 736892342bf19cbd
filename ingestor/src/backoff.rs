//! Waits between attempts, longer each time, with jitter, so that many processes do not return at once.

use std::time::Duration;

use opstream_schemas::condition::Reporter;
use rand::Rng as _;
use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// Failures after which the undertaking is reported: one or two are everyday life, such as a deadlock that was broken.
const REPORTED_AFTER: u32 = 3;

/// Back-off of one undertaking. While it lasts, the role's condition says that the undertaking is hindered.
#[derive(Debug)]
pub struct Patience {
    undertaking: &'static str,
    reporter: Reporter,
    attempts: u32,
}

impl Patience {
    /// For an undertaking that is tried until it works, such as `storing a batch`.
    pub fn new(undertaking: &'static str, reporter: &Reporter) -> Self {
        Self { undertaking, reporter: reporter.clone(), attempts: 0 }
    }

    /// Waits; false when the token was cancelled meanwhile.
    pub async fn wait(&mut self, shutdown: &CancellationToken) -> bool {
        let pause = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts += 1;
        if self.attempts >= REPORTED_AFTER {
            let reason = format!("has failed {} times in a row and is tried again; the log says why", self.attempts);
            self.reporter.hindered(self.undertaking, reason);
        } else {
            self.reporter.turned();
        }
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::select! {
            () = shutdown.cancelled() => false,
            () = tokio::time::sleep(pause.mul_f64(jitter)) => true,
        }
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        self.reporter.cleared(self.undertaking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_again_and_again_is_reported_until_it_ends() {
        let (reporter, shutdown) = (Reporter::default(), CancellationToken::new());
        let watch = reporter.watch();
        let mut patience = Patience::new("storing a batch", &reporter);
        for _ in 0..2 {
            assert!(patience.wait(&shutdown).await);
            assert!(watch.borrow().hindrances.is_empty());
        }
        assert!(patience.wait(&shutdown).await);
        assert!(watch.borrow().hindrances["storing a batch"].contains("3 times"));
        shutdown.cancel();
        assert!(!patience.wait(&shutdown).await);
        drop(patience);
        assert!(watch.borrow().hindrances.is_empty());
    }
}

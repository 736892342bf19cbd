//! Waits between attempts, longer each time, with jitter, so that many processes do not return at once.

use std::time::Duration;

use rand::Rng as _;
use tokio_util::sync::CancellationToken;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Back-off of one undertaking.
#[derive(Debug, Default)]
pub struct Patience {
    attempts: u32,
}

impl Patience {
    /// Waits; false when the token was cancelled meanwhile.
    pub async fn wait(&mut self, shutdown: &CancellationToken) -> bool {
        let pause = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts += 1;
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::select! {
            () = shutdown.cancelled() => false,
            () = tokio::time::sleep(pause.mul_f64(jitter)) => true,
        }
    }
}

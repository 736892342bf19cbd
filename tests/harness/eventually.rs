//! Waits for something that other threads or processes bring about.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// Asks `condition` until it answers `Ok`, and returns that value.
///
/// `Err` carries what was seen instead. The pauses grow from 5 to 200 milliseconds, so that quick things are noticed
/// at once and slow ones cost little.
///
/// # Panics
/// When `deadline` has passed; the message shows the last value seen.
pub(crate) async fn eventually<T, E: Debug>(deadline: Duration, mut condition: impl AsyncFnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(seen) => assert!(started.elapsed() < deadline, "not within {deadline:?}; last seen: {seen:#?}"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_value_that_meets_the_condition_is_returned() {
        let mut asked = 0;
        let value = eventually(Duration::from_secs(5), async || {
            asked += 1;
            if asked == 3 { Ok(asked) } else { Err(asked) }
        })
        .await;
        assert_eq!(value, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "last seen: \"2 of 3 windows\"")]
    async fn a_missed_deadline_shows_the_last_value_seen() {
        eventually(Duration::from_millis(20), async || Err::<(), _>("2 of 3 windows")).await;
    }
}

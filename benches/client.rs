//! One client of an api, that asks one question after the other.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::latencies::Latencies;

/// Longer than any limit of the api.
const LIMIT: Duration = Duration::from_mins(2);

/// Asks an api at an address.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) address: String,
}

impl Client {
    /// Of `http://` and this address.
    pub(crate) fn of(listen: &str) -> Self {
        Self { http: reqwest::Client::new(), address: format!("http://{listen}") }
    }

    /// How long so many answers took, after some that do not count, because they find nothing prepared.
    ///
    /// # Panics
    /// When one is refused.
    pub(crate) async fn time(
        &self,
        (warm_ups, repetitions): (usize, usize),
        mut path: impl FnMut() -> String,
    ) -> Latencies {
        let mut durations = Vec::with_capacity(repetitions);
        for number in 0..warm_ups + repetitions {
            let path = path();
            let began = Instant::now();
            let asked = self.ask(&path).await;
            let took = began.elapsed();
            asked.unwrap_or_else(|error| panic!("{path}: {error}"));
            if number >= warm_ups {
                durations.push(took);
            }
        }
        Latencies::new(durations)
    }

    /// The whole answer.
    pub(crate) async fn ask(&self, path: &str) -> reqwest::Result<Bytes> {
        let request = self.http.get(format!("{}{path}", self.address)).timeout(LIMIT);
        request.send().await?.error_for_status()?.bytes().await
    }
}

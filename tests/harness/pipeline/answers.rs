//! What a running pipeline says of itself, and waiting until it says it.

use std::time::Duration;

use serde_json::Value;

use super::Pipeline;
use crate::harness::eventually::eventually;

/// How long what was acknowledged may take to be stored and windowed on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);
/// How long it may take until a fault shows in a role's readiness, or its end.
const SAID_WITHIN: Duration = Duration::from_secs(90);

impl Pipeline<'_> {
    /// `GET` of the api as JSON.
    ///
    /// # Errors
    /// What went wrong, as text.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = reqwest::get(format!("{}{path}", self.url())).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}")) }
    }

    /// Offsets that the database says are applied, over all partitions.
    pub(crate) async fn committed(&self) -> i64 {
        let progress = self.get("/v1/progress").await.expect("the api answers");
        progress["committed"].as_array().into_iter().flatten().filter_map(|entry| entry["next_offset"].as_i64()).sum()
    }

    /// Operations that the windows count.
    pub(crate) async fn operations(&self) -> u64 {
        let totals = self.get("/v1/totals").await.expect("the api answers");
        totals["operations"].as_u64().unwrap_or_else(|| panic!("no operations in {totals}"))
    }

    /// A counter or gauge of a role, summed over its labels.
    ///
    /// # Errors
    /// When the role does not answer, or has no such metric yet.
    pub(crate) async fn metric(&self, role: &str, name: &str) -> Result<f64, String> {
        let address = format!("{}/metrics", self.health_url(role));
        let answer = reqwest::get(address).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let values =
            text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        let values: Vec<f64> = values.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        if values.is_empty() { Err(format!("{role} has no {name}")) } else { Ok(values.iter().sum()) }
    }

    /// What a role answers when it is asked whether it can work: `None` when it can, else all it says.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn hindrance(&self, role: &str) -> Result<Option<String>, String> {
        let url = format!("{}/health/ready", self.health_url(role));
        let answer = reqwest::get(url).await.map_err(|error| format!("{role}: {error}"))?;
        let is_ready = answer.status().is_success();
        let text = answer.text().await.map_err(|error| format!("{role}: {error}"))?;
        Ok((!is_ready).then_some(text))
    }

    /// Waits until the role says that it cannot work, with these words among its reasons.
    pub(crate) async fn says(&self, role: &str, words: &str) {
        eventually(SAID_WITHIN, async || match self.hindrance(role).await? {
            Some(reason) if reason.contains(words) => Ok(()),
            other => Err(format!("{role} says {other:?}, not {words:?}")),
        })
        .await;
    }

    /// Waits until the role says that it can work.
    pub(crate) async fn can_work(&self, role: &str) {
        eventually(SAID_WITHIN, async || match self.hindrance(role).await? {
            None => Ok(()),
            Some(reason) => Err(format!("{role} says {reason}")),
        })
        .await;
    }

    /// Waits until every offset that was acknowledged so far is stored and in windows.
    pub(crate) async fn settle(&self) {
        let ends = self.log_ends("operations").await;
        eventually(SETTLED_WITHIN, async || {
            let progress = self.get("/v1/progress").await?;
            let reached = |(partition, end): &(i32, i64)| {
                let committed = progress["committed"].as_array().into_iter().flatten();
                *end == 0
                    || committed
                        .filter(|entry| entry["partition"].as_i64() == Some(i64::from(*partition)))
                        .any(|entry| entry["windowed_to"].as_i64() >= Some(*end))
            };
            if ends.iter().all(reached) { Ok(()) } else { Err(format!("log ends {ends:?}, progress {progress}")) }
        })
        .await;
    }

    /// Runs `opstream verify` and fails the story unless it is clean.
    pub(crate) async fn assert_verified(&self) {
        let verified = self
            .run(&["verify", "--database-url", &self.database_url(), "--lake", &self.lake().display().to_string()])
            .await;
        let text = String::from_utf8_lossy(&verified.stdout);
        assert!(
            verified.status.success(),
            "verify found something:\n{text}\n{}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }
}

//! Tasks with names, so that a failure says whose it is, and several failures are all heard.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

/// Roles that run side by side. Dropping them aborts what still runs.
#[derive(Default)]
pub(crate) struct Roles {
    tasks: JoinSet<anyhow::Result<()>>,
    /// Of those that have not ended.
    names: HashMap<Id, &'static str>,
}

impl Roles {
    /// Starts a role.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        role: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(role);
        self.names.insert(task.id(), name);
    }

    /// Waits until a role ends although nobody asked it to, which is a failure whatever it returned.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.next_end().await {
            Some((name, Ok(()))) => anyhow::anyhow!("the {name} ended by itself"),
            Some((_, Err(error))) => error,
            None => std::future::pending().await,
        }
    }

    /// Waits until every role has ended.
    ///
    /// # Errors
    /// The first role's that fails; and when some have not ended after `patience`, which are then aborted.
    pub(crate) async fn drain(mut self, patience: Duration) -> anyhow::Result<()> {
        let mut outcomes = Vec::new();
        let all = async {
            while let Some((_, outcome)) = self.next_end().await {
                outcomes.push(outcome);
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            let mut names: Vec<&str> = self.names.values().copied().collect();
            names.sort_unstable();
            outcomes.push(Err(anyhow::anyhow!(
                "{} did not stop within {} s and is aborted; what it held is read again at the next start",
                names.join(" and "),
                patience.as_secs()
            )));
        }
        first_error(outcomes)
    }

    async fn next_end(&mut self) -> Option<(&'static str, anyhow::Result<()>)> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or("role");
        let outcome = match ended {
            Ok((_, outcome)) => outcome.map_err(|error| error.context(format!("the {name} failed"))),
            Err(crash) => Err(anyhow::Error::new(crash).context(format!("the {name} crashed"))),
        };
        Some((name, outcome))
    }
}

/// The first error, after the others are logged: nobody else will speak of them.
///
/// # Errors
/// When one of the outcomes is an error.
pub(crate) fn first_error(outcomes: impl IntoIterator<Item = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut errors = outcomes.into_iter().filter_map(Result::err);
    let first = errors.next();
    for other in errors {
        tracing::error!(error = format!("{other:#}"), "another failure while stopping");
    }
    first.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_role_that_does_not_stop_is_an_error_with_its_name() {
        let mut roles = Roles::default();
        roles.spawn("ingestor", std::future::pending());
        roles.spawn("aggregator", async { Ok(()) });
        let error = roles.drain(Duration::from_millis(50)).await.unwrap_err().to_string();
        assert!(error.starts_with("ingestor did not stop within"), "{error}");
    }

    #[tokio::test]
    async fn whoever_ends_fails_or_crashes_is_named() {
        let end = async |role: fn() -> anyhow::Result<()>| {
            let mut roles = Roles::default();
            roles.spawn("api", async move { role() });
            format!("{:#}", roles.failed().await)
        };
        assert_eq!(end(|| Ok(())).await, "the api ended by itself");
        assert_eq!(end(|| anyhow::bail!("no disk")).await, "the api failed: no disk");
        assert!(end(|| panic!("a defect")).await.starts_with("the api crashed: "));
    }

    #[tokio::test]
    async fn the_first_failure_is_the_outcome_of_a_drain() {
        let mut roles = Roles::default();
        roles.spawn("ingestor", async { Ok(()) });
        roles.spawn("aggregator", async { anyhow::bail!("lease lost") });
        assert_eq!(
            format!("{:#}", roles.drain(Duration::from_mins(1)).await.unwrap_err()),
            "the aggregator failed: lease lost"
        );
        Roles::default().drain(Duration::ZERO).await.unwrap();
    }
}

//! The outbox of webhooks. A call whose answer is not stored is made again, with the same `opstream-alert-id`.

use std::time::Instant;

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::Alert;
use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use rand::Rng as _;
use tokio::task::JoinSet;

use super::backoff::next_attempt;
use super::call::{Outcome, Resolver, call};
use super::message::body;
use super::target::Webhooks;
use crate::lease::{self, LeaseError};
use crate::metrics;

/// Calls at a time, …
const CALLS: u8 = 16;
/// … of which one webhook gets no more than these.
const CALLS_PER_TARGET: u8 = 4;

/// Calls webhooks.
pub(in crate::alerts) struct Deliverer {
    database: Database,
    webhooks: Webhooks,
    pub(super) resolver: Resolver,
}

/// Deliveries whose outcome is not stored. They are made again.
#[derive(Debug, thiserror::Error)]
pub(in crate::alerts) enum DeliveryError {
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Try again.
    #[error("the database did not answer about deliveries to webhooks")]
    Database(#[from] sqlx::Error),
}

/// One delivery that is due.
struct Due {
    alert: Alert,
    target: String,
    revision: i64,
    attempts: i64,
    first_due_at: UtcMillis,
}

impl Deliverer {
    pub(in crate::alerts) const fn new(database: Database, webhooks: Webhooks) -> Self {
        Self { database, webhooks, resolver: Resolver::System }
    }

    /// Makes the calls that are due, a few at a time. Returns whether there are more.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub(in crate::alerts) async fn pass(&self, fence: Fence) -> Result<bool, DeliveryError> {
        let now = lease::database_now(&self.database).await?;
        self.pass_at(fence, now).await
    }

    /// The same at the time `now`.
    pub(super) async fn pass_at(&self, fence: Fence, now: UtcMillis) -> Result<bool, DeliveryError> {
        let began = Instant::now();
        let values = [now.into(), i64::from(CALLS).into(), i64::from(CALLS_PER_TARGET).into()];
        let rows = self.database.fetch_all(include_str!("due_deliveries.sql"), &values).await?;
        let due: Vec<Due> = rows.iter().map(Due::read).collect::<Result<_, _>>()?;
        let outcomes = self.call_all(&due, now).await;
        failpoint::reach(Step::WebhooksCalled).await.map_err(sqlx::Error::from)?;
        if due.is_empty() {
            return Ok(false);
        }
        let mut tx = lease::begin(&self.database, fence).await?;
        let answered_at = now.plus_millis(i64::try_from(began.elapsed().as_millis()).unwrap_or(0));
        for (due, outcome) in due.iter().zip(&outcomes) {
            tx.execute(include_str!("store_outcome.sql"), &due.values(outcome, answered_at)).await?;
        }
        tx.commit().await?;
        // A webhook that had all its calls may have more that are due.
        let had = |target: &str| due.iter().filter(|due| due.target == target).count();
        let is_busy = |due: &Due| had(&due.target) >= usize::from(CALLS_PER_TARGET);
        Ok(due.len() >= usize::from(CALLS) || due.iter().any(is_busy))
    }

    /// In the order of the deliveries.
    async fn call_all(&self, due: &[Due], now: UtcMillis) -> Vec<Outcome> {
        let mut calls = JoinSet::new();
        // Another aggregator may have it, where a deployment is under way.
        let mut outcomes = vec![Outcome::failed("this aggregator has no webhook of this name"); due.len()];
        for (place, due) in due.iter().enumerate() {
            let Some(target) = self.webhooks.targets.iter().find(|target| target.name == due.target) else { continue };
            let (webhooks, target, resolver) = (self.webhooks.clone(), target.clone(), self.resolver.clone());
            let (alert_id, body) = (due.alert.alert_id.clone(), body(target.format, &due.alert, due.revision));
            calls.spawn(async move { (place, call((&webhooks, &target), &resolver, (&alert_id, body), now).await) });
            // What a task that panicked would leave behind.
            outcomes[place] = Outcome::Failed { reason: "the call failed inside".to_owned(), asked: None };
        }
        while let Some(called) = calls.join_next().await {
            match called {
                Ok((place, outcome)) => outcomes[place] = outcome,
                Err(error) => tracing::error!(%error, "a call of a webhook failed inside"),
            }
        }
        outcomes
    }
}

impl Due {
    fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            alert: Alert::from_row(row)?,
            target: row.text("target")?,
            revision: row.int("delivery_revision")?,
            attempts: row.int("attempts")?,
            first_due_at: UtcMillis::from_millis(row.int("created_at_ms")?),
        })
    }

    /// What is stored of an outcome; says it too.
    fn values(&self, outcome: &Outcome, now: UtcMillis) -> [Value; 8] {
        let attempts = self.attempts + 1;
        let (target, alert_id) = (self.target.as_str(), self.alert.alert_id.as_str());
        let (mut next, mut delivered, mut given_up, mut error) = (now, None, None, None);
        match outcome {
            Outcome::Delivered => {
                metrics::record_delivery(target, "delivered");
                delivered = Some(now);
            }
            Outcome::Failed { reason, asked } => {
                error = Some(reason.as_str());
                let jitter = rand::rng().random_range(0.0..1.0);
                let count = u32::try_from(attempts).unwrap_or(u32::MAX);
                match next_attempt((now, self.first_due_at), count, *asked, jitter) {
                    Some(at) => {
                        metrics::record_delivery(target, "failed");
                        tracing::warn!(target_name = target, alert_id, attempts, reason, next_attempt = %at, "a webhook did not take an alert");
                        next = at;
                    }
                    None => given_up = Some(now),
                }
            }
            Outcome::Refused { reason } => {
                error = Some(reason.as_str());
                given_up = Some(now);
            }
        }
        if given_up.is_some() {
            metrics::record_delivery(target, "given_up");
            tracing::error!(
                target_name = target,
                alert_id,
                attempts,
                reason = error,
                "an alert was not delivered to a webhook and is given up"
            );
        }
        [
            alert_id.into(),
            target.into(),
            self.revision.into(),
            attempts.into(),
            next.into(),
            delivered.into(),
            given_up.into(),
            error.into(),
        ]
    }
}

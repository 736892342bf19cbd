//! The outbox of webhooks. A call whose answer is not stored is made again, with the same `opstream-alert-id`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

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

/// Calls at a time to one webhook.
const CALLS_PER_TARGET: u8 = 4;
/// Calls at a time to all.
const CALLS: u8 = 100;
/// How long a pass waits for a call to end before it looks for others that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Calls webhooks. A call that is under way when a pass ends goes on: one that is not answered holds up no other.
pub(in crate::alerts) struct Deliverer {
    database: Database,
    webhooks: Webhooks,
    pub(super) resolver: Resolver,
    calls: JoinSet<Called>,
    under_way: HashSet<Key>,
}

/// An alert, a webhook and a revision.
type Key = (String, String, i64);

/// A call that ended.
struct Called {
    due: Due,
    outcome: Outcome,
    at: UtcMillis,
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
    pub(in crate::alerts) fn new(database: Database, webhooks: Webhooks) -> Self {
        let (calls, under_way) = (JoinSet::new(), HashSet::new());
        Self { database, webhooks, resolver: Resolver::System, calls, under_way }
    }

    /// Begins the calls that are due, and stores the outcomes of those that end meanwhile. Returns whether the next pass has work to do
    /// already.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub(in crate::alerts) async fn pass(&mut self, fence: Fence) -> Result<bool, DeliveryError> {
        let now = lease::database_now(&self.database).await?;
        self.pass_at(fence, now).await
    }

    /// The same at the time `now`.
    pub(super) async fn pass_at(&mut self, fence: Fence, now: UtcMillis) -> Result<bool, DeliveryError> {
        let values = [now.into(), i64::from(CALLS).into(), i64::from(CALLS_PER_TARGET).into()];
        let rows = self.database.fetch_all(include_str!("due_deliveries.sql"), &values).await?;
        for row in &rows {
            self.begin(Due::read(row)?, now);
        }
        let called = self.ended().await;
        if !called.is_empty() {
            failpoint::reach(Step::WebhooksCalled).await.map_err(sqlx::Error::from)?;
            let mut tx = lease::begin(&self.database, fence).await?;
            for Called { due, outcome, at } in &called {
                tx.execute(include_str!("store_outcome.sql"), &due.values(outcome, *at)).await?;
            }
            tx.commit().await?;
        }
        Ok(!called.is_empty() || !self.calls.is_empty())
    }

    /// Begins a call, unless it is under way.
    fn begin(&mut self, due: Due, now: UtcMillis) {
        if !self.under_way.insert(due.key()) {
            return;
        }
        let target = self.webhooks.targets.iter().find(|target| target.name == due.target).cloned();
        let (webhooks, resolver) = (self.webhooks.clone(), self.resolver.clone());
        self.calls.spawn(async move {
            let began = Instant::now();
            let outcome = match target {
                Some(target) => {
                    let alert = (due.alert.alert_id.as_str(), body(target.format, &due.alert, due.revision));
                    call((&webhooks, &target), &resolver, alert, now).await
                }
                // Another aggregator may have it, where a deployment is under way.
                None => Outcome::failed("this aggregator has no webhook of this name"),
            };
            let at = now.plus_millis(i64::try_from(began.elapsed().as_millis()).unwrap_or(0));
            Called { due, outcome, at }
        });
    }

    /// Calls that have ended; waits a while for the first one. What is dropped of them here is made again.
    async fn ended(&mut self) -> Vec<Called> {
        let mut ended = Vec::new();
        let mut next = tokio::time::timeout(LOOK_EVERY, self.calls.join_next()).await.ok().flatten();
        while let Some(joined) = next {
            match joined {
                Ok(called) => {
                    self.under_way.remove(&called.due.key());
                    ended.push(called);
                }
                Err(error) => {
                    tracing::error!(%error, "a call of a webhook failed inside");
                    // Which one is not known: all that are not among the others are made again.
                    self.calls.abort_all();
                    self.under_way.clear();
                }
            }
            next = self.calls.try_join_next();
        }
        ended
    }
}

impl Due {
    fn key(&self) -> Key {
        (self.alert.alert_id.clone(), self.target.clone(), self.revision)
    }

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

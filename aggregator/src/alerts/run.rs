//! The loops of alerts: one that looks at rules, one that publishes, and one that calls webhooks. None delays another, nor windows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opstream_schemas::database::{Database, within};
use opstream_schemas::offsets::Fence;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::evaluate::Evaluator;
use super::publish::publish;
use super::webhooks::Deliverer;
use crate::config::AlertConfig;
use crate::publish::PublishError;
use crate::run::{Pace, TURN_LIMIT, held_fence};
use crate::topic::WindowTopic;

/// Shortest pause between two looks at rules: windows may change several times a second.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// Longest pause, when no window changes: periods end and rates fall by the clock alone.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// A look is followed by a rest of this many times its length, so that the database belongs to others.
const LOOK_REST: u32 = 4;
/// How often it is looked for something to tell that nobody announced.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What wakes a loop before its pause is over. One is woken by one other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wakes {
    /// Windows have changed.
    pub(crate) windows: Arc<Notify>,
    published: Arc<Notify>,
    delivered: Arc<Notify>,
}

/// Everything that the loops need.
pub(crate) struct AlertTasks {
    evaluator: Evaluator,
    deliverer: Deliverer,
    database: Database,
    topic: WindowTopic,
    wakes: Wakes,
}

/// What a loop is told by others.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) fence: watch::Receiver<Option<Fence>>,
    pub(crate) stop: CancellationToken,
}

impl Told {
    /// Waits until the lease is held; `None` when it never will be.
    async fn held(&mut self, pace: &Pace) -> Option<Fence> {
        if self.fence.borrow().is_none() {
            pace.stands_by();
        }
        held_fence(&mut self.fence, &self.stop).await
    }
}

impl AlertTasks {
    /// Prepares the loops; nothing is connected yet.
    pub(crate) fn new(database: Database, topic: WindowTopic, config: AlertConfig, wakes: Wakes) -> Self {
        let evaluator = Evaluator::new(database.clone(), config.webhooks.names());
        let deliverer = Deliverer::new(database.clone(), config.webhooks);
        Self { evaluator, deliverer, database, topic, wakes }
    }

    /// Runs until stopped. What is raised and not told then, the next start tells.
    pub(crate) async fn run(self, told: Told, pace: impl Fn(&'static str) -> Pace) {
        let Self { evaluator, deliverer, database, topic, wakes } = self;
        tokio::join!(
            evaluation_loop(evaluator, told.clone(), pace("alerts"), wakes.clone()),
            publication_loop((database, topic), told.clone(), pace("publication of alerts"), wakes.published),
            delivery_loop(deliverer, told, pace("webhooks"), wakes.delivered),
        );
    }
}

async fn evaluation_loop(mut evaluator: Evaluator, mut told: Told, mut pace: Pace, wakes: Wakes) {
    while let Some(held) = told.held(&pace).await {
        let began = Instant::now();
        // Ending a look half-way is harmless: a transaction that was begun is not committed, or is and was to be.
        let looked = tokio::select! {
            () = told.stop.cancelled() => return,
            looked = within(TURN_LIMIT, evaluator.pass_now(held)) => looked,
        };
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => {
                pause(pace.after_error(&error), &told.stop).await;
                continue;
            }
        };
        pace.worked();
        if looked.changed > 0 {
            wakes.published.notify_one();
            wakes.delivered.notify_one();
        }
        if looked.more {
            continue;
        }
        let rest = (began.elapsed() * LOOK_REST).max(LOOK_AFTER);
        pause(rest, &told.stop).await;
        tokio::select! {
            () = wakes.windows.notified() => {}
            () = pause(LOOK_EVERY.saturating_sub(rest), &told.stop) => {}
        }
    }
}

async fn publication_loop(
    (database, mut topic): (Database, WindowTopic),
    mut told: Told,
    mut pace: Pace,
    wake: Arc<Notify>,
) {
    let mut topic_is_there = false;
    while let Some(held) = told.held(&pace).await {
        let passed = async {
            if !topic_is_there {
                topic.ensure().await?;
                topic_is_there = true;
            }
            publish(&database, &mut topic, held).await?;
            Ok::<_, PublishError>(())
        };
        let passed = tokio::select! {
            () = told.stop.cancelled() => return,
            passed = within(TURN_LIMIT, passed) => passed,
        };
        let rest = match passed {
            Ok(()) => {
                pace.worked();
                TELL_EVERY
            }
            Err(error) => pace.after_error(&error),
        };
        tokio::select! {
            () = wake.notified() => {}
            () = pause(rest, &told.stop) => {}
        }
    }
}

async fn delivery_loop(mut deliverer: Deliverer, mut told: Told, mut pace: Pace, wake: Arc<Notify>) {
    while let Some(held) = told.held(&pace).await {
        let passed = tokio::select! {
            () = told.stop.cancelled() => return,
            passed = within(TURN_LIMIT, deliverer.pass(held)) => passed,
        };
        let rest = match passed {
            Ok(more) => {
                pace.worked();
                if more { Duration::ZERO } else { TELL_EVERY }
            }
            Err(error) => pace.after_error(&error),
        };
        tokio::select! {
            () = wake.notified() => {}
            () = pause(rest, &told.stop) => {}
        }
    }
}

async fn pause(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

//! The loop beside the windower: publishes what changed and deletes what is over, for as long as the lease is held.

use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;

use crate::expire::{delete_expired_minutes, delete_replaced_generations};
use crate::publish::{Due, PublishError, publish};
use crate::settings::WindowSettings;
use crate::topic::WindowTopic;

/// Open windows are published this often at most; closed ones at once.
const OPEN_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked for something to delete.
const CLEAN_EVERY: Duration = Duration::from_secs(10);
/// Windows of a replaced generation stay this long for readers that are still at it.
const GRACE: Duration = Duration::from_mins(1);

/// Publishes and deletes.
pub(crate) struct Outbox {
    database: Database,
    topic: WindowTopic,
    topic_is_there: bool,
    open_at: Instant,
    clean_at: Instant,
    /// The current generation and when it was first seen.
    seen: (i64, Instant),
}

impl Outbox {
    /// Nothing is connected yet.
    pub(crate) fn new(database: Database, topic: WindowTopic) -> Self {
        let now = Instant::now();
        Self { database, topic, topic_is_there: false, open_at: now, clean_at: now, seen: (0, now) }
    }

    /// One pass at the time `now`. Returns whether the next has work to do already.
    pub(crate) async fn pass(&mut self, fence: Fence, now: UtcMillis) -> Result<bool, PublishError> {
        self.ensure_topic().await?;
        let due = if self.open_at <= Instant::now() { Due::All } else { Due::Closed };
        if due == Due::All {
            self.open_at = Instant::now() + OPEN_EVERY;
        }
        publish(&self.database, &self.topic, fence, (due, now)).await?;
        if self.clean_at > Instant::now() {
            return Ok(false);
        }
        let settings = WindowSettings::read(&self.database).await?;
        if settings.generation != self.seen.0 {
            self.seen = (settings.generation, Instant::now());
        }
        let mut more = delete_expired_minutes(&self.database, &self.topic, fence, settings).await?;
        if self.seen.1.elapsed() >= GRACE {
            more |= delete_replaced_generations(&self.database, &self.topic, fence, settings).await?;
        }
        if !more {
            self.clean_at = Instant::now() + CLEAN_EVERY;
        }
        Ok(more)
    }

    /// Publishes everything that changed, open windows too: before the process ends.
    pub(crate) async fn flush(&mut self, fence: Fence, now: UtcMillis) -> Result<(), PublishError> {
        self.ensure_topic().await?;
        publish(&self.database, &self.topic, fence, (Due::All, now)).await?;
        Ok(())
    }

    async fn ensure_topic(&mut self) -> Result<(), PublishError> {
        if !self.topic_is_there {
            self.topic.ensure().await?;
            self.topic_is_there = true;
        }
        Ok(())
    }
}

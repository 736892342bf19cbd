//! The loop beside the windower: publishes what changed and deletes what is over, for as long as the lease is held.

use std::time::{Duration, Instant};

use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;

use crate::bury::bury;
use crate::expire::{delete_expired_minutes, delete_other_generations, thin_marks};
use crate::publish::{PublishError, publish};
use crate::settings::WindowSettings;
use crate::topic::WindowTopic;

/// Pause between two passes over what changed. An import changes the same windows of past days with every file, and each value
/// on the topic replaces the one before.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked for something to delete.
const CLEAN_EVERY: Duration = Duration::from_secs(10);
/// How long slices are deleted at a time.
const CLEAN_TIME: Duration = Duration::from_secs(1);
/// Windows of a replaced generation stay this long for readers that are still at it.
const GRACE: Duration = Duration::from_mins(1);

/// Publishes and deletes.
pub(crate) struct Outbox {
    database: Database,
    topic: WindowTopic,
    topic_is_there: bool,
    publish_at: Instant,
    clean_at: Instant,
    /// The current generation and when it was first seen.
    seen: (i64, Instant),
}

impl Outbox {
    /// Nothing is connected yet.
    pub(crate) fn new(database: Database, topic: WindowTopic) -> Self {
        let now = Instant::now();
        Self { database, topic, topic_is_there: false, publish_at: now, clean_at: now, seen: (0, now) }
    }

    /// For a broker that cannot create topics.
    #[cfg(test)]
    pub(crate) fn for_existing_topic(self) -> Self {
        Self { topic_is_there: true, ..self }
    }

    /// One pass. Returns whether the next has work to do already.
    pub(crate) async fn pass(&mut self, fence: Fence) -> Result<bool, PublishError> {
        // First, so that tables do not grow while the topic cannot be reached.
        let more = self.clean(fence).await?;
        if self.publish_at <= Instant::now() {
            self.flush(fence).await?;
            self.publish_at = Instant::now() + PUBLISH_EVERY;
        }
        Ok(more)
    }

    /// Publishes everything that changed, and the tombstones of what was deleted.
    pub(crate) async fn flush(&mut self, fence: Fence) -> Result<(), PublishError> {
        if !self.topic_is_there {
            self.topic.ensure().await?;
            self.topic_is_there = true;
        }
        publish(&self.database, &mut self.topic, fence).await?;
        bury(&self.database, &mut self.topic, fence).await
    }

    /// Deletes for a while, if it is time to. Returns whether there is more.
    async fn clean(&mut self, fence: Fence) -> Result<bool, PublishError> {
        if self.clean_at > Instant::now() {
            return Ok(false);
        }
        let began = Instant::now();
        let settings = WindowSettings::read(&self.database).await?;
        if settings.generation != self.seen.0 {
            self.seen = (settings.generation, Instant::now());
        }
        thin_marks(&self.database, fence).await?;
        while began.elapsed() < CLEAN_TIME {
            let mut more = delete_expired_minutes(&self.database, fence, settings).await?;
            if self.seen.1.elapsed() >= GRACE {
                more |= delete_other_generations(&self.database, fence, settings).await?;
            }
            if !more {
                self.clean_at = Instant::now() + CLEAN_EVERY;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

//! The loop beside the windower: publishes what changed and deletes what is over, for as long as the lease is held.

use std::time::{Duration, Instant};

use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;

use crate::bury::bury;
use crate::expire::{delete_expired_minutes, delete_other_generations, thin_marks};
use crate::publish::{Pass, PublishError, publish};
use crate::settings::WindowSettings;
use crate::topic::WindowTopic;

/// Pause between two passes over what changed. An import changes the same windows of past days with every file, and each value
/// on the topic replaces the one before.
const PUBLISH_EVERY: Duration = Duration::from_secs(5);
/// How long windows are sent at a time: after an import there are millions, and what is over has to be deleted meanwhile.
const PUBLISH_TIME: Duration = Duration::from_secs(10);
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
    /// The pass that is not over.
    pass: Option<Pass>,
    clean_at: Instant,
    /// The current generation and when it was first seen.
    seen: (i64, Instant),
}

impl Outbox {
    /// Nothing is connected yet.
    pub(crate) fn new(database: Database, topic: WindowTopic) -> Self {
        let now = Instant::now();
        Self { database, topic, topic_is_there: false, publish_at: now, pass: None, clean_at: now, seen: (0, now) }
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
        if self.publish_at > Instant::now() {
            return Ok(more);
        }
        if !self.publish_for(PUBLISH_TIME, fence).await? {
            return Ok(true);
        }
        bury(&self.database, &mut self.topic, fence).await?;
        self.publish_at = Instant::now() + PUBLISH_EVERY;
        Ok(more)
    }

    /// Publishes everything that changed, and the tombstones of what was deleted.
    pub(crate) async fn flush(&mut self, fence: Fence) -> Result<(), PublishError> {
        self.ensure_topic().await?;
        publish(&self.database, &mut self.topic, fence).await?;
        bury(&self.database, &mut self.topic, fence).await
    }

    /// Goes on with the pass for so long, also after a failure; returns whether it is over.
    pub(crate) async fn publish_for(&mut self, time: Duration, fence: Fence) -> Result<bool, PublishError> {
        self.ensure_topic().await?;
        let began = Instant::now();
        let pass = self.pass.get_or_insert(Pass::begin());
        while pass.send_slice(&self.database, &mut self.topic, fence).await?.is_some() {
            if began.elapsed() >= time {
                return Ok(false);
            }
        }
        self.pass = None;
        Ok(true)
    }

    async fn ensure_topic(&mut self) -> Result<(), PublishError> {
        if !self.topic_is_there {
            self.topic.ensure().await?;
            self.topic_is_there = true;
        }
        Ok(())
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

//! Sends operations to the topic and settles them when the broker has answered.
//!
//! Sending and polling for delivery reports run on two threads of the producer's own. The client is idempotent; when its
//! session with the broker breaks for good, it is replaced and what came back is sent once more, with the same ids.
//!
//! With a spool the broker's silence is an outage ([`reach`]): what the client holds is taken from it and written to disk, and so
//! is what comes, except where somebody waits. A few spooled operations stay with the client all the time; the first that
//! is acknowledged ends the outage, and the rest follows beside new operations. [`spooling`] does that part.

mod deliveries;
mod link;
mod reach;
mod settings;
mod spooling;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use super::Shared;
use crate::config::{ProducerConfig, StartError};
use crate::hand_over::Collected;
use deliveries::Returned;
use link::Link;
use reach::{Reach, Sight};
pub(crate) use settings::largest_message;
use spooling::Spooling;

/// Time between two looks at what is left while the producer ends.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The way to the cluster, and beside it the one to the disk.
pub(crate) struct KafkaOutlet {
    link: Link,
    reach: Reach,
    spooling: Option<Spooling>,
    shared: Arc<Shared>,
}

impl KafkaOutlet {
    /// Makes the client, which connects by itself, now or when a broker is there; and takes the spool's folder.
    ///
    /// # Errors
    /// When librdkafka refuses a property, or the properties together, or the folder cannot be used.
    pub(crate) fn open(config: &ProducerConfig, shared: Arc<Shared>) -> Result<Self, StartError> {
        let link = Link::open(config, Arc::clone(&shared))?;
        let spooling = match &config.spool {
            Some(spool) => Some(Spooling::open(spool, config.topics.operations(), &shared, Instant::now())?),
            None => None,
        };
        Ok(Self { link, reach: Reach::default(), spooling, shared })
    }

    /// Hands the collected operations to the client or to the disk, and mends what broke before. Returns whether there is
    /// more to do soon even if nothing comes.
    pub(crate) fn deliver(&mut self, collected: &mut Collected, now: Instant) -> bool {
        let gave_back = self.mend(now);
        let Self { link, reach, spooling, shared } = self;
        let Some(spooling) = spooling else {
            collected.drain(|record, waiter| link.send(record, waiter, false));
            return false;
        };
        let sight = Sight {
            acknowledged: shared.ledger.acknowledged(),
            is_waiting: link.is_waiting(),
            in_trouble: shared.trouble.is_present(),
            gave_back,
        };
        if reach.look(sight, now) {
            // Said with the next warning; an error of the connection says more.
            shared.trouble.note_if_silent("the broker acknowledges nothing");
            spooling.is_evacuation_due = true;
        }
        if spooling.evacuate(link, reach, now) {
            self.mend(now);
        }
        let Self { link, reach, spooling: Some(spooling), .. } = self else { return false };
        spooling.take(collected, link, reach, now);
        spooling.resend(link, reach, now)
    }

    /// Replaces a client whose session is lost for good, unless that was done just now, and finds another way for what came
    /// back: to the disk, or to the broker once more. Returns whether the broker did not take something.
    fn mend(&mut self, now: Instant) -> bool {
        if !self.link.deliveries.needs_mending() {
            return false;
        }
        if let Some((code, reason)) = self.link.fatal_error() {
            if !self.link.may_be_replaced(now) {
                return false;
            }
            warn!(%code, reason, "kafka client lost its session with the broker and is replaced");
            if let Err(error) = self.link.replace(now) {
                self.link.deliveries.note_trouble(&error.to_string());
                return false;
            }
        }
        let returned = self.link.deliveries.take_returned();
        let gave_back = returned.iter().any(|returned| !returned.may_be_resent);
        let rest = match &mut self.spooling {
            Some(spooling) => {
                let is_away = self.reach.is_away();
                let rest = spooling.keep(returned, now, |returned| is_away || !returned.may_be_resent);
                spooling.is_evacuation_due |= is_away && rest.iter().any(|returned| returned.waiter.is_none());
                rest
            }
            None => returned,
        };
        let has_spool = self.spooling.is_some();
        for returned in rest {
            // Refused by the disk, an operation waits in memory, for as long as there is room.
            if returned.may_be_resent || (has_spool && returned.has_timed_out()) {
                let Returned { waiter, resent, .. } = returned;
                self.link.send(returned.record.as_record(), waiter, resent);
            } else {
                self.link.deliveries.fail(returned);
            }
        }
        gave_back
    }

    /// Waits until everything is settled, at most until `deadline`; what is left then goes to the disk, or is given up and
    /// counted as failed.
    pub(crate) fn finish(mut self, deadline: Instant) {
        if self.spooling.is_some() {
            self.finish_spooling(deadline);
        } else {
            self.finish_sending(deadline);
        }
        let Self { link, spooling, .. } = self;
        let deliveries = link.deliveries.clone();
        deliveries.give_up();
        link.end();
        let now = Instant::now();
        let mut returned = deliveries.take_returned();
        if let Some(mut spooling) = spooling {
            returned = spooling.keep(returned, now, |_| true);
            spooling.finish(now);
        }
        for returned in returned {
            deliveries.fail(returned);
        }
    }

    fn finish_sending(&mut self, deadline: Instant) {
        // Further rounds wait for what a broken session gave back and was sent again, which happens once per operation.
        for _ in 0..3 {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            if !self.link.flush(left) {
                warn!("producer is closed before the broker acknowledged everything");
            }
            if !self.link.deliveries.needs_mending() || left.is_zero() {
                break;
            }
            self.link.end_pause(now);
            self.mend(now);
        }
    }

    /// Goes on as long as it helps: until memory and disk are empty, or the broker is away and memory is empty.
    fn finish_spooling(&mut self, deadline: Instant) {
        let mut nothing = Collected::default();
        loop {
            let now = Instant::now();
            self.link.end_pause(now);
            let is_busy = self.deliver(&mut nothing, now);
            let is_settled = self.shared.ledger.queued_operations() == 0;
            let is_away = self.reach.is_away();
            if now >= deadline || (is_settled && (is_away || !(is_busy || self.link.is_waiting()))) {
                return;
            }
            self.link.flush(LOOK_EVERY.min(deadline.saturating_duration_since(now)));
            // A flush of nothing returns at once: then the disk is waited for.
            if !self.link.is_waiting() && !self.link.deliveries.needs_mending() {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}

//! The places of one listener's connections. When all are taken, whoever has had nothing to do for longest makes room for a new one:
//! silent connections cost their owner nothing, so they must not keep others out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::activity::Activity;

/// How often it is looked for somebody who has nothing to do any more without telling: who takes nothing of an answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The places of a listener.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    // Held for a look at a few hundred connections, never across an await.
    taken: Mutex<Taken>,
    /// Told when there is a place, or somebody to make room.
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Taken {
    next_number: u64,
    /// When somebody was asked to leave who has not left yet.
    asked_at: Option<Instant>,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    leave: CancellationToken,
}

impl Places {
    /// So many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), changed: Arc::default() })
    }

    /// What a new connection is busy with.
    pub(super) fn activity(&self) -> Arc<Activity> {
        Activity::new(self.changed.clone())
    }

    /// A place for a connection, perhaps that of another one which is asked to leave. Waits while all are busy.
    pub(super) async fn take(self: &Arc<Self>, activity: &Arc<Activity>) -> Place {
        loop {
            if let Some(place) = self.take_free(activity) {
                return place;
            }
            self.taken().ask_to_leave();
            // Nothing is missed: what is told while nobody waits is told to the next who does.
            timeout(LOOK_AGAIN, self.changed.notified()).await.ok();
        }
    }

    fn take_free(self: &Arc<Self>, activity: &Arc<Activity>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.connections.len() >= self.most {
            return None;
        }
        let (number, leave) = (taken.next_number, CancellationToken::new());
        taken.next_number += 1;
        taken.connections.insert(number, Connection { activity: activity.clone(), leave: leave.clone() });
        Some(Place { number, places: self.clone(), leave })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Tells whoever has been idle for longest, once. One that just then got something to do finishes it, so after a while
    /// the next one is told.
    fn ask_to_leave(&mut self) {
        if self.asked_at.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return;
        }
        let idle = self.connections.values().filter(|connection| !connection.leave.is_cancelled());
        let idle = idle.filter_map(|connection| Some((connection.activity.idle_since()?, &connection.leave)));
        if let Some((_, leave)) = idle.min_by_key(|(since, _)| *since) {
            leave.cancel();
            self.asked_at = Some(Instant::now());
        }
    }
}

impl Place {
    /// Returns when another connection is to have this place.
    pub(super) async fn is_wanted(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.connections.remove(&self.number);
        taken.asked_at = None;
        drop(taken);
        self.places.changed.notify_one();
    }
}

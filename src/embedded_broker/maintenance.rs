//! The broker's housekeeping: retention and compaction, every now and then, one partition after the other; and forgetting
//! consumer groups that nobody uses any more.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::compaction::compact;
use super::requests::Broker;
use super::topics::Topic;

/// Often enough that a log stays near its limits even at full speed.
const PAUSE: Duration = Duration::from_secs(30);

/// After a start, for the groups whose members were stopped along with the broker.
const TIME_TO_COME_BACK: Duration = Duration::from_hours(1);

/// Keeps house until the broker stops.
pub(super) async fn run(broker: &Arc<Broker>, shutdown: &CancellationToken) {
    let started = Instant::now();
    while shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        let working = Arc::clone(broker);
        let work = tokio::task::spawn_blocking(move || {
            let topics = working.topics.all();
            for topic in topics.iter().take_while(|_| !working.shutdown.is_cancelled()) {
                maintain_topic(&working, topic, wall_clock());
            }
        });
        if work.await.is_err() {
            tracing::error!("housekeeping of the embedded broker panicked; it starts over");
        }
        if started.elapsed() > TIME_TO_COME_BACK {
            forget_groups(broker).await;
        }
    }
}

async fn forget_groups(broker: &Broker) {
    let has_members = |group: &str| broker.coordinator.with_group(group, |group| !group.is_idle()).unwrap_or(false);
    match broker.offsets.forget_abandoned(wall_clock(), has_members).await {
        Ok(forgotten) => {
            for group in forgotten {
                tracing::info!(group, "forgot what a consumer group committed that had no members for a week");
            }
        }
        Err(error) => tracing::error!(%error, "cannot write committed offsets"),
    }
}

fn maintain_topic(broker: &Broker, topic: &Topic, now: SystemTime) {
    for (number, partition) in topic.partitions.iter().enumerate() {
        let outcome =
            if topic.entry.is_compacted() { compact(partition, now) } else { expire(broker, topic, number, now) };
        if let Err(error) = outcome {
            tracing::error!(error = %error, topic = topic.name, partition = number, "cannot tidy a log up");
        }
    }
}

fn expire(broker: &Broker, topic: &Topic, number: usize, now: SystemTime) -> io::Result<()> {
    let partition = &topic.partitions[number];
    let reader = broker.readers.get(&topic.name).map(String::as_str);
    let read_to = i32::try_from(number).ok().and_then(|number| broker.offsets.read_to(&topic.name, number, reader));
    let freed_bytes = partition.expire(now, topic.entry.retention(), read_to)?;
    if freed_bytes > 0 {
        let start = partition.start();
        tracing::info!(topic = topic.name, partition = number, freed_bytes, start, "removed old records");
    }
    Ok(())
}

/// Retention compares with the times of files and of commits, so it needs the clock that outlives the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the broker's only look at the clock; it is passed down from its callers"
)]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

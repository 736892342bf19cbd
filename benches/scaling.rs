//! Topic to SQL and Parquet with one ingestor and with two in one group, on Kafka and Postgres. SQLite has one writer.
//!
//! The ingestors have joined the group and stand before a locked table while the topic is filled; the time is that from the
//! first commit after it is unlocked to the last, by the database's own record, as in [`crate::storing`]. All share the same
//! cores with both servers, so a second ingestor helps where the first waits, and not where the cores are busy.

use std::time::Duration;

use opstream_schemas::UtcMicros;
use opstream_schemas::database::Database;

use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::harness::backends::{Backends, Combination};
use crate::producing::{produce, start_producer};
use crate::roles::{ENDS_WITHIN, Roles};
use crate::waiting::{STORED, moment_reached, moment_when, number};

/// Ingestors that own partitions, when all have an owner.
const OWNERS: &str = "select case when count(*) = 4 then count(distinct owner) else 0 end as n from stream_partitions";
const LAST_COMMIT: &str = "select coalesce(max(applied_at_ms), 0) as n from applied_ranges";
const SPAN: &str = "with later as (select applied_at_ms, rows from applied_ranges where applied_at_ms > $1) \
                    select min(applied_at_ms) as first_ms, max(applied_at_ms) as last_ms, \
                    cast(coalesce(sum(rows) filter (where applied_at_ms > (select min(applied_at_ms) from later)), 0) as bigint) \
                    as rows_after_first from later";

/// Measures both.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    if backends.combination != Combination::KafkaPostgres {
        return Vec::new();
    }
    let roles = Roles::prepare(backends).await;
    let mut fleet = Fleet::new(8);
    let (mut ingestors, mut figures) = (Vec::new(), Vec::new());
    for what in ["topic to SQL and Parquet, one ingestor", "topic to SQL and Parquet, two ingestors"] {
        ingestors.push(roles.start(&["ingestor"]));
        let members = i64::try_from(ingestors.len()).expect("there are two");
        moment_when(Duration::from_millis(50), async || number(&roles.database, OWNERS).await == members).await;
        figures.push(Figure::new(what, commit_rate(&roles, &mut fleet, operations).await, Unit::PerSecond));
    }
    for mut ingestor in ingestors {
        let ended = ingestor.stop(ENDS_WITHIN).await;
        assert!(ended.success(), "an ingestor ended with {ended}");
    }
    roles.stop().await;
    figures
}

async fn commit_rate(roles: &Roles<'_>, fleet: &mut Fleet, operations: u64) -> f64 {
    let database = &roles.database;
    let before = u64::try_from(number(database, STORED).await).expect("a sum of lengths");
    let last = number(database, LAST_COMMIT).await;
    let mut gate = database.begin().await.expect("the database answers");
    gate.execute("lock table lake_files in access exclusive mode", &[]).await.expect("nothing is being stored");
    let producer = start_producer(&roles.bootstrap(), roles.topic_prefix());
    produce(producer, fleet, operations, |_| UtcMicros::now()).await;
    gate.rollback().await.expect("the database answers");
    moment_reached(database, STORED, before + operations).await;
    rate_after(database, last).await
}

async fn rate_after(database: &Database, last_before: i64) -> f64 {
    let span = database.fetch_optional(SPAN, &[last_before.into()]).await.expect("the database answers");
    let span = span.expect("an aggregate has a row");
    let column = |name| span.int(name).expect("the query has this column");
    column("rows_after_first") as f64 / ((column("last_ms") - column("first_ms")) as f64 / 1e3)
}

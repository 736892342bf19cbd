//! Topic to SQL and Parquet: a topic is filled first, then an ingestor of its own process stores it as fast as it can.
//!
//! The time is that from the first commit to the last, by the database's own record of its transactions, and the
//! operations those of all commits but the first: starting and joining the group are not part of it.

use std::time::Duration;

use opstream_schemas::UtcMicros;
use opstream_schemas::database::Engine;

use crate::budgets;
use crate::figures::{Budget, Figure, Unit};
use crate::fleet::Fleet;
use crate::harness::backends::Backends;
use crate::processes::RunningProcess;
use crate::producing::{produce, start_producer};
use crate::roles::{ENDS_WITHIN, Roles};
use crate::waiting::{STORED, moment_reached, number};
use crate::{repricing, verifying, windowing};

/// The operations of the filled topic began evenly over the time in which they would come at this rate.
const CAME_PER_SECOND: f64 = 60_000.0;

const PARQUET_BYTES: &str = "select cast(sum(bytes) as bigint) as n from lake_files \
                             where kind = 'operations' and removed_at_ms is null";
const SQLITE_BYTES: &str = "select page_count * page_size as n from pragma_page_count(), pragma_page_size()";
const POSTGRES_BYTES: &str = "select cast(sum(pg_total_relation_size(inhrelid)) as bigint) as n from pg_inherits \
                              where inhparent = 'operations'::regclass";

/// Measures storing, then windowing what was stored, pricing it again, then proving that all of it agrees.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    let roles = Roles::prepare(backends).await;
    let mut figures = vec![fill_topic(&roles, operations).await];
    figures.extend(store(&roles, operations).await);
    figures.extend(windowing::measure(&roles, operations).await);
    figures.extend(repricing::measure(&roles, operations).await);
    figures.extend(verifying::measure(&roles, operations).await);
    roles.stop().await;
    figures
}

async fn fill_topic(roles: &Roles<'_>, operations: u64) -> Figure {
    let producer = start_producer(&roles.bootstrap(), roles.topic_prefix());
    let end = UtcMicros::now().micros();
    let starts = |number| {
        let before_end = Duration::from_secs_f64((operations - number) as f64 / CAME_PER_SECOND);
        UtcMicros::from_micros(end - i64::try_from(before_end.as_micros()).expect("some seconds"))
    };
    let took = produce(producer, &mut Fleet::new(3), operations, starts).await;
    Figure::new("producer library to acknowledgement", operations as f64 / took, Unit::PerSecond)
}

async fn store(roles: &Roles<'_>, operations: u64) -> Vec<Figure> {
    let broker = roles.has_embedded_broker().then(|| RunningProcess::find("broker"));
    let broker_before = broker.as_ref().map_or(0.0, RunningProcess::cpu_seconds);
    let mut ingestor = roles.start(&["ingestor"]);
    moment_reached(&roles.database, STORED, operations).await;
    let running = RunningProcess::find("ingestor");
    let millions = operations as f64 / 1e6;
    let bytes_query = if roles.database.engine() == Engine::Sqlite { SQLITE_BYTES } else { POSTGRES_BYTES };
    let bytes = async |query| number(&roles.database, query).await as f64 / operations as f64;
    let mut figures = vec![
        Figure::new("topic to SQL and Parquet, committed", commit_rate(roles).await, Unit::PerSecond)
            .against(commit_budget(roles)),
        Figure::new("CPU per million operations, ingestor", running.cpu_seconds() / millions, Unit::CpuSeconds),
        Figure::new("peak memory, ingestor", running.peak_memory(), Unit::Bytes),
        Figure::new("Parquet per operation", bytes(PARQUET_BYTES).await, Unit::Bytes).against(budgets::PARQUET_BYTES),
        Figure::new("SQL per operation, index included", bytes(bytes_query).await, Unit::Bytes),
    ];
    if let Some(broker) = broker {
        let used = broker.cpu_seconds() - broker_before;
        figures.push(Figure::new("CPU per million operations, broker", used / millions, Unit::CpuSeconds));
        figures.push(Figure::new("peak memory, broker", broker.peak_memory(), Unit::Bytes));
    }
    let ended = ingestor.stop(ENDS_WITHIN).await;
    assert!(ended.success(), "the ingestor ended with {ended}");
    figures
}

/// Operations per second from the first commit to the last.
async fn commit_rate(roles: &Roles<'_>) -> f64 {
    let span = roles.database.fetch_optional(include_str!("commit_span.sql"), &[]).await.expect("the database answers");
    let span = span.expect("an aggregate has a row");
    let column = |name| span.int(name).expect("the query has this column");
    let seconds = (column("last_ms") - column("first_ms")) as f64 / 1e3;
    column("rows_after_first") as f64 / seconds
}

fn commit_budget(roles: &Roles<'_>) -> Budget {
    match roles.database.engine() {
        Engine::Sqlite => budgets::COMMIT_SQLITE,
        Engine::Postgres => budgets::COMMIT_POSTGRES,
    }
}

//! The topic of windows as a consumer has it who started at the beginning, beside the windows in SQL: the last value of each key
//! is, byte for byte, the window as it is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::avro::encode_window;
use opstream_schemas::database::{Database, Row};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{DimensionSet, Dimensions, Level, SUM_COLUMNS, Window, WindowSums};
use rdkafka::message::{BorrowedMessage, Message as _};
use sqlx::AssertSqlSafe;

use super::eventually::eventually;
use super::pipeline::Pipeline;

/// Values by key; a key without a window has a tombstone or nothing.
type Values = BTreeMap<String, Vec<u8>>;

/// Windows are published every five seconds.
const PUBLISHED_WITHIN: Duration = Duration::from_mins(1);

/// Waits until the topic's last values are the windows in SQL.
pub(crate) async fn assert_published(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    eventually(PUBLISHED_WITHIN, async || {
        let stored = stored(&database).await.map_err(|error| error.to_string())?;
        let published = last_values(pipeline).await;
        let differing = stored.iter().filter(|(key, value)| published.get(*key) != Some(value)).map(|(key, _)| key);
        let differing: Vec<&String> =
            differing.chain(published.keys().filter(|key| !stored.contains_key(*key))).take(3).collect();
        if differing.is_empty() && !stored.is_empty() {
            return Ok(());
        }
        Err(format!("{} windows, {} on the topic, differing: {differing:?}", stored.len(), published.len()))
    })
    .await;
    database.close().await;
}

async fn last_values(pipeline: &Pipeline<'_>) -> Values {
    let key = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    let read = move |message: &BorrowedMessage<'_>| {
        (key(message.key().unwrap_or_default()), message.payload().map(<[u8]>::to_vec))
    };
    let mut values = Values::new();
    for (key, value) in pipeline.read_topic("windows", read).await {
        match value {
            Some(value) => drop(values.insert(key, value)),
            None => drop(values.remove(&key)),
        }
    }
    values
}

async fn stored(database: &Database) -> Result<Values, sqlx::Error> {
    let sums = SUM_COLUMNS.map(|column| format!("kept.{column}")).join(", ");
    let sql = format!(
        "select kept.generation, kept.window_start_ms, kept.fence, kept.revision, {sums}, kept.latency_sketch, kept.ttft_sketch, \
         cast(kept.level as bigint) as level, cast(combination.dimension_set as bigint) as dimension_set, \
         combination.workspace, combination.project, combination.team, combination.environment, combination.provider, \
         combination.model, combination.operation_type, combination.agent_id, combination.action_id \
         from windows as kept join window_dimensions as combination on combination.dimension_id = kept.dimension_id \
         where kept.generation = (select value from settings where name = 'window_generation')"
    );
    let rows = database.fetch_all(AssertSqlSafe(sql), &[]).await?;
    rows.iter().map(read_window).collect()
}

fn read_window(row: &Row) -> Result<(String, Vec<u8>), sqlx::Error> {
    let dimension_set = DimensionSet::from_code(row.int("dimension_set")?).ok_or(sqlx::Error::RowNotFound)?;
    let dimensions = Dimensions::from_values(dimension_set, |dimension| {
        row.optional_text(dimension.column()).expect("the query names every dimension")
    });
    let window = Window {
        dimension_set,
        level: Level::from_code(row.int("level")?).ok_or(sqlx::Error::RowNotFound)?,
        window_start: UtcMillis::from_millis(row.int("window_start_ms")?),
        dimensions,
        generation: row.int("generation")?,
        fence: Fence(row.int("fence")?),
        revision: row.int("revision")?,
        sums: WindowSums::from_row(row)?,
        latency_sketch: row.bytes("latency_sketch")?,
        ttft_sketch: row.bytes("ttft_sketch")?,
    };
    let mut value = Vec::new();
    encode_window(&window, &mut value);
    Ok((window.key(), value))
}

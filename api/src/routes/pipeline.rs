//! `GET /v1/pipeline`: how the whole pipeline is: topic, rows, windows, files, dead letters and roles.

mod read;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::partition_progress;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::health::Check;
use crate::state::Shared;

/// How the pipeline is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PipelineAnswer {
    /// When this was read.
    #[schema(value_type = String, format = "date-time")]
    at: UtcMillis,
    /// Every operation that the broker acknowledged before this moment is in the windows; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// The partitions of the topic, as far as an ingestor has claimed them.
    partitions: Vec<PartitionState>,
    /// What was stored in each of the last 60 minutes in which something was; of a partition with more than 10,000 transactions in that
    /// time the newest of them.
    rates: Vec<MinuteRate>,
    /// The lake.
    files: FilesState,
    /// Records that could not become operations.
    dead_letters: DeadLettersState,
    /// Operations before this moment are refused, and those that were there are dropped.
    #[schema(value_type = String, format = "date-time")]
    retention_floor: UtcMillis,
    /// The generation of the windows that are read.
    generation: i64,
    /// The generation that is being built; null for none.
    rebuild: Option<Rebuild>,
    /// The re-pricing under way; null for none.
    repricing: Option<Repricing>,
    /// What this process needs and its roles, as `/health/ready` has them.
    roles: Vec<Check>,
}

/// How far one partition is.
#[derive(Debug, Serialize, ToSchema)]
struct PartitionState {
    /// Name of the topic.
    topic: String,
    /// Number of the partition.
    partition: i32,
    /// First offset that is not in the log yet; null while that is not known.
    log_end: Option<i64>,
    /// Every record below is a row, a dead letter or a duplicate.
    stored_offset: i64,
    /// Every record below is in the windows too.
    windowed_offset: i64,
    /// Records that are in the log and not stored; null while that is not known.
    lag: Option<i64>,
    /// Records that are in the log and not in the windows; null while that is not known.
    windowed_lag: Option<i64>,
    /// When the end of the log was looked for: now where the broker answers, else when the ingestor last noted it.
    #[schema(value_type = Option<String>, format = "date-time")]
    observed_at: Option<UtcMillis>,
    /// The ingestor that has it.
    owner: String,
}

/// What became of the records of one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
struct MinuteRate {
    /// When they were stored.
    #[schema(value_type = String, format = "date-time")]
    minute: UtcMillis,
    /// They became rows.
    operations: i64,
    /// They were there already.
    duplicates: i64,
    /// They became dead letters.
    dead: i64,
    /// Offsets without a record.
    skipped: i64,
}

/// The live files of the lake.
#[derive(Debug, Default, Serialize, ToSchema)]
struct FilesState {
    /// Of operations.
    operations: FileSums,
    /// Of their contents.
    contents: FileSums,
    /// Files of operations that are not in the windows yet.
    waiting_for_windows: WaitingFiles,
    /// Files that were declared lost.
    given_up: i64,
    /// Files of both kinds by the day, UTC, on which they were written, merged ones included; the last 31.
    days: Vec<DayFiles>,
}

/// Files together.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct FileSums {
    /// How many.
    files: i64,
    /// Their rows.
    rows: i64,
    /// Their bytes.
    bytes: i64,
}

/// Files that wait.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct WaitingFiles {
    /// How many.
    files: i64,
    /// Their rows.
    rows: i64,
}

/// Files of a day.
#[derive(Debug, Serialize, ToSchema)]
struct DayFiles {
    /// The day, such as 2026-11-28.
    day: String,
    #[serde(flatten)]
    sums: FileSums,
}

/// Dead letters together.
#[derive(Debug, Default, Serialize, ToSchema)]
struct DeadLettersState {
    /// All.
    total: i64,
    /// Those that were not sent again.
    not_redriven: i64,
    /// By reason, the most frequent first.
    reasons: Vec<ReasonCount>,
}

/// Dead letters with one reason.
#[derive(Debug, Serialize, ToSchema)]
struct ReasonCount {
    /// Stable code.
    reason_code: String,
    /// All.
    count: i64,
    /// Those that were not sent again.
    not_redriven: i64,
}

/// Windows that are built anew.
#[derive(Debug, Serialize, ToSchema)]
struct Rebuild {
    /// The generation that they will be.
    generation: i64,
}

/// Costs that are computed again.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "named as its column")]
struct Repricing {
    /// Its number.
    repricing: i64,
    /// `running` or `undoing`.
    state: String,
    /// When it was asked for.
    #[schema(value_type = String, format = "date-time")]
    asked_at: UtcMillis,
    /// Files that were looked through.
    files: i64,
    /// Operations in them that it concerns.
    operations: i64,
    /// Operations that it changed.
    changed: i64,
}

/// How the pipeline is: how far the topic is stored and in the windows, what was stored lately, the files of the lake, dead letters, and the
/// roles of this process.
#[utoipa::path(get, path = "/v1/pipeline", tag = "health", responses((status = 200, body = PipelineAnswer)))]
pub(crate) async fn pipeline(State(state): State<Shared>) -> Result<Json<PipelineAnswer>, ApiError> {
    let (topic, at) = (state.topics.operations(), UtcMillis::now());
    let complete_to = state.complete_to().await?;
    let stream_id = partition_progress(&state.database, &topic).await?.first().map(|place| place.stream_id.0);
    let mut reading = state.begin_reading().await?;
    let mut partitions = match stream_id {
        Some(stream_id) => read::partitions(&mut reading, &topic, stream_id).await?,
        None => Vec::new(),
    };
    let rates = match stream_id {
        Some(stream_id) => read::rates(&mut reading, stream_id, &partitions, at).await?,
        None => Vec::new(),
    };
    let settings = read::settings(&mut reading).await?;
    let generation = settings.get("window_generation").copied().unwrap_or(0);
    let setting = |name: &str| settings.get(name).copied().filter(|number| *number != 0);
    let files = read::files(&mut reading, generation, at).await?;
    let dead_letters = read::dead_letters(&mut reading).await?;
    let repricing = match setting("repricing") {
        Some(number) => read::repricing(&mut reading, number).await?,
        None => None,
    };
    // The broker is asked without holding a connection of the database.
    drop(reading);
    let ends = state.health.health.log_ends(partitions.iter().map(|place| place.partition).collect()).await;
    for place in &mut partitions {
        place.note_end(ends.get(&place.partition).copied(), at);
    }
    Ok(Json(PipelineAnswer {
        at,
        complete_to,
        partitions,
        rates,
        files,
        dead_letters,
        retention_floor: UtcMillis::from_millis(settings.get("retention_floor_ms").copied().unwrap_or(0)),
        generation,
        rebuild: setting("window_rebuild").map(|generation| Rebuild { generation }),
        repricing,
        roles: state.health.health.check().await.checks,
    }))
}

impl PartitionState {
    /// Takes the end that the broker says now in place of the noted one.
    fn note_end(&mut self, end: Option<i64>, at: UtcMillis) {
        if let Some(end) = end {
            (self.log_end, self.observed_at) = (Some(end), Some(at));
        }
        // The ingestor may have read on since its note.
        let behind = |offset: i64| self.log_end.map(|end| (end - offset).max(0));
        (self.lag, self.windowed_lag) = (behind(self.stored_offset), behind(self.windowed_offset));
    }
}

#[cfg(test)]
mod tests;

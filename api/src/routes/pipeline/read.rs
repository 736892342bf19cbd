//! The parts of the answer, each by one statement over one state of the database.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Row, Transaction};

use super::{
    DayFiles, DeadLettersState, FileSums, FilesState, MinuteRate, PartitionState, ReasonCount, Repricing, WaitingFiles,
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Minutes that rates reach back.
const MINUTES: i64 = 60;
/// Days that files are shown of.
const DAYS: i64 = 31;

/// How far each partition is, by what the ingestor has noted of its log.
pub(super) async fn partitions(
    reading: &mut Transaction,
    topic: &str,
    stream_id: i64,
) -> Result<Vec<PartitionState>, sqlx::Error> {
    let rows = reading.fetch_all(include_str!("places.sql"), &[stream_id.into()]).await?;
    let place = |row: &Row| {
        Ok(PartitionState {
            topic: topic.to_owned(),
            partition: i32::try_from(row.int("partition")?).map_err(|error| sqlx::Error::Decode(error.into()))?,
            log_end: row.optional_int("high_watermark")?,
            stored_offset: row.int("next_offset")?,
            windowed_offset: row.int("windowed_to")?,
            lag: None,
            windowed_lag: None,
            observed_at: row.optional_int("observed_at_ms")?.map(UtcMillis::from_millis),
            owner: row.text("owner")?,
        })
    };
    rows.iter().map(place).collect()
}

/// What was stored lately, minute by minute.
pub(super) async fn rates(
    reading: &mut Transaction,
    stream_id: i64,
    partitions: &[PartitionState],
    at: UtcMillis,
) -> Result<Vec<MinuteRate>, sqlx::Error> {
    let from = (at.millis().div_euclid(MINUTE_MS) - MINUTES + 1) * MINUTE_MS;
    let mut minutes: BTreeMap<i64, MinuteRate> = BTreeMap::new();
    for place in partitions {
        let values = [stream_id.into(), place.partition.into(), from.into()];
        for row in reading.fetch_all(include_str!("minutes.sql"), &values).await? {
            let minute = row.int("minute")? * MINUTE_MS;
            let rate = minutes.entry(minute).or_default();
            rate.minute = UtcMillis::from_millis(minute);
            rate.operations += row.int("operations")?;
            rate.duplicates += row.int("duplicates")?;
            rate.dead += row.int("dead")?;
            rate.skipped += row.int("skipped")?;
        }
    }
    Ok(minutes.into_values().collect())
}

/// Every setting by name.
pub(super) async fn settings(reading: &mut Transaction) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let rows = reading.fetch_all("select name, value from settings", &[]).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.int("value")?))).collect()
}

/// The live files.
pub(super) async fn files(
    reading: &mut Transaction,
    generation: i64,
    at: UtcMillis,
) -> Result<FilesState, sqlx::Error> {
    let mut files = FilesState::default();
    for row in reading.fetch_all(include_str!("files.sql"), &[generation.into()]).await? {
        if row.text("kind")? == "operations" {
            files.operations = FileSums::of(&row)?;
            files.waiting_for_windows =
                WaitingFiles { files: row.int("waiting_files")?, rows: row.int("waiting_rows")? };
        } else {
            files.contents = FileSums::of(&row)?;
        }
    }
    let given_up = reading.fetch_optional("select count(*) as files from given_up_files", &[]).await?;
    files.given_up = given_up.map_or(Ok(0), |row| row.int("files"))?;
    let from = (at.millis().div_euclid(DAY_MS) - DAYS + 1) * DAY_MS;
    for row in reading.fetch_all(include_str!("days.sql"), &[from.into()]).await? {
        let day = UtcMillis::from_millis(row.int("day")? * DAY_MS).to_string();
        files.days.push(DayFiles { day: day.chars().take(10).collect(), sums: FileSums::of(&row)? });
    }
    Ok(files)
}

/// Dead letters by reason.
pub(super) async fn dead_letters(reading: &mut Transaction) -> Result<DeadLettersState, sqlx::Error> {
    let sql = "select reason_code, count(*) as letters, count(*) - count(redriven_at_ms) as not_redriven from dead_letters \
               group by reason_code order by letters desc, reason_code";
    let mut letters = DeadLettersState::default();
    for row in reading.fetch_all(sql, &[]).await? {
        let reason = ReasonCount {
            reason_code: row.text("reason_code")?,
            count: row.int("letters")?,
            not_redriven: row.int("not_redriven")?,
        };
        letters.total += reason.count;
        letters.not_redriven += reason.not_redriven;
        letters.reasons.push(reason);
    }
    Ok(letters)
}

/// The re-pricing of this number.
pub(super) async fn repricing(reading: &mut Transaction, number: i64) -> Result<Option<Repricing>, sqlx::Error> {
    let sql = "select state, asked_at_ms, files, operations, changed from repricings where repricing = $1";
    let row = reading.fetch_optional(sql, &[number.into()]).await?;
    let read = |row: Row| {
        Ok(Repricing {
            repricing: number,
            state: row.text("state")?,
            asked_at: UtcMillis::from_millis(row.int("asked_at_ms")?),
            files: row.int("files")?,
            operations: row.int("operations")?,
            changed: row.int("changed")?,
        })
    };
    row.map(read).transpose()
}

impl FileSums {
    fn of(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self { files: row.int("files")?, rows: row.int("rows")?, bytes: row.int("bytes")? })
    }
}

//! Reads `AiCore`'s `SQLite` database: tables `Message`, `Metric` and `Session`, opened read-only.
//!
//! Workspace and agent stand on the session, whose row is written once, so of two workspaces in one session only the first
//! is left. They are taken over and tagged as doubtful.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tokio::runtime::Handle;

use super::convert::{Store, convert};
use super::record::AicoreRecord;
use super::remarks::Remarks;
use super::usage::Usages;
use crate::import::feed::{At, Extent, Feed, Input, Item, Place, Record, Refusal};
use crate::import::identity::SeenIds;

const MESSAGES: &str = include_str!("messages_by_operation.sql");

/// Counts the records and prepares to read them.
///
/// # Errors
/// When the file cannot be opened or is no database of `AiCore`.
pub(super) async fn open(path: PathBuf, workspace: String) -> anyhow::Result<Input> {
    let name = format!("AiCore's database {}", path.display());
    let n_records = count(&path).await?;
    let runtime = Handle::current();
    let read = move |feed: &Feed| runtime.block_on(read(&path, &workspace, feed));
    Ok(Input { name, extent: Extent::Records(n_records), read: Box::new(read) })
}

async fn connect(path: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    options.connect().await.with_context(|| format!("cannot open {} read-only", path.display()))
}

async fn count(path: &Path) -> anyhow::Result<u64> {
    let mut connection = connect(path).await?;
    let counted = sqlx::query_scalar::<_, i64>(r#"select count(*) from "Message""#).fetch_one(&mut connection).await;
    let n_records = counted.with_context(|| {
        format!("{} is no database of AiCore: it has no readable table \"Message\"", path.display())
    })?;
    connection.close().await.with_context(|| format!("cannot close {}", path.display()))?;
    Ok(u64::try_from(n_records).unwrap_or(0))
}

async fn read(path: &Path, workspace: &str, feed: &Feed) -> anyhow::Result<Vec<String>> {
    let mut connection = connect(path).await?;
    let file: Arc<str> = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()).into();
    let (mut seen, mut usages) = (SeenIds::default(), Usages::default());
    let mut remarks = Remarks::default();
    let mut rows = sqlx::query(MESSAGES).fetch(&mut connection);
    while let Some(row) = rows.try_next().await.with_context(|| format!("cannot read on in {}", path.display()))? {
        let key = row.try_get::<String, _>("operation_id").unwrap_or_default();
        let place = Place { file: Arc::clone(&file), at: At::Key(key) };
        let converted = record(&row).and_then(|mut record| {
            let repeats_usage = usages.drop_repeated(&mut record);
            let (operation, of_record) = convert(&record, Store::Database, workspace)?;
            Ok((operation, Remarks { repeated_usage: u64::from(repeats_usage), ..of_record }))
        });
        let record = match converted {
            Err(error) => Record::Refused { refusal: Refusal { place, reason: format!("{error:#}") }, weight: 1 },
            Ok((operation, _)) if !seen.is_first(operation.operation_id) => Record::Repeated { weight: 1 },
            Ok((operation, of_record)) => {
                remarks.add(of_record);
                Record::Item(Item::new(&operation, place, 1))
            }
        };
        feed.push_async(record).await?;
    }
    Ok(remarks.sentences(None))
}

fn record(row: &SqliteRow) -> anyhow::Result<AicoreRecord> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column).map(Option::unwrap_or_default);
    anyhow::ensure!(row.try_get::<bool, _>("has_metric")?, "it has no row in \"Metric\", so its tokens are unknown");
    Ok(AicoreRecord {
        operation_id: text("operation_id")?,
        session_id: text("session_id")?,
        workspace: text("workspace")?,
        agent_id: text("agent_id")?,
        action_id: text("action_id")?,
        timestamp: text("timestamp")?,
        operation_type: text("operation_type")?,
        provider: text("provider")?,
        model: text("model")?,
        system_prompt: text("system_prompt")?,
        user_prompt: text("user_prompt")?,
        history_messages: text("history_messages")?,
        response: Value::String(text("response")?),
        temperature: row.try_get("temperature")?,
        max_tokens: row.try_get("max_tokens")?,
        input_tokens: row.try_get("input_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        cached_tokens: row.try_get("cached_tokens")?,
        cost: row.try_get("cost")?,
        latency_ms: row.try_get("latency_ms")?,
        error_message: text("error_message")?,
        completion_args: Value::String(text("completion_args")?),
        extras: Value::String(text("extras")?),
        ..AicoreRecord::default()
    })
}

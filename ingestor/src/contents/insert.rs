//! Rows of `span_contents`, each once.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use opstream_schemas::OperationId;
use opstream_schemas::database::{Database, Value, within};
use opstream_schemas::span_content::SpanContent;
use sqlx::AssertSqlSafe;

use crate::store::{StoreError, retention_floor};

/// Rows of one statement.
const ROWS: usize = 50;
/// How long a batch may take.
const LIMIT: Duration = Duration::from_mins(2);
const COLUMNS: &str = "content_id, workspace, trace_id, span_id, recorded_at_us, sequence, event_name, system_prompt, input_messages, \
                       output_messages, tool_definitions";
const COLUMN_COUNT: usize = 11;

/// Stores those that are not there yet, and of a time that is still kept. Returns how many that were.
pub(super) async fn insert(database: &Database, contents: &[SpanContent]) -> Result<u64, StoreError> {
    let floor = retention_floor(database).await?;
    let mut seen = HashSet::new();
    let kept = contents.iter().map(|content| (content.content_id(), content));
    // One statement of Postgres must not meet a row twice.
    let kept: Vec<_> = kept.filter(|(id, _)| id.time() >= floor && seen.insert(*id)).collect();
    if kept.is_empty() {
        return Ok(0);
    }
    within(LIMIT, insert_rows(database, &kept)).await
}

async fn insert_rows(database: &Database, rows: &[(OperationId, &SpanContent)]) -> Result<u64, StoreError> {
    let (mut stored, mut tx) = (0, database.begin().await?);
    for rows in rows.chunks(ROWS) {
        let values: Vec<Value> = rows.iter().flat_map(|(id, content)| values(*id, content)).collect();
        stored += tx.execute(AssertSqlSafe(statement(rows.len())), &values).await?;
    }
    tx.commit().await?;
    Ok(stored)
}

fn values(id: OperationId, content: &SpanContent) -> [Value; COLUMN_COUNT] {
    [
        id.into(),
        content.workspace.as_str().into(),
        content.trace_id.as_str().into(),
        content.span_id.as_str().into(),
        content.recorded_at.into(),
        content.sequence.into(),
        content.event_name.as_str().into(),
        content.system_prompt.clone().into(),
        content.input_messages.clone().into(),
        content.output_messages.clone().into(),
        content.tool_definitions.clone().into(),
    ]
}

fn statement(rows: usize) -> String {
    let mut sql = format!("insert into span_contents ({COLUMNS}) values ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMN_COUNT {
            let separator = if column == 1 { "" } else { ", " };
            write!(sql, "{separator}${}", row * COLUMN_COUNT + column).expect("a text takes any number");
        }
        sql.push(')');
    }
    sql + " on conflict (content_id) do nothing"
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMicros;
    use opstream_schemas::database::DatabaseUrl;

    use super::*;

    #[tokio::test]
    async fn each_is_stored_once_and_nothing_below_the_floor() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let content = |number: i64| SpanContent {
            recorded_at: UtcMicros::from_micros(1_790_000_000_000_000 + number),
            input_messages: Some("[]".to_owned()),
            ..SpanContent::default()
        };
        let mut contents: Vec<SpanContent> = (0..120).chain(0..5).map(content).collect();
        assert_eq!(insert(&database, &contents).await.unwrap(), 120);
        contents.push(content(120));
        assert_eq!(insert(&database, &contents).await.unwrap(), 1);
        contents.push(SpanContent { recorded_at: UtcMicros::from_micros(1000), ..SpanContent::default() });
        assert_eq!(insert(&database, &contents).await.unwrap(), 0);
        let row = database.fetch_optional("select count(*) as n from span_contents", &[]).await.unwrap().unwrap();
        assert_eq!(row.int("n").unwrap(), 121);
        database.close().await;
    }
}

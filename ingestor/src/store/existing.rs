//! Looks up which ids of a batch are stored already, and by which workspace.

use std::collections::HashMap;

use opstream_schemas::OperationId;
use opstream_schemas::database::{Database, Value, within};
use sqlx::AssertSqlSafe;

use super::{ANSWER_LIMIT, StoreError};

/// Ids asked for in one query.
const CHUNK: usize = 1000;

/// The ids that exist, each with its workspace.
///
/// # Errors
/// What the database answers.
pub async fn find_existing(
    database: &Database,
    ids: &[OperationId],
) -> Result<HashMap<OperationId, String>, StoreError> {
    let mut existing = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let places: Vec<String> = (1..=chunk.len()).map(|place| format!("${place}")).collect();
        // Only numbered placeholders are put into the text.
        let sql = AssertSqlSafe(format!(
            "select operation_id, workspace from operations where operation_id in ({})",
            places.join(",")
        ));
        let values: Vec<Value> = chunk.iter().map(|id| (*id).into()).collect();
        for row in within(ANSWER_LIMIT, database.fetch_all(sql, &values)).await? {
            existing.insert(row.id("operation_id")?, row.text("workspace")?);
        }
    }
    Ok(existing)
}

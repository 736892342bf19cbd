//! The ids of the operations of one session or trace.

use std::collections::BTreeSet;

use opstream_schemas::OperationId;
use polars::prelude::*;

use super::groups::collect;
use super::sums::SumError;
use crate::error::ApiError;
use crate::routes::belonging::FoundMembers;
use crate::scan::Scanned;

/// Most workspaces that are named when several are meant.
const MAX_WORKSPACES: usize = 10;

/// The ids of a table that has them all, oldest first; where several workspaces have some, only their names.
pub(super) fn members(table: LazyFrame, after: Option<OperationId>, limit: u32) -> Result<FoundMembers, ApiError> {
    let nothing = Scanned { files: 0, operations: 0, bytes: 0, milliseconds: 0 };
    let table = table.select([col("workspace"), col("operation_id")]);
    let names =
        table.clone().select([col("workspace").unique()]).limit(MAX_WORKSPACES.try_into().unwrap_or(IdxSize::MAX));
    let names = collect(names).map_err(SumError::from)?;
    let names = names.column("workspace").and_then(|column| column.str().cloned()).map_err(SumError::from)?;
    let workspaces: BTreeSet<String> = names.iter().flatten().map(str::to_owned).collect();
    if workspaces.len() != 1 {
        return Ok(FoundMembers {
            workspaces: workspaces.into_iter().collect(),
            ids: Vec::new(),
            has_more: false,
            scanned: nothing,
        });
    }
    let ids = collect(table.select([col("operation_id")])).map_err(SumError::from)?;
    let ids = ids.column("operation_id").and_then(|column| column.binary().cloned()).map_err(SumError::from)?;
    let id = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(OperationId::from_bytes);
    let mut ids: Vec<OperationId> =
        ids.iter().flatten().filter_map(id).filter(|id| after.is_none_or(|after| *id > after)).collect();
    ids.sort_unstable();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = ids.len() > most;
    ids.truncate(most);
    Ok(FoundMembers { workspaces: workspaces.into_iter().collect(), ids, has_more, scanned: nothing })
}

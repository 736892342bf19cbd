//! The ids of the operations of one session or trace.

use std::collections::BTreeSet;

use opstream_schemas::OperationId;
use polars::prelude::*;

use super::groups::collect;
use super::sums::SumError;
use crate::error::ApiError;

/// Most workspaces that are named when several are meant.
const MAX_WORKSPACES: usize = 10;

/// What was found.
pub(super) struct Members {
    /// Workspaces that have one of this name.
    pub(super) workspaces: Vec<String>,
    /// Ids in the only one of them.
    pub(super) ids: Vec<OperationId>,
    /// Whether there are more.
    pub(super) has_more: bool,
}

/// The ids of a table that has them all, oldest first; where several workspaces have some, only their names.
pub(super) fn members(table: LazyFrame, after: Option<OperationId>, limit: u32) -> Result<Members, ApiError> {
    let table = table.select([col("workspace"), col("operation_id")]);
    let names =
        table.clone().select([col("workspace").unique()]).limit(MAX_WORKSPACES.try_into().unwrap_or(IdxSize::MAX));
    let names = collect(names).map_err(SumError::from)?;
    let names = names.column("workspace").and_then(|column| column.str().cloned()).map_err(SumError::from)?;
    let workspaces: BTreeSet<String> = names.iter().flatten().map(str::to_owned).collect();
    if workspaces.len() != 1 {
        return Ok(Members { workspaces: workspaces.into_iter().collect(), ids: Vec::new(), has_more: false });
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
    Ok(Members { workspaces: workspaces.into_iter().collect(), ids, has_more })
}

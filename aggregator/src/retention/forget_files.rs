//! What is known of files that were merged into others goes last: nobody compares ranges below the floor with it.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;

use super::{RetentionError, lowest_kept};
use crate::lease;

/// Forgets the next files below the floor. Returns whether there may be more.
pub(super) async fn forget_slice(database: &Database, fence: Fence, floor: UtcMillis) -> Result<bool, RetentionError> {
    let found = "select 1 as found from past_files where max_operation_id < $1 limit 1";
    if database.fetch_optional(found, &[lowest_kept(floor).into()]).await?.is_none() {
        return Ok(false);
    }
    let mut tx = lease::begin(database, fence).await?;
    let slice = "delete from past_files where file_number in \
                 (select file_number from past_files where max_operation_id < $1 order by file_number limit 1000)";
    tx.execute(slice, &[lowest_kept(floor).into()]).await?;
    tx.commit().await?;
    Ok(true)
}

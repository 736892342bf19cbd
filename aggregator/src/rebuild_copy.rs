//! What a rebuild copies: the windows before the retention floor. Their files are gone, or about to go.
//!
//! The floor is the start of a UTC day, at which windows of every level begin, so that each is either copied whole or made from files
//! alone; and it stands still while a rebuild is under way. Below it no operation is stored any more. Only a file that was
//! committed before the floor moved can still bring some, so the copy waits until the present generation has them all.

use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{DimensionSet, Level};
use opstream_schemas::{OperationId, UtcMillis};

use crate::lease::{self, LeaseError};

/// Which windows are copied into which generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowCopy {
    /// The present generation.
    pub(crate) from: i64,
    /// The one that is being built.
    pub(crate) to: i64,
    /// Windows that begin before this, the start of a day.
    pub(crate) before: UtcMillis,
}

/// How far the copy is: so many sets and levels are done. It is not stored, since the windows themselves say how far it is.
pub(crate) type CopiedTo = usize;

/// What became of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// All windows are there.
    Everything,
    /// There may be more, from here on.
    Part(CopiedTo),
    /// Operations before the floor are not in windows yet.
    Waits,
}

/// Copies the next windows; they count as changed once, since the topic has none of this generation.
pub(crate) async fn copy_slice(
    database: &Database,
    fence: Fence,
    copy: WindowCopy,
    copied_to: CopiedTo,
) -> Result<Copied, LeaseError> {
    if copied_to == 0 && waits_for_files(database, copy).await? {
        return Ok(Copied::Waits);
    }
    for (done, (set, level)) in places().enumerate().skip(copied_to) {
        let last = last_copied(database, copy, (set, level)).await?;
        let place: [Value; 3] = [set.code().into(), level.code().into(), copy.before.into()];
        let mut values: Vec<Value> = vec![copy.from.into()];
        values.extend(place.into_iter().chain([last.0, last.1].map(Value::from)));
        if database.fetch_optional(include_str!("windows_to_copy.sql"), &values).await?.is_none() {
            continue;
        }
        values.extend([copy.to, fence.0].map(Value::from));
        let mut tx = lease::begin(database, fence).await?;
        tx.execute(include_str!("copy_windows.sql"), &values).await?;
        tx.commit().await?;
        return Ok(Copied::Part(done));
    }
    Ok(Copied::Everything)
}

fn places() -> impl Iterator<Item = (DimensionSet, Level)> {
    DimensionSet::ALL.into_iter().flat_map(|set| Level::ALL.into_iter().map(move |level| (set, level)))
}

async fn waits_for_files(database: &Database, copy: WindowCopy) -> Result<bool, sqlx::Error> {
    let values = [copy.from.into(), OperationId::lowest_at(copy.before).into()];
    Ok(database.fetch_optional(include_str!("files_before_copy.sql"), &values).await?.is_some())
}

/// Windows are copied in the order of their keys, and nothing else writes below the floor: behind the last one none is there.
async fn last_copied(
    database: &Database,
    copy: WindowCopy,
    (set, level): (DimensionSet, Level),
) -> Result<(i64, i64), sqlx::Error> {
    let sql = "select window_start_ms, dimension_id from windows \
               where generation = $1 and dimension_set = $2 and level = $3 and window_start_ms < $4 \
               order by window_start_ms desc, dimension_id desc limit 1";
    let values = [copy.to.into(), set.code().into(), level.code().into(), copy.before.into()];
    let last = database.fetch_optional(sql, &values).await?;
    let place = |row: Row| Ok((row.int("window_start_ms")?, row.int("dimension_id")?));
    last.map_or(Ok((i64::MIN, i64::MIN)), place)
}

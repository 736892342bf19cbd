//! Files that may be merged, read page by page in the order of their time.

use opstream_schemas::OperationId;
use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row};

use super::plan::{Candidate, ContentPlace};
use crate::rewriting::grounds::Grounds;

/// Files of one page: the limit in `candidates.sql`. They take about 1 MB.
const PAGE: usize = 10_000;

/// Where the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    id: OperationId,
    number: i64,
}

impl Place {
    /// Before the first file.
    pub(super) const START: Self = Self { id: OperationId::MIN, number: -1 };
}

/// The files behind `after`, and where to go on if there may be more.
pub(super) async fn load_candidates(
    database: &Database,
    grounds: Grounds,
    after: Place,
) -> Result<(Vec<Candidate>, Option<Place>), sqlx::Error> {
    let floor = OperationId::lowest_at(grounds.floor);
    let values = [grounds.generation.into(), floor.into(), after.id.into(), after.number.into()];
    let rows = database.fetch_all(include_str!("candidates.sql"), &values).await?;
    let last = rows.last().filter(|_| rows.len() >= PAGE);
    let last = last
        .map(|row| Ok::<_, sqlx::Error>(Place { id: row.id("min_operation_id")?, number: row.int("file_number")? }));
    Ok((rows.iter().map(read_candidate).collect::<Result<_, _>>()?, last.transpose()?))
}

fn read_candidate(row: &Row) -> Result<Candidate, sqlx::Error> {
    Ok(Candidate {
        number: row.int("file_number")?,
        rows: row.int("rows")?,
        first: row.id("min_operation_id")?.time(),
        last: row.id("max_operation_id")?.time(),
        committed_at: UtcMillis::from_millis(row.int("committed_at_ms")?),
        content: match (row.bool("has_content")?, row.bool("has_content_apart")?) {
            (false, _) => ContentPlace::Nowhere,
            (true, true) => ContentPlace::Lake,
            (true, false) => ContentPlace::Sql,
        },
    })
}

//! What a failure of the database asks of the pipeline.

use opstream_schemas::offsets::{Offset, Partition};

/// Why a statement or a batch was not stored. Each variant asks for another reaction.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try the same again with back-off; of a commit, ask the checkpoint first.
    #[error("the database did not do what it was asked")]
    Unavailable(#[source] sqlx::Error),
    /// Somebody else owns the partition: drop the batch and join the group again.
    #[error("partition {partition} has fence {found}, ours is {ours}: another ingestor has taken over")]
    Fenced {
        /// The partition.
        partition: Partition,
        /// Fence in the database.
        found: i64,
        /// Fence of our claim.
        ours: i64,
    },
    /// The checkpoint is elsewhere: drop the batch and read from the checkpoint.
    #[error("partition {partition} is stored up to {stored}, the batch starts at {from}")]
    CheckpointMoved {
        /// The partition.
        partition: Partition,
        /// Offset in the database.
        stored: Offset,
        /// First offset of the batch.
        from: Offset,
    },
    /// Some ids exist already: filter the batch and write it again.
    #[error("some operations of the batch are stored already")]
    DuplicateIds(#[source] sqlx::Error),
    /// The database answers the same however often it is asked, unless somebody changes something: try again with
    /// back-off and call for a human.
    #[error("the database refuses the batch")]
    Refused(#[source] sqlx::Error),
    /// The retention floor has moved past an operation of the batch: check it again.
    #[error("the retention floor has moved past operations of the batch")]
    FloorMoved,
    /// The file waited too long: write it again under a new name.
    #[error("the file was named more than an hour ago; the sweeper may already be looking at it")]
    StaleFile,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(answer) = error.as_database_error() else { return Self::Unavailable(error) };
        if answer.is_unique_violation() && is_of_operations(answer.table(), answer.message()) {
            return Self::DuplicateIds(error);
        }
        let is_lasting = answer.code().is_some_and(|code| is_lasting(&code));
        if is_lasting { Self::Refused(error) } else { Self::Unavailable(error) }
    }
}

/// Whether a unique violation is that of the primary key of `operations`. Postgres names the table, which is that of a day;
/// SQLite names the columns in its message. In any other table it says nothing about the operations of the batch.
fn is_of_operations(table: Option<&str>, message: &str) -> bool {
    table.map_or_else(
        || message.ends_with(": operations.operation_id"),
        |table| {
            let day = table.strip_prefix("operations").and_then(|rest| rest.strip_prefix('_').or(Some(rest)));
            day.is_some_and(|day| day.chars().all(|c| c.is_ascii_digit()))
        },
    )
}

/// Whether asking again changes nothing. In Postgres the classes of data exceptions (22), violated constraints (23) and
/// tables or columns that are not as expected (42); in SQLite the constraints (19) and types (20).
fn is_lasting(code: &str) -> bool {
    const SQLSTATE_LENGTH: usize = 5;
    if code.len() == SQLSTATE_LENGTH {
        return ["22", "23", "42"].contains(&&code[..2]);
    }
    // The extended code carries the primary one in its lowest byte.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 19 | 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_of_operations_means_duplicates() {
        assert!(is_of_operations(Some("operations_20261126"), ""));
        assert!(is_of_operations(Some("operations"), ""));
        assert!(!is_of_operations(Some("operation_contents"), ""));
        assert!(!is_of_operations(Some("operations_archive"), ""));
        assert!(!is_of_operations(Some("lake_files"), ""));
        assert!(is_of_operations(None, "UNIQUE constraint failed: operations.operation_id"));
        assert!(!is_of_operations(None, "UNIQUE constraint failed: operation_contents.operation_id"));
        assert!(!is_of_operations(None, "UNIQUE constraint failed: lake_files.path"));
    }

    #[test]
    fn an_outage_is_told_from_a_refusal() {
        for lasting in ["23505", "23514", "42P01", "22003", "1555", "2067", "275"] {
            assert!(is_lasting(lasting), "{lasting}");
        }
        // Locks, shutdowns, a full disk or table of locks; a busy or full SQLite.
        for passing in ["55P03", "57P01", "53200", "40001", "40P01", "5", "13", "261"] {
            assert!(!is_lasting(passing), "{passing}");
        }
    }
}

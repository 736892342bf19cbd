//! The one transaction of a re-priced file: its rows, the file, its windows and what is remembered of before, together or not at all.
//!
//! It holds the lease and the settings, so that nobody replaces files, rebuilds windows or drops days meanwhile.

use std::sync::LazyLock;

use arrow_array::cast::AsArray;
use opstream_schemas::database::{Database, Engine, Transaction, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use opstream_schemas::{OperationId, UtcMillis};

use super::asked::holds;
use super::models::ModelChanges;
use super::price_columns::{NUMBERS, RevisedColumns, TEXTS};
use super::revise::Revision;
use crate::changes::WindowPlace;
use crate::commit::{Prepared, prepare_rows, prepare_windows, run};
use crate::lease::{self, LeaseError};
use crate::rewriting::grounds::Grounds;
use crate::rewriting::listed::ListedFile;
use crate::rewriting::summary::id_of;
use crate::rewriting::written::{ListError, NewFile, WrittenFile, list_file};
use crate::rows_statement::RowsStatement;
use crate::stored::StoredWindow;

const COLUMNS: usize = 1 + NUMBERS.len() + TEXTS.len();
const UPDATE: &str = include_str!("update_operations.sql");
static UPDATE_SQLITE: LazyLock<RowsStatement> = LazyLock::new(|| RowsStatement::new(UPDATE, 0, COLUMNS));
/// Between the lowest and the highest id of the file, so that only the tables of the days concerned are looked into.
static UPDATE_POSTGRES: LazyLock<RowsStatement> = LazyLock::new(|| {
    RowsStatement::new(&format!("{UPDATE} and operations.operation_id between $1 and $2"), 2, COLUMNS)
});
static KEEP_BEFORE: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("keep_before.sql"), 1, 1));
static FORGET_BEFORE: LazyLock<RowsStatement> = LazyLock::new(|| {
    let text = "delete from repriced_operations where repricing = $1 and operation_id in ({rows})";
    RowsStatement::new(text, 1, 1)
});

/// In which direction costs are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// To a catalogue's; what was there is kept.
    Forward,
    /// Back to what was there, which is forgotten.
    Back,
}

/// What is committed together.
pub(super) struct RepricedFile<'a> {
    /// What the work rests on.
    pub(super) grounds: Grounds,
    /// The re-pricing.
    pub(super) repricing: i64,
    /// Forwards or back.
    pub(super) direction: Direction,
    /// The file that goes.
    pub(super) listed: &'a ListedFile,
    /// The file that comes, and when its name was chosen.
    pub(super) file: (&'a WrittenFile, UtcMillis),
    /// Its rows.
    pub(super) revision: &'a Revision,
    /// Windows as they are after it, in the order of their primary key.
    pub(super) windows: &'a [(WindowPlace, StoredWindow)],
    /// Whether nothing of it is left to be priced.
    pub(super) is_done: bool,
}

/// A file that stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    /// Begin again: a rebuild, a retention pass, a merge or an order to undo came between. The new file is of no use.
    #[error("files or settings changed meanwhile")]
    Outdated,
    /// The table lacks operations of the file, or has others: `opstream verify` says which.
    #[error(
        "{found} of {expected} operations of the file are in the table as they are in the file; opstream verify says more"
    )]
    OtherRows { found: u64, expected: usize },
    /// The windows were changed by somebody else, or lack what the file holds: read them again.
    #[error("{written} of {expected} windows had the revision that was remembered")]
    OtherWindows { written: u64, expected: usize },
    /// The new file cannot be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Ask the tables what became of it; only the sweeper may remove the new file.
    #[error("the database did not commit new costs")]
    Database(#[from] sqlx::Error),
}

/// Statements that are made before the transaction begins: all roles wait for SQLite's one writer.
struct Statements {
    before: Prepared,
    rows: Prepared,
    windows: Prepared,
}

/// Commits a file, or changes nothing.
pub(super) async fn commit_file(database: &Database, fence: Fence, work: &RepricedFile<'_>) -> Result<(), CommitError> {
    let statements = prepare(database.engine(), fence, work);
    let mut tx = lease::begin(database, fence).await?;
    match change(&mut tx, work, statements).await {
        Ok(()) => {
            failpoint::reach(Step::RepriceComing).await.map_err(sqlx::Error::from)?;
            tx.commit().await?;
            failpoint::reach(Step::RepriceCommitted).await.map_err(sqlx::Error::from)?;
            Ok(())
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

/// Takes note that nothing of a file has to change.
pub(super) async fn commit_unchanged(
    database: &Database,
    fence: Fence,
    (grounds, direction): (Grounds, Direction),
    (file, operations): (i64, i64),
) -> Result<(), CommitError> {
    let mut tx = lease::begin(database, fence).await?;
    if !stands(&mut tx, grounds, direction).await? {
        tx.rollback().await?;
        return Err(CommitError::Outdated);
    }
    mark_done(&mut tx, (grounds.repricing, direction), (file, operations)).await?;
    Ok(tx.commit().await?)
}

fn prepare(engine: Engine, fence: Fence, work: &RepricedFile<'_>) -> Statements {
    let Revision { batches, changed, .. } = work.revision;
    let columns: Vec<RevisedColumns> = batches.iter().map(RevisedColumns::of).collect();
    let id = |row: usize| -> OperationId {
        let (batch, row) = changed[row];
        id_of(batches[batch].column(0).as_fixed_size_binary().value(row))
    };
    let values = |row: usize, values: &mut Vec<Value>| {
        values.push(id(row).into());
        let (batch, row) = changed[row];
        values.extend(columns[batch].values(row));
    };
    let (lowest, highest) = work.listed.summary.ids.expect("a file with changes has rows");
    let rows = match engine {
        Engine::Sqlite => prepare_rows(engine, &UPDATE_SQLITE, changed.len(), values),
        Engine::Postgres => {
            after(&[lowest.into(), highest.into()], prepare_rows(engine, &UPDATE_POSTGRES, changed.len(), values))
        }
    };
    let kept = if work.direction == Direction::Forward { &*KEEP_BEFORE } else { &*FORGET_BEFORE };
    let ids = prepare_rows(engine, kept, changed.len(), |row, values| values.push(id(row).into()));
    Statements {
        before: after(&[work.repricing.into()], ids),
        rows,
        windows: prepare_windows(engine, fence, work.grounds.generation, work.windows),
    }
}

/// The statements with these values before their own.
fn after(fixed: &[Value], mut statements: Prepared) -> Prepared {
    for (_, values) in &mut statements {
        values.splice(0..0, fixed.iter().cloned());
    }
    statements
}

async fn change(tx: &mut Transaction, work: &RepricedFile<'_>, statements: Statements) -> Result<(), CommitError> {
    if !stands(tx, work.grounds, work.direction).await? {
        return Err(CommitError::Outdated);
    }
    let number = replace_file(tx, work).await?;
    let expected = work.revision.changed.len();
    for statements in [statements.before, statements.rows] {
        let found = run(tx, statements).await?;
        if found != expected as u64 {
            return Err(CommitError::OtherRows { found, expected });
        }
    }
    let written = run(tx, statements.windows).await?;
    if written != work.windows.len() as u64 {
        return Err(CommitError::OtherWindows { written, expected: work.windows.len() });
    }
    if work.direction == Direction::Forward {
        count_changes(tx, work.repricing, &work.revision.models).await?;
    }
    if work.is_done {
        mark_done(tx, (work.grounds.repricing, work.direction), (number, work.revision.operations)).await?;
    }
    Ok(())
}

/// Whether everything is still so, which it then is until the transaction ends.
async fn stands(tx: &mut Transaction, grounds: Grounds, direction: Direction) -> Result<bool, sqlx::Error> {
    let Some(repricing) = grounds.repricing else { return Ok(false) };
    Ok(Grounds::hold(tx).await? == Some(grounds) && holds(tx, repricing, direction).await?)
}

/// The new file becomes live in place of the old one, with the same contents. Returns its number.
async fn replace_file(tx: &mut Transaction, work: &RepricedFile<'_>) -> Result<i64, CommitError> {
    let ListedFile { number: old, merges, .. } = *work.listed;
    let now = lease::now_ms(tx).await?;
    let remove = "update lake_files set removed_at_ms = $2 where file_number = $1 and removed_at_ms is null and exists ( \
                  select 1 from windowed_files done where done.generation = $3 and done.file_number = $1)";
    if tx.execute(remove, &[old, now, work.grounds.generation].map(Value::from)).await? != 1 {
        return Err(CommitError::Outdated);
    }
    let (file, named_at) = work.file;
    let number = list_file(tx, NewFile { file, operations_file: None, named_at, merges }).await?;
    let contents = "update lake_files set operations_file = $2 where operations_file = $1 and removed_at_ms is null";
    tx.execute(contents, &[old, number].map(Value::from)).await?;
    let mark = "insert into windowed_files (generation, file_number, windowed_at_ms) values ($1, $2, $3)";
    tx.execute(mark, &[work.grounds.generation, number, now].map(Value::from)).await?;
    Ok(number)
}

async fn count_changes(tx: &mut Transaction, repricing: i64, models: &ModelChanges) -> Result<(), CommitError> {
    for (provider, model, change) in models.iter() {
        let cost = |cost: i128| i64::try_from(cost).map(Value::from).map_err(|_| ListError::Overflow);
        let mut values: Vec<Value> = vec![repricing.into(), provider.into(), model.into()];
        values.extend([change.changed, change.unpriced_before, change.unpriced_after].map(Value::from));
        values.extend([cost(change.cost_before)?, cost(change.cost_after)?]);
        tx.execute(include_str!("count_models.sql"), &values).await?;
    }
    let count = "update repricings set changed = changed + $2 where repricing = $1";
    tx.execute(count, &[repricing, models.total().changed].map(Value::from)).await?;
    Ok(())
}

async fn mark_done(
    tx: &mut Transaction,
    (repricing, direction): (Option<i64>, Direction),
    (file, operations): (i64, i64),
) -> Result<(), sqlx::Error> {
    tx.execute("insert into repriced_files (file_number) values ($1)", &[file.into()]).await?;
    if direction == Direction::Forward {
        let count = "update repricings set files = files + 1, operations = operations + $2 where repricing = $1";
        tx.execute(count, &[repricing.into(), operations.into()]).await?;
    }
    Ok(())
}

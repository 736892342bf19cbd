//! The one transaction of a merge: from one moment to the next its outputs are live and its inputs are not.
//!
//! It holds the lease, so that no other aggregator works meanwhile, and the settings, so that no rebuild begins and no day is dropped;
//! then every check is about what cannot change any more before the commit. Whatever is refused has changed nothing.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use opstream_schemas::database::{Database, Transaction, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::FileKind;
use opstream_schemas::offsets::Fence;

use super::merge::Outputs;
use crate::lease::{self, LeaseError};
use crate::rewriting::grounds::Grounds;
use crate::rewriting::listed::{Input, ListedFile};
use crate::rewriting::summary::Summary;
use crate::rewriting::written::{ListError, NewFile, WrittenFile, list_file};
use crate::rows_statement::RowsStatement;

static REMOVE_INPUTS: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("remove_inputs.sql"), 1, 1));
static COUNT_WINDOWED: LazyLock<RowsStatement> = LazyLock::new(|| {
    let text = "select count(*) as n from windowed_files where generation = $1 and file_number in ({rows})";
    RowsStatement::new(text, 1, 1)
});

/// What is flipped.
pub(super) struct Merge<'a> {
    /// What the plan rested on.
    pub(super) grounds: Grounds,
    /// The files that go.
    pub(super) inputs: &'a [Input],
    /// The files that come.
    pub(super) outputs: &'a Outputs,
}

/// Why nothing was flipped.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlipError {
    /// Plan again; the outputs are of no use.
    #[error("the merged files were not taken over: {0}")]
    Refused(Refusal),
    /// See there.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Ask the tables what became of it: only the sweeper may remove the outputs.
    #[error("the database did not commit merged files")]
    Database(#[from] sqlx::Error),
}

/// What has changed since the plan was made, or is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A rebuild began or took over, or the retention floor was moved.
    #[error("windows are being built again, or a day is being dropped")]
    OtherGrounds,
    /// Somebody else has merged, dropped or given up a file, or added contents to it.
    #[error("the files are not the live ones any more")]
    OtherInputs,
    /// What the new files hold is not what the manifest says of the old ones.
    #[error("the new files do not add up to the old ones")]
    OtherSums,
    /// The names are more than an hour old: the sweeper could meet the files.
    #[error("merging took more than an hour")]
    Stale,
}

impl Refusal {
    /// Label of the metric.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OtherGrounds => "grounds",
            Self::OtherInputs => "inputs",
            Self::OtherSums => "sums",
            Self::Stale => "stale",
        }
    }
}

/// Makes the outputs live instead of the inputs, or changes nothing.
pub(super) async fn flip(database: &Database, fence: Fence, merge: &Merge<'_>) -> Result<(), FlipError> {
    let mut tx = lease::begin(database, fence).await?;
    match run(&mut tx, merge).await {
        Ok(()) => {
            failpoint::reach(Step::MergeComing).await.map_err(sqlx::Error::from)?;
            tx.commit().await?;
            failpoint::reach(Step::MergeCommitted).await.map_err(sqlx::Error::from)?;
            Ok(())
        }
        Err(error) => {
            // Dropping the transaction would roll it back too, but not before we go on.
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn run(tx: &mut Transaction, merge: &Merge<'_>) -> Result<(), FlipError> {
    if Grounds::hold(tx).await? != Some(merge.grounds) {
        return Err(FlipError::Refused(Refusal::OtherGrounds));
    }
    let removed = remove_inputs(tx, merge).await?;
    for kind in [FileKind::Operations, FileKind::Contents] {
        let (mut before, mut after) = (Summary::default(), Summary::default());
        removed.iter().filter(|file| file.kind == kind).for_each(|file| before.add(&file.summary));
        merge.written(kind).for_each(|file| after.add(&file.summary));
        if before != after {
            return Err(FlipError::Refused(Refusal::OtherSums));
        }
    }
    for output in &merge.outputs.files {
        let Outputs { named_at, merges, .. } = *merge.outputs;
        let operations = NewFile { file: &output.operations, operations_file: None, named_at, merges };
        let number = list_file(tx, operations).await?;
        if let Some(file) = &output.contents {
            list_file(tx, NewFile { file, operations_file: Some(number), ..operations }).await?;
        }
        // Its operations are in the windows: those of the inputs are, wholly.
        let mark = "insert into windowed_files (generation, file_number, windowed_at_ms) values ($1, $2, $3)";
        let now = lease::now_ms(tx).await?;
        tx.execute(mark, &[merge.grounds.generation, number, now].map(Value::from)).await?;
    }
    Ok(())
}

impl From<ListError> for FlipError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Overflow => Self::Refused(Refusal::OtherSums),
            ListError::Stale => Self::Refused(Refusal::Stale),
            ListError::Database(error) => Self::Database(error),
        }
    }
}

impl Merge<'_> {
    fn written(&self, kind: FileKind) -> impl Iterator<Item = &WrittenFile> {
        let files = self.outputs.files.iter();
        files
            .flat_map(|output| std::iter::once(&output.operations).chain(&output.contents))
            .filter(move |file| file.kind == kind)
    }
}

/// Takes the inputs out of the manifest, with their contents; refuses if those are not exactly the files that were merged.
async fn remove_inputs(tx: &mut Transaction, merge: &Merge<'_>) -> Result<Vec<ListedFile>, FlipError> {
    let now = lease::now_ms(tx).await?;
    let numbers: Vec<i64> = merge.inputs.iter().map(|input| input.operations.number).collect();
    let mut removed = Vec::new();
    for (range, text) in REMOVE_INPUTS.chunks(tx.engine(), numbers.len()) {
        let rows = tx.fetch_all(text, &chunk_values(now, &numbers[range])).await?;
        removed.extend(rows.iter().map(ListedFile::from_row).collect::<Result<Vec<_>, _>>()?);
    }
    let mut n_windowed = 0;
    for (range, text) in COUNT_WINDOWED.chunks(tx.engine(), numbers.len()) {
        let row = tx.fetch_optional(text, &chunk_values(merge.grounds.generation, &numbers[range])).await?;
        n_windowed += row.ok_or(sqlx::Error::RowNotFound)?.int("n")?;
    }
    let expected: BTreeSet<i64> = merge.inputs.iter().flat_map(Input::files).map(|file| file.number).collect();
    let found: BTreeSet<i64> = removed.iter().map(|file| file.number).collect();
    if found != expected || usize::try_from(n_windowed) != Ok(numbers.len()) {
        return Err(FlipError::Refused(Refusal::OtherInputs));
    }
    Ok(removed)
}

fn chunk_values(first: i64, numbers: &[i64]) -> Vec<Value> {
    std::iter::once(&first).chain(numbers).map(|number| Value::from(*number)).collect()
}

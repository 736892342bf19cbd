//! What a re-pricing would change, or what the traffic would have cost with another model. Nothing is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opstream_pricing::Pricer;
use opstream_schemas::database::Database;
use opstream_schemas::lake::{FileKind, local_path};
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::{OperationId, UtcMillis};

use super::models::ModelChanges;
use super::revise::{NewPrices, Scope, revise};
use crate::retention::read_floor;
use crate::rewriting::listed::{ListedFile, load_inputs};
use crate::rewriting::opened::{InputError, open};
use crate::rewriting::stored_columns::to_stored;

/// What operations are priced with.
#[derive(Clone, Debug)]
pub struct PreviewPrices {
    /// The prices.
    pub catalogue: Arc<Catalogue>,
    /// Which cost counts; the catalogue's with `as_model`, since what was reported is the cost of another model.
    pub cost_policy: CostPolicy,
    /// Provider and model whose prices are taken for every operation that bills tokens; none: each has its own.
    pub as_model: Option<(String, String)>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Files that were read.
    pub files: i64,
    /// Operations that were priced.
    pub operations: i64,
    /// What changes; with another model what everything costs, changed or not.
    pub models: ModelChanges,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// A file is not as the manifest says; the sums would be wrong.
    #[error("file {number} of the lake cannot be priced: {reason}; `opstream verify` says more")]
    File {
        /// Its number.
        number: i64,
        /// What is wrong.
        reason: String,
    },
    /// Files were replaced faster than they were read.
    #[error("the files of the lake were replaced while they were read; try again")]
    Replaced,
    /// Try again.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

/// Prices the operations of all live files from one time to before another. `progress` hears of each file: how many are done of how many.
///
/// # Errors
/// When a file cannot be read, or the database fails.
pub async fn preview(
    database: &Database,
    lake: &Path,
    (from, to): (UtcMillis, UtcMillis),
    prices: &PreviewPrices,
    mut progress: impl FnMut(usize, usize),
) -> Result<Preview, PreviewError> {
    let sql = "select file_number from lake_files where kind = 'operations' and removed_at_ms is null \
               and max_operation_id >= $1 and min_operation_id < $2 order by min_operation_id, file_number";
    let from = from.max(read_floor(database).await?);
    let ids = [OperationId::lowest_at(from).into(), OperationId::lowest_at(to).into()];
    let rows = database.fetch_all(sql, &ids).await?;
    let numbers = rows.iter().map(|row| row.int("file_number")).collect::<Result<Vec<_>, _>>()?;
    let files = load_inputs(database, &numbers).await?;
    if files.len() != numbers.len() {
        return Err(PreviewError::Replaced);
    }
    let mut found = Preview::default();
    let mut pricing =
        Pricing { prices: prices.clone(), scope: Scope { from, to, until: None }, lake: lake.to_owned(), pricer: None };
    for (done, file) in files.iter().enumerate() {
        progress(done, files.len());
        let listed = file.operations.clone();
        let number = listed.number;
        let work = move || {
            let read = pricing.file(&listed);
            (pricing, read)
        };
        let damaged = |reason: String| PreviewError::File { number, reason };
        let (back, read) =
            tokio::task::spawn_blocking(work).await.map_err(|_| damaged("its bytes are damaged".to_owned()))?;
        pricing = back;
        let read = read.map_err(|error| damaged(error.to_string()))?;
        found.files += 1;
        found.operations += read.operations;
        for (provider, model, change) in read.models.iter() {
            found.models.merge(provider, model, change);
        }
    }
    progress(files.len(), files.len());
    Ok(found)
}

/// What a thread needs.
struct Pricing {
    prices: PreviewPrices,
    scope: Scope,
    lake: PathBuf,
    pricer: Option<NewPrices>,
}

impl Pricing {
    /// One file, batch by batch.
    fn file(&mut self, listed: &ListedFile) -> Result<Preview, InputError> {
        let path = local_path(&self.lake, &listed.path)?;
        let PreviewPrices { catalogue, cost_policy, as_model } = &self.prices;
        let policy = if as_model.is_some() { CostPolicy::Catalogue } else { *cost_policy };
        let prices = self.pricer.get_or_insert_with(|| NewPrices::Catalogue {
            pricer: Pricer::new(Arc::clone(catalogue), policy),
            repricing: 0,
            as_model: as_model.clone(),
        });
        let mut found = Preview::default();
        for batch in open(&path, FileKind::Operations)? {
            let batch = batch.map_err(|error| InputError::Decode { path: path.clone(), source: error.into() })?;
            let batch =
                to_stored(FileKind::Operations, &batch).ok_or_else(|| InputError::Columns { path: path.clone() })?;
            let revision = revise(&[batch], prices, self.scope);
            found.operations += revision.operations;
            for (provider, model, change) in revision.models.iter() {
                found.models.merge(provider, model, change);
            }
        }
        Ok(found)
    }
}

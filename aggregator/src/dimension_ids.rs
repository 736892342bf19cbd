//! Numbers of combinations: `window_dimensions` gives each one when it first has a window.

use std::collections::HashMap;
use std::sync::LazyLock;

use opstream_schemas::database::{Database, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, KeyHash};

use crate::lease::{self, LeaseError};
use crate::rows_statement::RowsStatement;

/// Numbers that are remembered before all are forgotten: about 10 MB.
const REMEMBERED: usize = 200_000;
/// Combinations that one transaction numbers, so that it does not hold SQLite's writer for long.
const MOST_NEW: usize = 2_000;

static LOAD: LazyLock<RowsStatement> = LazyLock::new(|| {
    RowsStatement::new("select dimension_id, key_hash from window_dimensions where key_hash in ({rows})", 0, 1)
});
static INSERT: LazyLock<RowsStatement> =
    LazyLock::new(|| RowsStatement::new(include_str!("insert_dimensions.sql"), 0, Dimension::ALL.len() + 2));

/// The numbers that were looked up.
#[derive(Debug, Default)]
pub(crate) struct DimensionIds {
    ids: HashMap<KeyHash, i64>,
}

impl DimensionIds {
    /// The number of a combination that was loaded, if it has one.
    pub(crate) fn get(&self, combination: KeyHash) -> Option<i64> {
        self.ids.get(&combination).copied()
    }

    /// Looks up these combinations and numbers those that are new, in transactions of their own: a number without windows
    /// does no harm.
    pub(crate) async fn number(
        &mut self,
        database: &Database,
        fence: Fence,
        combinations: &HashMap<KeyHash, (DimensionSet, Dimensions)>,
    ) -> Result<(), LeaseError> {
        if self.ids.len() > REMEMBERED {
            self.ids.clear();
        }
        self.load(database, combinations.keys().copied()).await?;
        let new: Vec<_> = combinations.iter().filter(|(hash, _)| !self.ids.contains_key(hash)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for new in new.chunks(MOST_NEW) {
            let mut tx = lease::begin(database, fence).await?;
            for (range, text) in INSERT.chunks(database.engine(), new.len()) {
                let values: Vec<Value> =
                    new[range].iter().flat_map(|(hash, named)| row_values(**hash, named)).collect();
                tx.execute(text, &values).await?;
            }
            tx.commit().await?;
        }
        self.load(database, new.iter().map(|(hash, _)| **hash)).await?;
        Ok(())
    }

    async fn load(
        &mut self,
        database: &Database,
        combinations: impl Iterator<Item = KeyHash>,
    ) -> Result<(), sqlx::Error> {
        let unknown: Vec<KeyHash> = combinations.filter(|hash| !self.ids.contains_key(hash)).collect();
        for (range, text) in LOAD.chunks(database.engine(), unknown.len()) {
            let values: Vec<Value> = unknown[range].iter().map(|hash| Value::from(&hash.0[..])).collect();
            for row in database.fetch_all(text, &values).await? {
                if let Ok(hash) = <[u8; 16]>::try_from(row.bytes("key_hash")?) {
                    self.ids.insert(KeyHash(hash), row.int("dimension_id")?);
                }
            }
        }
        Ok(())
    }
}

fn row_values(hash: KeyHash, (set, dimensions): &(DimensionSet, Dimensions)) -> Vec<Value> {
    let mut values = vec![set.code().into(), Value::from(&hash.0[..])];
    values.extend(Dimension::ALL.into_iter().map(|dimension| Value::from(dimensions.get(dimension))));
    values
}

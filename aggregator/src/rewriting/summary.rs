//! What files add up to, as the manifest states it.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::database::Row;
use opstream_schemas::lake::{FileKind, MANIFEST_SUMS, id_hash};

/// Rows of one or several files, added up. Two that are equal hold the same ids and the same sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Rows.
    pub(crate) rows: i64,
    /// Order-independent hash of the ids; it adds up.
    pub(crate) id_hash: i64,
    /// Lowest and highest id; none without rows.
    pub(crate) ids: Option<(OperationId, OperationId)>,
    /// Sums in the order of [`MANIFEST_SUMS`]. Wider than their columns: several files may hold more than one column takes.
    pub(crate) sums: [i128; MANIFEST_SUMS.len()],
}

impl Summary {
    /// What a row of the manifest states.
    pub(crate) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let mut sums = [0; MANIFEST_SUMS.len()];
        for (sum, name) in sums.iter_mut().zip(MANIFEST_SUMS) {
            *sum = row.int(name)?.into();
        }
        let ids = Some((row.id("min_operation_id")?, row.id("max_operation_id")?));
        Ok(Self { rows: row.int("rows")?, id_hash: row.int("id_hash")?, ids, sums })
    }

    /// Adds stored columns.
    pub(crate) fn add_batch(&mut self, kind: FileKind, batch: &RecordBatch) {
        let ids = batch.column(0).as_fixed_size_binary();
        let every_id = || (0..ids.len()).map(|row| ids.value(row));
        let lowest_and_highest = every_id().min().zip(every_id().max());
        let mut added = Self {
            rows: count(batch.num_rows()),
            id_hash: id_hash(every_id()),
            ids: lowest_and_highest.map(|(lowest, highest)| (id_of(lowest), id_of(highest))),
            sums: [0; MANIFEST_SUMS.len()],
        };
        if kind == FileKind::Operations {
            added.sums = MANIFEST_SUMS.map(|name| sum_of(batch, name));
        }
        self.add(&added);
    }

    /// Adds what other rows add up to.
    pub(crate) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.id_hash = self.id_hash.wrapping_add(other.id_hash);
        self.ids = match (self.ids, other.ids) {
            (Some(ours), Some(theirs)) => Some((ours.0.min(theirs.0), ours.1.max(theirs.1))),
            (ours, theirs) => ours.or(theirs),
        };
        for (sum, other) in self.sums.iter_mut().zip(other.sums) {
            *sum += other;
        }
    }

    /// Where this differs from the `found` one, as text; empty when it does not.
    pub(crate) fn differences(&self, found: &Self) -> String {
        let mut differences = Vec::new();
        let mut compare = |name: &str, stated: i128, found: i128| {
            if stated != found {
                differences.push(format!("{name} {stated} but {found}"));
            }
        };
        compare("rows", self.rows.into(), found.rows.into());
        compare("id_hash", self.id_hash.into(), found.id_hash.into());
        for (name, (stated, found)) in MANIFEST_SUMS.iter().zip(self.sums.iter().zip(&found.sums)) {
            compare(name, *stated, *found);
        }
        if self.ids != found.ids {
            differences.push("other lowest or highest ids".to_owned());
        }
        differences.join(", ")
    }
}

/// The id in a value of an id column.
pub(crate) fn id_of(bytes: &[u8]) -> OperationId {
    OperationId::from_bytes(bytes.try_into().expect("an id column holds 16 bytes a row"))
}

fn sum_of(batch: &RecordBatch, name: &str) -> i128 {
    let column = |name: &str| batch.column_by_name(name).expect("stored columns have every summed one");
    match name {
        "failures" => (batch.num_rows() - column("success").as_boolean().true_count()) as i128,
        "unpriced" => column("cost_nano_usd").null_count() as i128,
        name => column(name).as_primitive::<Int64Type>().iter().flatten().map(i128::from).sum(),
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).expect("a batch's rows fit 63 bits")
}

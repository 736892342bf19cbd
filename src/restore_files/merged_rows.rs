//! Which rows were in files that compaction made and that are missing, of which no range says it.
//!
//! In: the manifest, the ranges, and the places and ids of the rows of the UTC days in question. Left out is what is in files that are
//! there, whose ids are read. Out: for each missing file its portions ([`mod@super::portions`]), or why they cannot be told.
//! Memory: a portion takes some 100 bytes, and one file's ids are held at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use opstream_schemas::database::{Row, Transaction};
use opstream_schemas::lake::{FileKind, id_hash, local_path};
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{OperationId, UtcMillis};

use super::file_ids::read_ids;
use super::listed_file::ListedFile;
use super::origins::{Origin, Origins};
use super::portions::{Merged, Portion, Sum, Untold, tell};

/// The file that rows were written to first, and their UTC day.
type Key = (i64, UtcMillis);

/// What was told of the missing files that compaction made.
#[derive(Debug, Default)]
pub(super) struct MergedRows {
    told: BTreeMap<i64, Result<BTreeSet<Key>, Untold>>,
    /// All rows between the lowest and the highest id of each, whatever file they are in.
    between: BTreeMap<i64, i64>,
}

impl MergedRows {
    /// Reads what is needed for these missing files of operations. Ranges, rows and manifest are of one snapshot.
    ///
    /// # Errors
    /// What the database answers.
    pub(super) async fn read(
        snapshot: &mut Transaction,
        lake: &Path,
        (listed, missing): (&[ListedFile], &[&ListedFile]),
        origins: &Origins,
    ) -> Result<Self, sqlx::Error> {
        let is_merged = |file: &ListedFile| file.kind == FileKind::Operations && !origins.is_named(file.number);
        let missing: Vec<&ListedFile> = missing.iter().copied().filter(|file| is_merged(file)).collect();
        let mut days = Days { between: missing.iter().map(|file| (file.number, 0)).collect(), ..Days::default() };
        for day in missing.iter().flat_map(|file| file.days()).collect::<BTreeSet<_>>() {
            days.read_day(snapshot, day, (&missing, origins)).await?;
        }
        let mut unknown: Vec<Merged> = missing.iter().map(|file| Merged::from(*file)).collect();
        let is_missing = |file: &ListedFile| missing.iter().any(|lost| lost.number == file.number);
        // The others that may have rows of the same time: their ids say which.
        let rivals = listed.iter().filter(|file| is_merged(file) && missing.iter().any(|lost| lost.overlaps(file)));
        for file in rivals.filter(|file| !is_missing(file)) {
            match ids_of(lake, file).await {
                Some(ids) => days.leave_out(&ids),
                None => unknown.push(Merged::from(file)),
            }
        }
        let portions: Vec<Portion> = days.portions.values().cloned().collect();
        let keys: Vec<Key> = days.portions.into_keys().collect();
        let keys_of = |places: Vec<usize>| places.into_iter().map(|place| keys[place]).collect();
        let told = unknown.iter().zip(tell(&portions, &unknown));
        let told = told.map(|(file, told)| (file.file, told.map(keys_of))).collect();
        Ok(Self { told, between: days.between })
    }

    /// Whether the row is in this missing file, as far as it was told.
    pub(super) fn belongs(&self, file: i64, (id, origin): (OperationId, Origin), origins: &Origins) -> bool {
        let Some(Ok(keys)) = self.told.get(&file) else { return false };
        origins.file_of(origin).is_some_and(|first| keys.contains(&(first, id.time().day_start())))
    }

    /// Why the file's rows cannot be told, and how many rows there are between its ends.
    pub(super) fn untold(&self, file: i64) -> Option<(&Untold, i64)> {
        let untold = self.told.get(&file)?.as_ref().err()?;
        Some((untold, self.between.get(&file).copied().unwrap_or_default()))
    }
}

/// What the rows of some UTC days add up to.
#[derive(Debug, Default)]
struct Days {
    portions: BTreeMap<Key, Portion>,
    between: BTreeMap<i64, i64>,
}

impl Days {
    /// Adds the rows of a whole day: a portion that reaches beyond a file must be seen to do so.
    async fn read_day(
        &mut self,
        snapshot: &mut Transaction,
        day: UtcMillis,
        (missing, origins): (&[&ListedFile], &Origins),
    ) -> Result<(), sqlx::Error> {
        let sql = "select operation_id, stream_id, cast(source_partition as bigint) as source_partition, source_offset \
                   from operations where operation_id >= $1 and operation_id < $2";
        let ends = [day, day.plus_millis(DAY_MILLIS)].map(|end| OperationId::lowest_at(end).into());
        let add = |row: Row| {
            let id = row.id("operation_id")?;
            for file in missing.iter().filter(|file| file.spans(id)) {
                *self.between.entry(file.number).or_default() += 1;
            }
            let (stream, partition) = (row.int("stream_id")?, row.int("source_partition")?);
            let origin = Origin { stream, partition, offset: row.int("source_offset")? };
            if let Some(file) = origins.file_of(origin).filter(|file| origins.is_merged(*file)) {
                self.add((file, day), id);
            }
            Ok(())
        };
        snapshot.fetch_each(sql, &ends, add).await?;
        Ok(())
    }

    fn add(&mut self, key: Key, id: OperationId) {
        let new = Portion { file: key.0, ids: (id, id), sum: Sum::default() };
        let portion = self.portions.entry(key).or_insert(new);
        portion.ids = (portion.ids.0.min(id), portion.ids.1.max(id));
        portion.sum = portion.sum.plus(Sum { rows: 1, id_hash: id_hash([&id.bytes()[..]]) });
    }

    /// Leaves out the portions of a file that is there: one of their ids tells, since they are together.
    fn leave_out(&mut self, ids: &BTreeSet<OperationId>) {
        self.portions.retain(|_, portion| !ids.contains(&portion.ids.0));
    }
}

/// The ids of a file, if it is there and as the manifest says.
async fn ids_of(lake: &Path, file: &ListedFile) -> Option<BTreeSet<OperationId>> {
    let ids: BTreeSet<OperationId> = read_ids(local_path(lake, &file.path).ok()?).await?.into_iter().collect();
    let bytes: Vec<[u8; 16]> = ids.iter().map(|id| id.bytes()).collect();
    let sum = Sum { rows: i64::try_from(ids.len()).ok()?, id_hash: id_hash(bytes.iter().map(|id| &id[..])) };
    (sum == Merged::from(file).sum).then_some(ids)
}

impl From<&ListedFile> for Merged {
    fn from(file: &ListedFile) -> Self {
        let sum = Sum { rows: file.summary.rows, id_hash: file.summary.id_hash };
        Self { file: file.number, ids: file.summary.ids, sum }
    }
}

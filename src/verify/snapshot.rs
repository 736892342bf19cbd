//! One state of the database, and the folder whose files it lists. Every check reads through this.
//!
//! The state is a read transaction that was begun before the first check and ends after the last one, so that a
//! running pipeline can commit meanwhile without being accused. Answers are read in pages by key, so that no table has
//! to fit memory. Files need no snapshot: they never change, and one that is removed stays for an hour.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use opstream_schemas::database::{Database, Engine, Row, Transaction, Value};
use opstream_schemas::lake::MANIFEST_SUMS;
use opstream_schemas::lake::{FileKind, local_path};
use opstream_schemas::{OperationId, UtcMillis};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::facts::{Facts, Interner, select_list};
use super::lake_file::{FileSums, IdRange, content_hash};

/// How much is held in memory at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows of one page of an answer. A row of some forty columns takes about 6 KB until it is decoded.
    pub(super) page: usize,
    /// Rows of the tables in one slice: about 20 MB, and as much again for the files.
    pub(super) slice_rows: usize,
    /// Windows being added up at which those that time has passed are compared: about 30 MB.
    pub(super) open_windows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: 2000, slice_rows: 65_536, open_windows: 50_000 }
    }
}

/// Why there is no report. Each variant asks the operator for something else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// Look at the database, then verify again.
    #[error("database failed while reading {what}")]
    Database {
        /// What was being read.
        what: &'static str,
        /// What it answered.
        source: sqlx::Error,
    },
    /// Verify again; a read of this length needs a quieter time.
    #[error(
        "{path} was live when the snapshot began and has been removed since: verification took longer than removed \
         files are kept, so run it again while less is being compacted or dropped"
    )]
    Outrun {
        /// The removed file.
        path: String,
    },
    /// Look at the disk, then verify again: an earlier check of this run could read the file.
    #[error("{path} could be read a moment ago and cannot be read now")]
    Vanished {
        /// The file.
        path: String,
        /// What the second reading met.
        source: super::lake_file::LakeFileError,
    },
    /// The decoding thread was stopped, as at shutdown.
    #[error("reading {path} was interrupted")]
    Interrupted {
        /// The file.
        path: String,
    },
}

/// The state that is verified.
#[derive(Debug)]
pub(super) struct Snapshot {
    tx: Transaction,
    database: Database,
    lake: PathBuf,
    /// What the transactions of the pipeline agreed on.
    pub(super) settings: Settings,
    /// How much is held in memory at once.
    pub(super) limits: Limits,
}

/// Rows of the table `settings`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Start of what is kept: rows below it may be gone already, files below it hold more than the tables.
    pub(super) floor: UtcMillis,
    /// Start of the minute windows that are kept.
    pub(super) minute_floor: UtcMillis,
    /// The windows that readers take.
    pub(super) generation: i64,
}

/// A live file as the manifest lists it.
#[derive(Clone, Debug)]
pub(super) struct ListedFile {
    /// Number in the manifest.
    pub(super) number: i64,
    /// Path relative to the lake's root, for messages.
    pub(super) path: String,
    /// Path on this machine; none when the listed path would leave the lake.
    pub(super) local: Option<PathBuf>,
    /// For contents: the file of their operations.
    pub(super) operations_file: Option<i64>,
    /// Length in bytes.
    pub(super) bytes: i64,
    /// What it adds up to.
    pub(super) sums: FileSums,
    /// Its operations before this are in the windows of the current generation, and no others.
    pub(super) windowed_before: UtcMillis,
}

impl Snapshot {
    /// Begins the read transaction and reads the settings in it.
    ///
    /// # Errors
    /// When the database does not answer or has no opstream tables.
    pub(super) async fn begin(database: Database, lake: &Path) -> Result<Self, VerifyError> {
        let begun = database.begin_snapshot().await;
        let mut tx = begun.map_err(|source| VerifyError::Database { what: "the snapshot", source })?;
        let planned = match tx.engine() {
            Engine::Postgres => prepare_postgres(&mut tx).await,
            Engine::Sqlite => Ok(()),
        };
        planned.map_err(|source| VerifyError::Database { what: "the snapshot", source })?;
        let settings = Settings::read(&mut tx).await;
        let settings = settings.map_err(|source| VerifyError::Database { what: "settings", source })?;
        Ok(Self { tx, database, lake: lake.to_owned(), settings, limits: Limits::default() })
    }

    /// The same snapshot, read in other steps.
    #[cfg(test)]
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Rows of one page, as a value of a statement.
    pub(super) fn page_limit(&self) -> Value {
        i64::try_from(self.limits.page).unwrap_or(i64::MAX).into()
    }

    /// The lowest id above the retention floor.
    pub(super) fn lowest_id(&self) -> OperationId {
        OperationId::lowest_at(self.settings.floor)
    }

    /// Rows of all live operations files, according to the manifest.
    pub(super) async fn listed_rows(&mut self) -> Result<i64, VerifyError> {
        let sql = "select cast(coalesce(sum(rows), 0) as bigint) as total from lake_files \
                   where kind = 'operations' and removed_at_ms is null";
        let rows = self.fetch("the manifest", sql, &[]).await?;
        let total = rows.first().map_or(Ok(0), |row| row.int("total"));
        total.map_err(|source| VerifyError::Database { what: "the manifest", source })
    }

    /// Runs one query of the snapshot.
    pub(super) async fn fetch(
        &mut self,
        what: &'static str,
        sql: impl SqlSafeStr,
        values: &[Value],
    ) -> Result<Vec<Row>, VerifyError> {
        self.tx.fetch_all(sql, values).await.map_err(|source| VerifyError::Database { what, source })
    }

    /// The next page of live files of this kind, by number. Empty after the last.
    pub(super) async fn live_files(&mut self, kind: FileKind, after: i64) -> Result<Vec<ListedFile>, VerifyError> {
        let values = [kind.name().into(), after.into(), self.page_limit(), self.settings.generation.into()];
        let rows = self.fetch("the manifest", include_str!("live_files.sql"), &values).await?;
        self.listed(&rows)
    }

    /// The live contents of these operations files, by the number of the operations file.
    pub(super) async fn contents_of(
        &mut self,
        files: &[ListedFile],
    ) -> Result<HashMap<i64, Vec<ListedFile>>, VerifyError> {
        let numbers = || files.iter().map(|file| file.number);
        let values = [numbers().min().unwrap_or(0).into(), numbers().max().unwrap_or(0).into()];
        let rows = self.fetch("the manifest", include_str!("contents_of_files.sql"), &values).await?;
        let mut contents: HashMap<i64, Vec<ListedFile>> = HashMap::new();
        for file in self.listed(&rows)? {
            contents.entry(file.operations_file.unwrap_or(0)).or_default().push(file);
        }
        Ok(contents)
    }

    /// The live operations files whose ids overlap this range, according to the manifest.
    pub(super) async fn files_overlapping(&mut self, range: &IdRange) -> Result<Vec<ListedFile>, VerifyError> {
        let values = [(*range.start()).into(), (*range.end()).into(), self.settings.generation.into()];
        let rows = self.fetch("the manifest", include_str!("files_overlapping.sql"), &values).await?;
        self.listed(&rows)
    }

    /// The first rows of `operations` in this range of ids, at most a page.
    pub(super) async fn operations(
        &mut self,
        range: &IdRange,
        interner: &mut Interner,
    ) -> Result<Vec<Facts>, VerifyError> {
        let sql = format!(
            "select {} from operations where operation_id between $1 and $2 order by operation_id limit {}",
            select_list(),
            self.limits.page
        );
        let values = [(*range.start()).into(), (*range.end()).into()];
        let rows = self.fetch("operations", AssertSqlSafe(sql), &values).await?;
        let facts = rows.iter().map(|row| Facts::from_row(row, interner)).collect::<Result<_, _>>();
        facts.map_err(|source| VerifyError::Database { what: "operations", source })
    }

    /// The first contents in SQL in this range of ids, with their hashes; at most a small page, for contents are long.
    pub(super) async fn contents_in_sql(&mut self, range: &IdRange) -> Result<Vec<(OperationId, u64)>, VerifyError> {
        let values = [(*range.start()).into(), (*range.end()).into()];
        let rows = self.fetch("operation_contents", include_str!("contents_in_sql.sql"), &values).await?;
        let hash = |row: &Row| -> Result<(OperationId, u64), sqlx::Error> {
            let texts = ["system_prompt", "input_messages", "output_messages", "tool_definitions"];
            let mut read = [const { None }; 4];
            for (text, name) in read.iter_mut().zip(texts) {
                *text = row.optional_text(name)?;
            }
            Ok((row.id("operation_id")?, content_hash(read.each_ref().map(Option::as_deref))))
        };
        let hashes = rows.iter().map(hash).collect::<Result<_, _>>();
        hashes.map_err(|source| VerifyError::Database { what: "operation_contents", source })
    }

    /// Whether a file of the snapshot has been taken out of the manifest since.
    pub(super) async fn was_removed_since(&self, number: i64) -> Result<bool, VerifyError> {
        let sql = "select 1 from lake_files where file_number = $1 and removed_at_ms is null";
        let still_live = self.database.fetch_optional(sql, &[number.into()]).await;
        let still_live = still_live.map_err(|source| VerifyError::Database { what: "the manifest", source })?;
        Ok(still_live.is_none())
    }

    /// Ends the read transaction.
    pub(super) async fn end(self) -> Result<(), VerifyError> {
        self.tx.rollback().await.map_err(|source| VerifyError::Database { what: "the end of the snapshot", source })
    }

    fn listed(&self, rows: &[Row]) -> Result<Vec<ListedFile>, VerifyError> {
        let listed = rows.iter().map(|row| self.listed_file(row)).collect::<Result<_, _>>();
        listed.map_err(|source| VerifyError::Database { what: "the manifest", source })
    }

    fn listed_file(&self, row: &Row) -> Result<ListedFile, sqlx::Error> {
        let path = row.text("path")?;
        Ok(ListedFile {
            number: row.int("file_number")?,
            local: local_path(&self.lake, &path).ok(),
            path,
            operations_file: row.optional_int("operations_file")?,
            bytes: row.int("bytes")?,
            sums: listed_sums(row)?,
            windowed_before: UtcMillis::from_millis(row.optional_int("windowed_before_ms")?.unwrap_or(i64::MIN)),
        })
    }
}

async fn prepare_postgres(tx: &mut Transaction) -> Result<(), sqlx::Error> {
    // Pages follow the primary key. Of a day's table without statistics the planner would rather sort all of it, for every page
    // again.
    tx.execute("set local enable_sort = off", &[]).await?;
    // Retention drops the tables of days, which a snapshot alone does not hold. It waits for whoever has this lock, which must be there
    // before the snapshot: that begins with the next statement.
    tx.execute("lock table only operations in access share mode", &[]).await.map(drop)
}

impl Settings {
    async fn read(tx: &mut Transaction) -> Result<Self, sqlx::Error> {
        let mut found = HashMap::new();
        for row in tx.fetch_all("select name, value from settings", &[]).await? {
            found.insert(row.text("name")?, row.int("value")?);
        }
        let value = |name: &str| found.get(name).copied().ok_or(sqlx::Error::RowNotFound);
        Ok(Self {
            floor: UtcMillis::from_millis(value("retention_floor_ms")?),
            minute_floor: UtcMillis::from_millis(value("window_minute_floor_ms")?),
            generation: value("window_generation")?,
        })
    }
}

fn listed_sums(row: &Row) -> Result<FileSums, sqlx::Error> {
    let mut sums = FileSums {
        rows: row.int("rows")?,
        id_hash: row.int("id_hash")?,
        min_id: Some(row.id("min_operation_id")?),
        max_id: Some(row.id("max_operation_id")?),
        ..FileSums::default()
    };
    for name in MANIFEST_SUMS {
        *sums.sum_of(name) = row.int(name)?.into();
    }
    Ok(sums)
}

/// How many rows an answer has beyond its limit: its queries count all of them in `total`.
pub(super) fn unfetched(rows: &[Row]) -> Result<u64, sqlx::Error> {
    let total = rows.first().map_or(Ok(0), |row| row.int("total"))?;
    Ok(u64::try_from(total).unwrap_or(0).saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX)))
}

/// The id after this one; none after the highest.
pub(super) fn id_after(id: OperationId) -> Option<OperationId> {
    let next = u128::from_be_bytes(id.bytes()).checked_add(1)?;
    Some(OperationId::from_bytes(next.to_be_bytes()))
}

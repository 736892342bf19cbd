//! `opstream restore-files`: writes files of the lake again that the database lists and the lake has not, from the rows of the
//! tables. For a lake that was restored from a copy older than the database's.
//!
//! In: the manifest, the ranges that say which file each offset went to, and the rows. Out: the missing files, under their listed
//! names. A file is put in place only if it adds up to its row of the manifest: count, id hash, lowest and highest id, and for
//! operations every sum. Existing files are never touched, so it may run beside the pipeline, and again.

mod origins;
mod portions;
mod table_rows;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_ingestor::lake_file::{LakeFile, SUMMED, Summary, write_lake_file};
use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, DatabaseUrl, Row};
use opstream_schemas::lake::durable::{remove_unlisted, rename_durably};
use opstream_schemas::lake::{FileKind, local_path};
use tokio_util::sync::CancellationToken;

use self::origins::Origins;
use self::table_rows::read_rows;
use crate::settings::{DatabaseArgs, LakeArgs};
use crate::verify::{DEFAULT_DATA, place_of};

const LIVE_FILES: &str = include_str!("restore_files/live_files.sql");

/// Write missing files of the lake again, from the rows of the database, after the lake was restored from an older copy.
///
/// Exit code 0: no listed file is missing any more. 1: some are, and the report names them. Contents can be written again only
/// where they are kept in SQL too. docs/backup.md says when this is needed.
#[derive(clap::Args)]
pub(crate) struct RestoreFilesArgs {
    /// Folder of `opstream up`, with its database and lake; wins over --database-url [default: ./opstream-data]
    #[arg(long, value_name = "DIR", env = "OPSTREAM_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    /// Say which files are missing, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// A live file as the manifest lists it.
#[derive(Debug)]
struct ListedFile {
    number: i64,
    path: String,
    kind: FileKind,
    /// The file of the operations; for contents another one.
    operations: i64,
    bytes: i64,
    summary: Summary,
}

/// What a run came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    listed: usize,
    /// Paths.
    pub(crate) written: Vec<String>,
    /// Path and reason.
    pub(crate) missing: Vec<(String, String)>,
}

/// Writes what is missing and prints what was done.
///
/// # Errors
/// When the database does not answer or the lake cannot be written.
pub(crate) async fn run(args: RestoreFilesArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let (url, lake) = place_of(args.data.as_deref(), Path::new(DEFAULT_DATA), (&args.database, &args.lake))?;
    if let DatabaseUrl::Sqlite(file) = &url {
        anyhow::ensure!(file.is_file(), "there is no database {}; name the folder with --data", file.display());
    }
    let database = Box::pin(Database::connect(&url)).await?;
    let restoring = Box::pin(restore(&database, &lake, args.dry_run));
    let outcome = shutdown.run_until_cancelled(restoring).await.context("interrupted; a second run goes on")?;
    database.close().await;
    let outcome = outcome?;
    outcome.print(args.dry_run).context("cannot write the report")?;
    Ok(if outcome.missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes every missing file that the tables have the rows of.
///
/// # Errors
/// When the database does not answer or the lake cannot be written.
pub(crate) async fn restore(database: &Database, lake: &Path, is_dry_run: bool) -> anyhow::Result<Outcome> {
    let rows = database.fetch_all(LIVE_FILES, &[]).await.context("cannot read the manifest")?;
    let mut outcome = Outcome { listed: rows.len(), ..Outcome::default() };
    let mut origins = None;
    for row in &rows {
        let file = ListedFile::of(row)?;
        let target = local_path(lake, &file.path).with_context(|| format!("{} leaves the lake", file.path))?;
        if target.try_exists().with_context(|| format!("cannot look for {}", target.display()))? {
            continue;
        }
        if is_dry_run {
            outcome.missing.push((file.path, "missing".to_owned()));
            continue;
        }
        // Read once, and only when a file is missing at all.
        let origins = match &mut origins {
            Some(origins) => origins,
            none => none.insert(Origins::read(database).await.context("cannot read the applied ranges")?),
        };
        match write_again(database, lake, (&file, &target), origins).await? {
            Ok(()) => outcome.written.push(file.path),
            Err(reason) => outcome.missing.push((file.path, reason)),
        }
    }
    Ok(outcome)
}

/// Writes one file, or says why the tables do not have what was in it.
async fn write_again(
    database: &Database,
    lake: &Path,
    (file, target): (&ListedFile, &Path),
    origins: &Origins,
) -> anyhow::Result<Result<(), String>> {
    let ids = file.summary.ids;
    let rows = read_rows(database, file.kind, ids, |place| origins.belongs(place, file.operations)).await;
    let Some(rows) = rows.with_context(|| format!("cannot read the rows of {}", file.path))? else {
        return Ok(Err(file.lost("the tables have none of its rows")));
    };
    let (root, kind) = (lake.to_owned(), file.kind);
    let writing = move || write_lake_file(&root, kind, &rows, UtcMillis::now());
    let written = tokio::task::spawn_blocking(writing).await?.context("cannot write the lake")?;
    if !file.is_same(&written.summary) {
        remove_unlisted(lake, &written.path);
        let found = written.summary.rows;
        return Ok(Err(file.lost(&format!("the tables have {found} of its {} rows, or others", file.summary.rows))));
    }
    // Before the rename: a reader that found the file with another length than listed would take it for damaged.
    set_length(database, file, &written).await.context("cannot write the manifest")?;
    put_in_place(lake, &written, target).with_context(|| format!("cannot put {} in its place", file.path))?;
    Ok(Ok(()))
}

/// Another version of the writer may make another number of bytes of the same rows.
async fn set_length(database: &Database, file: &ListedFile, written: &LakeFile) -> Result<(), sqlx::Error> {
    if file.bytes == written.bytes {
        return Ok(());
    }
    let mut tx = database.begin().await?;
    let set = "update lake_files set bytes = $2 where file_number = $1";
    tx.execute(set, &[file.number.into(), written.bytes.into()]).await?;
    tx.commit().await
}

fn put_in_place(lake: &Path, written: &LakeFile, target: &Path) -> std::io::Result<()> {
    let source = local_path(lake, &written.path).expect("our own paths stay inside the lake");
    rename_durably(&source, target)
}

impl ListedFile {
    fn of(row: &Row) -> anyhow::Result<Self> {
        let number = row.int("file_number")?;
        let kind = match row.text("kind")?.as_str() {
            kind if kind == FileKind::Operations.name() => FileKind::Operations,
            _ => FileKind::Contents,
        };
        let mut sums = [0; SUMMED.len()];
        for (sum, name) in sums.iter_mut().zip(SUMMED) {
            *sum = row.int(name)?;
        }
        let summary = Summary {
            rows: row.int("rows")?,
            id_hash: row.int("id_hash")?,
            ids: (row.id("min_operation_id")?, row.id("max_operation_id")?),
            failures: row.int("failures")?,
            unpriced: row.int("unpriced")?,
            sums,
        };
        let operations = row.optional_int("operations_file")?.unwrap_or(number);
        Ok(Self { number, path: row.text("path")?, kind, operations, bytes: row.int("bytes")?, summary })
    }

    /// Whether the rows add up to what the manifest says of the file.
    fn is_same(&self, found: &Summary) -> bool {
        match self.kind {
            FileKind::Operations => self.summary == *found,
            FileKind::Contents => {
                let identity = |summary: &Summary| (summary.rows, summary.id_hash, summary.ids);
                identity(&self.summary) == identity(found)
            }
        }
    }

    fn lost(&self, reason: &str) -> String {
        match self.kind {
            FileKind::Operations => {
                format!("{reason}; look for another copy, else `opstream aggregator --give-up-file {}`", self.number)
            }
            FileKind::Contents => {
                format!("{reason}; contents that are not kept in SQL are in the files alone: look for another copy")
            }
        }
    }
}

impl Outcome {
    fn print(&self, is_dry_run: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        for path in &self.written {
            writeln!(out, "written again: {path}")?;
        }
        for (path, reason) in &self.missing {
            let reason = if is_dry_run { String::new() } else { format!(": {reason}") };
            writeln!(out, "missing: {path}{reason}")?;
        }
        let Self { listed, written, missing } = self;
        writeln!(
            out,
            "{listed} files are listed, {} were written again, {} are missing",
            written.len(),
            missing.len()
        )?;
        out.flush()
    }
}

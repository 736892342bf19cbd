//! `opstream restore-files`: writes files of the lake again that the database lists and the lake has not, from the rows of the
//! tables. For a lake that was restored from a copy older than the database's.
//!
//! In: the manifest, the ranges that say which file each offset went to, and the rows; for files that compaction made also the ids
//! in those that are there. Out: the missing files, under their listed names. A file is put in place only if it adds up to its
//! row of the manifest: count, id hash, lowest and highest id, and for operations every sum. Existing files are never touched, so it
//! may run beside the pipeline, and again.

mod file_ids;
mod listed_file;
mod merged_rows;
mod origins;
mod portions;
mod table_rows;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_ingestor::lake_file::{LakeFile, write_lake_file};
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::lake::durable::{remove_unlisted, rename_durably};
use opstream_schemas::lake::{FileKind, local_path};
use opstream_schemas::{OperationId, UtcMillis};
use tokio_util::sync::CancellationToken;

use self::file_ids::read_ids;
use self::listed_file::ListedFile;
use self::merged_rows::MergedRows;
use self::origins::{Origin, Origins};
use self::table_rows::read_rows;
use crate::settings::{DatabaseArgs, LakeArgs};
use crate::verify::{DEFAULT_DATA, place_of};

/// Write missing files of the lake again, from the rows of the database, after the lake was restored from an older copy.
///
/// Exit code 0: no listed file is missing any more. 1: some are, and the report names them. 2: it could not run. Contents can be written again only
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
    /// Write even though the lake has none of the listed files, because it is lost as a whole and not because its name is wrong
    #[arg(long)]
    whole_lake: bool,
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
    anyhow::ensure!(
        lake.is_dir(),
        "there is no lake {}; name its folder with --data or --lake, or make it first if it is lost as a whole",
        lake.display()
    );
    let database = Box::pin(Database::connect(&url)).await?;
    if !args.dry_run && !args.whole_lake {
        check_lake(&database, &lake).await?;
    }
    let restoring = Box::pin(restore(&database, &lake, args.dry_run));
    let outcome = shutdown.run_until_cancelled(restoring).await.context("interrupted; a second run goes on")?;
    database.close().await;
    let outcome = outcome?;
    outcome.print(args.dry_run).context("cannot write the report")?;
    Ok(if outcome.missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses a lake that has none of the files: more likely its name is wrong than all of it lost.
pub(crate) async fn check_lake(database: &Database, lake: &Path) -> anyhow::Result<()> {
    let Outcome { listed, missing, .. } = Box::pin(restore(database, lake, true)).await?;
    anyhow::ensure!(
        listed == 0 || missing.len() < listed,
        "the lake {} has none of the {listed} files that the database lists; name another with --lake, or add --whole-lake if all are lost",
        lake.display()
    );
    Ok(())
}

/// Writes every missing file that the tables have the rows of.
///
/// # Errors
/// When the database does not answer or the lake cannot be written.
pub(crate) async fn restore(database: &Database, lake: &Path, is_dry_run: bool) -> anyhow::Result<Outcome> {
    // Manifest, ranges and rows of one moment: a merge or a commit meanwhile would look like rows of a missing file.
    let mut snapshot = database.begin_snapshot().await.context("cannot read the manifest")?;
    let listed = ListedFile::read_all(&mut snapshot).await.context("cannot read the manifest")?;
    let mut outcome = Outcome { listed: listed.iter().filter(|file| file.is_live).count(), ..Outcome::default() };
    let mut missing = Vec::new();
    for file in listed.iter().filter(|file| file.is_live) {
        let target = local_path(lake, &file.path).with_context(|| format!("{} leaves the lake", file.path))?;
        match std::fs::metadata(&target) {
            Ok(found) if i64::try_from(found.len()) != Ok(file.bytes) => {
                outcome.missing.push((file.path.clone(), file.other_length(found.len())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(file),
            Err(error) => return Err(error).with_context(|| format!("cannot look for {}", target.display())),
        }
    }
    if is_dry_run || missing.is_empty() {
        outcome.missing.extend(missing.iter().map(|file| (file.path.clone(), "missing".to_owned())));
        return Ok(outcome);
    }
    let origins = Origins::read(&mut snapshot).await.context("cannot read the applied ranges")?;
    let merged = MergedRows::read(&mut snapshot, lake, (&listed, &missing), &origins).await;
    let merged = merged.context("cannot read which rows were merged")?;
    snapshot.rollback().await.context("cannot end the snapshot")?;
    let known = Known { database, lake, listed: &listed, origins: &origins, merged: &merged };
    for file in missing {
        match known.write_again(file).await? {
            Ok(()) => outcome.written.push(file.path.clone()),
            Err(reason) => outcome.missing.push((file.path.clone(), reason)),
        }
    }
    Ok(outcome)
}

/// What is known of all files.
struct Known<'a> {
    database: &'a Database,
    lake: &'a Path,
    listed: &'a [ListedFile],
    origins: &'a Origins,
    merged: &'a MergedRows,
}

impl Known<'_> {
    /// Writes one file, or says why the tables do not have what was in it.
    async fn write_again(&self, file: &ListedFile) -> anyhow::Result<Result<(), String>> {
        if let Some((untold, between)) = self.merged.untold(file.number) {
            let is_there = between >= file.summary.rows;
            let path_of = |number| self.path_of(number);
            return Ok(Err(if is_there { file.is_untold(untold, path_of) } else { file.lacks_rows(between) }));
        }
        let ids = match self.ids_of_contents(file).await {
            Ok(ids) => ids,
            Err(reason) => return Ok(Err(reason)),
        };
        // Rows without a range, which should not be: any file may have had them.
        let unknown = Cell::new(0);
        let is_wanted = |id: OperationId, origin: Origin| {
            let first = self.origins.file_of(origin);
            unknown.set(unknown.get() + i64::from(first.is_none()));
            match &ids {
                Some(ids) => ids.contains(&id),
                None if self.origins.is_named(file.operations) => first == Some(file.operations),
                None => self.merged.belongs(file.number, (id, origin), self.origins),
            }
        };
        let rows = read_rows(self.database, file.kind, file.summary.ids, is_wanted).await;
        let Some(rows) = rows.with_context(|| format!("cannot read the rows of {}", file.path))? else {
            return Ok(Err(file.refusal((0, unknown.get()), "no range of offsets leads to it")));
        };
        let (root, kind) = (self.lake.to_owned(), file.kind);
        let writing = move || write_lake_file(&root, kind, &rows, UtcMillis::now());
        let written = tokio::task::spawn_blocking(writing).await?.context("cannot write the lake")?;
        let differences = file.differences(&written.summary);
        if !differences.is_empty() {
            remove_unlisted(self.lake, &written.path);
            return Ok(Err(file.refusal((written.summary.rows, unknown.get()), &differences)));
        }
        // Before the rename: a reader that found the file with another length than listed would take it for damaged.
        set_length(self.database, file, &written).await.context("cannot write the manifest")?;
        put_in_place(self.lake, &written, file).with_context(|| format!("cannot put {} in its place", file.path))?;
        Ok(Ok(()))
    }

    /// The ids of the operations that contents belong to, where no range says it: their file is there, maybe since a moment ago.
    async fn ids_of_contents(&self, file: &ListedFile) -> Result<Option<BTreeSet<OperationId>>, String> {
        if file.kind == FileKind::Operations || self.origins.is_named(file.operations) {
            return Ok(None);
        }
        let path = self.path_of(file.operations);
        let ids = match local_path(self.lake, &path) {
            Ok(local) => read_ids(local).await,
            Err(_) => None,
        };
        let ids = ids.ok_or_else(|| {
            format!("only the file of its operations, {path}, says which they are, and it is missing or damaged")
        })?;
        Ok(Some(ids.into_iter().collect()))
    }

    fn path_of(&self, number: i64) -> String {
        let place = self.listed.binary_search_by_key(&number, |file| file.number);
        place.map_or_else(|_| format!("file {number}"), |place| self.listed[place].path.clone())
    }
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

fn put_in_place(lake: &Path, written: &LakeFile, file: &ListedFile) -> std::io::Result<()> {
    let place = |path| local_path(lake, path).expect("both paths were made or checked to stay inside the lake");
    rename_durably(&place(&written.path), &place(&file.path))
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

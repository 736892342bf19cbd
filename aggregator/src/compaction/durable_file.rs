//! Files of the lake as they reach the disk: whole and with their names, or not at all. Blocks.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use opstream_schemas::lake::local_path;
use parquet::errors::ParquetError;

/// Creates a file, lets `encode` fill it, and returns its length once the file and its entry in the folder are on disk.
pub(super) fn write_durably(target: &Path, encode: impl FnOnce(File) -> Result<File, ParquetError>) -> io::Result<i64> {
    let folder = target.parent().expect("a lake file lies in a day's folder");
    create_folder(folder)?;
    let file = encode(File::create_new(target)?).map_err(io::Error::other)?;
    file.sync_all()?;
    sync_folder(folder)?;
    Ok(i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX))
}

/// Removes a file that is not there or that nobody lists; one that cannot be removed is left to the sweeper.
pub(super) fn remove(lake: &Path, path: &str) {
    let target = local_path(lake, path).expect("our own paths stay inside the lake");
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(path, %error, "an unlisted file was not removed; the sweeper will");
        }
        _ => {}
    }
}

/// Creates the folder and makes each new entry durable.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.try_exists()? {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        // The parent of a relative name is the working folder.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        create_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => created?,
        }
        sync_folder(parent)?;
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

//! Files of the lake as they reach the disk: whole and with their names, or not at all. Blocks.
//!
//! Every writer of the lake goes through here, because a transaction may list a file only once a power loss cannot take it away.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::local_path;

/// Creates a file, lets `fill` write it, and returns its length once the file and its entry in the folder are on disk.
///
/// # Errors
/// When the disk refuses, or the file is there already.
pub fn create_durably(target: &Path, fill: impl FnOnce(File) -> io::Result<File>) -> io::Result<i64> {
    let folder = target.parent().expect("a lake file lies in a day's folder");
    create_folder(folder)?;
    let file = fill(File::create_new(target)?)?;
    file.sync_all()?;
    sync_folder(folder)?;
    Ok(i64::try_from(file.metadata()?.len()).unwrap_or(i64::MAX))
}

/// Moves a file to its place in the lake, durably.
///
/// # Errors
/// When the disk refuses.
pub fn rename_durably(source: &Path, target: &Path) -> io::Result<()> {
    let folder = target.parent().expect("a lake file lies in a day's folder");
    create_folder(folder)?;
    fs::rename(source, target)?;
    sync_folder(folder)
}

/// Removes a file that no transaction lists or will list; one that cannot be removed is left to the sweeper.
pub fn remove_unlisted(root: &Path, path: &str) {
    let target = local_path(root, path).expect("our own paths stay inside the lake");
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(path, %error, "an unlisted file was not removed; the sweeper will");
        }
        _ => {}
    }
}

/// Creates the folder and makes each new entry durable.
///
/// # Errors
/// When the disk refuses.
pub fn create_folder(folder: &Path) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_created_once_moved_and_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("operations/2026-11-27/1.parquet");
        let fill = |mut file: File| file.write_all(b"four").map(|()| file);
        assert_eq!(create_durably(&path, fill).unwrap(), 4);
        assert!(create_durably(&path, fill).is_err(), "a name is never used twice");
        rename_durably(&path, &root.path().join("operations/2026-11-28/1.parquet")).unwrap();
        remove_unlisted(root.path(), "operations/2026-11-28/1.parquet");
        remove_unlisted(root.path(), "operations/2026-11-28/1.parquet");
        assert_eq!(fs::read_dir(root.path().join("operations/2026-11-28")).unwrap().count(), 0);
    }
}

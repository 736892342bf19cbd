//! Watches whether the folder of all data can be written. A full or protected disk shows in readiness at once and until there is
//! space again, also while nobody brings anything that would have to be written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::condition::Reporter;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// What is written and removed again: as much as a small batch, so that it fits when one would.
const PROBE: &str = ".probe";
const PROBE_BYTES: usize = 256 << 10;
/// What the condition says of a disk that cannot be written.
const WRITING: &str = "writing";

/// Looks again and again until the token is cancelled.
///
/// # Errors
/// When looking panics.
pub(crate) async fn watch_disk(folder: PathBuf, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<()> {
    let mut was_writable = true;
    while !stop.is_cancelled() {
        let place = folder.clone();
        let probed = tokio::task::spawn_blocking(move || probe(&place)).await.context("a look at the disk panicked")?;
        match &probed {
            Ok(()) => {
                reporter.turned();
                reporter.cleared(WRITING);
            }
            Err(error) => {
                if was_writable {
                    tracing::error!(folder = %folder.display(), %error, "cannot write to the folder of all data");
                }
                reporter.hindered(
                    WRITING,
                    format!("the folder of all data does not take {} KiB: {error}", PROBE_BYTES >> 10),
                );
            }
        }
        was_writable = probed.is_ok();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(())
}

fn probe(folder: &Path) -> io::Result<()> {
    let file = folder.join(PROBE);
    let written = File::create(&file).and_then(|mut file| file.write_all(&vec![0; PROBE_BYTES]));
    // Also after a failure: what was written of it may be the last space.
    let removed = fs::remove_file(&file);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        probe(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        // A folder of that name stands in the way of every user, also of root.
        fs::create_dir(folder.path().join(PROBE)).unwrap();
        let (reporter, stop) = (Reporter::default(), CancellationToken::new());
        let mut condition = reporter.watch();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch_disk(folder.path().to_owned(), reporter, stop.clone()));
        let said = condition.wait_for(|condition| condition.hindrances.contains_key(WRITING)).await.unwrap();
        assert!(said.hindrances[WRITING].contains("the folder of all data"), "{said:?}");
        drop(said);
        stop.cancel();
        tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

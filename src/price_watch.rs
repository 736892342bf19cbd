//! Reads price files again while a role runs, so that a new price needs no restart.
//!
//! What cannot be taken changes nothing: the last good prices stay, and the log says once what is wrong with the files as they are.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics::gauge;
use opstream_schemas::prices::Catalogue;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::failure::told;
use crate::price_files::PriceFiles;

/// Between two looks at the files, which are read whole: an edit that leaves time and size as they were is seen too.
const PAUSE: Duration = Duration::from_secs(5);
/// 1 while the files are not those that operations are priced with, because something is wrong with them.
const REFUSED: &str = "opstream_ingestor_price_files_refused";

/// Price files that are watched.
pub(crate) struct PriceWatch {
    paths: Vec<PathBuf>,
    /// As they were last seen, or why they could not be read.
    seen: Result<PriceFiles, String>,
    prices: watch::Sender<Arc<Catalogue>>,
}

impl PriceWatch {
    /// Reads the files and lays them over the built-in prices.
    ///
    /// # Errors
    /// When they cannot be taken: at a start that is for its operator to mend. Names file, model and field.
    pub(crate) fn start(paths: Vec<PathBuf>) -> anyhow::Result<Self> {
        let files = PriceFiles::read(&paths).context("--prices (OPSTREAM_PRICES)")?;
        let catalogue = lay_over(&files).context("--prices (OPSTREAM_PRICES)")?;
        if !paths.is_empty() {
            tracing::info!(version = catalogue.version(), "prices of the deployment are laid over the built-in ones");
        }
        Ok(Self { paths, seen: Ok(files), prices: watch::Sender::new(catalogue) })
    }

    /// The prices, and whatever replaces them.
    pub(crate) fn prices(&self) -> watch::Receiver<Arc<Catalogue>> {
        self.prices.subscribe()
    }

    /// Does the work of a process, and looks meanwhile.
    pub(crate) async fn beside<T>(self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut work = pin!(work);
        tokio::select! {
            outcome = &mut work => outcome,
            watched = self.run(CancellationToken::new()) => {
                watched?;
                work.await
            }
        }
    }

    /// Looks again and again until the token is cancelled. Without files there is nothing to look at.
    ///
    /// # Errors
    /// When looking panics.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
            if self.paths.is_empty() {
                stop.cancelled().await;
                break;
            }
            let look = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            self = look.await.context("a look at the price files panicked")?;
        }
        Ok(())
    }

    /// Takes the files if they have changed and can be taken.
    fn look(&mut self) {
        let found = PriceFiles::read(&self.paths).map_err(|error| told(&error));
        if found == self.seen {
            return;
        }
        self.seen = found;
        let taken = match &self.seen {
            Ok(files) => lay_over(files).map_err(|error| told(&error)),
            Err(error) => Err(error.clone()),
        };
        gauge!(REFUSED).set(if taken.is_ok() { 0.0 } else { 1.0 });
        match taken {
            Ok(catalogue) => {
                tracing::info!(version = catalogue.version(), "price files were read again");
                self.prices.send_replace(catalogue);
            }
            Err(error) => {
                let version = self.prices.borrow().version().to_owned();
                tracing::error!(
                    error,
                    version,
                    "price files have changed and cannot be taken; the last good prices stay"
                );
            }
        }
    }
}

fn lay_over(files: &PriceFiles) -> Result<Arc<Catalogue>, opstream_schemas::prices::CatalogueError> {
    // Without files it is the built-in one itself.
    files.lay_over(Catalogue::embedded()).map(|catalogue| Arc::new(catalogue.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price_files::price_file;

    #[test]
    fn a_file_that_changes_is_taken_and_one_that_breaks_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acme.toml");
        std::fs::write(&file, price_file("acme", "1")).unwrap();
        let mut watch = PriceWatch::start(vec![folder.path().to_owned()]).unwrap();
        let mut prices = watch.prices();
        let mut version = || prices.borrow_and_update().version().to_owned();
        let first = version();
        watch.look();
        assert_eq!(version(), first);
        std::fs::write(&file, price_file("acme", "-1")).unwrap();
        watch.look();
        assert_eq!(version(), first, "the last good prices stay");
        std::fs::remove_file(&file).unwrap();
        watch.look();
        assert_eq!(version(), first, "a folder without files is no order to drop prices");
        std::fs::write(&file, price_file("acme", "2")).unwrap();
        watch.look();
        assert_ne!(version(), first);
    }

    #[test]
    fn a_start_with_files_that_cannot_be_taken_names_the_flag_and_the_field() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("acme.toml"), price_file("acme", "x")).unwrap();
        let error = PriceWatch::start(vec![folder.path().to_owned()]).err().unwrap();
        let error = format!("{error:#}");
        for part in ["OPSTREAM_PRICES", "acme.toml", "model m", "rates.input"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

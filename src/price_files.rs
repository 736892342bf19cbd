//! Price files of the deployment: found, read and laid over the prices that are compiled in.
//!
//! In: files, and folders whose `*.toml` are price files. Out: a catalogue, or an error that names the file. All files are
//! laid over the built-in prices at once, so that a provider whom two of them price is an error and no question of order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use opstream_schemas::prices::{Catalogue, CatalogueError};

/// Bytes of a price file; the largest of the built-in ones has 50,000.
const FILE_LIMIT: u64 = 16 << 20;

/// Prices of the deployment.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct PriceArgs {
    /// Price file, or folder with price files (*.toml), laid over the built-in prices; may be repeated
    #[arg(long = "prices", value_name = "FILE|DIR", env = "OPSTREAM_PRICES")]
    pub(crate) paths: Vec<PathBuf>,
}

/// The text of price files, by the name that errors and the catalogue's version know them by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PriceFiles(BTreeMap<String, PriceFile>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct PriceFile {
    path: PathBuf,
    text: String,
}

/// Why there are no price files. Nothing is retried here: whoever reads again later goes on with the prices that it has.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PriceFilesError {
    /// A file or folder is not there or not readable.
    #[error("cannot read prices from {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A folder without price files: more likely the wrong one than meant so.
    #[error("there is no price file (*.toml) in the folder {}", .path.display())]
    Nothing { path: PathBuf },
    /// A price file would not be that large.
    #[error("{} has more than {FILE_LIMIT} bytes, which no price file has", .path.display())]
    TooLarge { path: PathBuf },
    /// Versions and errors know a file by its name.
    #[error("{} and {} have the same name; name one of them otherwise", .first.display(), .second.display())]
    SameName { first: PathBuf, second: PathBuf },
}

impl PriceFiles {
    /// Reads these files, and all price files of these folders; those in folders inside are left alone, and so are hidden ones.
    ///
    /// # Errors
    /// Each of [`PriceFilesError`]. What the files say is not looked at.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, PriceFilesError> {
        let mut files = Self::default();
        for path in paths {
            let unreadable = |source| PriceFilesError::Unreadable { path: path.clone(), source };
            if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
                files.add(path)?;
                continue;
            }
            let found = price_files_in(path).map_err(unreadable)?;
            if found.is_empty() {
                return Err(PriceFilesError::Nothing { path: path.clone() });
            }
            found.iter().try_for_each(|file| files.add(file))?;
        }
        Ok(files)
    }

    /// `base` with these files laid over it; `base` itself when there are none.
    ///
    /// # Errors
    /// Those of [`Catalogue::overlay`], with the whole path of the file.
    pub(crate) fn lay_over<'a>(&self, base: &'a Catalogue) -> Result<Cow<'a, Catalogue>, CatalogueError> {
        if self.0.is_empty() {
            return Ok(Cow::Borrowed(base));
        }
        let texts: Vec<(&str, &str)> = self.0.iter().map(|(name, file)| (name.as_str(), file.text.as_str())).collect();
        base.overlay(&texts).map(Cow::Owned).map_err(|error| self.with_path(error))
    }

    /// The texts, by name.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, file)| (name.clone(), file.text.clone())).collect()
    }

    fn add(&mut self, path: &Path) -> Result<(), PriceFilesError> {
        let text = read_text(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match self.0.get(&name) {
            // A file that is named itself and by its folder is one file.
            Some(PriceFile { path: first, .. }) if !is_same(first, path) => {
                Err(PriceFilesError::SameName { first: first.clone(), second: path.to_owned() })
            }
            _ => {
                self.0.insert(name, PriceFile { path: path.to_owned(), text });
                Ok(())
            }
        }
    }

    fn with_path(&self, mut error: CatalogueError) -> CatalogueError {
        if let CatalogueError::Syntax { file, .. } | CatalogueError::Field { file, .. } = &mut error
            && let Some(named) = self.0.get(file)
        {
            *file = named.path.display().to_string();
        }
        error
    }
}

/// Price files of a folder, by name. A file that is linked from elsewhere counts, as where a cluster mounts its settings.
fn price_files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden && !path.is_dir() {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn read_text(path: &Path) -> Result<String, PriceFilesError> {
    let unreadable = |source| PriceFilesError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(unreadable)?;
    if length as u64 > FILE_LIMIT {
        return Err(PriceFilesError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

fn is_same(first: &Path, second: &Path) -> bool {
    matches!((first.canonicalize(), second.canonicalize()), (Ok(first), Ok(second)) if first == second)
}

/// A price file with one model, `m`, for tests.
#[cfg(test)]
pub(crate) fn price_file(provider: &str, input: &str) -> String {
    format!(
        "schema = 1\ncatalogue = 2026-11-23\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"{provider}\"\n\
         [[model]]\nid = \"m\"\nsource = \"a list\"\nchecked_on = 2026-11-23\n\
         [[model.interval]]\nrates = {{ input = \"{input}\" }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn error(paths: &[PathBuf]) -> String {
        crate::failure::told(&PriceFiles::read(paths).unwrap_err())
    }

    #[test]
    fn the_price_files_of_a_folder_are_laid_over_the_built_in_prices() {
        let (acme, other) = (price_file("acme", "1"), price_file("other", "2"));
        let folder = folder(&[("acme.toml", &acme), ("other.toml", &other), (".acme.toml", "x"), ("notes.txt", "x")]);
        std::fs::create_dir(folder.path().join("old.toml")).unwrap();
        let files = PriceFiles::read(&[folder.path().to_owned(), folder.path().join("acme.toml")]).unwrap();
        let catalogue = files.lay_over(Catalogue::embedded()).unwrap();
        assert!(catalogue.find("acme", "m").is_some() && catalogue.find("other", "m").is_some());
        assert!(catalogue.find("openai", "gpt-5").is_some());
        let moved = PriceFiles::read(&[folder.path().join("other.toml"), folder.path().join("acme.toml")]).unwrap();
        assert_eq!(moved.lay_over(Catalogue::embedded()).unwrap().version(), catalogue.version());
    }

    #[test]
    fn without_files_the_prices_are_the_built_in_ones() {
        let catalogue = PriceFiles::read(&[]).unwrap().lay_over(Catalogue::embedded()).unwrap();
        assert_eq!(catalogue.version(), Catalogue::embedded().version());
    }

    #[test]
    fn an_error_names_the_file() {
        let broken = folder(&[("acme.toml", &price_file("acme", "-1"))]);
        let files = PriceFiles::read(&[broken.path().to_owned()]).unwrap();
        let said = files.lay_over(Catalogue::embedded()).unwrap_err().to_string();
        let path = broken.path().join("acme.toml");
        assert_eq!(said, format!("price file {}, model m, field interval[0].rates.input", path.display()));

        let empty = folder(&[("notes.txt", "x")]);
        assert!(
            error(&[empty.path().to_owned()])
                .contains(&format!("no price file (*.toml) in the folder {}", empty.path().display()))
        );
        assert!(error(&[empty.path().join("none.toml")]).contains("none.toml: No such file"));
        let again = folder(&[("acme.toml", &price_file("acme", "1"))]);
        let same = error(&[broken.path().to_owned(), again.path().to_owned()]);
        assert!(same.contains(&path.display().to_string()) && same.contains("same name"), "{same}");
        let binary = empty.path().join("binary.toml");
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();
        assert!(error(&[binary]).contains("binary.toml: stream did not contain valid UTF-8"));
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read_to_its_end() {
        let folder = folder(&[]);
        let path = folder.path().join("large.toml");
        File::create(&path).unwrap().set_len(FILE_LIMIT + 1).unwrap();
        assert!(error(&[path]).contains("large.toml has more than 16777216 bytes"));
    }
}

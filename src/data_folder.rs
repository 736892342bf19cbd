//! The folder of `opstream up`, for commands that work on what it holds: named with `--data`, or `./opstream-data` where neither
//! a folder nor a database is named.

use std::path::{Path, PathBuf};

use opstream_schemas::database::{Database, DatabaseUrl};

use crate::foreign_tables::refuse_foreign;
use crate::settings::{DatabaseArgs, LakeArgs, open_database};

/// Folder of `opstream up` when neither a folder nor a database is named.
pub(crate) const DEFAULT_DATA: &str = "./opstream-data";

/// Where a pipeline's database is, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Address of the database.
    pub(crate) url: DatabaseUrl,
    /// The folder that it is in; none for a database that was named by itself.
    pub(crate) folder: Option<PathBuf>,
    /// Whether the address comes from a variable that other programs have too.
    pub(crate) is_shared: bool,
}

impl Place {
    /// The database of the folder `data`; without one the database that the flags name, and else that of the folder `default`.
    /// `CONNECTION_STRING` may be another program's, so a folder with a database is preferred to it.
    ///
    /// # Errors
    /// When `data` is no folder, or the flags name no database that we know.
    pub(crate) fn of(data: Option<&Path>, default: &Path, database: &DatabaseArgs) -> anyhow::Result<Self> {
        if let Some(file) = data.filter(|data| data.is_file()) {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            anyhow::bail!(
                "--data (OPSTREAM_DATA) {} is a file; name the folder that it is in: {}",
                file.display(),
                folder.display()
            );
        }
        let folder = data.unwrap_or(default);
        let file = folder.join("opstream.db");
        let is_named = database.database_url.is_some() || (database.connection_string.is_some() && !file.is_file());
        if data.is_none() && is_named {
            return Self::named(database);
        }
        Ok(Self { url: DatabaseUrl::Sqlite(file), folder: Some(folder.to_owned()), is_shared: false })
    }

    /// The database that the flags name.
    ///
    /// # Errors
    /// When they name none, or none that we know.
    pub(crate) fn named(database: &DatabaseArgs) -> anyhow::Result<Self> {
        Ok(Self { url: database.url()?, folder: None, is_shared: database.database_url.is_none() })
    }

    /// Opens the database and brings its tables to this version.
    ///
    /// # Errors
    /// When it cannot be reached, was migrated by a newer version, or belongs to another program whose variable we share.
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        if self.is_shared {
            Box::pin(refuse_foreign(&self.url)).await?;
        }
        open_database(&self.url).await
    }

    /// Root of the lake: that of the folder, else the one of the flag.
    pub(crate) fn lake(&self, flag: &LakeArgs) -> PathBuf {
        self.folder.as_ref().map_or_else(|| flag.lake.clone(), |folder| folder.join("lake"))
    }

    /// Refuses a database file that is not there: opening would create it, and an empty one has nothing to look at.
    ///
    /// # Errors
    /// Names the file, and the flag that names another.
    pub(crate) fn require_file(&self) -> anyhow::Result<()> {
        let DatabaseUrl::Sqlite(file) = &self.url else { return Ok(()) };
        let named_by = match (&self.folder, self.is_shared) {
            (Some(_), _) => "name the folder of `opstream up` with --data",
            (None, false) => "--database-url (OPSTREAM_DATABASE_URL) names it",
            (None, true) => "CONNECTION_STRING names it",
        };
        anyhow::ensure!(file.is_file(), "there is no file {}; {named_by}", file.display());
        Ok(())
    }
}

/// Where a command finds what it looks at.
#[derive(clap::Args, Clone)]
pub(crate) struct PlaceArgs {
    /// Folder of `opstream up`, with all that it keeps; wins over the other addresses [default: ./opstream-data]
    #[arg(long, value_name = "DIR", env = "OPSTREAM_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl PlaceArgs {
    /// As with `opstream verify`, the folder is preferred to the variable that others have too.
    ///
    /// # Errors
    /// Those of [`Place::of`].
    pub(crate) fn place(&self) -> anyhow::Result<Place> {
        Place::of(self.data.as_deref(), Path::new(DEFAULT_DATA), &self.database)
    }

    /// Opens the database, which must be there; its tables are brought to this version.
    ///
    /// # Errors
    /// Those of [`Place::require_file`] and [`Place::open`].
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        let place = self.place()?;
        place.require_file()?;
        Box::pin(place.open()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(url: Option<&str>, connection_string: Option<&str>) -> DatabaseArgs {
        DatabaseArgs { database_url: url.map(str::to_owned), connection_string: connection_string.map(str::to_owned) }
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_answered_with_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("opstream.db");
        std::fs::write(&file, "").unwrap();
        let error = Place::of(Some(&file), Path::new("none"), &flags(None, None)).unwrap_err().to_string();
        assert!(error.contains("is a file") && error.ends_with(&folder.path().display().to_string()), "{error}");
        let found = Place::of(Some(folder.path()), Path::new("none"), &flags(Some("sqlite:other.db"), None)).unwrap();
        assert_eq!((found.url, found.folder.as_deref()), (DatabaseUrl::Sqlite(file), Some(folder.path())));
    }

    #[test]
    fn a_missing_file_is_named_with_the_flag_that_named_it() {
        let missing = |data: Option<&str>, url: Option<&str>, shared: Option<&str>| {
            let place = Place::of(data.map(Path::new), Path::new("/nowhere"), &flags(url, shared)).unwrap();
            place.require_file().unwrap_err().to_string()
        };
        let named = missing(None, Some("sqlite:nope.db"), None);
        assert_eq!(named, "there is no file nope.db; --database-url (OPSTREAM_DATABASE_URL) names it");
        assert!(missing(None, None, Some("sqlite:///nope.db")).ends_with("nope.db; CONNECTION_STRING names it"));
        assert!(missing(Some("/nope"), Some("sqlite:x.db"), None).starts_with("there is no file /nope/opstream.db"));
        assert!(missing(None, None, None).contains("/nowhere/opstream.db; name the folder"));
    }
}

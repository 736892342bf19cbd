//! Reads the address of a database, in our form or as `SQLAlchemy` writes it.

use std::fmt;
use std::path::PathBuf;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A `postgres://` URL, passwords included.
    Postgres(String),
    /// A SQLite file.
    Sqlite(PathBuf),
}

/// An address that names no database we know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseUrlError {
    /// Another scheme. The address itself may hold a password and is not repeated.
    #[error("database scheme {scheme:?} is not known; expected postgres://user@host/database or sqlite:FILE")]
    UnknownScheme {
        /// The text before the first colon.
        scheme: String,
    },
    /// A way to encrypt that nobody knows; guessing could send the password in the clear.
    #[error("{name}={value:?} is not known; expected {name}=disable, allow, prefer, require, verify-ca or verify-full")]
    UnknownSslMode {
        /// Name of the parameter.
        name: &'static str,
        /// What it was set to.
        value: String,
    },
    /// A SQLite address without a file.
    #[error("sqlite address names no file; expected sqlite:FILE (an in-memory database would lose every operation)")]
    NoFile,
}

impl DatabaseUrl {
    /// Accepts `postgres://…`, `postgresql://…`, `sqlite:FILE`, and `SQLAlchemy`'s `postgresql+asyncpg://…` and
    /// `sqlite+aiosqlite:///FILE` (three slashes: relative, four: absolute). `ssl=MODE`, as asyncpg's users write it, is
    /// `sslmode=MODE`.
    ///
    /// # Errors
    /// When the scheme is another, the mode of encryption is not known, or SQLite has no file.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        let dialect = scheme.split('+').next().unwrap_or(scheme).to_ascii_lowercase();
        match dialect.as_str() {
            "postgres" | "postgresql" => Ok(Self::Postgres(format!("postgres:{}", with_sslmode(rest)?))),
            "sqlite" => {
                let file = rest.strip_prefix("///").or_else(|| rest.strip_prefix("//")).unwrap_or(rest);
                let file = file.split('?').next().unwrap_or(file);
                if file.is_empty() || file == ":memory:" {
                    return Err(DatabaseUrlError::NoFile);
                }
                Ok(Self::Sqlite(PathBuf::from(file)))
            }
            _ => Err(DatabaseUrlError::UnknownScheme { scheme: scheme.chars().take(32).collect() }),
        }
    }
}

/// How a connection is encrypted, as libpq names it.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// The address with `ssl=` renamed to `sslmode=`: the driver would ignore the former and go on without encryption.
fn with_sslmode(address: &str) -> Result<String, DatabaseUrlError> {
    let Some((place, query)) = address.split_once('?') else { return Ok(address.to_owned()) };
    let mut parameters = Vec::new();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = match name {
            "ssl" => "ssl",
            "sslmode" | "ssl-mode" => "sslmode",
            _ => {
                parameters.push(parameter.to_owned());
                continue;
            }
        };
        let value = value.to_ascii_lowercase();
        if !SSL_MODES.contains(&value.as_str()) {
            return Err(DatabaseUrlError::UnknownSslMode { name, value });
        }
        parameters.push(format!("sslmode={value}"));
    }
    Ok(format!("{place}?{}", parameters.join("&")))
}

/// Passwords stay out of logs.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(url) => {
                let place =
                    url.rsplit_once('@').map_or_else(|| url.trim_start_matches("postgres://"), |(_, place)| place);
                write!(f, "postgres://{}", place.split('?').next().unwrap_or(place))
            }
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlalchemy_addresses_are_understood() {
        let postgres = DatabaseUrl::parse("postgresql+asyncpg://me:secret@db.example/ops?ssl=require").unwrap();
        assert_eq!(postgres, DatabaseUrl::Postgres("postgres://me:secret@db.example/ops?sslmode=require".to_owned()));
        assert_eq!(postgres.to_string(), "postgres://db.example/ops");
        assert_eq!(DatabaseUrl::parse("sqlite:///ops.db").unwrap(), DatabaseUrl::Sqlite("ops.db".into()));
        assert_eq!(
            DatabaseUrl::parse("sqlite+aiosqlite:////var/ops.db").unwrap(),
            DatabaseUrl::Sqlite("/var/ops.db".into())
        );
        assert_eq!(DatabaseUrl::parse("sqlite:ops.db").unwrap(), DatabaseUrl::Sqlite("ops.db".into()));
    }

    #[test]
    fn a_mode_of_encryption_is_kept_or_refused_and_never_dropped() {
        let kept = "postgres://h/d?sslrootcert=/ca.pem&sslmode=verify-full";
        assert_eq!(DatabaseUrl::parse(kept).unwrap(), DatabaseUrl::Postgres(kept.to_owned()));
        for unknown in ["postgres://h/d?ssl=yes", "postgres://h/d?sslmode=required", "postgres://h/d?ssl"] {
            let error = DatabaseUrl::parse(unknown).unwrap_err().to_string();
            assert!(error.contains("verify-full"), "{error}");
        }
    }

    #[test]
    fn an_unknown_address_is_refused_without_repeating_it() {
        let error = DatabaseUrl::parse("mysql://me:secret@db/ops").unwrap_err().to_string();
        assert!(error.contains("mysql") && !error.contains("secret"), "{error}");
        assert_eq!(DatabaseUrl::parse("sqlite:///:memory:"), Err(DatabaseUrlError::NoFile));
    }
}

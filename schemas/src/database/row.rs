//! A row of an answer, read by column name.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::OperationId;

/// One row from either database.
#[derive(Debug)]
pub enum Row {
    /// From Postgres.
    Postgres(PgRow),
    /// From SQLite.
    Sqlite(SqliteRow),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident, $optional:ident -> $type:ty;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// When the column is missing, null or of another type.
            pub fn $name(&self, column: &str) -> Result<$type, sqlx::Error> {
                match self {
                    Self::Postgres(row) => row.try_get(column),
                    Self::Sqlite(row) => row.try_get(column),
                }
            }

            $(#[$doc])*
            /// Null is `None`.
            ///
            /// # Errors
            /// When the column is missing or of another type.
            pub fn $optional(&self, column: &str) -> Result<Option<$type>, sqlx::Error> {
                match self {
                    Self::Postgres(row) => row.try_get(column),
                    Self::Sqlite(row) => row.try_get(column),
                }
            }
        )*
    };
}

impl Row {
    getters! {
        /// An integer column (`bigint`; Postgres sums must be cast).
        int, optional_int -> i64;
        /// A boolean column.
        bool, optional_bool -> bool;
        /// A floating-point column.
        float, optional_float -> f64;
        /// A text column.
        text, optional_text -> String;
        /// A binary column.
        bytes, optional_bytes -> Vec<u8>;
    }

    /// An operation id.
    ///
    /// # Errors
    /// When the column is missing, null or no id.
    pub fn id(&self, column: &str) -> Result<OperationId, sqlx::Error> {
        self.optional_id(column)?
            .ok_or_else(|| sqlx::Error::ColumnDecode { index: column.to_owned(), source: "unexpected null".into() })
    }

    /// An operation id; null is `None`.
    ///
    /// # Errors
    /// When the column is missing or no id.
    pub fn optional_id(&self, column: &str) -> Result<Option<OperationId>, sqlx::Error> {
        let uuid: Option<Uuid> = match self {
            Self::Postgres(row) => row.try_get(column)?,
            Self::Sqlite(row) => row.try_get(column)?,
        };
        Ok(uuid.map(|uuid| OperationId::from_bytes(*uuid.as_bytes())))
    }
}

//! A bound value of a statement. The type is kept for nulls too, because Postgres asks for it.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite};
use uuid::Uuid;

use crate::{NanoUsd, OperationId, UtcMicros, UtcMillis};

/// What a statement's `$n` stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bigint` / `integer`.
    Int(Option<i64>),
    /// `boolean`; 0 and 1 in SQLite.
    Bool(Option<bool>),
    /// `double precision` / `real`.
    Float(Option<f64>),
    /// `text`.
    Text(Option<String>),
    /// `bytea` / `blob`.
    Bytes(Option<Vec<u8>>),
    /// `uuid` in Postgres, a 16-byte blob in SQLite.
    Id(Option<OperationId>),
}

impl Value {
    pub(super) fn bind_postgres<'q>(
        &'q self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        match self {
            Self::Int(value) => query.bind(*value),
            Self::Bool(value) => query.bind(*value),
            Self::Float(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.as_deref()),
            Self::Bytes(value) => query.bind(value.as_deref()),
            Self::Id(value) => query.bind(value.map(|id| Uuid::from_bytes(id.bytes()))),
        }
    }

    pub(super) fn bind_sqlite<'q>(
        &'q self,
        query: Query<'q, Sqlite, SqliteArguments>,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        match self {
            Self::Int(value) => query.bind(*value),
            Self::Bool(value) => query.bind(*value),
            Self::Float(value) => query.bind(*value),
            Self::Text(value) => query.bind(value.as_deref()),
            Self::Bytes(value) => query.bind(value.as_deref()),
            Self::Id(value) => query.bind(value.map(|id| id.bytes().to_vec())),
        }
    }
}

macro_rules! value_from {
    ($($source:ty => $variant:ident, $convert:expr;)*) => {
        $(
            impl From<$source> for Value {
                fn from(value: $source) -> Self {
                    Self::$variant(Some($convert(value)))
                }
            }
            impl From<Option<$source>> for Value {
                fn from(value: Option<$source>) -> Self {
                    Self::$variant(value.map($convert))
                }
            }
        )*
    };
}

value_from! {
    i64 => Int, std::convert::identity;
    i32 => Int, i64::from;
    u32 => Int, i64::from;
    bool => Bool, std::convert::identity;
    f64 => Float, std::convert::identity;
    String => Text, std::convert::identity;
    &str => Text, str::to_owned;
    Vec<u8> => Bytes, std::convert::identity;
    &[u8] => Bytes, <[u8]>::to_vec;
    OperationId => Id, std::convert::identity;
    NanoUsd => Int, NanoUsd::nanos;
    UtcMillis => Int, UtcMillis::millis;
    UtcMicros => Int, UtcMicros::micros;
}

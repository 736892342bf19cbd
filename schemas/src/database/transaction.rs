//! A write transaction on either database.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, SqlSafeStr, SqlStr, Sqlite};

use super::{Engine, Row, Value};

/// An open transaction; dropping it rolls back.
#[derive(Debug)]
pub enum Transaction {
    /// On a Postgres connection of the pool.
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// On the one SQLite writer connection, begun with BEGIN IMMEDIATE.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Transaction {
    /// Which of the two databases this is on.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Postgres(_) => Engine::Postgres,
            Self::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Runs a statement and returns the number of rows it changed.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<u64, sqlx::Error> {
        let sql = sql.into_sql_str();
        match self {
            Self::Postgres(tx) => Ok(postgres_query(sql, values).execute(&mut **tx).await?.rows_affected()),
            Self::Sqlite(tx) => Ok(sqlite_query(sql, values).execute(&mut **tx).await?.rows_affected()),
        }
    }

    /// Runs a query and returns all its rows.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn fetch_all(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
        let sql = sql.into_sql_str();
        match self {
            Self::Postgres(tx) => {
                Ok(postgres_query(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite(tx) => {
                Ok(sqlite_query(sql, values).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect())
            }
        }
    }

    /// Runs a query and returns its first row.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn fetch_optional(&mut self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Option<Row>, sqlx::Error> {
        let sql = sql.into_sql_str();
        match self {
            Self::Postgres(tx) => Ok(postgres_query(sql, values).fetch_optional(&mut **tx).await?.map(Row::Postgres)),
            Self::Sqlite(tx) => Ok(sqlite_query(sql, values).fetch_optional(&mut **tx).await?.map(Row::Sqlite)),
        }
    }

    /// Makes every change durable. On an error the outcome is unknown: ask the database again.
    ///
    /// # Errors
    /// What the database answers, or that the connection was lost.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(tx) => tx.commit().await,
            Self::Sqlite(tx) => tx.commit().await,
        }
    }

    /// Undoes every change.
    ///
    /// # Errors
    /// What the database answers, or that the connection was lost.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(tx) => tx.rollback().await,
            Self::Sqlite(tx) => tx.rollback().await,
        }
    }
}

pub(super) fn postgres_query(sql: SqlStr, values: &[Value]) -> Query<'_, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| value.bind_postgres(query))
}

pub(super) fn sqlite_query(sql: SqlStr, values: &[Value]) -> Query<'_, Sqlite, SqliteArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| value.bind_sqlite(query))
}

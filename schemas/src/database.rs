//! One way to both databases: Postgres for a fleet, SQLite for a laptop, the same tables and statements.
//!
//! Statements use `$1` binds and `on conflict`, which both understand, so nearly every query is written once;
//! [`Value`] and [`Row`] carry what goes in and out. The bulk insert of operations is the exception, and lives with
//! the ingestor. SQLite has one writer connection for all roles of the process: waiting for it is first come, first
//! served, each transaction begins with BEGIN IMMEDIATE, and readers use a read-only pool of their own.

mod blockers;
mod bounded;
mod connect;
mod each;
mod row;
mod transaction;
mod url;
mod value;

pub use connect::{ConnectError, Database, Engine, within};
pub use row::Row;
pub use transaction::Transaction;
pub use url::{DatabaseUrl, DatabaseUrlError};
pub use value::Value;

#[cfg(test)]
mod tests;

//! What a plan rests on, and what must still be so when its outcome is committed.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Engine, Row, Transaction};

const READ: &str = "select name, value from settings \
                    where name in ('window_generation', 'window_rebuild', 'retention_floor_ms', 'repricing')";
/// Holds the values until the commit: a rebuild is asked for and the floor is moved before or after it.
const HOLD: &str = "select name, value from settings \
                    where name in ('window_generation', 'window_rebuild', 'retention_floor_ms', 'repricing') order by name for share";

/// Settings that replacing files depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// The generation whose files are replaced.
    pub(crate) generation: i64,
    /// Days below are dropped, with their files.
    pub(crate) floor: UtcMillis,
    /// The re-pricing under way.
    pub(crate) repricing: Option<i64>,
}

impl Grounds {
    /// Reads them; `None` while windows are built again: then files stay as they are, so that both generations are made of the same ones.
    pub(crate) async fn read(database: &Database) -> Result<Option<Self>, sqlx::Error> {
        Self::of(&database.fetch_all(READ, &[]).await?)
    }

    /// Reads them in a transaction, and holds them until its end.
    pub(crate) async fn hold(tx: &mut Transaction) -> Result<Option<Self>, sqlx::Error> {
        // SQLite has one writer, which this transaction is.
        let sql = if tx.engine() == Engine::Postgres { HOLD } else { READ };
        Self::of(&tx.fetch_all(sql, &[]).await?)
    }

    fn of(rows: &[Row]) -> Result<Option<Self>, sqlx::Error> {
        let mut grounds = Self { generation: 0, floor: UtcMillis::default(), repricing: None };
        let mut rebuild = 0;
        for row in rows {
            let value = row.int("value")?;
            match row.text("name")?.as_str() {
                "window_generation" => grounds.generation = value,
                "window_rebuild" => rebuild = value,
                "repricing" => grounds.repricing = (value > 0).then_some(value),
                _ => grounds.floor = UtcMillis::from_millis(value),
            }
        }
        Ok((rebuild == 0).then_some(grounds))
    }
}

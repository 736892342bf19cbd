//! The letters of the table that are to be sent as they were, oldest first and in the order of their partitions.

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row};
use sqlx::AssertSqlSafe;

use super::candidate::Candidate;
use super::{PAGE_BYTES, PAGE_LETTERS, Rules};
use crate::dead_letters::conditions::{Conditions, Cursor};
use crate::dead_letters::letter::Letter;
use crate::dead_letters::place::Place;
use crate::dead_letters::writers::Writers;

const PAGE: &str = include_str!("page.sql");

/// A place that is not a letter's. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("there is no dead letter {0}; `list` shows those that there are")]
pub struct NoSuchLetter(Place);

/// The letters that are asked for.
#[derive(Clone, Debug)]
pub struct Meant<'a> {
    /// Which they are.
    pub conditions: Conditions,
    /// The same where each was named; else empty.
    pub places: &'a [Place],
}

/// The letters that a run is about. Those that come while it runs are not among them: a record that fails again would be sent
/// for ever.
pub struct StoredLetters {
    conditions: Conditions,
    rules: Rules,
    writers: Writers,
    newest: Option<Cursor>,
    read_to: Option<Cursor>,
    /// How many there are.
    pub count: i64,
    /// How many are left out because they were redriven before.
    pub redriven_before: i64,
}

impl StoredLetters {
    /// Counts the letters that are meant, redriven ones included, and remembers the newest of them. When they are named, every one of
    /// these places must be there.
    ///
    /// # Errors
    /// When a place is not a letter's, or the database does not answer.
    pub async fn choose(database: &Database, meant: Meant<'_>, rules: Rules, writers: Writers) -> anyhow::Result<Self> {
        let Meant { conditions: meant, places } = meant;
        if !places.is_empty() {
            require_all(database, places, &meant).await?;
        }
        let all = count(database, &meant).await.context("cannot count the dead letters")?;
        let conditions = if rules.again { meant } else { meant.not_redriven() };
        let chosen = count(database, &conditions).await.context("cannot count the dead letters")?;
        let newest = newest(database, &conditions).await.context("cannot look for the newest dead letter")?;
        Ok(Self {
            conditions,
            rules,
            writers,
            newest,
            read_to: None,
            count: chosen,
            redriven_before: (all - chosen).max(0),
        })
    }

    /// The next letters; none when all were returned.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn page(&mut self, database: &Database) -> anyhow::Result<Vec<Candidate>> {
        let Some(newest) = self.newest else { return Ok(Vec::new()) };
        let mut conditions = self.conditions.clone().beside("<=", newest);
        if let Some(read_to) = self.read_to {
            conditions = conditions.beside(">", read_to);
        }
        let letters = conditions.bind(i64::try_from(PAGE_LETTERS).unwrap_or(i64::MAX).into());
        let bytes = conditions.bind(i64::try_from(PAGE_BYTES).unwrap_or(i64::MAX).into());
        let sql =
            PAGE.replace("{conditions}", &conditions.sql()).replace("{letters}", &letters).replace("{bytes}", &bytes);
        let rows = database.fetch_all(AssertSqlSafe(sql), conditions.values()).await;
        let rows = rows.context("cannot read the dead letters")?;
        let letters: Vec<Letter> = rows.iter().map(Letter::of).collect::<Result<_, _>>()?;
        if let Some(last) = letters.last() {
            self.read_to = Some(Cursor { stored_at: last.stored_at, place: last.place });
        }
        let schemas = self.writers.schemas_of(&letters).await?;
        Ok(letters.into_iter().map(|letter| Candidate::as_it_was(letter, schemas, self.rules)).collect())
    }
}

async fn count(database: &Database, conditions: &Conditions) -> Result<i64, sqlx::Error> {
    let sql = format!("select count(*) as letters from dead_letters where {}", conditions.sql());
    let row =
        database.fetch_optional(AssertSqlSafe(sql), conditions.values()).await?.ok_or(sqlx::Error::RowNotFound)?;
    row.int("letters")
}

async fn newest(database: &Database, conditions: &Conditions) -> Result<Option<Cursor>, sqlx::Error> {
    let sql = format!(
        "select stored_at_ms, stream_id, cast(partition as bigint) as partition, source_offset from dead_letters where {} \
         order by stored_at_ms desc, stream_id desc, dead_letters.partition desc, source_offset desc limit 1",
        conditions.sql()
    );
    let cursor =
        |row: &Row| Ok(Cursor { stored_at: UtcMillis::from_millis(row.int("stored_at_ms")?), place: Place::of(row)? });
    database.fetch_optional(AssertSqlSafe(sql), conditions.values()).await?.as_ref().map(cursor).transpose()
}

/// Nothing is sent when a place is mistyped.
async fn require_all(database: &Database, places: &[Place], conditions: &Conditions) -> anyhow::Result<()> {
    let sql = format!(
        "select stream_id, cast(partition as bigint) as partition, source_offset from dead_letters where {}",
        conditions.sql()
    );
    let rows = database.fetch_all(AssertSqlSafe(sql), &[]).await.context("cannot look for the dead letters")?;
    let found: Vec<Place> = rows.iter().map(Place::of).collect::<Result<_, _>>()?;
    match places.iter().find(|place| !found.contains(place)) {
        Some(missing) => Err(NoSuchLetter(*missing).into()),
        None => Ok(()),
    }
}

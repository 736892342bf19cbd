//! Re-pricings as they are asked for and stand in the tables.

use std::collections::BTreeMap;

use opstream_pricing::Pricer;
use opstream_schemas::database::{Database, Engine, Row, Transaction, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::{OperationId, UtcMillis};

use super::commit::Direction;
use super::models::{ModelChange, ModelChanges};
use crate::lease::{self, LeaseError};
use crate::rewriting::grounds::Grounds;

/// The columns of [`Repricing`].
const COLUMNS: &str =
    "repricing, state, from_ms, to_ms, price_version, asked_at_ms, finished_at_ms, failure, files, operations, changed";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepricingRequest {
    /// Operations from this time on.
    pub from: UtcMillis,
    /// Operations before this time.
    pub to: UtcMillis,
    /// The catalogue that they are priced with.
    pub price_version: String,
    /// The price files above the built-in prices that make this catalogue, by name.
    pub price_files: BTreeMap<String, String>,
    /// Which cost counts.
    pub cost_policy: CostPolicy,
}

/// How far a re-pricing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepricingState {
    /// Costs are being computed.
    Running,
    /// All are.
    Done,
    /// It was given up; what was done until then is so.
    Failed,
    /// The costs of before are being put back.
    Undoing,
    /// All are.
    Undone,
}

/// A re-pricing as the tables say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repricing {
    /// Its number.
    pub number: i64,
    /// How far it is.
    pub state: RepricingState,
    /// Operations from this time on.
    pub from: UtcMillis,
    /// Operations before this time.
    pub to: UtcMillis,
    /// The catalogue.
    pub price_version: String,
    /// When it was asked for.
    pub asked_at: UtcMillis,
    /// When it, or its undoing, was over.
    pub finished_at: Option<UtcMillis>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Files that were looked through.
    pub files: i64,
    /// Operations that were priced.
    pub operations: i64,
    /// Operations whose cost changed.
    pub changed: i64,
}

/// Why nothing was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// One at a time.
    #[error("re-pricing {number} is under way; `opstream reprice show {number}` says how far it is")]
    UnderWay {
        /// Which.
        number: i64,
    },
    /// Look at the number again.
    #[error("there is no re-pricing {number}; `opstream reprice list` shows those that there are")]
    Unknown {
        /// The number.
        number: i64,
    },
    /// There is nothing to undo.
    #[error("re-pricing {number} is undone")]
    Undone {
        /// The number.
        number: i64,
    },
    /// What a later one found would be overwritten.
    #[error("re-pricing {later} changed operations of the same time after re-pricing {number}: undo {later} first")]
    Later {
        /// The number.
        number: i64,
        /// The later one.
        later: i64,
    },
    /// Try again.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
}

impl RepricingState {
    const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Undoing, Self::Undone];

    /// The name in SQL and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    /// Whether the aggregator still has to do something.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Running | Self::Undoing)
    }
}

impl Repricing {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let millis = |name| row.int(name).map(UtcMillis::from_millis);
        let state = row.text("state")?;
        let known = RepricingState::ALL.into_iter().find(|known| known.name() == state);
        Ok(Self {
            number: row.int("repricing")?,
            state: known.ok_or_else(|| sqlx::Error::Decode(format!("no state of a re-pricing: {state}").into()))?,
            from: millis("from_ms")?,
            to: millis("to_ms")?,
            price_version: row.text("price_version")?,
            asked_at: millis("asked_at_ms")?,
            finished_at: row.optional_int("finished_at_ms")?.map(UtcMillis::from_millis),
            failure: row.optional_text("failure")?,
            files: row.int("files")?,
            operations: row.int("operations")?,
            changed: row.int("changed")?,
        })
    }
}

/// Asks for a re-pricing; returns its number. The active aggregator does it.
///
/// # Errors
/// When another one is under way, or the database fails.
pub async fn ask(database: &Database, request: &RepricingRequest) -> Result<i64, AskError> {
    let mut tx = database.begin().await?;
    hold_setting(&mut tx, None).await?;
    let now = lease::now_ms(&mut tx).await?;
    let insert = "insert into repricings (state, from_ms, to_ms, price_version, price_files, asked_at_ms, cost_policy) \
                  values ('running', $1, $2, $3, $4, $5, $6) returning repricing";
    let files = serde_json::to_string(&request.price_files).expect("texts by name are JSON");
    let values: [Value; 6] = [
        request.from.into(),
        request.to.into(),
        request.price_version.as_str().into(),
        files.into(),
        now.into(),
        request.cost_policy.name().into(),
    ];
    let row = tx.fetch_optional(insert, &values).await?.ok_or(sqlx::Error::RowNotFound)?;
    let number = row.int("repricing")?;
    begin_again(&mut tx, number).await?;
    tx.commit().await?;
    Ok(number)
}

/// Asks for the costs to be put back that a re-pricing found, whether it is done or not. The active aggregator does it.
///
/// # Errors
/// When there is no such re-pricing, it is undone, another one is under way or came after it, or the database fails.
pub async fn ask_undo(database: &Database, number: i64) -> Result<(), AskError> {
    let mut tx = database.begin().await?;
    hold_setting(&mut tx, Some(number)).await?;
    let find = format!("select {COLUMNS} from repricings where repricing = $1");
    let found = tx.fetch_optional(sqlx::AssertSqlSafe(find), &[number.into()]).await?;
    let found = Repricing::from_row(&found.ok_or(AskError::Unknown { number })?)?;
    if found.state == RepricingState::Undone {
        return Err(AskError::Undone { number });
    }
    let later = "select repricing from repricings where repricing > $1 and state <> 'undone' and changed > 0 \
                 and from_ms < $3 and to_ms > $2 order by repricing desc limit 1";
    if let Some(row) = tx.fetch_optional(later, &[number.into(), found.from.into(), found.to.into()]).await? {
        return Err(AskError::Later { number, later: row.int("repricing")? });
    }
    let undo = "update repricings set state = 'undoing', finished_at_ms = null, failure = null where repricing = $1";
    tx.execute(undo, &[number.into()]).await?;
    begin_again(&mut tx, number).await?;
    tx.commit().await?;
    Ok(())
}

/// All re-pricings, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(database: &Database) -> Result<Vec<Repricing>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from repricings order by repricing desc limit 1000");
    database.fetch_all(sqlx::AssertSqlSafe(sql), &[]).await?.iter().map(Repricing::from_row).collect()
}

/// One re-pricing with what it changed, and how many of the files that it concerns are left.
///
/// # Errors
/// When the database fails.
pub async fn show(database: &Database, number: i64) -> Result<Option<(Repricing, ModelChanges, usize)>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from repricings where repricing = $1");
    let Some(row) = database.fetch_optional(sqlx::AssertSqlSafe(sql), &[number.into()]).await? else { return Ok(None) };
    let repricing = Repricing::from_row(&row)?;
    let mut models = ModelChanges::default();
    let changes = "select provider, model, changed, unpriced_before, unpriced_after, cost_before_nano_usd, cost_after_nano_usd \
                   from repricing_models where repricing = $1";
    for row in database.fetch_all(changes, &[number.into()]).await? {
        let change = ModelChange {
            changed: row.int("changed")?,
            unpriced_before: row.int("unpriced_before")?,
            unpriced_after: row.int("unpriced_after")?,
            cost_before: row.int("cost_before_nano_usd")?.into(),
            cost_after: row.int("cost_after_nano_usd")?.into(),
        };
        models.merge(&row.text("provider")?, &row.text("model")?, &change);
    }
    let left = if repricing.state.is_under_way() {
        let left = "select count(*) as n from lake_files file where kind = 'operations' and removed_at_ms is null \
                    and max_operation_id >= $1 and min_operation_id < $2 \
                    and not exists (select 1 from repriced_files done where done.file_number = file.file_number)";
        let row = database.fetch_optional(left, &ids(repricing.from, repricing.to)).await?;
        usize::try_from(row.ok_or(sqlx::Error::RowNotFound)?.int("n")?).unwrap_or(0)
    } else {
        0
    };
    Ok(Some((repricing, models, left)))
}

/// Files that the re-pricing under way is done with.
///
/// # Errors
/// When the database fails.
pub async fn files_done(database: &Database) -> Result<usize, sqlx::Error> {
    let row = database.fetch_optional("select count(*) as n from repriced_files", &[]).await?;
    Ok(usize::try_from(row.ok_or(sqlx::Error::RowNotFound)?.int("n")?).unwrap_or(0))
}

/// Locks the setting that says what is under way, so that two askers come one after the other.
async fn hold_setting(tx: &mut Transaction, but: Option<i64>) -> Result<(), AskError> {
    let sql = match tx.engine() {
        Engine::Postgres => "select value from settings where name = 'repricing' for update",
        Engine::Sqlite => "select value from settings where name = 'repricing'",
    };
    let under_way = tx.fetch_optional(sql, &[]).await?.ok_or(sqlx::Error::RowNotFound)?.int("value")?;
    if under_way != 0 && Some(under_way) != but {
        return Err(AskError::UnderWay { number: under_way });
    }
    Ok(())
}

async fn begin_again(tx: &mut Transaction, number: i64) -> Result<(), sqlx::Error> {
    tx.execute("delete from repriced_files", &[]).await?;
    tx.execute("update settings set value = $1 where name = 'repricing'", &[number.into()]).await?;
    Ok(())
}

/// The lowest ids of these times.
fn ids(from: UtcMillis, to: UtcMillis) -> [Value; 2] {
    [OperationId::lowest_at(from).into(), OperationId::lowest_at(to).into()]
}

/// What the aggregator has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The re-pricing.
    pub(super) number: i64,
    /// Forwards or back.
    pub(super) direction: Direction,
    /// Operations from this time on.
    pub(super) from: UtcMillis,
    /// Operations before this time.
    pub(super) to: UtcMillis,
    since: UtcMillis,
    price_version: String,
    price_files: String,
    cost_policy: String,
}

impl Asked {
    /// Reads it; none when nothing is left to do.
    pub(super) async fn read(database: &Database, number: i64) -> Result<Option<Self>, sqlx::Error> {
        let sql = "select state, from_ms, to_ms, asked_at_ms, price_version, price_files, cost_policy \
                   from repricings where repricing = $1";
        let Some(row) = database.fetch_optional(sql, &[number.into()]).await? else { return Ok(None) };
        let direction = match row.text("state")?.as_str() {
            "running" => Direction::Forward,
            "undoing" => Direction::Back,
            _ => return Ok(None),
        };
        let millis = |name| row.int(name).map(UtcMillis::from_millis);
        Ok(Some(Self {
            number,
            direction,
            from: millis("from_ms")?,
            to: millis("to_ms")?,
            since: millis("asked_at_ms")?,
            price_version: row.text("price_version")?,
            price_files: row.text("price_files")?,
            cost_policy: row.text("cost_policy")?,
        }))
    }

    /// What prices operations; none on the way back. An error says why it cannot be done.
    pub(super) fn pricer(&self) -> Result<Option<Pricer>, String> {
        if self.direction == Direction::Back {
            return Ok(None);
        }
        let files: BTreeMap<String, String> =
            serde_json::from_str(&self.price_files).map_err(|error| format!("its price files are damaged: {error}"))?;
        let texts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let builtin = Catalogue::embedded();
        let catalogue = if texts.is_empty() {
            std::sync::Arc::clone(builtin)
        } else {
            std::sync::Arc::new(builtin.overlay(&texts).map_err(|error| error.to_string())?)
        };
        if catalogue.version() != self.price_version {
            return Err(format!(
                "it was asked for with prices {} by another version of opstream; this aggregator's are {}: ask again with the version that runs",
                self.price_version,
                catalogue.version()
            ));
        }
        let policy = CostPolicy::ALL.into_iter().find(|policy| policy.name() == self.cost_policy);
        let policy =
            policy.ok_or_else(|| format!("this version of opstream knows no cost policy {}", self.cost_policy))?;
        Ok(Some(Pricer::new(catalogue, policy)))
    }

    /// Files that are next, in the order of their time.
    pub(super) async fn next_files(&self, database: &Database, grounds: Grounds) -> Result<Vec<i64>, sqlx::Error> {
        let [from, to] = ids(self.from, self.to);
        let rows = database.fetch_all(include_str!("next_files.sql"), &[grounds.generation.into(), from, to]).await?;
        rows.iter().map(|row| row.int("file_number")).collect()
    }

    /// Whether there are files that were committed before it was asked for and are not in windows yet.
    pub(super) async fn awaits_files(&self, database: &Database, grounds: Grounds) -> Result<bool, sqlx::Error> {
        let [from, to] = ids(self.from, self.to);
        let values = [grounds.generation.into(), from, to, self.since.into()];
        Ok(database.fetch_optional(include_str!("awaited_files.sql"), &values).await?.is_some())
    }
}

/// Whether the re-pricing still goes in this direction; it does until the transaction ends.
pub(super) async fn holds(tx: &mut Transaction, number: i64, direction: Direction) -> Result<bool, sqlx::Error> {
    let sql = match tx.engine() {
        Engine::Postgres => "select state from repricings where repricing = $1 for update",
        Engine::Sqlite => "select state from repricings where repricing = $1",
    };
    let state = tx.fetch_optional(sql, &[number.into()]).await?.map(|row| row.text("state")).transpose()?;
    Ok(state.as_deref() == Some(direction.state().name()))
}

impl Direction {
    const fn state(self) -> RepricingState {
        match self {
            Self::Forward => RepricingState::Running,
            Self::Back => RepricingState::Undoing,
        }
    }
}

/// Ends a re-pricing, or its undoing, in which nothing is left to do.
pub(super) async fn finish(database: &Database, fence: Fence, asked: &Asked) -> Result<(), LeaseError> {
    let mut tx = lease::begin(database, fence).await?;
    if !holds(&mut tx, asked.number, asked.direction).await? {
        tx.rollback().await?;
        return Ok(());
    }
    let state = match asked.direction {
        Direction::Forward => RepricingState::Done,
        Direction::Back => RepricingState::Undone,
    };
    end(&mut tx, asked.number, state, None).await?;
    tx.commit().await?;
    tracing::info!(repricing = asked.number, "re-pricing {} is {}", asked.number, state.name());
    Ok(())
}

/// Gives a re-pricing up.
pub(super) async fn fail(database: &Database, fence: Fence, number: i64, failure: &str) -> Result<(), LeaseError> {
    let mut tx = lease::begin(database, fence).await?;
    end(&mut tx, number, RepricingState::Failed, Some(failure)).await?;
    Ok(tx.commit().await?)
}

async fn end(
    tx: &mut Transaction,
    number: i64,
    state: RepricingState,
    failure: Option<&str>,
) -> Result<(), sqlx::Error> {
    let now = lease::now_ms(tx).await?;
    let end = "update repricings set state = $2, finished_at_ms = $3, failure = $4 where repricing = $1";
    tx.execute(end, &[number.into(), state.name().into(), now.into(), failure.into()]).await?;
    begin_again(tx, 0).await
}

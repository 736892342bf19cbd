//! Re-pricings as they are asked for, and what the aggregator has to do for them.

use std::collections::BTreeMap;

use opstream_pricing::Pricer;
use opstream_schemas::database::{Database, Engine, Transaction, Value};
use opstream_schemas::offsets::Fence;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::{OperationId, UtcMillis};

use super::commit::Direction;
use super::stored::{COLUMNS, Repricing, RepricingState};
use crate::lease::{self, LeaseError};
use crate::rewriting::grounds::Grounds;

/// Files that are looked for at a time.
const PAGE: usize = if cfg!(test) { 2 } else { 1000 };

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

/// Locks the setting that says what is under way, before any row of `repricings`; returns that.
async fn lock_setting(tx: &mut Transaction) -> Result<i64, sqlx::Error> {
    let sql = match tx.engine() {
        Engine::Postgres => "select value from settings where name = 'repricing' for update",
        Engine::Sqlite => "select value from settings where name = 'repricing'",
    };
    tx.fetch_optional(sql, &[]).await?.ok_or(sqlx::Error::RowNotFound)?.int("value")
}

/// Two askers come one after the other, and the second is refused unless what is under way is its own.
async fn hold_setting(tx: &mut Transaction, but: Option<i64>) -> Result<(), AskError> {
    let under_way = lock_setting(tx).await?;
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
pub(super) fn ids(from: UtcMillis, to: UtcMillis) -> [Value; 2] {
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

    /// The file that is next in the order of time, of those that are due.
    pub(super) async fn next_file(
        &self,
        database: &Database,
        grounds: Grounds,
        is_due: impl Fn(i64) -> bool,
    ) -> Result<Next, sqlx::Error> {
        let (mut id, mut number) = (OperationId::MIN, -1);
        let mut next = Next::Nothing;
        loop {
            let [from, to] = ids(self.from, self.to);
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let values = [grounds.generation.into(), from, to, id.into(), number.into(), limit.into()];
            let rows = database.fetch_all(include_str!("next_files.sql"), &values).await?;
            for row in &rows {
                (id, number) = (row.id("min_operation_id")?, row.int("file_number")?);
                if is_due(number) {
                    return Ok(Next::File(number));
                }
                next = Next::NoneIsDue;
            }
            if rows.len() < PAGE {
                return Ok(next);
            }
        }
    }

    /// Whether there are files that were committed before it was asked for and are not in windows yet.
    pub(super) async fn awaits_files(&self, database: &Database, grounds: Grounds) -> Result<bool, sqlx::Error> {
        let [from, to] = ids(self.from, self.to);
        let values = [grounds.generation.into(), from, to, self.since.into()];
        Ok(database.fetch_optional(include_str!("awaited_files.sql"), &values).await?.is_some())
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This file.
    File(i64),
    /// There are files, but none that may be tried again now.
    NoneIsDue,
    /// All files are done.
    Nothing,
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
    lock_setting(&mut tx).await?;
    if !holds(&mut tx, asked.number, asked.direction).await? {
        tx.rollback().await?;
        return Ok(());
    }
    let left = if asked.direction == Direction::Back { left_behind(&mut tx, asked.number).await? } else { 0 };
    let (state, failure) = match (asked.direction, left) {
        (Direction::Forward, _) => (RepricingState::Done, None),
        (Direction::Back, 0) => (RepricingState::Undone, None),
        (Direction::Back, left) => {
            let failure = format!("{left} operations keep their costs: the files in which they were are given up");
            (RepricingState::Failed, Some(failure))
        }
    };
    end(&mut tx, asked.number, state, failure.as_deref()).await?;
    tx.commit().await?;
    tracing::info!(repricing = asked.number, failure, "re-pricing {} is {}", asked.number, state.name());
    Ok(())
}

/// Operations that are kept and were not put back.
async fn left_behind(tx: &mut Transaction, number: i64) -> Result<i64, sqlx::Error> {
    let floor = "select value from settings where name = 'retention_floor_ms'";
    let floor = tx.fetch_optional(floor, &[]).await?.ok_or(sqlx::Error::RowNotFound)?.int("value")?;
    let lowest = OperationId::lowest_at(UtcMillis::from_millis(floor));
    let left = "select count(*) as n from repriced_operations where repricing = $1 and operation_id >= $2";
    let row = tx.fetch_optional(left, &[number.into(), lowest.into()]).await?;
    row.ok_or(sqlx::Error::RowNotFound)?.int("n")
}

/// Gives a re-pricing up, unless it is to be undone meanwhile.
pub(super) async fn fail(database: &Database, fence: Fence, number: i64, failure: &str) -> Result<(), LeaseError> {
    let mut tx = lease::begin(database, fence).await?;
    lock_setting(&mut tx).await?;
    if !holds(&mut tx, number, Direction::Forward).await? {
        tx.rollback().await?;
        return Ok(());
    }
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

//! The table of re-pricings, as it is read.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row};

use super::asked::ids;
use super::models::{ModelChange, ModelChanges};
use crate::retention::read_floor;

/// The columns of [`Repricing`].
pub(super) const COLUMNS: &str = "repricing, state, from_ms, to_ms, price_version, cost_policy, asked_at_ms, finished_at_ms, failure, files, operations, changed";

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
    /// Which cost counts.
    pub cost_policy: String,
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
    pub(super) fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let millis = |name| row.int(name).map(UtcMillis::from_millis);
        let state = row.text("state")?;
        let known = RepricingState::ALL.into_iter().find(|known| known.name() == state);
        Ok(Self {
            number: row.int("repricing")?,
            state: known.ok_or_else(|| sqlx::Error::Decode(format!("no state of a re-pricing: {state}").into()))?,
            from: millis("from_ms")?,
            to: millis("to_ms")?,
            price_version: row.text("price_version")?,
            cost_policy: row.text("cost_policy")?,
            asked_at: millis("asked_at_ms")?,
            finished_at: row.optional_int("finished_at_ms")?.map(UtcMillis::from_millis),
            failure: row.optional_text("failure")?,
            files: row.int("files")?,
            operations: row.int("operations")?,
            changed: row.int("changed")?,
        })
    }
}

/// A re-pricing, and what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The re-pricing.
    pub repricing: Repricing,
    /// What it changed.
    pub models: ModelChanges,
    /// How many of the files that it concerns are left.
    pub files_left: usize,
    /// Operations before this moment are no longer kept: what they cost stays as it is in windows.
    pub kept_from: UtcMillis,
}

/// All re-pricings, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(database: &Database) -> Result<Vec<Repricing>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from repricings order by repricing desc limit 1000");
    database.fetch_all(sqlx::AssertSqlSafe(sql), &[]).await?.iter().map(Repricing::from_row).collect()
}

/// One re-pricing with what it changed.
///
/// # Errors
/// When the database fails.
pub async fn show(database: &Database, number: i64) -> Result<Option<Shown>, sqlx::Error> {
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
    let files_left = if repricing.state.is_under_way() {
        let left = "select count(*) as n from lake_files file where kind = 'operations' and removed_at_ms is null \
                    and max_operation_id >= $1 and min_operation_id < $2 \
                    and not exists (select 1 from repriced_files done where done.file_number = file.file_number)";
        let row = database.fetch_optional(left, &ids(repricing.from, repricing.to)).await?;
        usize::try_from(row.ok_or(sqlx::Error::RowNotFound)?.int("n")?).unwrap_or(0)
    } else {
        0
    };
    let kept_from = read_floor(database).await?;
    Ok(Some(Shown { repricing, models, files_left, kept_from }))
}

/// Files that the re-pricing under way is done with.
///
/// # Errors
/// When the database fails.
pub async fn files_done(database: &Database) -> Result<usize, sqlx::Error> {
    let row = database.fetch_optional("select count(*) as n from repriced_files", &[]).await?;
    Ok(usize::try_from(row.ok_or(sqlx::Error::RowNotFound)?.int("n")?).unwrap_or(0))
}

/// The catalogue that priced the newest operation from one time to before another; none without a priced one.
///
/// # Errors
/// When the database fails.
pub async fn newest_price_version(
    database: &Database,
    (from, to): (UtcMillis, UtcMillis),
) -> Result<Option<String>, sqlx::Error> {
    let sql = "select price_version from operations where operation_id >= $1 and operation_id < $2 \
               order by operation_id desc limit 1";
    let row = database.fetch_optional(sql, &ids(from, to)).await?;
    Ok(row.map(|row| row.text("price_version")).transpose()?.filter(|version| !version.is_empty()))
}

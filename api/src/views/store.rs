//! The table of saved views. Who changes one names the version that was read: of two who change the same, the second is told.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Value};
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Kind;

/// Most views and dashboards. A page lists them all.
const MAX_VIEWS: i64 = 1000;
/// All but the definition, which a list leaves out.
const HEAD: &str = "view_id, kind, name, description, version, created_at_ms, updated_at_ms";

/// A view or dashboard as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct SavedView {
    /// Its identity, also after its name has changed.
    pub(crate) view_id: Uuid,
    /// Which of the two it is.
    pub(crate) kind: Kind,
    /// Name among those of its kind.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// What it shows; none in a list.
    pub(crate) definition: Option<Json>,
    /// Counts its changes, from 1.
    pub(crate) version: i64,
    /// When it was made.
    pub(crate) created_at: UtcMillis,
    /// When it was last changed.
    pub(crate) updated_at: UtcMillis,
}

/// One that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewView {
    /// Which of the two it is.
    pub(crate) kind: Kind,
    /// What it is to be.
    pub(crate) change: Change,
}

/// What one is to be from now on.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Name among those of its kind.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// What it shows, JSON.
    pub(crate) definition: String,
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Choose another name.
    #[error("another {kind} has this name", kind = .0.name())]
    NameTaken(Kind),
    /// Delete some first.
    #[error("there are {MAX_VIEWS} views and dashboards already, as many as there may be")]
    TooMany,
    /// Read it again and change that.
    #[error("it was changed meanwhile and has version {version} now; read it again")]
    ChangedMeanwhile {
        /// The version that it has.
        version: i64,
    },
    /// There is none with this id.
    #[error("there is none")]
    NotFound,
    /// Try again.
    #[error("the database did not answer about saved views")]
    Database(#[from] sqlx::Error),
}

/// All of one kind, or of both, by name and without their definitions.
///
/// # Errors
/// What the database answers.
pub(crate) async fn list(database: &Database, kind: Option<Kind>) -> Result<Vec<SavedView>, sqlx::Error> {
    let filter = if kind.is_some() { "where kind = $1" } else { "" };
    let values: Vec<Value> = kind.map(|kind| kind.name().into()).into_iter().collect();
    let sql = format!("select {HEAD} from saved_views {filter} order by kind desc, name");
    let rows = database.fetch_all(AssertSqlSafe(sql), &values).await?;
    rows.iter().map(|row| SavedView::of(row, None)).collect()
}

/// One with its definition.
///
/// # Errors
/// What the database answers.
pub(crate) async fn find(database: &Database, view_id: Uuid) -> Result<Option<SavedView>, sqlx::Error> {
    let sql = format!("select {HEAD}, definition from saved_views where view_id = $1");
    let row = database.fetch_optional(AssertSqlSafe(sql), &[view_id.to_string().into()]).await?;
    row.map(|row| SavedView::of(&row, Some(&row.text("definition")?))).transpose()
}

/// Makes one.
///
/// # Errors
/// When its name is taken or there are too many, or what the database answers.
pub(crate) async fn insert(database: &Database, new: NewView, now: UtcMillis) -> Result<Uuid, StoreError> {
    let NewView { kind, change: Change { name, description, definition } } = new;
    let mut tx = database.begin().await?;
    let counted = tx.fetch_optional("select count(*) as views from saved_views", &[]).await?;
    // Two at once may become one more than there may be; that harms nobody.
    if counted.map_or(Ok(0), |row| row.int("views"))? >= MAX_VIEWS {
        return Err(StoreError::TooMany);
    }
    let view_id = Uuid::new_v4();
    let values: [Value; 6] = [
        view_id.to_string().into(),
        kind.name().into(),
        name.into(),
        description.into(),
        definition.into(),
        now.into(),
    ];
    let sql = "insert into saved_views (view_id, kind, name, description, definition, version, created_at_ms, updated_at_ms) \
               values ($1, $2, $3, $4, $5, 1, $6, $6)";
    tx.execute(sql, &values).await.map_err(|error| StoreError::of(error, kind))?;
    tx.commit().await?;
    Ok(view_id)
}

/// Changes the one that has this version.
///
/// # Errors
/// When it has another version by now or is gone, when its name is taken, or what the database answers.
pub(crate) async fn change(
    database: &Database,
    view: &SavedView,
    change: Change,
    now: UtcMillis,
) -> Result<(), StoreError> {
    let Change { name, description, definition } = change;
    let view_id: Value = view.view_id.to_string().into();
    let values: [Value; 6] =
        [view_id.clone(), view.version.into(), name.into(), description.into(), definition.into(), now.into()];
    let sql = "update saved_views set name = $3, description = $4, definition = $5, version = version + 1, updated_at_ms = $6 \
               where view_id = $1 and version = $2";
    let mut tx = database.begin().await?;
    if tx.execute(sql, &values).await.map_err(|error| StoreError::of(error, view.kind))? > 0 {
        return Ok(tx.commit().await?);
    }
    let found = tx.fetch_optional("select version from saved_views where view_id = $1", &[view_id]).await?;
    let found = found.ok_or(StoreError::NotFound)?;
    Err(StoreError::ChangedMeanwhile { version: found.int("version")? })
}

/// Deletes one. Returns whether there was one.
///
/// # Errors
/// What the database answers.
pub(crate) async fn delete(database: &Database, view_id: Uuid) -> Result<bool, sqlx::Error> {
    let mut tx = database.begin().await?;
    let deleted = tx.execute("delete from saved_views where view_id = $1", &[view_id.to_string().into()]).await?;
    tx.commit().await?;
    Ok(deleted > 0)
}

impl SavedView {
    fn of(row: &Row, definition: Option<&str>) -> Result<Self, sqlx::Error> {
        let wrong = |column: &str, source: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source,
        };
        let kind = row.text("kind")?;
        let known = Kind::ALL.iter().find(|(name, _)| *name == kind).map(|(_, kind)| *kind);
        let definition = definition.map(serde_json::from_str).transpose();
        Ok(Self {
            view_id: row.text("view_id")?.parse::<Uuid>().map_err(|error| wrong("view_id", error.into()))?,
            kind: known.ok_or_else(|| wrong("kind", format!("{kind:?} is no kind of a saved view").into()))?,
            name: row.text("name")?,
            description: row.text("description")?,
            definition: definition.map_err(|error| wrong("definition", error.into()))?,
            version: row.int("version")?,
            created_at: UtcMillis::from_millis(row.int("created_at_ms")?),
            updated_at: UtcMillis::from_millis(row.int("updated_at_ms")?),
        })
    }
}

impl StoreError {
    fn of(error: sqlx::Error, kind: Kind) -> Self {
        if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            Self::NameTaken(kind)
        } else {
            Self::Database(error)
        }
    }
}

//! `/v1/views`: views and dashboards that somebody keeps under a name.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use opstream_schemas::UtcMillis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::read_small_body;
use crate::query::Parameters;
use crate::routes::openapi::ViewParameters;
use crate::state::Shared;
use crate::views::{Change, Definition, Kind, MAX_DEFINITION_BYTES, NewView, SavedView, StoreError};
use crate::views::{change, delete, find, has_visible, insert, list};

/// A definition with its name and description, with room for how JSON may write them.
const MAX_BODY_BYTES: usize = 4 * MAX_DEFINITION_BYTES;
const MAX_NAME_CHARACTERS: usize = 200;
const MAX_DESCRIPTION_CHARACTERS: usize = 2000;

/// A view or dashboard that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSavedView {
    /// `view` or `dashboard`.
    kind: Kind,
    /// 1 to 200 characters; no other one of this kind may have it.
    name: String,
    /// What it is for, at most 2000 characters.
    #[serde(default)]
    description: String,
    /// What it shows, at most 64 KiB of JSON.
    definition: Definition,
}

/// What a view or dashboard is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedView {
    /// The version that was read; whoever has changed it since is not overwritten.
    version: i64,
    /// 1 to 200 characters; no other one of this kind may have it.
    name: String,
    /// What it is for, at most 2000 characters.
    #[serde(default)]
    description: String,
    /// What it shows, at most 64 KiB of JSON.
    definition: Definition,
}

/// A view or dashboard without what it shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewHead {
    /// Its identity, also after its name has changed.
    #[schema(value_type = String, format = "uuid")]
    view_id: Uuid,
    /// `view` or `dashboard`.
    kind: Kind,
    /// Name among those of its kind.
    name: String,
    /// What it is for.
    description: String,
    /// Counts its changes, from 1.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: UtcMillis,
    /// When it was last changed.
    #[schema(value_type = String, format = "date-time")]
    updated_at: UtcMillis,
}

/// A view or dashboard.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewAnswer {
    #[serde(flatten)]
    head: ViewHead,
    /// What it shows.
    #[schema(value_type = Definition)]
    definition: serde_json::Value,
}

/// All that there are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ViewsAnswer {
    /// Views, then dashboards, by name; there are at most 1000.
    views: Vec<ViewHead>,
}

/// Saved views and dashboards, without what they show.
#[utoipa::path(get, path = "/v1/views", tag = "views", params(ViewParameters),
    responses((status = 200, body = ViewsAnswer)))]
pub(crate) async fn list_views(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<ViewsAnswer>, ApiError> {
    let kind = parameters.take_choice("kind", &Kind::ALL)?;
    parameters.finish()?;
    let views = list(&state.database, kind).await?;
    Ok(Json(ViewsAnswer { views: views.into_iter().map(ViewHead::from).collect() }))
}

/// One saved view or dashboard.
#[utoipa::path(get, path = "/v1/views/{view_id}", tag = "views",
    params(("view_id" = String, Path, description = "UUID, as the list has it")),
    responses((status = 200, body = ViewAnswer),
        (status = 404, body = ErrorAnswer, description = "There is none with this id")))]
pub(crate) async fn show_view(
    State(state): State<Shared>,
    Path(view_id): Path<String>,
) -> Result<Json<ViewAnswer>, ApiError> {
    Ok(Json(shown(found(&state, &view_id).await?)))
}

/// Makes a view or dashboard. What could not be drawn is refused: unknown measures, dimensions and charts, with their panel.
#[utoipa::path(post, path = "/v1/views", tag = "views", request_body = NewSavedView,
    responses((status = 201, body = ViewAnswer),
        (status = 409, body = ErrorAnswer, description = "`name_taken`: another one of this kind has the name"),
        (status = 413, body = ErrorAnswer, description = "The body is too large")))]
pub(crate) async fn post_view(
    State(state): State<Shared>,
    body: Body,
) -> Result<(StatusCode, Json<ViewAnswer>), ApiError> {
    let NewSavedView { kind, name, description, definition } = read(body).await?;
    let new = NewView { kind, change: checked(kind, name, description, &definition)? };
    let view_id = insert(&state.database, new, UtcMillis::now()).await?;
    Ok((StatusCode::CREATED, Json(shown(found(&state, &view_id.to_string()).await?))))
}

/// Changes a view or dashboard of which this version was read.
#[utoipa::path(put, path = "/v1/views/{view_id}", tag = "views", request_body = ChangedView,
    params(("view_id" = String, Path, description = "UUID, as the list has it")),
    responses((status = 200, body = ViewAnswer),
        (status = 404, body = ErrorAnswer, description = "There is none with this id"),
        (status = 409, body = ErrorAnswer, description = "`changed_meanwhile`: it has another version by now; `name_taken`: another one of this kind has the name"),
        (status = 413, body = ErrorAnswer, description = "The body is too large")))]
pub(crate) async fn put_view(
    State(state): State<Shared>,
    Path(view_id): Path<String>,
    body: Body,
) -> Result<Json<ViewAnswer>, ApiError> {
    let ChangedView { version, name, description, definition } = read(body).await?;
    let view = SavedView { version, ..found(&state, &view_id).await? };
    let changed = checked(view.kind, name, description, &definition)?;
    change(&state.database, &view, changed, UtcMillis::now()).await?;
    Ok(Json(shown(found(&state, &view_id).await?)))
}

/// Deletes a view or dashboard.
#[utoipa::path(delete, path = "/v1/views/{view_id}", tag = "views",
    params(("view_id" = String, Path, description = "UUID, as the list has it")),
    responses((status = 204, description = "It is gone"),
        (status = 404, body = ErrorAnswer, description = "There is none with this id")))]
pub(crate) async fn delete_view(
    State(state): State<Shared>,
    Path(view_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let is_deleted = match view_id.parse() {
        Ok(id) => delete(&state.database, id).await?,
        Err(_) => false,
    };
    if is_deleted { Ok(StatusCode::NO_CONTENT) } else { Err(not_found(&view_id)) }
}

async fn found(state: &Shared, view_id: &str) -> Result<SavedView, ApiError> {
    let view = match view_id.parse() {
        Ok(id) => find(&state.database, id).await?,
        Err(_) => None,
    };
    view.ok_or_else(|| not_found(view_id))
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, ApiError> {
    let body = read_small_body(body, MAX_BODY_BYTES).await?;
    let mut json = serde_json::Deserializer::from_slice(&body);
    // With the path of what is wrong, such as definition.panels[3].width.
    serde_path_to_error::deserialize(&mut json).map_err(|error| invalid(&error.to_string()))
}

fn checked(kind: Kind, name: String, description: String, definition: &Definition) -> Result<Change, ApiError> {
    let is_bad = |text: &str, most| text.chars().count() > most || text.chars().any(|c| c.is_control() && c != '\n');
    if !has_visible(&name) || name.contains('\n') || is_bad(&name, MAX_NAME_CHARACTERS) {
        return Err(invalid(&format!(
            "field name has 1 to {MAX_NAME_CHARACTERS} characters and no control characters"
        )));
    }
    if is_bad(&description, MAX_DESCRIPTION_CHARACTERS) {
        return Err(invalid(&format!(
            "field description has at most {MAX_DESCRIPTION_CHARACTERS} characters and no control characters"
        )));
    }
    definition.check(kind).map_err(|error| invalid(&error.to_string()))?;
    let definition = definition.to_text().map_err(|error| invalid(&error.to_string()))?;
    Ok(Change { name, description, definition })
}

fn invalid(reason: &str) -> ApiError {
    ApiError::invalid("invalid_view", reason.chars().take(1000).collect::<String>())
}

fn not_found(view_id: &str) -> ApiError {
    let view_id: String = view_id.chars().take(100).collect();
    ApiError::NotFound { message: format!("there is no saved view {view_id:?}; /v1/views lists them") }
}

impl From<SavedView> for ViewHead {
    fn from(view: SavedView) -> Self {
        let SavedView { view_id, kind, name, description, version, created_at, updated_at, .. } = view;
        Self { view_id, kind, name, description, version, created_at, updated_at }
    }
}

fn shown(mut view: SavedView) -> ViewAnswer {
    let definition = view.definition.take().unwrap_or_default();
    ViewAnswer { head: view.into(), definition }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NameTaken(_) => Self::Conflict { code: "name_taken", message },
            StoreError::ChangedMeanwhile { .. } => Self::Conflict { code: "changed_meanwhile", message },
            StoreError::TooMany => Self::invalid("too_many_views", message),
            StoreError::NotFound => Self::NotFound { message },
            StoreError::Database(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests;
